from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.ope.fqe import fitted_q
from recsim.ope.sessions import pdis
from recsim.ope.terms import Terms
from recsim.ope.visitation import drl, marginal_weight, mis, visit_ratio

FOLDER = Path(__file__).parents[2].parent / "shared" / "reference" / "ope"
GAMMAS = [0, 0.9, 1]


def exact_ratio(log, markov):
    return (markov.visits(markov.target) / markov.visits(markov.behaviour))[log.step, log.state]


def expectation(terms: Terms, chance: np.ndarray) -> np.ndarray:
    return Terms(terms.numerator * chance[:, None, None], terms.denominator * chance[:, None]).value


def guess(markov):
    return np.random.default_rng(0).uniform(0, 3, (markov.n_steps, 3, 2, 2))


def with_model(log, markov, table):
    return log.at(table), log.over(table, markov.target)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_mis_with_exact_ratios_is_unbiased(markov, all_sessions, gamma):
    """The action's ratio is part of the weight: without it, as scope-rl has it by default, the truth is missed."""
    log, truth = all_sessions, markov.value(markov.target, gamma)
    terms = mis(*log.logs, exact_ratio(log, markov), **log.rows, gamma=gamma)
    assert expectation(terms, log.chance) == pytest.approx(truth, abs=1e-12)
    without = mis(log.reward, log.logged, log.logged, exact_ratio(log, markov), **log.rows, gamma=gamma)
    assert (np.abs(expectation(without, log.chance) - truth) > 0.05).any()


@pytest.mark.parametrize("gamma", GAMMAS)
def test_drl_is_unbiased_with_exact_ratios_or_an_exact_model(markov, all_sessions, gamma):
    """With the discount, which scope-rl leaves out, and V of the next state with the weight of the row before it."""
    log, truth = all_sessions, markov.value(markov.target, gamma)
    ratio, rows = exact_ratio(log, markov), {**log.rows, "gamma": gamma}
    by_ratio = drl(*log.logs, ratio, *with_model(log, markov, guess(markov)), **rows)
    assert expectation(by_ratio, log.chance) == pytest.approx(truth, abs=1e-12)
    exact = with_model(log, markov, markov.q(markov.target, gamma))
    nonsense = np.random.default_rng(1).uniform(0, 4, (3, 3))[log.step, log.state]
    by_model = drl(*log.logs, nonsense, *exact, **rows)
    # A right model makes up for any weights that are a function of the state: all corrections are 0 on average.
    if gamma != 1:
        undiscounted = drl(*log.logs, ratio, *exact, **log.rows)
        assert (np.abs(expectation(undiscounted, log.chance) - truth) > 0.05).all()
    assert expectation(by_model, log.chance) == pytest.approx(truth, abs=1e-12)


def test_drl_places_next_values_by_hand():
    """Two steps: V at the second step counts with the first row's weight, and nothing is ahead of the last row."""
    target, logged = np.log([0.6, 0.9]), np.log([0.3, 0.3])
    terms = drl([1, 2], target, logged, [1, 0.5], [10, 20], [7, 5], session=[0, 0], step=[0, 1], gamma=0.1)
    assert terms.value == pytest.approx([7 + 2 * (1 - 10 + 0.1 * 5) + 0.1 * 0.5 * 3 * (2 - 20)])


def test_estimated_ratios_are_the_recursion_by_loops(markov):
    log = markov.log(300, seed=2)
    visits = visit_ratio(log.state, log.target, log.logged, **log.rows)
    assert not visits.unseen.any()
    where = {pair: i for i, pair in enumerate(zip(log.session, log.step, strict=True))}
    expected = {(0, state): 1.0 for state in range(3)}
    for step in (1, 2):
        for state in range(3):
            carried = []
            for i in np.flatnonzero((log.step == step) & (log.state == state)):
                before = where[log.session[i], step - 1]
                carried.append(expected[step - 1, log.state[before]] * np.exp(log.target[before] - log.logged[before]))
            expected[step, state] = np.mean(carried)
    assert visits.ratio == pytest.approx([expected[pair] for pair in zip(log.step, log.state, strict=True)], rel=1e-12)


def test_ratios_come_close_to_the_exact_ones(markov):
    log = markov.log(8000, seed=0)
    for n_folds in (1, 2):
        visits = visit_ratio(log.state, log.target, log.logged, **log.rows, n_folds=n_folds)
        assert visits.ratio == pytest.approx(exact_ratio(log, markov), rel=0.08)


def test_folds_use_other_sessions_alone(markov):
    """A session's ratios do not change if its own propensities do."""
    log = markov.log(40, seed=2)
    first = visit_ratio(log.state, log.target, log.logged, **log.rows, n_folds=4)
    long = log.session[(log.step == 1) & (log.session % 4 == 1)][0]
    other = np.where(log.session == long, log.target - 1.0, log.target)
    again = visit_ratio(log.state, other, log.logged, **log.rows, n_folds=4)
    mine = log.session % 4 == 1
    assert np.array_equal(first.ratio[mine], again.ratio[mine])
    assert not np.array_equal(first.ratio, again.ratio)


def test_states_that_others_never_saw_are_told():
    rows = {"session": [0, 0, 1, 1], "step": [0, 1, 0, 1]}
    same = np.log(np.full(4, 0.5))
    visits = visit_ratio([0, 1, 0, 2], same, same, **rows, n_folds=2)
    assert visits.unseen.tolist() == [False, True, False, True]
    assert visits.ratio.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("spread", [True, False])
def test_standard_errors_contain_the_estimation_of_ratios(markov, spread):
    """Sixty logs: errors in standard errors have spread 1 with `state`, and more where ratios count as given."""
    truth, z = markov.value(markov.target, 0.9), []
    for seed in range(60):
        log = markov.log(200, seed)
        visits = visit_ratio(log.state, log.target, log.logged, **log.rows)
        known = {"state": visits.state} if spread else {}
        terms = mis(*log.logs, visits.ratio, **log.rows, gamma=0.9, **known)
        z.append((terms.value - truth) / np.sqrt(np.square(terms.influence).sum(axis=0)))
    size = np.sqrt(np.square(z).mean())
    assert 0.85 < size < 1.15 if spread else size > 1.15  # of 120 numbers: 1 within 2 * 0.065


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_spread_leaves_the_value_alone(session_log, gamma):
    log = session_log
    visits = visit_ratio(log.state, log.target, log.logged, **log.rows)
    plain = mis(*log.logs, visits.ratio, **log.rows, gamma=gamma)
    spread = mis(*log.logs, visits.ratio, **log.rows, gamma=gamma, state=visits.state)
    assert spread.value == pytest.approx(plain.value, rel=1e-12)


@pytest.mark.slow
def test_close_to_the_truth_on_logs(markov):
    """Thirty logs, everything estimated by folds: errors within 3 standard errors of 0, as large as they say."""
    truth, z = markov.value(markov.target, 0.9), []
    for seed in range(30):
        log = markov.log(300, seed)
        pair, both = 2 * log.state + log.action, 2 * log.state[:, None] + np.arange(2)
        fitted = fitted_q(
            np.eye(6)[pair], np.eye(6)[both], log.reward, **log.rows, gamma=0.9, model="table", by_step=True,
            target_probability=markov.target[log.state],
        )  # fmt: skip
        visits = visit_ratio(log.state, log.target, log.logged, **log.rows, n_folds=2)
        terms = drl(*log.logs, visits.ratio, fitted.q_logged, fitted.v_target, **log.rows, gamma=0.9)
        z.append((terms.value - truth) / np.sqrt(np.square(terms.influence).sum(axis=0)))
    assert (np.abs(np.mean(z, axis=0)) < 3 / np.sqrt(30)).all()
    assert (np.abs(np.std(z, axis=0) - 1) < 0.4).all()


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"reference values are not beside the checkout: {FOLDER}")
def test_on_the_reference_log_with_its_exact_ratios():
    """200 sessions of 8 steps: within 3 standard errors of the truth, where undiscounted DRL is half a return off."""
    data = np.load(FOLDER / "rl.npz")
    truth, gamma = json.loads((FOLDER / "rl.json").read_text())["true_J"], float(data["gamma"])
    chance, action = data["evaluation_policy_action_dist"], data["action"][:, :, None]
    shown = np.take_along_axis(chance, action, axis=2)[:, :, 0]
    ratio, exact = data["state_marginal_weight"], data["Q_exact"]
    assert ratio * shown / data["pscore"] == pytest.approx(data["state_action_marginal_weight"], rel=1e-12)
    session, step = (index.ravel() for index in np.indices(ratio.shape))
    rows = {"session": session, "step": step, "gamma": gamma}
    logs = data["reward"].ravel(), np.log(shown).ravel(), np.log(data["pscore"]).ravel()
    model = np.take_along_axis(exact, action, axis=2).ravel(), (chance * exact).sum(axis=2).ravel()
    for terms in (mis(*logs, ratio.ravel(), **rows), drl(*logs, ratio.ravel(), *model, **rows)):
        assert abs(terms.value[0] - truth) < 3 * np.sqrt(np.square(terms.influence).sum())
    assert np.sqrt(np.square(terms.influence).sum()) < 0.15
    assert drl(*logs, ratio.ravel(), *model, **{**rows, "gamma": 1}).value[0] > truth + 0.4


def test_continuous_states_by_clusters(markov):
    """Noise around three points in the plane is three states again; the numbers of clusters do not matter."""
    log = markov.log(2000, seed=3)
    points = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 0.01]])  # scaled before distances are taken
    place = points[log.state] + np.random.default_rng(0).normal(size=(len(log.state), 2)) * [1.0, 1e-4]
    for n_folds in (1, 3):
        options = {**log.rows, "n_folds": n_folds}
        found = visit_ratio(place, log.target, log.logged, n_clusters=3, seed=1, **options)
        assert found.ratio == pytest.approx(visit_ratio(log.state, log.target, log.logged, **options).ratio, rel=1e-12)
    one = visit_ratio(place, log.target, log.logged, n_clusters=1, **log.rows)
    weight = marginal_weight(one.ratio, log.target, log.logged, **log.rows)
    assert len(np.unique(one.ratio)) == 3  # one state: a number per step
    assert weight.shape == (2000, 3)


def test_clusters_come_from_other_sessions_alone(markov):
    """A session's ratios do not change with the states of the sessions that are scored beside it."""
    log = markov.log(40, seed=2)
    place = np.random.default_rng(1).normal(size=(len(log.step), 2))
    moved = place + 3.0 * np.isin(log.session, [9, 13, 17, 21])[:, None]
    options = {**log.rows, "n_folds": 4, "n_clusters": 4}
    first = visit_ratio(place, log.target, log.logged, **options)
    again = visit_ratio(moved, log.target, log.logged, **options)
    same = np.isin(log.session, [1, 5, 25, 29, 33, 37])
    assert np.array_equal(first.ratio[same], again.ratio[same])
    assert not np.array_equal(first.ratio, again.ratio)


def test_weights_average_to_one(markov, all_sessions):
    log = all_sessions
    weight = marginal_weight(exact_ratio(log, markov), log.target, log.logged, **log.rows)
    assert log.chance @ weight == pytest.approx(np.ones(3), abs=1e-12)


def test_on_policy_is_the_mean_return(session_log):
    log = session_log
    visits = visit_ratio(log.state, log.logged, log.logged, **log.rows)
    assert visits.ratio == pytest.approx(np.ones(len(log.step)), rel=1e-12)
    returns = np.zeros((2000, 2))
    np.add.at(returns, log.session, 0.9 ** log.step[:, None] * log.reward)
    value = mis(log.reward, log.logged, log.logged, visits.ratio, **log.rows, gamma=0.9).value
    assert value == pytest.approx(returns.mean(axis=0), rel=1e-12)


@pytest.mark.parametrize("n_folds", [1, 3])
@pytest.mark.parametrize("n_clusters", [None, 2])
def test_row_order_does_not_change_a_bit(markov, n_folds, n_clusters):
    log, options = markov.log(100, seed=1), {"n_folds": n_folds, "n_clusters": n_clusters}
    other, order = log.shuffled(4), np.random.default_rng(4).permutation(len(log.step))
    first = visit_ratio(log.state, log.target, log.logged, **log.rows, **options)
    again = visit_ratio(other.state, other.target, other.logged, **other.rows, **options)
    assert np.array_equal(first.ratio[order], again.ratio)
    terms = mis(*log.logs, first.ratio, **log.rows, gamma=0.9)
    assert np.array_equal(terms.numerator, mis(*other.logs, again.ratio, **other.rows, gamma=0.9).numerator)


def test_scale_objectives_and_inner_weights(session_log, markov):
    log = session_log
    ratio, model = exact_ratio(log, markov), with_model(log, markov, guess(markov))
    value = drl(*log.logs, ratio, *model, **log.rows, gamma=0.9).value
    scaled = drl(-7 * log.reward, *log.logs[1:], ratio, -7 * model[0], -7 * model[1], **log.rows, gamma=0.9)
    assert scaled.value == pytest.approx(-7 * value, rel=1e-12)
    alone = drl(log.reward[:, 1], *log.logs[1:], ratio, model[0][:, 1], model[1][:, 1], **log.rows, gamma=0.9)
    assert alone.value == pytest.approx(value[1:], rel=1e-12)
    within = np.exp(log.target - log.logged)[:, None] * log.reward
    assert drl(*log.logs, ratio, *model, **log.rows, gamma=0.9, within=within).value == pytest.approx(value, rel=1e-12)
    plain = mis(*log.logs, ratio, **log.rows)
    assert mis(*log.logs, ratio, **log.rows, within=within).value == pytest.approx(plain.value, rel=1e-12)


@pytest.mark.slow
def test_long_sessions_keep_their_error_small(markov):
    """Twenty steps, where products of ratios run wild: at most half of the error of PDIS over forty logs."""
    world = type(markov)()
    world.n_steps, world.move = 20, 0.95 * world.move / world.move.sum(axis=2, keepdims=True)
    truth, errors = world.value(world.target, 0.95), []
    for seed in range(40):
        log = world.log(400, seed)
        visits = visit_ratio(log.state, log.target, log.logged, **log.rows)
        rows = {**log.rows, "gamma": 0.95}
        errors.append([mis(*log.logs, visits.ratio, **rows).value - truth, pdis(*log.logs, **rows).value - truth])
    by_state, by_way = np.sqrt(np.square(errors).mean(axis=(0, 2)))
    assert by_state < 0.7 * by_way


def test_errors(session_log):
    rows = {"session": [0, 0, 1], "step": [0, 1, 0]}
    same = np.log(np.full(3, 0.5))
    logs = np.ones(3), same, same
    with pytest.raises(TypeError, match=r"state holds float64 in shape \(3,\); .* features with n_clusters"):
        visit_ratio([0.5, 1.0, 2.0], same, same, **rows)
    with pytest.raises(TypeError, match=r"state holds int64 in shape \(3, 1\)"):
        visit_ratio(np.zeros((3, 1), int), same, same, **rows)
    with pytest.raises(ValueError, match=r"state has shape \(2,\) but session has 3 rows"):
        visit_ratio([0, 1], same, same, **rows)
    with pytest.raises(ValueError, match=r"n_clusters is 0; features need at least 1"):
        visit_ratio(np.zeros((3, 1)), same, same, **rows, n_clusters=0)
    with pytest.raises(ValueError, match=r"n_clusters is 2 and there are 1 different states"):
        visit_ratio(np.zeros((3, 1)), same, same, **rows, n_clusters=2)
    with pytest.raises(ValueError, match=r"row 1, column 0 of state \(session 0, step 1\) is nan"):
        visit_ratio([[0.0], [np.nan], [1.0]], same, same, **rows, n_clusters=1)
    with pytest.raises(ValueError, match=r"n_folds is 3 and the log has 2 session"):
        visit_ratio([0, 1, 0], same, same, **rows, n_folds=3)
    with pytest.raises(ValueError, match=r"row 2 of logged \(session 1, step 0\) is -inf"):
        visit_ratio([0, 1, 0], same, np.array([-1.0, -1.0, -np.inf]), **rows)
    with pytest.raises(
        ValueError, match=r"a ratio of visits at step 2 is above 1.94243e\+130, too large.*Check the logged"
    ):
        visit_ratio([0, 0, 0], np.zeros(3), np.full(3, -290.0), session=[0, 0, 0], step=[0, 1, 2])
    with pytest.raises(ValueError, match=r"ratio has shape \(3, 1\) and a least value of -1; .* not negative"):
        mis(*logs, [1, -1, 1], **rows)
    with pytest.raises(ValueError, match=r"row 0, column 0 of ratio \(session 0, step 0\) is nan"):
        mis(*logs, [np.nan, 1, 1], **rows)
    with pytest.raises(ValueError, match=r"gamma is 2"):
        mis(*logs, np.ones(3), **rows, gamma=2)
    with pytest.raises(ValueError, match=r"v_target has 2 objectives but reward has 1"):
        drl(*logs, np.ones(3), np.ones(3), np.ones((3, 2)), **rows)
    with pytest.raises(ValueError, match=r"session 0 has step 2 \(row 1\) but no step 1"):
        mis(*logs, np.ones(3), session=[0, 0, 1], step=[0, 2, 0])


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.data())
def test_any_log_gives_numbers(data):
    """Ratios are not negative and carry all the weight on, as far as sessions go on."""
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=6))
    n = sum(lengths)
    session = np.repeat(np.arange(len(lengths)), lengths)
    step = np.concatenate([np.arange(length) for length in lengths])
    state = np.array(data.draw(st.lists(st.integers(-2, 2), min_size=n, max_size=n)))
    chance = data.draw(
        st.lists(st.tuples(st.just(0.0) | st.floats(0.01, 1), st.floats(0.01, 1)), min_size=n, max_size=n)
    )
    with np.errstate(divide="ignore"):
        target, logged = np.log(np.array(chance)).T
    rows = {"session": session, "step": step}
    visits = visit_ratio(state, target, logged, **rows)
    assert (visits.ratio >= 0).all()
    assert not visits.unseen.any()
    rho = np.exp(target - logged)
    for number in range(1, max(lengths)):
        going_on = [i for i in np.flatnonzero(step == number - 1) if lengths[session[i]] > number]
        assert visits.ratio[step == number].sum() == pytest.approx((visits.ratio * rho)[going_on].sum(), rel=1e-9)
    plain = mis(rho, target, logged, visits.ratio, **rows).value
    spread = mis(rho, target, logged, visits.ratio, **rows, state=visits.state).value
    assert spread == pytest.approx(plain, rel=1e-9, abs=1e-12)
