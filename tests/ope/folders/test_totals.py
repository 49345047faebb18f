from __future__ import annotations

from dataclasses import asdict, astuple, replace
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import poisson

from recsim.ope import (
    Overlap,
    Resamples,
    Terms,
    bootstrap,
    clusters_of,
    difference,
    overlap_of,
    rips,
    sips,
    snrips,
)
from recsim.ope.folders import weight_totals
from recsim.ope.folders.totals import Totals, products_of
from recsim.ope.folders.weight_totals import WeightTotals
from recsim.streams import Streams

USERS = np.arange(300) // 2  # two sessions each
SESSIONS = np.arange(300) % 2


def made_up(n: int, seed: int = 0) -> dict[str, Terms]:
    rng = np.random.default_rng(seed)
    return {
        "plain": Terms(rng.normal(2.0, 1.0, (n, 1, 2)), np.ones((n, 1))),
        "ratio": Terms(rng.normal(1.0, 2.0, (n, 3, 2)), rng.uniform(0.2, 3.0, (n, 3))),
    }


def rows(terms: dict[str, Terms], part: slice) -> dict[str, Terms]:
    return {name: Terms(one.numerator[part], one.denominator[part]) for name, one in terms.items()}


def in_parts(terms: dict[str, Terms], cuts: list[int], n_boot: int = 40) -> list[Totals]:
    ends = [0, *cuts, len(terms["plain"])]
    parts = [slice(*pair) for pair in pairwise(ends)]
    return [Totals.of(rows(terms, p), Resamples.poisson(USERS[p], SESSIONS[p], n_boot, 5)) for p in parts]


def numbers(interval) -> np.ndarray:
    return np.concatenate(astuple(interval)[:4])


@pytest.mark.parametrize("cuts", [[], [150], [1, 2, 299], [10, 20, 30, 200], list(range(1, 300))])
def test_merged_parts_say_what_the_terms_themselves_say(cuts):
    terms = made_up(300)
    totals = reduce(Totals.merge, in_parts(terms, cuts))
    resamples = Resamples.poisson(USERS, SESSIONS, 40, 5)
    for name, part in terms.items():
        assert numbers(totals.interval(name)) == pytest.approx(numbers(bootstrap(part, resamples)), rel=1e-12)
    paired = difference(terms["ratio"], terms["plain"], resamples, 0.8)
    assert numbers(totals.difference("ratio", "plain", 0.8)) == pytest.approx(numbers(paired), rel=1e-12)
    assert totals.n_sessions == 300


def test_merging_is_associative_and_repeats_bit_by_bit():
    first, second, third = in_parts(made_up(300), [50, 120])
    left, right = first.merge(second).merge(third), first.merge(second.merge(third))
    again = first.merge(second).merge(third)
    for name in ("sums", "products", "draws"):
        assert getattr(left, name) == pytest.approx(getattr(right, name), rel=1e-13)
        assert (getattr(left, name) == getattr(again, name)).all()


def test_intervals_without_draws_by_hand():
    totals = Totals.of({"mean": Terms(np.array([[[1.0]], [[3.0]]]), np.ones((2, 1)))})
    interval = totals.interval("mean", level=0.5)  # the standard error of 1 and 3 is 1, the quartile of a normal 0.674
    assert [float(x[0]) for x in astuple(interval)[:4]] == pytest.approx([2.0, 1.0, 2 - 0.67449, 2 + 0.67449], abs=1e-5)


def test_equal_rewards_leave_no_width():
    rng = np.random.default_rng(2)
    target, logged = np.log(rng.uniform(0.2, 0.9, (2, 60, 3)))
    interval = Totals.of({"snrips": snrips(np.full((60, 3), 7.0), target, logged)}).interval("snrips")
    assert numbers(interval) == pytest.approx([21.0, 0.0, 21.0, 21.0], abs=1e-6)


def test_no_overlap_gives_no_number():
    nothing = Totals.of({"a": Terms(np.zeros((3, 1, 1)), np.zeros((3, 1)))}, Resamples.poisson([0, 1, 2], 0, 8, 0))
    interval = nothing.interval("a")
    assert np.isnan(numbers(interval)).all()
    assert interval.undefined == 8


def test_totals_that_cannot_be_used():
    whole = Totals.of(made_up(20))
    with pytest.raises(
        ValueError, match=r"totals of \['plain', 'ratio'\] with 0 draws cannot be merged with .* with 40; sum"
    ):
        whole.merge(in_parts(made_up(300), [])[0])
    with pytest.raises(KeyError, match=r"there are no totals of 'dr'; choose from \['plain', 'ratio'\]"):
        whole.interval("dr")
    with pytest.raises(ValueError, match="level is 95; an interval's level is a probability"):
        whole.interval("plain", 95)
    with pytest.raises(ValueError, match=r"the log has 1 session\(s\); an interval needs at least 2"):
        Totals.of(made_up(1)).interval("plain")


def test_products_are_those_of_all_rows():
    columns = np.random.default_rng(0).normal(size=(1300, 5))
    assert products_of(columns) == pytest.approx(columns.T @ columns, rel=1e-12)


# Poisson draws


def test_poisson_draws_are_quantiles_of_the_sessions_own_streams():
    counts = Resamples.poisson(USERS, SESSIONS, 10, 7).counts
    uniform = Streams.of(7, USERS, SESSIONS).uniform("bootstrap", 10)
    assert (poisson.ppf(uniform, 1) == counts.T).all()


def test_poisson_draws_belong_to_sessions_and_not_to_places():
    whole = Resamples.poisson(USERS, SESSIONS, 6, 1).counts
    order = np.random.default_rng(0).permutation(300)
    assert (Resamples.poisson(USERS[order], SESSIONS[order], 6, 1).counts == whole[:, order]).all()
    assert (Resamples.poisson(USERS, SESSIONS, 3, 1).counts == whole[:3]).all()
    assert (Resamples.poisson(USERS, SESSIONS, 6, 2).counts != whole).any()
    with pytest.raises(ValueError, match="n_boot is 1; a bootstrap needs at least 2 draws"):
        Resamples.poisson(USERS, SESSIONS, 1, 1)


def test_poisson_draws_have_their_moments():
    counts = Resamples.poisson(np.arange(5000), 0, 200, 3).counts.astype(float)
    n = counts.size
    assert abs(counts.mean() - 1) < 4 / np.sqrt(n)
    assert abs(((counts - 1) ** 2).mean() - 1) < 4 * np.sqrt(3 / n)  # the fourth central moment is 4
    share = np.array([(counts == value).mean() for value in range(7)])
    chance = poisson.pmf(np.arange(7), 1)
    assert (np.abs(share - chance) < 4 * np.sqrt(chance / n)).all()


def test_poisson_and_multinomial_intervals_agree():
    terms = made_up(300)["ratio"]
    one = bootstrap(terms, Resamples.poisson(USERS, SESSIONS, 4000, 0))
    other = bootstrap(terms, Resamples.draw(300, 4000, 0))
    assert one.high - one.low == pytest.approx(other.high - other.low, rel=0.08)
    assert one.low == pytest.approx(other.low, abs=0.2 * one.se.min())  # quantiles of 4,000 draws vary by 0.04


# Weights


@pytest.fixture
def weighed():
    rng = np.random.default_rng(4)
    weight = rng.lognormal(0.0, 1.0, (200, 3)) * (rng.random((200, 3)) > 0.1)
    reward = (rng.random((200, 3, 2)) < 0.2).astype(float)
    cluster = np.repeat(np.arange(50), 4)
    share = rng.dirichlet(np.ones(3), 2).T
    return weight, reward, cluster, share


def known(overlap: Overlap) -> dict[str, float]:
    assert overlap.pareto_k is not None
    return {name: value for name, value in asdict(overlap).items() if isinstance(value, float | int)}


@pytest.mark.parametrize("cuts", [[], [100], [4, 8, 196]])
def test_merged_weights_say_what_the_weights_themselves_say(weighed, cuts):
    weight, reward, cluster, share = weighed
    ends = [0, *cuts, 200]
    parts = [slice(*pair) for pair in pairwise(ends)]

    def total(weights, *shares):
        return reduce(
            WeightTotals.merge,
            (
                WeightTotals.of(weights[p], reward[p], cluster[p] - cluster[p][0], len(set(cluster[p])), *shares)
                for p in parts
            ),
        )

    whole = total(weight[:, -1:])
    assert [known(one) for one in whole.overlaps()] == [
        pytest.approx(known(overlap_of(weight[:, -1], cluster, 50)), rel=1e-12)
    ] * 2
    averaged = total(weight, share)
    for objective, found in enumerate(averaged.overlaps()):
        row = overlap_of(weight @ share[:, objective], cluster, 50)
        ess = 1 / (share[:, objective] * np.square(weight).sum(axis=0) / np.square(weight.sum(axis=0))).sum()
        assert known(found) == pytest.approx(known(replace(row, ess=ess)), rel=1e-12)
    earned = ((weight > 0)[:, :, None] & (reward != 0)).any(axis=1).reshape(50, 4, 2).any(axis=1)
    assert (averaged.rewarded == earned.sum(axis=0)).all()


def test_the_tail_needs_the_heaviest_weights_alone(monkeypatch):
    monkeypatch.setattr(weight_totals, "_HEAVIEST", 200)
    weight = np.random.default_rng(1).pareto(1.2, (4000, 1))
    reward, cluster = np.ones((4000, 3, 1)), np.arange(4000)
    parts = [
        WeightTotals.of(weight[start : start + 500], reward[:500], cluster[:500], 500) for start in range(0, 4000, 500)
    ]
    (overlap,) = reduce(WeightTotals.merge, parts).overlaps()
    assert overlap.pareto_k == pytest.approx(overlap_of(weight[:, 0], cluster, 4000).pareto_k, rel=1e-12)
    assert 0.6 < overlap.pareto_k < 1.1  # 1 / 1.2
    assert reduce(WeightTotals.merge, parts).heaviest.shape == (1, 200)


def test_weights_of_nothing(weighed):
    weight, reward, cluster, share = weighed
    (overlap, _) = WeightTotals.of(0 * weight[:, :1], reward, cluster, 50).overlaps()
    assert (overlap.ess, overlap.largest_share, overlap.mean, overlap.zero_share) == (0.0, 0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="average weights by other shares; pass both the shares of the whole log"):
        WeightTotals.of(weight, reward, cluster, 50, share).merge(
            WeightTotals.of(weight, reward, cluster, 50, share[:, ::-1])
        )


def test_estimators_are_merged_session_by_session(world, tiny_log):
    target = world.target.step_log_prob(tiny_log.observation, tiny_log.slate)
    cluster, n = clusters_of(tiny_log.user, tiny_log.session)
    both = {
        one.__name__: one(tiny_log.objectives, target, tiny_log.step_log_prob).grouped(cluster, n)
        for one in (sips, rips, snrips)
    }
    half = n // 2
    totals = Totals.of(rows(both, slice(0, half))).merge(Totals.of(rows(both, slice(half, n))))
    for name, terms in both.items():
        interval = totals.interval(name)
        assert interval.value == pytest.approx(terms.value, rel=1e-12)
        assert interval.se == pytest.approx(bootstrap(terms, Resamples.draw(n, 2, 0)).se, rel=1e-12)
