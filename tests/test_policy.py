"""Plackett-Luce against enumeration, its sampler against its probabilities, and the deterministic ranking."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsim.agents.features import CrossFeatures
from recsim.catalog import Catalog
from recsim.logs import collect
from recsim.observation import Layout
from recsim.ope import evaluate
from recsim.policy import (
    ConstantScorer,
    Decision,
    Ranking,
    ThereAlready,
    only_there,
    plackett_luce_log_prob,
    plackett_luce_sample,
    popularity,
    top_k,
    uniform,
)
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users import make_users

WORTH = np.array([1.0, 2.0, 0.5, 4.0, 1.5])
LOGITS = st.lists(st.floats(-50, 50), min_size=5, max_size=5)


def observation(n: int) -> np.ndarray:
    return np.zeros((n, 1), np.float32)


def one_by_one(worth: np.ndarray, slate: tuple[int, ...]) -> float:
    """Probability of drawing the items of `slate` in order, without replacement, in proportion to their worth."""
    left, probability = list(range(len(worth))), 1.0
    for item in slate:
        probability *= worth[item] / worth[left].sum()
        left.remove(item)
    return probability


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_log_prob_is_that_of_drawing_one_by_one(k: int) -> None:
    slates = list(permutations(range(5), k))
    step = plackett_luce_log_prob(np.tile(np.log(WORTH), (len(slates), 1)), np.array(slates))
    expected = [one_by_one(WORTH, slate) for slate in slates]
    np.testing.assert_allclose(np.exp(step.sum(axis=1)), expected, rtol=1e-12)
    assert math.fsum(np.exp(step.sum(axis=1))) == pytest.approx(1.0, abs=1e-12)


@given(logits=LOGITS, k=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_slates_are_a_distribution(logits: list[float], k: int) -> None:
    slates = np.array(list(permutations(range(5), k)))
    step = plackett_luce_log_prob(np.tile(logits, (len(slates), 1)), slates)
    assert (step <= 1e-12).all()
    assert math.fsum(np.exp(step.sum(axis=1))) == pytest.approx(1.0, abs=1e-12)


@given(logits=LOGITS, shift=st.floats(-1e3, 1e3), slate=st.permutations(range(5)))
@settings(max_examples=60, deadline=None)
def test_log_prob_ignores_a_shift_and_names(logits: list[float], shift: float, slate: list[int]) -> None:
    plain = np.array([logits])
    step = plackett_luce_log_prob(plain, np.array([slate[:3]]))
    np.testing.assert_allclose(plackett_luce_log_prob(plain + shift, np.array([slate[:3]])), step, atol=1e-9)
    renamed = plackett_luce_log_prob(plain[:, slate], np.array([[0, 1, 2]]))
    np.testing.assert_allclose(renamed, step, atol=1e-12)


def test_concentrated_logits_stay_exact() -> None:
    logits = np.array([[2000.0, 0.0, 0.0, 0.0, -2000.0]])
    step = plackett_luce_log_prob(logits, np.array([[0, 1, 2]]))
    np.testing.assert_allclose(step, [[0.0, -np.log(3), -np.log(2)]], atol=1e-12)
    backwards = plackett_luce_log_prob(logits, np.array([[4, 3, 0]]))
    np.testing.assert_allclose(backwards, [[-4000.0, -2000.0, 0.0]], atol=1e-9)
    everything = plackett_luce_log_prob(logits, np.array([[4, 3, 2, 1, 0]]))
    np.testing.assert_allclose(everything, [[-4000.0, -2000.0, -2000.0, -2000.0, 0.0]], atol=1e-9)
    assert np.isfinite([step, backwards]).all()


def test_sampled_slates_have_their_probabilities() -> None:
    n = 60_000
    slates = plackett_luce_sample(np.tile(np.log(WORTH), (n, 1)), 2, Streams.of(4, n))
    every = list(permutations(range(5), 2))
    counts = np.array([(slates == slate).all(axis=1).sum() for slate in every])
    expected = n * np.array([one_by_one(WORTH, slate) for slate in every])
    assert counts.sum() == n
    assert stats.chisquare(counts, expected).pvalue > 0.001


def test_sampling_is_the_top_of_logits_plus_gumbel_noise() -> None:
    streams = Streams.of(4, 50, session=1, step=3)
    logits = Streams.of(0, 50).normal("logits", 30)
    noisy = logits + streams.gumbel("policy", 30)
    slates = plackett_luce_sample(logits, 8, streams)
    assert np.array_equal(slates, np.argsort(-noisy, axis=1)[:, :8])
    order = np.random.Generator(np.random.Philox(0)).permutation(50)
    assert np.array_equal(plackett_luce_sample(logits[order], 8, streams[order]), slates[order])


@given(scores=st.lists(st.integers(-3, 3), min_size=1, max_size=12), data=st.data())
@settings(max_examples=80, deadline=None)
def test_top_k_is_a_stable_sort(scores: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    table = np.array([scores, scores[::-1]], float)
    assert np.array_equal(top_k(table, k), np.argsort(-table, axis=1, kind="stable")[:, :k])


def test_a_softened_ranking_tells_its_exact_propensity() -> None:
    ranking = Ranking("soft", ConstantScorer(2.0 * np.log(WORTH)), 3, temperature=2.0)
    streams = Streams.of(1, 200)
    decision = ranking.act(observation(200), streams)
    expected = [np.log(one_by_one(WORTH, tuple(slate))) for slate in decision.slate.tolist()]
    np.testing.assert_allclose(decision.log_prob, expected, rtol=1e-12)
    assert np.array_equal(ranking.step_log_prob(observation(200), decision.slate), decision.step_log_prob)
    assert np.array_equal(ranking.log_prob(observation(200), decision.slate), decision.log_prob)
    assert all(len(set(slate)) == 3 for slate in decision.slate.tolist())
    assert len(np.unique(decision.slate, axis=0)) > 20


def test_a_deterministic_ranking_is_certain() -> None:
    ranking = Ranking("hard", ConstantScorer(np.array([1.0, 3.0, 3.0, 2.0])), 3)
    decision = ranking.act(observation(2), Streams.of(1, 2))
    assert decision.slate.tolist() == [[1, 2, 3]] * 2  # the tie goes to the lower number
    assert decision.log_prob.tolist() == [0.0, 0.0]
    slates = np.array([[1, 2, 3], [1, 3, 2]])
    assert ranking.step_log_prob(observation(2), slates).tolist() == [[0.0, 0.0, 0.0], [0.0, -np.inf, -np.inf]]
    assert ranking.log_prob(observation(2), slates).tolist() == [0.0, -np.inf]


def test_cooling_leads_to_the_deterministic_ranking() -> None:
    scorer = ConstantScorer(np.array([1.0, 3.0, 2.5, 2.0, 0.0]))
    cold = Ranking("cold", scorer, 3, temperature=1e-3).act(observation(100), Streams.of(1, 100))
    assert np.array_equal(cold.slate, Ranking("hard", scorer, 3).act(observation(100), Streams.of(1, 100)).slate)
    np.testing.assert_allclose(cold.log_prob, 0.0, atol=1e-9)


def test_uniform_shows_every_slate_alike(catalog: Catalog) -> None:
    m = len(catalog)
    decision = uniform(catalog, 3).act(observation(5000), Streams.of(0, 5000))
    np.testing.assert_allclose(decision.log_prob, -np.log(m * (m - 1) * (m - 2)), rtol=1e-12)
    assert stats.chisquare(np.bincount(decision.slate.ravel(), minlength=m)).pvalue > 0.001


def test_popularity_follows_the_prior(catalog: Catalog) -> None:
    ranked = popularity(catalog, 4).act(observation(2), Streams.of(0, 2)).slate
    assert ranked.tolist() == [np.argsort(-catalog.popularity, kind="stable")[:4].tolist()] * 2
    n = 20_000
    first = popularity(catalog, 1, temperature=1.0).act(observation(n), Streams.of(0, n)).slate[:, 0]
    counts = np.bincount(first, minlength=len(catalog))
    assert stats.chisquare(counts, n * catalog.popularity).pvalue > 0.001


def test_decisions_add_up_over_positions() -> None:
    decision = Decision(np.zeros((1, 2), int), np.array([[-0.5, -1.25]]))
    assert decision.log_prob.tolist() == [-1.75]


@pytest.mark.parametrize("temperature", [-1.0, float("nan"), float("inf")])
def test_temperature_out_of_range(temperature: float) -> None:
    with pytest.raises(ValueError, match=f"temperature of 'hot' is {temperature}; it is a finite number from 0 up"):
        Ranking("hot", ConstantScorer(WORTH), 2, temperature)


def test_scores_that_do_not_fit() -> None:
    ranking = Ranking("short", ConstantScorer(WORTH), 6)
    with pytest.raises(ValueError, match=r"scorer of 'short' gave scores of shape \(3, 5\) for 3 users.*at least 6"):
        ranking.act(observation(3), Streams.of(0, 3))
    broken = Ranking("broken", ConstantScorer(np.array([0.0, np.nan, 1.0])), 2)
    with pytest.raises(ValueError, match=r"scorer of 'broken' gave nan for row 0, item 1; scores are finite"):
        broken.act(observation(3), Streams.of(0, 3))


@pytest.mark.parametrize("slate", [[1, 2, 1], [0, -1, 2], [0, 5, 1]], ids=["repeat", "empty", "unknown"])
def test_slates_without_a_probability(slate: list[int]) -> None:
    logits = np.zeros((2, 5))
    with pytest.raises(
        ValueError, match=rf"row 1 is the slate \[{', '.join(map(str, slate))}\]; it needs distinct items"
    ):
        plackett_luce_log_prob(logits, np.array([[0, 1, 2], slate]))


def test_rows_that_do_not_match() -> None:
    with pytest.raises(ValueError, match=r"slates have shape \(1, 2\); for 2 rows of logits \(2, k\) is needed"):
        plackett_luce_log_prob(np.zeros((2, 5)), np.array([[0, 1]]))
    with pytest.raises(ValueError, match="there are 3 streams for 2 rows of logits"):
        plackett_luce_sample(np.zeros((2, 5)), 2, Streams.of(0, 3))


@pytest.mark.parametrize("k", [0, 6])
def test_slates_larger_than_the_catalogue(k: int) -> None:
    with pytest.raises(ValueError, match=f"slates of {k} items asked for among 5; 1 to 5 are possible"):
        top_k(np.zeros((2, 5)), k)
    with pytest.raises(ValueError, match=f"slates of {k} items asked for among 5; 1 to 5 are possible"):
        plackett_luce_sample(np.zeros((2, 5)), k, Streams.of(0, 2))


BORN = np.array([3, 0, 1, 0, 9, 0], np.float32)
LIKED = np.array([9.0, 1.0, 3.0, 2.0, 1e6, 0.0])  # most of all what is not there at first


def on_day(*days: float) -> np.ndarray:
    """(n, 2) float32, observations whose second column is the day."""
    return np.column_stack([np.zeros(len(days)), days]).astype(np.float32)


def test_a_deterministic_ranking_shows_only_what_is_there() -> None:
    ranking = Ranking("hard", ThereAlready(ConstantScorer(LIKED), BORN, day=1), 3)
    decision = ranking.act(on_day(0, 1, 3, 9), Streams.of(0, 4))
    assert decision.slate.tolist() == [[3, 1, 5], [2, 3, 1], [0, 2, 3], [4, 0, 2]]
    assert ranking.log_prob(on_day(0, 1, 3, 9), decision.slate).tolist() == [0.0] * 4
    assert ranking.log_prob(on_day(0), np.array([[0, 2, 3]])).tolist() == [-np.inf]


@pytest.mark.parametrize("temperature", [0.1, 1.0, 50.0])
def test_a_softened_ranking_shows_only_what_is_there(temperature: float) -> None:
    liked = np.minimum(LIKED, 20.0)
    ranking = Ranking("soft", ThereAlready(ConstantScorer(liked), BORN, day=1), 3, temperature)
    seen = on_day(*np.repeat([0.0, 1.0, 3.0, 9.0], 500))
    decision = ranking.act(seen, Streams.of(0, len(seen)))
    assert (BORN[decision.slate] <= seen[:, 1:]).all()
    assert np.isfinite(decision.step_log_prob).all()
    assert np.array_equal(ranking.log_prob(seen, decision.slate), decision.log_prob)
    there = np.exp(liked[BORN == 0] / temperature)
    place = np.cumsum(BORN == 0) - 1  # of an item among those that are there on day 0
    expected = [np.log(one_by_one(there, tuple(place[slate]))) for slate in decision.slate[:500]]
    np.testing.assert_allclose(decision.log_prob[:500], expected, rtol=1e-9, atol=1e-9)


def test_without_birthdays_a_ranking_stays_what_it_is(catalog: Catalog) -> None:
    ranking = popularity(catalog, 4)
    assert only_there(ranking, None, Layout.of(catalog)) is ranking


def test_a_log_of_a_world_with_birthdays_can_be_judged() -> None:
    catalog = Catalog.synthetic(n_items=40, n_categories=4, seed=1)
    simulator = Simulator(catalog, make_users("news", catalog), slate_size=4, horizon=10, seed=1)
    born, layout = simulator.born, simulator.layout
    assert born is not None
    logging, soft, hard = (
        only_there(ranking, born, layout)
        for ranking in (
            uniform(catalog, 4),
            popularity(catalog, 4, 1.0),
            replace(popularity(catalog, 4), name="most popular"),
        )
    )
    log = collect(simulator, logging, 150)
    day = layout.read(log.observation, "day")
    assert (born[log.slate] <= day).all()
    there = (born <= day).sum(axis=1)
    assert 4 < there.min() < there.max()
    np.testing.assert_allclose(log.log_prob, -np.log(there[:, None] - np.arange(4)).sum(axis=1), rtol=1e-9)
    assert np.isfinite(soft.step_log_prob(log.observation, log.slate)).all()
    found = evaluate(log, [logging, soft, hard], features=CrossFeatures(catalog, layout).at, seed=0, n_boot=20)
    frame = found.to_frame().set_index(["policy", "estimator", "objective"])
    assert np.isfinite(frame.loc[["uniform", "popularity"], ["value", "low", "high"]].to_numpy(float)).all()
    assert frame.loc[("uniform", "sips", "reward"), "value"] == pytest.approx(log.reward.mean())
