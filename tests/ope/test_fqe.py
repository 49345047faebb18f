from __future__ import annotations

import numpy as np
import pytest

from recsim.ope.fqe import fitted_q
from recsim.ope.sessions import dm, dr, pdis

GAMMA = 0.9


def pairs(log, action=None):
    """(n, 6) float64, state and action one-hot together."""
    return np.eye(6)[2 * log.state + (log.action if action is None else action)]


def both(log):
    """(n, 2, 6) of both actions."""
    return np.stack([pairs(log, action) for action in (0, 1)], axis=1)


def fit(log, markov, **options):
    options = {"model": "table", "gamma": GAMMA, "target_probability": markov.target[log.state], **options}
    return fitted_q(pairs(log), both(log), log.reward, **log.rows, **options)


def planned(log, markov, rows, gamma):
    """(steps, states, actions, 2) rewards to go in the world that `rows` of the log are, cell by cell."""
    last = {int(s): int(log.step[log.session == s].max()) for s in np.unique(log.session)}
    where = {(int(s), int(t)): i for i, (s, t) in enumerate(zip(log.session, log.step, strict=True))}
    q = np.zeros((3, 3, 2, 2))
    for step in (2, 1, 0):
        for state, action in np.ndindex(3, 2):
            earned = []
            for row in rows[(log.step[rows] == step) & (log.state[rows] == state) & (log.action[rows] == action)]:
                ahead = 0.0
                if step < last[int(log.session[row])]:
                    after = log.state[where[int(log.session[row]), step + 1]]
                    ahead = markov.target[after] @ q[step + 1, after]
                earned.append(log.reward[row] + gamma * ahead)
            q[step, state, action] = np.mean(earned, axis=0)
    return q


@pytest.mark.parametrize("by_step", [True, False])
@pytest.mark.parametrize("gamma", [0, 0.9, 1])
def test_a_table_plans_in_the_world_of_the_other_sessions(markov, by_step, gamma):
    """Exactly what dynamic programming gives there: no greedy action, nothing ahead of a session's last row."""
    log = markov.log(400, seed=2)
    fitted = fit(log, markov, by_step=by_step, gamma=gamma)
    assert set(fitted.fold) == {0, 1}
    for number in (0, 1):
        exact = planned(log, markov, np.flatnonzero(fitted.fold != number), gamma)
        scored = fitted.fold == number
        assert fitted.q_logged[scored] == pytest.approx(log.at(exact)[scored], abs=1e-12)
        assert fitted.v_target[scored] == pytest.approx(log.over(exact, markov.target)[scored], abs=1e-12)


@pytest.mark.parametrize(
    ("model", "by_step"),
    [pytest.param("trees", False, marks=pytest.mark.slow), ("ridge", True), ("table", True), ("table", False)],
)
def test_the_models_value_is_close_to_the_truth(markov, model, by_step):
    """Logs of 2,000 sessions: as close as the noise of rewards allows, by the yardstick of PDIS."""
    truth = markov.value(markov.target, GAMMA)
    for seed in range(1 if model == "trees" else 3):
        log = markov.log(2000, seed)
        fitted = fit(log, markov, model=model, by_step=by_step)
        noise = np.sqrt(np.square(pdis(*log.logs, **log.rows, gamma=GAMMA).influence).sum(axis=0))
        assert (np.abs(dm(fitted.v_target, **log.rows).value - truth) < 3 * noise).all()
        terms = dr(*log.logs, fitted.q_logged, fitted.v_target, **log.rows, gamma=GAMMA)
        error = np.sqrt(np.square(terms.influence).sum(axis=0))
        assert (np.abs(terms.value - truth) < 3 * error).all()
        assert (error < noise).all()


def test_the_policy_is_not_its_greedy_action():
    """Worth 0 or 1 by a coin flip: 1/2, not the 1 of the better action, which d3rlpy would give."""
    rows = {"session": np.arange(8), "step": np.zeros(8, int)}
    shown = np.arange(8) // 2 % 2
    either = np.tile([0, 1], (8, 1))
    fitted = fitted_q(shown, either, shown, **rows, model="table")
    assert fitted.v_target[:, 0].tolist() == [0.5] * 8
    biased = fitted_q(shown, either, shown, **rows, model="table", target_probability=np.tile([0.9, 0.1], (8, 1)))
    assert biased.v_target[:, 0] == pytest.approx([0.1] * 8)


def test_draws_estimate_the_expectation(markov):
    log = markov.log(3000, seed=4)
    rng = np.random.default_rng(0)
    drawn = (rng.random((len(log.state), 20)) < markov.target[log.state][:, 1:]).astype(int)
    by_draws = fitted_q(
        pairs(log), np.eye(6)[2 * log.state[:, None] + drawn], log.reward, **log.rows, gamma=GAMMA, model="table"
    )
    exact = fit(log, markov)
    difference = dm(by_draws.v_target, **log.rows).value - dm(exact.v_target, **log.rows).value
    assert (np.abs(difference) < 0.01).all()
    assert by_draws.q_logged == pytest.approx(exact.q_logged, abs=0.05)


class Memory:
    """A regressor that says 1 of rows whose session it was fitted on, else 0; the session is the first feature."""

    def fit(self, design, wanted):
        self.seen = set(design[:, 0])
        return self

    def predict(self, design):
        return np.isin(design[:, 0], list(self.seen)).astype(float)


@pytest.mark.parametrize("by_step", [True, False])
def test_no_session_is_scored_by_a_model_that_saw_it(markov, by_step):
    """Every row is told 0, by a model that has not seen its session."""
    log = markov.log(30, seed=3)
    number = log.session[:, None].astype(float)
    fitted = fitted_q(number, number[:, None], log.reward, **log.rows, model=Memory, by_step=by_step, n_folds=3)
    assert not fitted.q_logged.any()
    assert not fitted.v_target.any()
    assert np.bincount(fitted.fold[log.step == 0]).tolist() == [10, 10, 10]


def test_one_fit_per_step_or_as_many_as_asked(markov):
    log = markov.log(30, seed=3)
    for options, fits in (({"by_step": True}, 3), ({}, 3), ({"n_iterations": 2}, 2)):
        wanted = []

        class Spy:
            def fit(self, design, column, wanted=wanted):
                wanted.append(column)
                return self

            def predict(self, design):
                return np.ones(len(design))

        fit(log, markov, model=Spy, **options)
        assert len(wanted) == 2 * 2 * fits  # folds, objectives
        assert set(wanted[0]) <= {0.0, 1.0}  # nothing ahead at first
        assert set(wanted[3 if options.get("by_step") else 2]) <= {0.0, GAMMA, 1.0, 1.0 + GAMMA}


def test_a_step_that_others_never_reached_takes_the_last_model_they_have():
    """Session 0 alone has a third step; the others' last model says 4, and nothing is ahead."""
    rows = {"session": [0, 0, 0, 1, 1], "step": [0, 1, 2, 0, 1]}
    nothing = np.zeros((5, 1))
    fitted = fitted_q(nothing, nothing[:, None], [1, 2, 7, 3, 4], **rows, gamma=0.5, model="table", by_step=True)
    assert fitted.q_logged[:, 0] == pytest.approx([3 + 0.5 * 4, 4, 4, 1 + 0.5 * (2 + 0.5 * 7), 2 + 0.5 * 7])


@pytest.mark.parametrize(("model", "by_step"), [("trees", False), ("ridge", False), ("table", True)])
def test_row_order_does_not_change_a_bit(markov, model, by_step):
    log = markov.log(60, seed=6)
    order = np.random.default_rng(9).permutation(len(log.step))
    first, again = (
        fit(log, markov, model=model, by_step=by_step),
        fit(log.shuffled(9), markov, model=model, by_step=by_step),
    )
    assert np.array_equal(first.q_logged[order], again.q_logged)
    assert np.array_equal(first.v_target[order], again.v_target)
    assert np.array_equal(first.fold[order], again.fold)


@pytest.mark.parametrize("model", ["ridge", "table"])
def test_scale_and_objectives_do_not_mix(markov, model):
    log = markov.log(200, seed=6)
    fitted = fit(log, markov, model=model)
    again = fitted_q(
        pairs(log), both(log), -7 * log.reward[:, 1], **log.rows, gamma=GAMMA, model=model,
        target_probability=markov.target[log.state],
    )  # fmt: skip
    assert again.v_target[:, 0] == pytest.approx(-7 * fitted.v_target[:, 1], rel=1e-9)


def test_errors(markov):
    log = markov.log(6, seed=0)
    n = len(log.step)
    with pytest.raises(ValueError, match=r"n_folds is 1 and the log has 6 session\(s\); .* at least 2 folds"):
        fit(log, markov, n_folds=1)
    with pytest.raises(ValueError, match=r"n_folds is 7 and the log has 6"):
        fit(log, markov, n_folds=7)
    with pytest.raises(ValueError, match=r"model is 'forest'; it must be 'trees', 'ridge', 'table'"):
        fit(log, markov, model="forest")
    with pytest.raises(ValueError, match=r"n_iterations is 0 and by_step is False; .* at least once"):
        fit(log, markov, n_iterations=0)
    with pytest.raises(ValueError, match=r"n_iterations is 3 and by_step is True; .* exactly once"):
        fit(log, markov, n_iterations=3, by_step=True)
    with pytest.raises(ValueError, match=r"gamma is 1.5"):
        fit(log, markov, gamma=1.5)
    with pytest.raises(ValueError, match=r"target_features has 5 features but features has 6"):
        fitted_q(pairs(log), both(log)[:, :, 1:], log.reward, **log.rows)
    with pytest.raises(ValueError, match=rf"features has shape \({n - 1}, 6\) but session has {n} rows"):
        fitted_q(pairs(log)[1:], both(log), log.reward, **log.rows)
    with pytest.raises(ValueError, match=r"target_probability has 3 actions per row but target_features has 2"):
        fit(log, markov, target_probability=np.full((n, 3), 1 / 3))
    chance = markov.target[log.state]
    chance[1] = [0.5, 0.4]
    with pytest.raises(ValueError, match=r"row 1 of target_probability sums to 0.9 or is negative.*Divide it"):
        fit(log, markov, target_probability=chance)
    broken = both(log)
    broken[2, 1, 3] = np.nan
    with pytest.raises(ValueError, match=r"row 2, column 1, 3 of target_features .* is nan"):
        fitted_q(pairs(log), broken, log.reward, **log.rows)
    reward = log.reward.copy()
    reward[0, 1] = np.inf
    with pytest.raises(ValueError, match=r"row 0, column 1 of reward \(session 0, step 0\) is inf"):
        fitted_q(pairs(log), both(log), reward, **log.rows)
