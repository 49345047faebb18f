from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.ope.sessions import carried_weight, dm, dr, pdis, tis, wdr, wis, wpdis
from recsim.ope.steps import Steps
from recsim.ope.terms import Terms

FOLDER = Path(__file__).parents[2].parent / "shared" / "reference" / "ope"
WEIGHTED = [tis, wis, pdis, wpdis]
GAMMAS = [0, 0.0, 0.9, 1, 1.0]


def guess(markov):
    """A model of the reward to go that is far off."""
    return np.random.default_rng(0).uniform(0, 3, (markov.n_steps, 3, 2, 2))


def expectation(terms: Terms, chance: np.ndarray) -> np.ndarray:
    """Numerators and denominators as if the log held every session as often as it is likely."""
    return Terms(terms.numerator * chance[:, None, None], terms.denominator * chance[:, None]).value


def every(log, markov, gamma, estimator, model=None):
    if estimator in (dr, wdr):
        model = guess(markov) if model is None else model
        return estimator(*log.logs, log.at(model), log.over(model, markov.target), **log.rows, gamma=gamma)
    return estimator(*log.logs, **log.rows, gamma=gamma)


class Reference:
    """200 sessions of 8 steps with the values of scope-rl 0.2.1."""

    def __init__(self) -> None:
        data = np.load(FOLDER / "rl.npz")
        meta = json.loads((FOLDER / "rl.json").read_text())
        self.values, self.gamma, shape = meta["estimators"], float(data["gamma"]), data["state"].shape
        chance, action, rough = data["evaluation_policy_action_dist"], data["action"][:, :, None], data["Q_rough"]
        at = np.take_along_axis(rough, action, axis=2)
        self.logs = [
            data["reward"].ravel(),
            np.log(np.take_along_axis(chance, action, axis=2)).ravel(),
            np.log(data["pscore"]).ravel(),
        ]
        self.model = [at.ravel(), (chance * rough).sum(axis=2).ravel()]
        session, step = np.indices(shape)
        self.rows = {"session": session.ravel(), "step": step.ravel()}

    def terms(self, name: str) -> Terms:
        discounted = {**self.rows, "gamma": self.gamma}
        plain = {
            "TrajectoryWiseImportanceSampling": tis,
            "PerDecisionImportanceSampling": pdis,
            "SelfNormalizedTIS": wis,
            "SelfNormalizedPDIS": wpdis,
        }
        if name in plain:
            return plain[name](*self.logs, **discounted)
        if name == "DirectMethod:Q_rough":
            return dm(self.model[1], **self.rows)
        return {"DoublyRobust:Q_rough": dr, "SelfNormalizedDR:Q_rough": wdr}[name](
            *self.logs, *self.model, **discounted
        )


needs_reference = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"reference values are not beside the checkout: {FOLDER}"
)


@needs_reference
@pytest.mark.parametrize(
    "name",
    [
        "TrajectoryWiseImportanceSampling",
        "PerDecisionImportanceSampling",
        "SelfNormalizedTIS",
        "SelfNormalizedPDIS",
        "DirectMethod:Q_rough",
        "DoublyRobust:Q_rough",
        "SelfNormalizedDR:Q_rough",
    ],
)
def test_values_of_scope_rl(name):
    """Its self-normalised ones add 1e-10 to the mean weights; with that added, ours agree to the last digits."""
    reference = Reference()
    terms, expected = reference.terms(name), reference.values[name]
    assert terms.value[0] == pytest.approx(expected, abs=1e-9)
    varies = terms.denominator.std(axis=0) > 0  # not the weight 1 before the first step
    added = 1e-10 * varies if name.startswith("SelfNormalized") else 0.0
    assert Terms(terms.numerator, terms.denominator + added).value[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("estimator", [tis, wis, pdis, wpdis, dr, wdr])
def test_the_expectation_is_the_truth(markov, all_sessions, estimator, gamma):
    """Over all sessions there can be, of unequal lengths, with a model that is far off."""
    terms = every(all_sessions, markov, gamma, estimator)
    assert set(Steps.of(**all_sessions.rows).length) == {1, 2, 3}
    assert expectation(terms, all_sessions.chance) == pytest.approx(markov.value(markov.target, gamma), abs=1e-12)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_dm_and_dr_with_the_exact_model_are_the_truth(markov, all_sessions, gamma):
    exact, truth = markov.q(markov.target, gamma), markov.value(markov.target, gamma)
    value = all_sessions.over(exact, markov.target)
    assert expectation(dm(value, **all_sessions.rows), all_sessions.chance) == pytest.approx(truth, abs=1e-12)
    wrong = all_sessions.logs[0], all_sessions.logs[1], np.full(len(value), np.log(0.5))
    # A right model makes up for wrong propensities: every term of the correction is 0 in expectation.
    terms = dr(*wrong, all_sessions.at(exact), value, **all_sessions.rows, gamma=gamma)
    assert expectation(terms, all_sessions.chance) == pytest.approx(truth, abs=1e-12)


@pytest.mark.parametrize("estimator", [tis, wis, pdis, wpdis, dr, wdr])
def test_close_to_the_truth_on_logs(markov, estimator):
    """Thirty logs: the mean error within 3 standard errors, and the standard errors as large as the errors."""
    truth, z = markov.value(markov.target, 0.9), []
    for seed in range(30):
        terms = every(markov.log(300, seed), markov, 0.9, estimator)
        z.append((terms.value - truth) / np.sqrt(np.square(terms.influence).sum(axis=0)))
    assert (np.abs(np.mean(z, axis=0)) < 3 / np.sqrt(30)).all()
    assert (np.abs(np.std(z, axis=0) - 1) < 0.4).all()  # 3 standard deviations of a standard deviation of 30


def test_weights_average_to_one_at_every_step(markov, all_sessions):
    """Sessions that ended keep their weight; without them the mean at the last step would be that of the survivors."""
    weight = carried_weight(all_sessions.target, all_sessions.logged, **all_sessions.rows)
    assert all_sessions.chance @ weight == pytest.approx(np.ones(3), abs=1e-12)
    alive = Steps.of(**all_sessions.rows).length == 3
    assert (all_sessions.chance * alive) @ weight[:, 2] < 0.7


def test_ended_sessions_stay_in_the_denominators():
    """By hand: session 1 ends after a step with weight 3; the second step's weights are 4 and 3, not 4 alone."""
    target, logged = np.log([0.8, 0.8, 0.9]), np.log([0.4, 0.4, 0.3])
    rows = {"session": [0, 0, 1], "step": [0, 1, 0]}
    assert wpdis([0, 7, 0], target, logged, **rows).value == pytest.approx([4 * 7 / (4 + 3)])
    terms = wdr([0, 7, 0], target, logged, [0, 2, 0], [0, 5, 0], **rows)
    assert terms.value == pytest.approx([2 * 5 / (2 + 3) + 4 * (7 - 2) / (4 + 3)])
    assert terms.denominator.sum(axis=0) == pytest.approx([2, 5, 7])


@pytest.mark.parametrize("estimator", [tis, wis, pdis, wpdis, dr, wdr])
def test_on_policy_is_the_mean_return(session_log, markov, estimator):
    log = session_log
    rows = {**log.rows, "gamma": 0.9}
    models = []
    if estimator in (dr, wdr):
        # A model of the value alone: with equal weights what it promises at a step is taken back at the same step.
        value = log.over(guess(markov), markov.behaviour)
        models = [value, value]
    terms = estimator(log.reward, log.logged, log.logged, *models, **rows)
    returns = np.zeros((2000, 2))
    np.add.at(returns, log.session, 0.9 ** log.step[:, None] * log.reward)
    assert terms.value == pytest.approx(returns.mean(axis=0), rel=1e-12)


@pytest.mark.parametrize("estimator", [tis, wis, pdis, wpdis, dr, wdr])
def test_row_order_does_not_change_a_bit(session_log, markov, estimator):
    first = every(session_log, markov, 0.9, estimator)
    again = every(session_log.shuffled(1), markov, 0.9, estimator)
    assert np.array_equal(first.numerator, again.numerator)
    assert np.array_equal(first.denominator, again.denominator)


@pytest.mark.parametrize("estimator", [tis, wis, pdis, wpdis])
def test_scale_and_objectives_do_not_mix(session_log, estimator):
    log = session_log
    value = estimator(*log.logs, **log.rows, gamma=0.9).value
    assert estimator(-7 * log.reward, *log.logs[1:], **log.rows, gamma=0.9).value == pytest.approx(
        -7 * value, rel=1e-12
    )
    alone = estimator(log.reward[:, 1], *log.logs[1:], **log.rows, gamma=0.9).value
    assert alone == pytest.approx(value[1:], rel=1e-13)


def test_gamma_discounts_the_second_step_once(markov, all_sessions):
    """Not by gamma^(t+1), as scope-rl's cumulative distributions do; gamma 0 is no NaN and an integer 1 no error."""
    rows = {"session": [0, 0], "step": [0, 1]}
    same = np.log([0.5, 0.5])
    for estimator in WEIGHTED:
        assert estimator([3, 5], same, same, **rows, gamma=0.5).value == pytest.approx([3 + 0.5 * 5])
        assert estimator([3, 5], same, same, **rows, gamma=0).value == pytest.approx([3])
        assert estimator([3, 5], same, same, **rows, gamma=1).value == pytest.approx([8])


def test_unequal_sessions_are_not_cut_anew():
    """One and three steps are four rows, which scope-rl would take for two sessions of two steps."""
    rows = {"session": [0, 1, 1, 1], "step": [0, 0, 1, 2]}
    target, logged = np.log([0.8, 0.4, 0.8, 0.2]), np.log([0.4, 0.4, 0.4, 0.4])
    weight = carried_weight(target, logged, **rows)
    assert weight == pytest.approx(np.array([[2, 2, 2], [1, 2, 1]]))
    assert pdis([1, 1, 10, 100], target, logged, **rows).value == pytest.approx([(2 * 1 + 1 + 2 * 10 + 100) / 2])
    assert tis([1, 1, 10, 100], target, logged, **rows).value == pytest.approx([(2 * 1 + 1 * 111) / 2])


class SlateWorld:
    """Two steps of slates of two out of three items; the second state depends on the whole first slate.

    Rewards depend on the items above (cascade), or on those below, too.
    """

    slates = tuple((a, b) for a, b in product(range(3), repeat=2) if a != b)

    def __init__(self, cascade: bool) -> None:
        rng = np.random.default_rng(2)
        self.score = {"logged": rng.normal(size=(2, 3)), "target": rng.normal(size=(2, 3))}
        self.above, self.below = rng.random((2, 3, 3)), rng.random((2, 3, 3))
        self.cascade, self.move = cascade, rng.random((3, 3))

    def steps(self, name: str, state: int, slate: tuple[int, int]) -> np.ndarray:
        """(2,) log-propensities of a Plackett-Luce ranking."""
        worth = np.exp(self.score[name][state])
        return np.log([worth[slate[0]] / worth.sum(), worth[slate[1]] / (worth.sum() - worth[slate[0]])])

    def earn(self, state: int, slate: tuple[int, int]) -> np.ndarray:
        """(2,) by position."""
        first = self.above[state, slate[0], slate[0] if self.cascade else slate[1]]
        return np.array([first, self.below[state][slate]])

    def paths(self):
        """Every session: (probabilities of the states, ((state, slate), (state, slate)))."""
        for one, two, later in product(self.slates, self.slates, range(2)):
            likely = self.move[one]
            yield (likely if later else 1 - likely), ((0, one), (later, two))

    def columns(self):
        """Chance of each session, and per row: reward (rows, 2), target and logged step-wise (rows, 2)."""
        chance, tables = [], {"reward": [], "target": [], "logged": []}
        for likely, path in self.paths():
            for name in ("target", "logged"):
                tables[name].append([self.steps(name, *moment) for moment in path])
            tables["reward"].append([self.earn(*moment) for moment in path])
            chance.append(likely * np.exp(np.sum(tables["logged"][-1])))
        return np.array(chance), *(np.array(tables[name]).reshape(-1, 2) for name in ("reward", "target", "logged"))

    def truth(self) -> float:
        return sum(
            likely * np.exp(sum(self.steps("target", *moment).sum() for moment in path))
            * sum(discount * self.earn(*moment).sum() for discount, moment in zip((1, 0.9), path, strict=True))
            for likely, path in self.paths()
        )  # fmt: skip


@pytest.mark.parametrize("estimator", [pdis, wpdis, dr, wdr])
@pytest.mark.parametrize("kind", ["sips", "rips"])
@pytest.mark.parametrize("cascade", [True, False])
def test_slate_weights_inside_sessions(estimator, kind, cascade):
    """Unbiased if the slate estimator is: RIPS inside needs the cascade for rewards, whatever moves the states."""
    world = SlateWorld(cascade)
    chance, reward, target, logged = world.columns()
    assert chance.sum() == pytest.approx(1)
    prefix = np.exp(np.cumsum(target - logged, axis=1))
    within = prefix[:, 1] * reward.sum(axis=1) if kind == "sips" else (prefix * reward).sum(axis=1)
    session, step = np.divmod(np.arange(len(reward)), 2)
    rng = np.random.default_rng(0)
    state = np.array([moment[0] for _, path in world.paths() for moment in path])
    models = []
    if estimator in (dr, wdr):
        table = rng.random((2, 2, 3, 3))
        shown = [moment[1] for _, path in world.paths() for moment in path]
        at = np.array([table[t, s][slate] for t, s, slate in zip(step, state, shown, strict=True)])
        over = np.array([
            sum(np.exp(world.steps("target", s, slate).sum()) * table[t, s][slate] for slate in world.slates)
            for t, s in zip(step, state, strict=True)
        ])  # fmt: skip
        models = [at, over]
    inside = {} if kind == "sips" and estimator in (pdis, dr) else {"within": within}
    terms = estimator(
        reward.sum(axis=1), target.sum(axis=1), logged.sum(axis=1), *models,
        session=session, step=step, gamma=0.9, **inside,
    )  # fmt: skip
    error = abs(expectation(terms, chance)[0] - world.truth())
    assert error < 1e-12 if kind == "sips" or cascade else error > 0.01


def test_whole_slate_weight_given_as_within_is_the_default(session_log):
    log = session_log
    within = np.exp(log.target - log.logged)[:, None] * log.reward
    default = pdis(*log.logs, **log.rows, gamma=0.9)
    given_within = pdis(*log.logs, **log.rows, gamma=0.9, within=within)
    assert given_within.numerator == pytest.approx(default.numerator, rel=1e-12)


def test_what_is_inside_a_slate_is_normalised_by_what_came_before():
    """By hand: weights before the second step are 2 and 3, those after it 4 and 9."""
    target, logged = np.log([0.8, 0.8, 0.9, 0.9]), np.log([0.4, 0.4, 0.3, 0.3])
    rows = {"session": [0, 0, 1, 1], "step": [0, 1, 0, 1], "gamma": 0.5}
    terms = wpdis([0, 0, 0, 0], target, logged, **rows, within=[5, 7, 1, 10])
    assert terms.value == pytest.approx([(5 + 1) / 2 + 0.5 * (2 * 7 + 3 * 10) / (2 + 3)])
    terms = wdr([0, 0, 0, 0], target, logged, [1, 2, 3, 4], [5, 6, 7, 8], **rows, within=[5, 7, 1, 10])
    first = (5 + 5 + 1 + 7) / 2
    second = (2 * (-1 + 0.5 * (7 + 6)) + 3 * (-3 + 0.5 * (10 + 8))) / (2 + 3)
    assert terms.value == pytest.approx([first + second - 0.5 * (4 * 2 + 9 * 4) / (4 + 9)])


def test_no_overlap_is_nan_not_zero():
    never, rows = np.array([-np.inf, 0.0]), {"session": [0, 1], "step": [0, 0]}
    logged = np.log([0.5, 0.5])
    assert wis([1, 1], never, logged, **rows).value == pytest.approx([1.0])
    for estimator in (wis, wpdis):
        assert np.isnan(estimator([1, 1], np.array([-np.inf, -np.inf]), logged, **rows).value).all()


GOOD = {
    "reward": np.ones(3),
    "target": np.log([0.5, 0.5, 0.5]),
    "logged": np.log([0.5, 0.25, 0.5]),
    "session": np.array([4, 4, 9]),
    "step": np.array([0, 1, 0]),
}


def changed(name, place, value):
    column = np.array(GOOD[name], float if name in ("reward", "target", "logged") else int)
    column[place] = value
    return {**GOOD, name: column}


@pytest.mark.parametrize("estimator", WEIGHTED)
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (changed("step", 1, 2), r"session 4 has step 2 \(row 1\) but no step 1; .* without gaps"),
        (changed("step", 2, 1), r"session 9 has step 1 \(row 2\) but no step 0"),
        (changed("step", 2, -1), r"session 9 has step -1 \(row 2\) but no step 0"),
        (changed("step", 1, 0), r"rows 0 and 1 are both step 0 of session 4; a step happens once"),
        (changed("reward", 1, np.nan), r"row 1, column 0 of reward \(session 4, step 1\) is nan; .*drop the whole"),
        (changed("reward", 2, np.inf), r"row 2, column 0 of reward \(session 9, step 0\) is inf"),
        (changed("logged", 1, -np.inf), r"row 1 of logged \(session 4, step 1\) is -inf; .*probability 0"),
        (changed("logged", 0, np.nan), r"row 0 of logged \(session 4, step 0\) is nan"),
        (changed("logged", 0, 0.25), r"row 0 of logged .* is 0.25; .*need np.log"),
        (changed("target", 2, np.nan), r"row 2 of target \(session 9, step 0\) is nan"),
        (changed("target", 2, 1.0), r"row 2 of target .* is 1; logarithms of probabilities are at most 0"),
        (changed("logged", 1, -900.0), r"row 1 of logged \(session 4, step 1\) is -900; .*cannot be averaged"),
        (
            {**GOOD, "logged": np.array([-250.0, -250.0, -1.0])},
            r"session 4, step 1: the weight of the session so far is e\^499",
        ),
        ({**GOOD, "gamma": 1.01}, r"gamma is 1.01; a discount per step is from 0 to 1"),
        ({**GOOD, "gamma": -0.1}, r"gamma is -0.1"),
        ({**GOOD, "gamma": np.nan}, r"gamma is nan"),
        ({**GOOD, "reward": np.ones(2)}, r"reward has shape \(2,\) but session has 3 rows"),
        ({**GOOD, "reward": np.ones((3, 2, 2))}, r"reward has shape \(3, 2, 2\); it needs 1 or 2 axes"),
        ({**GOOD, "reward": np.ones((3, 0))}, r"reward has shape \(3, 0\)"),
        ({**GOOD, "target": np.zeros((3, 2))}, r"target has shape \(3, 2\); .*Add up the positions"),
        ({**GOOD, "step": np.zeros(2, int)}, r"session has 3 rows and step has 2"),
        ({**GOOD, "step": np.zeros(0, int), "session": np.zeros(0, int)}, r"session has 0 rows .*at least one"),
    ],
)
def test_bad_logs_are_refused_by_name(estimator, bad, message):
    with pytest.raises(ValueError, match=message):
        estimator(**bad)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({**GOOD, "step": np.array([0.0, 1.0, 0.0])}, r"step holds float64 .* whole numbers"),
        ({**GOOD, "session": np.array(["a", "a", "b"])}, r"session holds <U1 .*Number the sessions"),
        ({**GOOD, "reward": np.array(["1", "2", "3"])}, r"reward holds <U1; it must hold numbers"),
        ({**GOOD, "logged": np.array([None, -1.0, -1.0])}, r"logged holds object"),
    ],
)
def test_bad_types_are_refused_by_name(bad, message):
    with pytest.raises(TypeError, match=message):
        pdis(**bad)


def test_models_and_inner_rewards_must_fit():
    logs = dict(GOOD)
    two = np.ones((3, 2))
    with pytest.raises(ValueError, match=r"within has 2 objectives but reward has 1"):
        pdis(**logs, within=two)
    with pytest.raises(ValueError, match=r"v_target has 2 objectives but reward has 1"):
        dr(**logs, q_logged=np.ones(3), v_target=two)
    with pytest.raises(ValueError, match=r"row 1, column 0 of q_logged \(session 4, step 1\) is nan"):
        wdr(**logs, q_logged=[0, np.nan, 0], v_target=np.ones(3))
    with pytest.raises(ValueError, match=r"row 0, column 0 of v_target .* is inf"):
        dm([np.inf, 0, 0], session=logs["session"], step=logs["step"])


@st.composite
def tables(draw):
    """Sessions of 1 to 4 steps in any row order, some of whose target probabilities are 0."""
    lengths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    session = np.repeat(np.arange(len(lengths)) * 3 - 4, lengths)
    step = np.concatenate([np.arange(length) for length in lengths])
    n = len(step)
    chance = st.floats(0.01, 1.0)
    column = draw(st.lists(st.tuples(st.floats(-5, 5), st.just(0.0) | chance, chance), min_size=n, max_size=n))
    reward, target, logged = np.array(column).T
    order = np.array(draw(st.permutations(range(n))))
    with np.errstate(divide="ignore"):
        return {
            "reward": reward[order], "target": np.log(target)[order], "logged": np.log(logged)[order],
            "session": session[order], "step": step[order], "gamma": draw(st.sampled_from([0, 0.5, 1])),
        }  # fmt: skip


def by_hand(table) -> dict[str, float]:
    """Plain loops over sessions and steps."""
    n_steps, sessions = table["step"].max() + 1, np.unique(table["session"])
    weights, paid = np.ones((len(sessions), n_steps)), np.zeros((len(sessions), n_steps))
    for i, number in enumerate(sessions):
        weight = 1.0
        for step in range(n_steps):
            row = np.flatnonzero((table["session"] == number) & (table["step"] == step))
            if row.size:
                weight *= np.exp(table["target"][row[0]] - table["logged"][row[0]])
                paid[i, step] = table["gamma"] ** step * table["reward"][row[0]]
            weights[i, step] = weight
    total, last = weights.sum(axis=0), weights[:, -1]
    return {
        "tis": (last * paid.sum(axis=1)).mean(),
        "pdis": (weights * paid).sum(axis=1).mean(),
        "wis": (last * paid.sum(axis=1)).sum() / last.sum() if last.sum() else np.nan,
        "wpdis": sum((weights * paid).sum(axis=0) / total) if total.all() else np.nan,
    }


@settings(derandomize=True, deadline=None, max_examples=60)
@given(tables())
def test_any_log_gives_what_loops_give(table):
    expected = by_hand(table)
    for estimator in WEIGHTED:
        value = estimator(**table).value
        assert value == pytest.approx([expected[estimator.__name__]], rel=1e-9, abs=1e-9, nan_ok=True)
        if np.isnan(value).any():  # only where nobody could have got as far
            assert (carried_weight(*(table[k] for k in ("target", "logged")), session=table["session"],
                                   step=table["step"]).sum(axis=0) == 0).any()  # fmt: skip
