from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import ndtri

from recsim.ope.magic import blend, magic
from recsim.ope.sessions import dm, wdr
from recsim.ope.terms import Terms

GAMMA = 0.9


@pytest.fixture(scope="module")
def models(markov):
    """The exact model, and one that is far off."""
    return {
        "exact": markov.q(markov.target, GAMMA),
        "wrong": markov.q(markov.target, GAMMA) + 2.0,
    }


def arguments(log, table, markov):
    return (*log.logs, log.at(table), log.over(table, markov.target)), {**log.rows, "gamma": GAMMA}


def partial_estimates(terms: Terms) -> np.ndarray:
    """(t + 1, o) g_j, the sums of the first groups."""
    return np.cumsum([Terms(terms.numerator[:, [g]], terms.denominator[:, [g]]).value for g in range(4)], axis=0)


def test_the_first_partial_estimate_is_the_model_and_the_last_wdr(session_log, models, markov):
    """The middle one by hand: two weighted steps, and the model's word for the third."""
    log = session_log
    logs, rows = arguments(log, models["wrong"], markov)
    terms = wdr(*logs, **rows)
    partial = partial_estimates(terms)
    assert partial[0] == pytest.approx(dm(logs[4], **log.rows).value, rel=1e-13)
    assert partial[-1] == pytest.approx(terms.value, rel=1e-13)
    ratio = np.ones((2000, 3))
    paid, worth, ahead = np.zeros((3, 2000, 3, 2))
    place = log.session, log.step
    ratio[place] = np.exp(log.target - log.logged)
    paid[place], worth[place], ahead[place] = log.reward, logs[3], logs[4]
    w0, w1 = ratio[:, 0], ratio[:, 0] * ratio[:, 1]
    expected = (
        ahead[:, 0].mean(axis=0)
        + np.average(paid[:, 0] - worth[:, 0] + GAMMA * ahead[:, 1], axis=0, weights=w0)
        + np.average(GAMMA * (paid[:, 1] - worth[:, 1]) + GAMMA**2 * ahead[:, 2], axis=0, weights=w1)
    )
    assert partial[2] == pytest.approx(expected, rel=1e-12)


def test_magic_is_the_blend_of_the_partial_estimates(session_log, models, markov):
    logs, rows = arguments(session_log, models["wrong"], markov)
    terms = wdr(*logs, **rows)
    shares = blend(terms)
    assert shares.min() >= 0
    assert shares.sum(axis=0) == pytest.approx([1, 1])
    assert magic(*logs, **rows).value == pytest.approx((shares * partial_estimates(terms)).sum(axis=0), rel=1e-12)


def test_trusts_a_right_model_and_leaves_a_wrong_one(markov, session_log, models):
    """The exact model's word has no error but that of the first states; a wrong one is kept only with the last step."""
    shares = {}
    for name, table in models.items():
        logs, rows = arguments(session_log, table, markov)
        shares[name] = blend(wdr(*logs, **rows))
    assert (shares["exact"][0] > 0.9).all()
    assert (shares["wrong"][0] < 0.01).all()
    assert (shares["wrong"][-1] > 0.99).all()


def test_consistent_with_a_wrong_model(markov, models):
    """The distance from the truth shrinks to the noise of 10,000 sessions, far below the model's error of 2."""
    log = markov.log(10_000, seed=1)
    logs, rows = arguments(log, models["wrong"], markov)
    terms = magic(*logs, **rows)
    error = np.sqrt(np.square(terms.influence).sum(axis=0))
    assert (np.abs(terms.value - markov.value(markov.target, GAMMA)) < 3 * error).all()
    assert (error < 0.05).all()


def test_less_error_than_the_weights_alone_if_the_model_is_good(markov, models):
    """Root mean squared errors over 60 small logs, with a model that is off by a tenth."""
    truth = markov.value(markov.target, GAMMA)
    rng = np.random.default_rng(0)
    close = models["exact"] + 0.1 * rng.normal(size=models["exact"].shape)
    errors = []
    for seed in range(60):
        logs, rows = arguments(markov.log(50, seed), close, markov)
        errors.append([magic(*logs, **rows).value - truth, wdr(*logs, **rows).value - truth])
    blended, weighted = np.sqrt(np.square(errors).mean(axis=(0, 2)))
    assert blended < 0.8 * weighted


def test_the_blend_minimises_the_estimated_error(markov):
    """Against a general solver, on the matrix as the paper writes it, from 30 sessions with plain loops."""
    rng = np.random.default_rng(1)
    terms = Terms(rng.normal(size=(30, 6, 2)), rng.uniform(0.2, 3.0, (30, 6)))
    shares = blend(terms, level=0.3)
    for objective in range(2):
        partial, influence, so_far, moved = [], [], 0.0, np.zeros(30)
        for group in range(6):
            one = Terms(terms.numerator[:, [group], objective : objective + 1], terms.denominator[:, [group]])
            so_far, moved = so_far + one.value[0], moved + one.influence[:, 0]
            partial.append(so_far)
            influence.append(moved)
        omega = np.array([[30 / 29 * a @ b for a in influence] for b in influence])
        half = ndtri(0.65) * np.sqrt(omega[-1, -1])
        low, high = partial[-1] - half, partial[-1] + half
        bias = np.array([g - high if g > high else g - low if g < low else 0.0 for g in partial])
        matrix = omega + np.outer(bias, bias)
        solved = minimize(
            lambda x, m=matrix: x @ m @ x, np.full(6, 1 / 6), jac=lambda x, m=matrix: 2 * m @ x, method="SLSQP",
            bounds=[(0, 1)] * 6, constraints={"type": "eq", "fun": lambda x: x.sum() - 1}, options={"ftol": 1e-14},
        )  # fmt: skip
        ours = shares[:, objective]
        assert ours @ matrix @ ours <= solved.fun * (1 + 1e-9)
        assert ours == pytest.approx(solved.x, abs=1e-4)


def test_row_order_scale_and_objectives(session_log, models, markov):
    logs, rows = arguments(session_log, models["wrong"], markov)
    terms = magic(*logs, **rows)
    again, places = arguments(session_log.shuffled(2), models["wrong"], markov)
    assert np.array_equal(magic(*again, **places).numerator, terms.numerator)
    scaled = magic(-50 * logs[0], *logs[1:3], -50 * logs[3], -50 * logs[4], **rows)
    assert scaled.value == pytest.approx(-50 * terms.value, rel=1e-9)
    alone = magic(logs[0][:, 1], *logs[1:3], logs[3][:, 1], logs[4][:, 1], **rows)
    assert alone.value == pytest.approx(terms.value[1:], rel=1e-9)


def test_on_policy_with_no_model_is_the_mean_return(session_log):
    log = session_log
    nothing = np.zeros_like(log.reward)
    returns = np.zeros((2000, 2))
    np.add.at(returns, log.session, log.reward)
    terms = magic(log.reward, log.logged, log.logged, nothing, nothing, **log.rows)
    error = np.sqrt(np.square(terms.influence).sum(axis=0))
    assert (np.abs(terms.value - returns.mean(axis=0)) < 2 * error).all()  # stopping short is part of the blend


def test_inner_slate_weights_reach_the_blend(session_log, models, markov):
    logs, rows = arguments(session_log, models["wrong"], markov)
    within = np.exp(logs[1] - logs[2])[:, None] * logs[0]
    shares = blend(wdr(*logs, **rows, within=within))
    partial = partial_estimates(wdr(*logs, **rows, within=within))
    assert magic(*logs, **rows, within=within).value == pytest.approx((shares * partial).sum(axis=0), rel=1e-12)


def test_without_weight_left_the_value_is_nan():
    rows = {"session": [0, 0, 1], "step": [0, 1, 0]}
    target = np.array([0.0, -np.inf, -np.inf])
    terms = magic([1, 1, 1], target, np.log([0.5, 0.5, 0.5]), [1, 1, 1], [1, 1, 1], **rows)
    assert np.isnan(terms.value).all()


def test_nothing_to_choose_from_is_shared_evenly():
    assert blend(Terms(np.ones((3, 2, 1)), np.ones((3, 2)))).sum() == pytest.approx(1)
    assert blend(Terms(np.zeros((3, 2, 1)), np.ones((3, 2)))).tolist() == [[0.5], [0.5]]


def test_errors():
    terms = Terms(np.ones((3, 2, 1)), np.ones((3, 2)))
    for level in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match=rf"level is {level}; .* between 0 and 1"):
            blend(terms, level)
    with pytest.raises(ValueError, match=r"the log has 1 session; a covariance needs at least 2"):
        blend(Terms(np.ones((1, 2, 1)), np.ones((1, 2))))
    with pytest.raises(ValueError, match=r"session 0 has step 2 \(row 1\) but no step 1"):
        magic([1, 1], np.zeros(2), np.zeros(2), [0, 0], [0, 0], session=[0, 0], step=[0, 2])


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.integers(2, 12), st.integers(1, 8), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-12, 1.0, 1e12]))
def test_any_shares_are_a_blend(n, groups, seed, scale):
    rng = np.random.default_rng(seed)
    terms = Terms(scale * rng.normal(size=(n, groups, 2)), rng.uniform(0, 2, (n, groups)))
    shares = blend(terms)
    assert shares.shape == (groups, 2)
    assert (shares >= 0).all()
    assert shares.sum(axis=0) == pytest.approx([1, 1])
