from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from recsim.ope.dice import dice, dice_ratio
from recsim.ope.sessions import pdis


def features(log):
    """(n, 6) of what was shown and (n, 2, 6) of both actions, state and action one-hot together."""
    return np.eye(6)[2 * log.state + log.action], np.eye(6)[2 * log.state[:, None] + np.arange(2)]


def ratio(log, markov, **options):
    return dice_ratio(*features(log), **log.rows, target_probability=markov.target[log.state], **options)


def endless(markov):
    """The same world without a horizon that matters: everybody has left long before."""
    world = type(markov)()
    world.n_steps, world.move = 60, 0.75 * world.move
    return world


@pytest.mark.parametrize("gamma", [0, 0.9, 1])
def test_close_to_the_truth_with_a_horizon(markov, gamma):
    """Thirty logs with features by step: errors within 3 standard errors of 0, as large as they say or less."""
    truth, z = markov.value(markov.target, gamma), []
    for seed in range(30):
        log = markov.log(300, seed)
        terms = dice(log.reward, ratio(log, markov, gamma=gamma, by_step=True), **log.rows)
        z.append((terms.value - truth) / np.sqrt(np.square(terms.influence).sum(axis=0)))
    assert (np.abs(np.mean(z, axis=0)) < 3 / np.sqrt(30)).all()
    assert (np.std(z, axis=0) < 1.4).all()


@pytest.mark.parametrize("gamma", [0.8, 1])
def test_close_to_the_truth_without_a_horizon(markov, gamma):
    """One set of features for all steps, gamma 1 included: the end of a session absorbs."""
    world = endless(markov)
    truth, z = world.value(world.target, gamma), []
    for seed in range(30):
        log = world.log(300, seed + 100)
        terms = dice(log.reward, ratio(log, world, gamma=gamma), **log.rows)
        z.append((terms.value - truth) / np.sqrt(np.square(terms.influence).sum(axis=0)))
    assert (np.abs(np.mean(z, axis=0)) < 3 / np.sqrt(30)).all()
    assert (np.std(z, axis=0) < 1.4).all()


def test_a_horizon_that_features_do_not_tell_misleads(markov):
    """As documented: the third step is the last one, which states alone do not tell."""
    log, truth = markov.log(5000, seed=0), markov.value(markov.target, 0.9)
    error = {by: dice(log.reward, ratio(log, markov, gamma=0.9, by_step=by), **log.rows).value - truth for by in (0, 1)}
    assert (np.abs(error[1]) < 0.04).all()
    assert (np.abs(error[0] - error[1]) > 0.02).any()


def test_ratios_come_close_to_the_exact_ones(markov):
    """By step they are gamma^t (d^e_t / d^b_t)(s, a)."""
    log = markov.log(8000, seed=1)
    visits = (markov.visits(markov.target) / markov.visits(markov.behaviour))[log.step, log.state]
    exact = 0.9**log.step * visits * np.exp(log.target - log.logged)
    for n_folds in (1, 2):
        assert ratio(log, markov, gamma=0.9, by_step=True, n_folds=n_folds) == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize("by_step", [True, False])
def test_visits_flow_as_they_must(markov, by_step):
    """For every feature: weighted visits = those at the start + gamma times those that follow (by plain loops)."""
    log = markov.log(300, seed=2)
    shown, both = features(log)
    expected = np.einsum("naf,na->nf", both, markov.target[log.state])
    zeta = ratio(log, markov, gamma=0.9, by_step=by_step, regularization=1e-12)
    where = {pair: i for i, pair in enumerate(zip(log.session, log.step, strict=True))}
    here, start, later = np.zeros((3, 3, 6))
    for i, (session, step) in enumerate(zip(log.session, log.step, strict=True)):
        place = step if by_step else 0
        here[place] += zeta[i] * shown[i]
        if step == 0:
            start[0] += expected[i]
        if (session, step + 1) in where:
            later[step + 1 if by_step else 0] += 0.9 * zeta[i] * expected[where[session, step + 1]]
    assert here == pytest.approx(start + later, rel=1e-6)


def test_the_solution_is_a_saddle_point():
    """Against a general solver on the objective as written, with correlated features and a real regularisation."""
    rng = np.random.default_rng(0)
    rows = {"session": np.repeat(np.arange(30), 2), "step": np.tile([0, 1], 30)}
    shown, drawn, gamma, share = rng.normal(size=(60, 3)) + 1, rng.normal(size=(60, 4, 3)) + 1, 0.7, 0.05
    expected = drawn.mean(axis=1)
    ahead = np.where((rows["step"] == 0)[:, None], np.roll(expected, -1, axis=0), 0.0)
    added = share * np.trace(shown.T @ shown) / 30 / 3
    flow = shown.T @ (shown - gamma * ahead) / 30
    best = np.linalg.inv(shown.T @ shown / 30 + added * np.eye(3)) @ flow
    outer = share * np.trace(flow.T @ best) / 3

    def inner(theta):
        """The largest value over eta, found by the solver, too."""
        difference = (shown - gamma * ahead) @ theta

        def loss(eta):
            zeta = shown @ eta
            value = -(difference @ zeta - zeta @ zeta / 2) / 30 + added * eta @ eta / 2
            return value, -shown.T @ (difference - zeta) / 30 + added * eta

        found = minimize(loss, np.zeros(3), jac=True, tol=1e-10)
        return -found.fun - expected[::2].mean(axis=0) @ theta + outer * theta @ theta / 2, found.x

    theta = minimize(lambda theta: inner(theta)[0], np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-9}).x
    zeta = dice_ratio(shown, drawn, **rows, gamma=gamma, regularization=share)
    assert zeta == pytest.approx(shown @ inner(theta)[1], abs=1e-4)


def test_one_step_is_a_bandit(markov):
    """With gamma 0, tables give pi_e over the share of each action in the log."""
    log = markov.log(500, seed=3)
    zeta = ratio(log, markov, gamma=0, by_step=True, regularization=1e-12)
    assert zeta[log.step > 0] == pytest.approx(np.zeros((log.step > 0).sum()), abs=1e-9)
    for state, action in np.ndindex(3, 2):
        there = (log.step == 0) & (log.state == state)
        share = (log.action[there] == action).mean()
        assert zeta[there & (log.action == action)] == pytest.approx(markov.target[state, action] / share, rel=1e-9)


def test_no_propensity_is_needed_for_a_mixed_log(markov):
    """Two policies wrote the log; each row's weight is over both, and the target's value is found."""
    first, second = markov.log(3000, seed=0), markov.log(3000, seed=1, policy=markov.behaviour[:, ::-1])
    log = type(first)(**{
        name: np.concatenate([getattr(first, name), getattr(second, name) + (3000 if name == "session" else 0)])
        for name in ("session", "step", "state", "action", "reward", "target", "logged")
    })  # fmt: skip
    terms = dice(log.reward, ratio(log, markov, gamma=0.9, by_step=True), **log.rows)
    error = np.sqrt(np.square(terms.influence).sum(axis=0))
    truth = markov.value(markov.target, 0.9)
    assert (np.abs(terms.value - truth) < 3 * error).all()
    wrong = pdis(*log.logs, **log.rows, gamma=0.9)  # which takes all rows for the first policy's
    assert (np.abs(wrong.value - truth) > 3 * error).any()


def test_on_policy_is_the_mean_return(markov):
    """A table by step of the policy in force, as it was met: all weights are gamma^t."""
    log = markov.log(500, seed=4)
    shown, _ = features(log)
    zeta = dice_ratio(shown, shown[:, None], **log.rows, gamma=0.9, by_step=True, regularization=1e-12)
    assert zeta == pytest.approx(0.9**log.step, rel=1e-8)
    returns = np.zeros((500, 2))
    np.add.at(returns, log.session, 0.9 ** log.step[:, None] * log.reward)
    assert dice(log.reward, zeta, **log.rows).value == pytest.approx(returns.mean(axis=0), rel=1e-8)


def test_folds_use_other_sessions_alone(markov):
    log = markov.log(40, seed=2)
    shown, both = features(log)
    options = {**log.rows, "gamma": 0.9, "n_folds": 4}
    changed = np.where((log.session == 5)[:, None], shown[:, ::-1], shown)
    first, again = dice_ratio(shown, both, **options), dice_ratio(changed, both, **options)
    same = (log.session % 4 == 1) & (log.session != 5)
    assert np.array_equal(first[same], again[same])
    assert not np.array_equal(first[log.session % 4 == 0], again[log.session % 4 == 0])


@pytest.mark.parametrize("options", [{"by_step": True}, {}, {"n_folds": 3}])
def test_row_order_does_not_change_a_bit(markov, options):
    log, other = markov.log(200, seed=6), markov.log(200, seed=6).shuffled(9)
    order = np.random.default_rng(9).permutation(len(log.step))
    first, again = ratio(log, markov, gamma=0.9, **options), ratio(other, markov, gamma=0.9, **options)
    assert np.array_equal(first[order], again)
    terms = dice(log.reward, first, **log.rows)
    assert np.array_equal(terms.numerator, dice(other.reward, again, **other.rows).numerator)
    assert dice(-7 * log.reward, first, **log.rows).value == pytest.approx(-7 * terms.value, rel=1e-13)
    assert dice(log.reward[:, 1], first, **log.rows).value == pytest.approx(terms.value[1:], rel=1e-13)


def test_errors(markov):
    log = markov.log(6, seed=0)
    n, (shown, both) = len(log.step), features(log)
    for share in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match=rf"regularization is {share}; it must be above 0"):
            dice_ratio(shown, both, **log.rows, regularization=share)
    with pytest.raises(ValueError, match=r"gamma is 1.5; a discount per step is from 0 to 1"):
        dice_ratio(shown, both, **log.rows, gamma=1.5)
    with pytest.raises(ValueError, match=r"target_features has 5 features but features has 6"):
        dice_ratio(shown, both[:, :, 1:], **log.rows)
    with pytest.raises(ValueError, match=r"n_folds is 7 and the log has 6 session"):
        dice_ratio(shown, both, **log.rows, n_folds=7)
    with pytest.raises(ValueError, match=r"row 0 of target_probability sums to 0.4 or is negative"):
        dice_ratio(shown, both, **log.rows, target_probability=np.full((n, 2), 0.2))
    broken = shown.copy()
    broken[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"row 1, column 2 of features .* is nan"):
        dice_ratio(broken, both, **log.rows)
    with pytest.raises(ValueError, match=r"rows 0 and \d are both step 0 of session 0"):
        dice_ratio(shown, both, session=np.zeros(n, int), step=log.step)
    with pytest.raises(ValueError, match=r"the features of what was shown.* no solution.*gamma below 1"):
        dice_ratio(np.zeros((n, 1)), np.ones((n, 1, 1)), **log.rows)
    with pytest.raises(ValueError, match=rf"ratio has shape \({n}, 2\); it must be one number per row"):
        dice(log.reward, np.ones((n, 2)), **log.rows)
    with pytest.raises(ValueError, match=r"row 1, column 0 of ratio .* is inf"):
        dice(log.reward, np.where(np.arange(n) == 1, np.inf, 1.0), **log.rows)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(2, 8), st.integers(1, 4), st.integers(1, 3), st.booleans(), st.integers(0, 2**32 - 1))
def test_any_features_give_numbers(n_sessions, n_features, n_folds, by_step, seed):
    """Also those that are collinear, or never seen in the fold that is fitted, beside a constant one."""
    rng = np.random.default_rng(seed)
    length = rng.integers(1, 4, n_sessions)
    session = np.repeat(np.arange(n_sessions), length)
    step = np.concatenate([np.arange(steps) for steps in length])
    shown = rng.integers(0, 2, (len(step), n_features)).astype(float)
    drawn = rng.integers(0, 2, (len(step), 3, n_features)).astype(float)
    rows = {"session": session, "step": step}
    shown[:, 0] = drawn[:, :, 0] = 1.0
    zeta = dice_ratio(shown, drawn, **rows, by_step=by_step, n_folds=min(n_folds, n_sessions))
    assert np.isfinite(zeta).all()
    assert np.isfinite(dice(shown[:, 0], zeta, **rows).value).all()
