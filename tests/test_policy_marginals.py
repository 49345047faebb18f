"""What a ranking shows at a position, whatever else it shows, and what it would show below other items."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from recsim import diverse
from recsim.policy import ConstantScorer, Ranking, first_not_above
from recsim.streams import Streams

VALUES = np.array([1.0, 0.2, -0.5, 0.8, 0.0, 0.4])
EVERY = np.array(list(permutations(range(6), 3)))


@dataclass(frozen=True)
class Varied:
    """Constant scores with a discount for items of a category shown before."""

    @property
    def category(self) -> np.ndarray:
        return np.array([0, 0, 0, 1, 1, 2])

    def scores(self, observation: np.ndarray) -> np.ndarray:
        return np.broadcast_to(VALUES, (len(observation), 6))

    def discount(self, observation: np.ndarray) -> np.ndarray:
        return np.full(len(observation), 0.7)


def observation(n: int) -> np.ndarray:
    return np.zeros((n, 1), np.float32)


def in_every_way(ranking: Ranking) -> np.ndarray:
    """(3, 6), the chance of every item at every position, added up over all slates."""
    chance = np.exp(ranking.log_prob(observation(len(EVERY)), EVERY))
    return np.array([np.bincount(EVERY[:, j], chance, 6) for j in range(3)])


RANKINGS = [
    Ranking("soft", ConstantScorer(VALUES), 3, temperature=0.5),
    Ranking("hard", ConstantScorer(VALUES), 3),
    Ranking("hard and varied", Varied(), 3),
]


@pytest.mark.parametrize("ranking", RANKINGS, ids=lambda ranking: ranking.name)
def test_marginals_add_up_all_slates(ranking: Ranking) -> None:
    expected = in_every_way(ranking)
    seen = observation(len(EVERY))
    own = ranking.marginal_log_prob(seen, EVERY)
    np.testing.assert_allclose(np.exp(own), expected[np.arange(3), EVERY], rtol=1e-10)
    everywhere = ranking.position_log_prob(seen, EVERY)
    assert everywhere.shape == (len(EVERY), 3, 3)
    np.testing.assert_allclose(np.exp(everywhere), expected.T[EVERY], rtol=1e-10)


@pytest.mark.parametrize("ranking", RANKINGS, ids=lambda ranking: ranking.name)
def test_slates_may_be_shorter_than_those_of_the_policy(ranking: Ranking) -> None:
    short, seen = EVERY[:, :2], observation(len(EVERY))
    np.testing.assert_allclose(
        ranking.marginal_log_prob(seen, short), ranking.marginal_log_prob(seen, EVERY)[:, :2], rtol=1e-9, atol=1e-12
    )
    assert ranking.position_log_prob(seen, short).shape == (len(EVERY), 2, 3)
    assert np.array_equal(
        ranking.next_items(seen, short, Streams.of(0, len(EVERY))),
        ranking.next_items(seen, EVERY, Streams.of(0, len(EVERY)))[:, :2],
    )


def test_a_varied_ranking_has_no_marginals() -> None:
    varied = Ranking("varied", Varied(), 3, temperature=1.0)
    for marginals in (varied.marginal_log_prob, varied.position_log_prob):
        with pytest.raises(ValueError, match=r"'varied' draws items with a discount.*no closed form.*sips, rips"):
            marginals(observation(1), EVERY[:1])


@pytest.mark.parametrize("ranking", RANKINGS[:2], ids=lambda ranking: ranking.name)
def test_impossible_slates_are_refused(ranking: Ranking) -> None:
    for method in (ranking.marginal_log_prob, ranking.position_log_prob):
        with pytest.raises(ValueError, match=r"row 0 is the slate \[1, 1, 2\]; it needs distinct items 0 to 5"):
            method(observation(1), np.array([[1, 1, 2]]))
    with pytest.raises(ValueError, match=r"row 0 is the slate \[1, 6, 2\]; it needs distinct items 0 to 5"):
        ranking.next_items(observation(1), np.array([[1, 6, 2]]), Streams.of(0, 1))


@pytest.mark.parametrize("scorer", [ConstantScorer(VALUES), Varied()], ids=["plain", "varied"])
def test_next_items_follow_the_policy_below_what_stands_above(scorer) -> None:
    n, ranking = 20_000, Ranking("soft", scorer, 3, temperature=0.8)
    slate = np.tile([3, 0, 4], (n, 1))
    drawn = ranking.next_items(observation(n), slate, Streams.of(5, n))
    for position in range(3):
        above = [3, 0, 4][:position]
        others = [item for item in range(6) if item not in above]
        rest = np.array([[*above, item, *[i for i in others if i != item][: 2 - position]] for item in others])
        chance = np.exp(ranking.step_log_prob(observation(len(rest)), rest)[:, position])
        counts = np.bincount(drawn[:, position], minlength=6)
        assert chance.sum() == pytest.approx(1.0, abs=1e-12)
        assert counts[above].sum() == 0
        assert stats.chisquare(counts[others], n * chance).pvalue > 0.001


@pytest.mark.parametrize("scorer", [ConstantScorer(VALUES), Varied()], ids=["plain", "varied"])
def test_a_certain_ranking_shows_what_is_best_among_the_rest(scorer) -> None:
    hard = Ranking("hard", scorer, 3)
    found = hard.next_items(observation(len(EVERY)), EVERY, Streams.of(0, len(EVERY)))
    for slate, items in zip(EVERY[::7], found[::7], strict=True):
        for position in range(3):
            logit = VALUES.copy()
            if isinstance(scorer, Varied):
                for item in slate[:position]:
                    logit -= 0.7 * (scorer.category == scorer.category[item])
            logit[slate[:position]] = -np.inf
            assert items[position] == logit.argmax()


def test_draws_depend_on_their_row_alone() -> None:
    order = np.random.default_rng(0).permutation(len(EVERY))
    streams = Streams.of(8, len(EVERY))
    for scorer in (ConstantScorer(VALUES), Varied()):
        ranking = Ranking("soft", scorer, 3, temperature=1.0)
        found = ranking.next_items(observation(len(EVERY)), EVERY, streams)
        assert np.array_equal(ranking.next_items(observation(len(EVERY)), EVERY[order], streams[order]), found[order])
        assert len(np.unique(found)) == 6


def test_the_first_position_is_drawn_as_by_act() -> None:
    ranking, streams = RANKINGS[0], Streams.of(2, 120)
    slate = ranking.act(observation(120), streams).slate
    assert np.array_equal(ranking.next_items(observation(120), slate, streams), slate)


def test_following_and_the_first_not_above_agree_without_discount() -> None:
    scores = np.random.default_rng(1).normal(size=(len(EVERY), 6))
    order = np.argsort(-scores, axis=1)[:, :3]
    found = diverse.following(scores, np.zeros(len(EVERY)), np.zeros(6, int), EVERY)
    assert np.array_equal(found, first_not_above(order, EVERY))


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_the_chance_at_the_top_is_that_of_slates_of_one_item(temperature):
    scores = np.random.default_rng(3).normal(size=(1, 5))
    policy = Ranking("p", ConstantScorer(scores[0]), 1, temperature)
    observation = np.zeros((5, 1), np.float32)
    items = np.arange(5)[:, None]
    expected = np.exp(policy.step_log_prob(observation, items))[:, 0]
    assert policy.first_probability(observation[:1])[0] == pytest.approx(expected, abs=1e-12)
