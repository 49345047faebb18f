from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import spearmanr

from recsim.ope.bandit import dm, dr, dros, ips, snips, switch_dr
from recsim.ope.importance_fitting import ActionTables, pas_if, split_chance
from recsim.ope.selection import least

CANDIDATES = {
    "ips": lambda log: ips(log.reward, log.target, log.logged),
    "clipped ips": lambda log: ips(log.reward, log.target, log.logged, clip=2.0),
    "snips": lambda log: snips(log.reward, log.target, log.logged),
    "dm": lambda log: dm(log.model_target),
    "dr": lambda log: dr(log.reward, log.target, log.logged, log.model_logged, log.model_target),
    "switch": lambda log: switch_dr(log.reward, log.target, log.logged, log.model_logged, log.model_target, 3.0),
    "dros": lambda log: dros(log.reward, log.target, log.logged, log.model_logged, log.model_target, 5.0),
}


class TaskWorld:
    """20 contexts, 10 items; how far the target is from the log, and how wrong the model is, vary with the seed."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        gap, wrong = (0.2, 1.0)[seed % 2], (0.0, 0.05, 0.3)[seed % 3]
        self.expected = 1 / (1 + np.exp(1 - rng.normal(size=(20, 10))))
        scores = rng.normal(size=(20, 10))
        self.logging = self.softmax(scores)
        self.target = self.softmax((1 - gap) * scores + 6 * gap * self.expected)
        self.model = np.clip(self.expected + wrong * (rng.normal(size=(20, 10)) + 0.5 * rng.choice([-1, 1])), 0.0, 1.0)
        self.truth = (self.target * self.expected).sum(axis=1).mean()

    @staticmethod
    def softmax(scores):
        return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    def log(self, n: int, seed: int) -> ActionTables:
        rng = np.random.default_rng([seed, 5])
        context = rng.integers(0, 20, n)
        action = np.minimum((rng.random((n, 1)) > np.cumsum(self.logging[context], axis=1)).sum(axis=1), 9)
        reward = (rng.random(n) < self.expected[context, action]).astype(float)
        return ActionTables.of(reward, action, self.target[context], self.logging[context], self.model[context])

    def mean_squared_errors(self, n: int, repetitions: int) -> dict[str, float]:
        logs = [self.log(n, 1000 + number) for number in range(repetitions)]
        return {
            name: float(np.mean([(estimator(log).value[0] - self.truth) ** 2 for log in logs]))
            for name, estimator in CANDIDATES.items()
        }


@pytest.fixture(scope="module")
def log():
    return TaskWorld(1).log(400, 1)


@pytest.mark.parametrize("concentration", [0.02, 1.0, 5.0])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.7])
def test_every_context_gives_the_same_share(concentration, share):
    rng = np.random.default_rng(0)
    target, logged = rng.dirichlet(np.full(8, concentration), 100), rng.dirichlet(np.full(8, 0.7), 100)
    chance = split_chance(target, logged, share)
    assert (logged * chance).sum(axis=1) == pytest.approx(np.full(100, share), abs=1e-12)
    assert ((chance >= 0) & (chance <= 1)).all()


def test_the_split_is_the_best_there_is():
    rng = np.random.default_rng(0)
    for _ in range(5):
        target, logged, share = rng.dirichlet(np.full(6, 0.5)), rng.dirichlet(np.full(6, 2.0)), 0.2

        def missed(chance, target=target, logged=logged):
            return (logged * (chance / (1 - chance) * 4 - target / logged) ** 2).sum()

        best = minimize(
            missed,
            np.full(6, share),
            method="SLSQP",
            bounds=[(1e-9, 1 - 1e-6)] * 6,
            constraints={"type": "eq", "fun": lambda chance, logged=logged: (logged * chance).sum() - 0.2},
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        found = split_chance(target[None], logged[None], share)[0]
        assert missed(found) == pytest.approx(best.fun, abs=1e-9)
        assert found == pytest.approx(best.x, abs=1e-5)


def test_small_shares_mimic_the_real_ratio_closely():
    rng = np.random.default_rng(1)
    target, logged = rng.dirichlet(np.ones(6), 200), rng.dirichlet(np.full(6, 3.0), 200)
    off = []
    for share in (0.4, 0.2, 0.05, 0.001):
        chance = split_chance(target, logged, share)
        ratio = chance / (1 - chance) * (1 - share) / share
        assert (ratio >= target / logged - 1e-9).all()
        off.append(np.abs(ratio - target / logged).mean())
    assert off == sorted(off, reverse=True)
    assert off[-1] < 0.01


def test_extreme_ratios_and_items_out_of_reach():
    logged = np.array([[1e-300, 1 - 1e-300, 0.0]])
    chance = split_chance(np.array([[0.5, 0.25, 0.25]]), logged, 0.2)
    assert chance[0, 0] == pytest.approx(1.0)
    assert (logged * chance).sum() == pytest.approx(0.2)


def test_pseudo_policies_are_policies_and_add_up_to_the_logged_one(log):
    chance = split_chance(log.target_table, log.logged_table, 0.3)
    target, rest = log.logged_table * chance / 0.3, log.logged_table * (1 - chance) / 0.7
    assert target.sum(axis=1) == pytest.approx(1.0)
    assert rest.sum(axis=1) == pytest.approx(1.0)
    assert 0.3 * target + 0.7 * rest == pytest.approx(log.logged_table)


def test_estimators_meet_the_pseudo_policies():
    logged, target = np.full((90, 4), [0.1, 0.2, 0.3, 0.4]), np.full((90, 4), [0.4, 0.3, 0.2, 0.1])
    parts = []

    def remember(part):
        parts.append(part)
        return ips(part.reward, part.target, part.logged)

    same = ActionTables.of(np.arange(90.0), np.arange(90) % 4, target, logged)
    pas_if(same, {"ips": remember}, seed=0, share=0.3, n_splits=3)
    chance = split_chance(target[:1], logged[:1], 0.3)[0]
    for part in parts:
        assert part.target_table[0] == pytest.approx(logged[0] * chance / 0.3)
        assert 0.3 * part.target_table + 0.7 * part.logged_table == pytest.approx(logged[: len(part.action)])
        assert (part.reward[:, 0] % 4 == part.action).all()
    assert len({len(part.action) for part in parts}) > 1


def test_an_estimator_that_knows_the_pseudo_truth_has_the_least_error():
    world = TaskWorld(3)  # its model is the truth
    log = world.log(3000, 2)
    off = {**CANDIDATES, "far off": lambda log: dm(log.model_target + 0.5)}
    errors = pas_if(log, off, seed=0, n_splits=10)
    assert least(errors) == ["dm"]
    assert max(errors, key=lambda name: errors[name][0]) == "far off"
    assert errors["far off"][0] == pytest.approx(0.25, rel=0.1)


@pytest.mark.slow
def test_it_picks_better_than_average_estimators():
    """Log of the chosen one's squared error, less the candidates' mean: -1.5, standard error 0.4 (by SLOPE -0.4, 0.3).

    Less that of always taking dr: -1.3 (0.5). Rank correlation of estimated and true errors: 0.74 (0.07).
    """
    gain, over_dr, agreement = [], [], []
    for seed in range(18):
        world = TaskWorld(seed)
        true = world.mean_squared_errors(1000, 30)
        errors = pas_if(world.log(1000, 1), CANDIDATES, seed=seed, n_splits=30)
        chosen = least(errors)[0]
        gain.append(np.log(true[chosen]) - np.mean(np.log(list(true.values()))))
        over_dr.append(np.log(true[chosen]) - np.log(true["dr"]))
        agreement.append(spearmanr(list(true.values()), [errors[name][0] for name in true]).statistic)
    root = np.sqrt(18)
    assert np.mean(gain) < -3 * np.std(gain, ddof=1) / root
    assert np.mean(over_dr) < -2 * np.std(over_dr, ddof=1) / root
    assert np.mean(agreement) > 3 * np.std(agreement, ddof=1) / root


def test_same_seed_same_numbers_in_any_order_of_rows(log):
    rows, names = np.random.default_rng(0).permutation(400), np.arange(400)
    moved = ActionTables.of(*(array[rows] for array in tables_of(log)))
    first = pas_if(log, CANDIDATES, seed=3, n_splits=5)
    again = pas_if(log, CANDIDATES, seed=3, n_splits=5)
    shuffled = pas_if(moved, CANDIDATES, seed=3, n_splits=5, row=names[rows])
    other = pas_if(log, CANDIDATES, seed=4, n_splits=5)
    for name in CANDIDATES:
        assert (first[name] == again[name]).all()
        assert shuffled[name] == pytest.approx(first[name], rel=1e-9)
        assert other[name] != pytest.approx(first[name], rel=1e-3)


def tables_of(log):
    return log.reward, log.action, log.target_table, log.logged_table, log.model_table


def test_scale_and_objectives(log):
    reward, action, target, logged, model = tables_of(log)
    both = ActionTables.of(
        np.concatenate([reward, -3 * reward], axis=1),
        action,
        target,
        logged,
        np.concatenate([model, -3 * model], axis=2),
    )
    one, two = (pas_if(given, CANDIDATES, seed=0, n_splits=5) for given in (log, both))
    for name in CANDIDATES:
        assert two[name] == pytest.approx([one[name][0], 9 * one[name][0]], rel=1e-9)


def test_tables_give_what_estimators_take(log):
    rows = np.arange(400)
    assert np.exp(log.target) == pytest.approx(log.target_table[rows, log.action])
    assert np.exp(log.logged) == pytest.approx(log.logged_table[rows, log.action])
    assert log.model_logged[:, 0] == pytest.approx(log.model_table[rows, log.action, 0])
    assert log.model_target[7, 0] == pytest.approx(log.target_table[7] @ log.model_table[7, :, 0])


def test_errors_name_what_is_wrong(log):
    reward, action, target, logged, model = tables_of(log)
    with pytest.raises(ValueError, match=r"model_table has shape \(399, 10, 1\); it must be \(400, 10, 1\)"):
        ActionTables.of(reward, action, target, logged, model[1:])
    hole = model.copy()
    hole[3, 4, 0] = np.nan
    with pytest.raises(ValueError, match=r"row 3, item 4, objective 0 of model_table is nan"):
        ActionTables.of(reward, action, target, logged, hole)
    never = logged.copy()
    never[5] = np.where(np.arange(10) == action[5], 0.0, 1 / 9)
    with pytest.raises(ValueError, match=rf"row 5: item {action[5]} was logged but has probability 0 in logged_table"):
        ActionTables.of(reward, action, target, never)
    with pytest.raises(ValueError, match=r"the log has no model_table. Pass one"):
        pas_if(ActionTables.of(reward, action, target, logged), CANDIDATES, seed=0)
    with pytest.raises(ValueError, match=r"share is 1.0; it must be between 0 and 1"):
        pas_if(log, CANDIDATES, seed=0, share=1.0)
    with pytest.raises(ValueError, match=r"n_splits is 0; at least 1 split"):
        pas_if(log, CANDIDATES, seed=0, n_splits=0)
    with pytest.raises(ValueError, match=r"row has 2 rows but log has 400"):
        pas_if(log, CANDIDATES, seed=0, row=[1, 2])
    tiny = log.rows(np.arange(400) < 2)
    with pytest.raises(ValueError, match=r"the log has 2 rows, too few to split with a share of 0.2"):
        pas_if(tiny, CANDIDATES, seed=0)
    nothing = {"none": lambda part: snips(part.reward, np.full(len(part.action), -np.inf), part.logged)}
    with pytest.raises(ValueError, match=r"candidate 'none' has no value on split 0"):
        pas_if(log, nothing, seed=0)
