"""Choosing what matters for a position: the right answer among users of two kinds, on other sessions than it is for."""

from __future__ import annotations

import numpy as np
import pytest

from recsim.ope.behaviour import choose_behaviour, chosen_weight, relevant_positions
from recsim.ope.positions import aips, behaviour_weight, iips
from recsim.ope.slate import sips

NAMES = ("independent", "cascade", "standard")
K, M = 4, 3


class TwoKinds:
    """Slates of 4 items of 3 with repeats: users in context 0 look at one item each, those in 1 also below."""

    def __init__(self) -> None:
        rng = np.random.default_rng(4)
        self.logged = rng.dirichlet(np.full(M, 4.0), K)  # (positions, items)
        self.target = rng.dirichlet(np.full(M, 2.0), K)
        self.worth = rng.random((K, M))

    def expected(self, context, slate):
        alone = self.worth[np.arange(K), slate]
        last = slate[:, -1:] == 0
        return np.where((context == 1)[:, None], alone * (2.0 * last), alone)

    def log(self, n_sessions: int, seed: int):
        rng = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(n_sessions), 2)
        context = rng.integers(0, 2, len(cluster))
        slate = np.column_stack([rng.choice(M, len(cluster), p=p) for p in self.logged])
        reward = rng.binomial(2, self.expected(context, slate) / 2.0).astype(float)
        return context, slate, reward, cluster

    def ratios(self, slate):
        return np.log(self.target[np.arange(K), slate]), np.log(self.logged[np.arange(K), slate])

    def candidates(self, slate):
        return np.array([behaviour_weight(*self.ratios(slate), relevant_positions(name, K)) for name in NAMES])

    def truth(self):
        slates = np.array(np.meshgrid(*[range(M)] * K)).reshape(K, -1).T
        chance = self.target[np.arange(K), slates].prod(axis=1)
        return np.mean([chance @ self.expected(np.full(len(slates), c), slates).sum(axis=1) for c in (0, 1)])


@pytest.fixture(scope="module")
def world():
    return TwoKinds()


def context_columns(context, seed=0):
    """The kind of user between two columns that say nothing."""
    noise = np.random.default_rng(seed).normal(size=(len(context), 2))
    return np.column_stack([noise[:, 0], context, noise[:, 1]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("independent", [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        ("neighbours", [[1, 1, 0], [1, 1, 1], [0, 1, 1]]),
        ("cascade", [[1, 0, 0], [1, 1, 0], [1, 1, 1]]),
        ("standard", [[1, 1, 1]] * 3),
    ],
)
def test_named_behaviours(name, expected):
    assert relevant_positions(name, 3).astype(int).tolist() == expected


def test_users_of_two_kinds_are_told_apart(world):
    context, slate, reward, cluster = world.log(2000, seed=1)
    choice = choose_behaviour(reward, world.candidates(slate), context_columns(context), cluster, depth=1)
    assert (choice[context == 0] < NAMES.index("standard")).mean() > 0.99  # a cascade is right there, too
    assert (choice[context == 0] == NAMES.index("independent")).mean() > 0.5
    assert (choice[context == 1] == NAMES.index("standard")).mean() > 0.99
    everybody = choose_behaviour(reward, world.candidates(slate), context_columns(context), cluster, depth=0)
    assert len(np.unique(everybody[:2])) == 1


@pytest.mark.slow
def test_the_choice_beats_every_one_for_all(world):
    """Mean squared error over 40 logs, against independence, a cascade and whole slates."""
    errors = []
    for seed in range(40):
        context, slate, reward, cluster = world.log(400, seed)
        logs, candidates = world.ratios(slate), world.candidates(slate)
        choice = choose_behaviour(reward, candidates, context_columns(context), cluster, depth=2)
        adapted = np.einsum("nk,nk->n", chosen_weight(candidates, choice), reward).mean()
        fixed = [aips(reward, *logs, relevant_positions(name, K)).value[0] for name in NAMES]
        errors.append(np.square(np.array([adapted, *fixed]) - world.truth()))
    adapted, *fixed = np.mean(errors, axis=0)
    assert adapted < 0.85 * min(fixed)


def test_chosen_weights_are_those_of_relevant_positions(world):
    context, slate, reward, _ = world.log(50, seed=0)
    choice = np.where(context == 0, 0, 2)
    relevant = np.array([relevant_positions(name, K) for name in NAMES])[choice]
    weight = chosen_weight(world.candidates(slate), choice)
    np.testing.assert_allclose(weight, behaviour_weight(*world.ratios(slate), relevant))
    assert np.einsum("nk,nk->n", weight, reward).mean() == pytest.approx(
        aips(reward, *world.ratios(slate), relevant).value[0]
    )


def test_row_order_scale_and_objectives(world):
    context, slate, reward, cluster = world.log(300, seed=5)
    candidates, seen = world.candidates(slate), context_columns(context)
    choice = choose_behaviour(reward, candidates, seen, cluster)
    order = np.random.default_rng(0).permutation(len(reward))
    again = choose_behaviour(reward[order], candidates[:, order], seen[order], cluster[order])
    assert np.array_equal(again, choice[order])
    both = np.stack([reward, 1000.0 * reward], axis=2)
    assert np.array_equal(choose_behaviour(both, candidates, seen, cluster), choice)


def test_the_rows_that_a_choice_is_for_do_not_enter_it(world):
    context, slate, reward, cluster = world.log(300, seed=6)
    candidates, seen = world.candidates(slate), context_columns(context)
    choice = choose_behaviour(reward, candidates, seen, cluster)
    changed = reward.copy()
    changed[cluster == 17] = 1e6
    again = choose_behaviour(changed, candidates, seen, cluster)
    assert np.array_equal(again[cluster == 17], choice[cluster == 17])


def test_one_kind_of_weights_where_policies_are_equal(world):
    """Nothing to choose: every candidate's weights are 1, and the first is taken."""
    _, slate, reward, cluster = world.log(20, seed=0)
    logged = world.ratios(slate)[1]
    candidates = np.ones((3, *reward.shape))
    choice = choose_behaviour(reward, candidates, np.zeros((len(reward), 1)), cluster)
    assert set(choice) == {0}
    weight = chosen_weight(candidates, choice)
    assert (weight * reward).sum(axis=1).mean() == pytest.approx(iips(reward, logged, logged).value[0])
    assert sips(reward, logged, logged).value[0] == pytest.approx(reward.sum(axis=1).mean())


def test_errors_name_what_is_wrong(world):
    context, slate, reward, cluster = world.log(20, seed=0)
    candidates, seen = world.candidates(slate), context_columns(context)
    with pytest.raises(
        ValueError, match="there is no behaviour 'random'; choose from independent, neighbours, cascade"
    ):
        relevant_positions("random", 3)
    with pytest.raises(
        ValueError, match=r"candidates have shape \(1, 40, 4\); \(candidates, slates, positions\) of at"
    ):
        choose_behaviour(reward, candidates[:1], seen, cluster)
    with pytest.raises(ValueError, match=r"candidate 0 has shape \(39, 4\) but reward has shape \(40, 4, 1\)"):
        choose_behaviour(reward, candidates[:, 1:], seen, cluster)
    with pytest.raises(
        ValueError, match=r"context has shape \(39, 3\) and cluster \(40,\); \(n, d\) and \(n,\) with the 40"
    ):
        choose_behaviour(reward, candidates, seen[1:], cluster)
    with pytest.raises(ValueError, match="n_folds is 30 and the log has 20 session"):
        choose_behaviour(reward, candidates, seen, cluster, n_folds=30)
    broken = candidates.copy()
    broken[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"candidates hold nan at \(1, 2, 3\); every number must be finite"):
        choose_behaviour(reward, broken, seen, cluster)
    seen[4, 0] = np.inf
    with pytest.raises(ValueError, match=r"context hold inf at \(4, 0\)"):
        choose_behaviour(reward, candidates, seen, cluster)
