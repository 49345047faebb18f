from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from scipy.stats import binom

from recsim.ope import Resamples, Terms, bootstrap, clusters_of, difference, rips, sips, snrips, snsips
from recsim.ope.intervals import draws_of


def plain(values) -> Terms:
    """The terms of a mean."""
    values = np.asarray(values, float)
    return Terms(values.reshape(len(values), 1, -1), np.ones((len(values), 1)))


def test_interval_by_hand():
    resamples = Resamples.of_indices([[0, 0], [0, 1], [1, 1]] * 4, 2)
    interval = bootstrap(plain([1.0, 3.0]), resamples, level=0.5)  # draws 1, 2, 3: one in four each side
    assert [float(part[0]) for part in astuple(interval)[:4]] == pytest.approx(
        [2.0, 1.0, 1.0, 3.0]
    )  # se: sd 1.41 / 2**.5
    assert (interval.level, interval.undefined) == (0.5, 0)


def test_too_few_draws_to_tell_an_end_leave_a_normal_interval():
    resamples = Resamples.draw(50, 99, 0)  # 2.475 beyond each end of a 95 % interval
    interval = bootstrap(plain(np.arange(50)), resamples)
    assert interval.high[0] - interval.value[0] == pytest.approx(1.959964 * interval.se[0], rel=1e-6)
    assert interval.value[0] - interval.low[0] == pytest.approx(1.959964 * interval.se[0], rel=1e-6)


def test_the_quantiles_are_those_of_all_draws_not_of_the_sample():
    """Another draw falls outside of the interval of b draws in 1 - level of the cases, however few they are."""
    rng = np.random.default_rng(0)
    outside = []
    for _ in range(400):
        values = rng.normal(size=(60, 1))
        interval = bootstrap(plain(values), Resamples.draw(60, 39, int(rng.integers(2**32))))
        more = values[rng.integers(0, 60, (100, 60)), 0].mean(axis=1)
        outside.append(((more < interval.low[0]) | (more > interval.high[0])).mean())
    assert np.mean(outside) == pytest.approx(0.05, abs=0.006)  # 0.074 by the quantiles of the sample


def test_numerator_and_denominator_are_resampled_together():
    terms = Terms(np.array([[[2.0]], [[30.0]]]), np.array([[1.0], [10.0]]))
    resamples = Resamples.of_indices([[0, 0], [0, 1], [1, 1]], 2)
    assert draws_of(terms, resamples)[:, 0] == pytest.approx([2.0, 32 / 11, 3.0])


def test_counts_equal_gathered_rows():
    rng = np.random.default_rng(0)
    indices, values = rng.integers(0, 30, (20, 30)), rng.normal(size=(30, 3, 2))
    totals = Resamples.of_indices(indices, 30).totals(values)
    assert totals == pytest.approx(values[indices].sum(axis=1), abs=1e-12)


def test_resamples_are_a_function_of_the_seed():
    first, again, other = (Resamples.draw(40, 7, seed).counts for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert (first.sum(axis=1) == 40).all()


def test_clusters_are_pairs_of_user_and_session():
    cluster, n = clusters_of([5, 5, 2, 5], [1, 0, 1, 1])
    assert (cluster.tolist(), n) == ([2, 1, 0, 2], 3)


def test_equal_rewards_leave_no_width_to_a_self_normalised_estimator():
    rng = np.random.default_rng(2)
    target, logged = np.log(rng.uniform(0.2, 0.9, (2, 60, 3)))
    resamples = Resamples.draw(60, 50, 0)
    for estimator in (snsips, snrips):
        interval = bootstrap(estimator(np.ones((60, 3)), target, logged), resamples)
        assert np.concatenate(astuple(interval)[:4]) == pytest.approx([3.0, 0.0, 3.0, 3.0], abs=1e-12)
    assert bootstrap(sips(np.ones((60, 3)), target, logged), resamples).se[0] > 0.1


def test_draws_without_overlap_are_counted_and_left_out():
    terms = Terms(np.array([[[0.0]], [[2.0]]]), np.array([[0.0], [1.0]]))
    interval = bootstrap(terms, Resamples.of_indices([[0, 0], [0, 1], [1, 1]], 2))
    assert interval.undefined == 1
    assert (interval.low[0], interval.high[0]) == (2.0, 2.0)
    nothing = bootstrap(Terms(np.zeros((2, 1, 1)), np.zeros((2, 1))), Resamples.of_indices([[0, 0], [0, 1]], 2))
    assert nothing.undefined == 2
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_standard_error_agrees_with_the_bootstrap(world, tiny_log):
    target = world.target.step_log_prob(tiny_log.observation, tiny_log.slate)
    cluster, n = clusters_of(tiny_log.user, tiny_log.session)
    resamples = Resamples.draw(n, 2000, 0)
    for estimator in (sips, rips, snsips, snrips):
        terms = estimator(tiny_log.objectives, target, tiny_log.step_log_prob).grouped(cluster, n)
        spread = draws_of(terms, resamples).std(axis=0)
        assert bootstrap(terms, resamples).se == pytest.approx(spread, rel=0.08)


def test_row_order_does_not_matter(world, tiny_log):
    rows = np.random.default_rng(0).permutation(len(tiny_log))
    intervals = []
    for log in (tiny_log, tiny_log[rows]):
        cluster, n = clusters_of(log.user, log.session)
        target = world.target.step_log_prob(log.observation, log.slate)
        terms = snrips(log.objectives, target, log.step_log_prob).grouped(cluster, n)
        intervals.append(np.concatenate(astuple(bootstrap(terms, Resamples.draw(n, 50, 3)))[:4]))
    assert intervals[0] == pytest.approx(intervals[1], rel=1e-12)


def test_paired_difference(world, tiny_log):
    cluster, n = clusters_of(tiny_log.user, tiny_log.session)
    resamples = Resamples.draw(n, 200, 0)
    near = type(world.target)("near", world.target.table + 0.05 * world.appeal[:, :, 0])
    one, other = (
        rips(
            tiny_log.objectives, policy.step_log_prob(tiny_log.observation, tiny_log.slate), tiny_log.step_log_prob
        ).grouped(cluster, n)
        for policy in (near, world.target)
    )
    paired = difference(one, other, resamples)
    assert paired.value == pytest.approx(one.value - other.value)
    assert (paired.high - paired.low < 0.3 * (bootstrap(one, resamples).high - bootstrap(one, resamples).low)).all()
    assert (paired.low <= paired.value).all()
    assert (paired.value <= paired.high).all()
    nothing = difference(one, one, resamples)
    assert np.concatenate(astuple(nothing)[:4]) == pytest.approx(np.zeros(8), abs=1e-12)


def test_errors():
    terms, resamples = plain([1.0, 2.0]), Resamples.draw(2, 10, 0)
    with pytest.raises(ValueError, match=r"the log has 1 session\(s\); a bootstrap needs at least 2"):
        Resamples.draw(1, 10, 0)
    with pytest.raises(ValueError, match="n_boot is 1; a bootstrap needs at least 2 draws. Use 200"):
        Resamples.draw(5, 1, 0)
    with pytest.raises(ValueError, match="level is 95; an interval's level is a probability"):
        bootstrap(terms, resamples, level=95)
    with pytest.raises(ValueError, match="the terms have 3 rows but the resamples are of 2 clusters; group the terms"):
        bootstrap(plain([1.0, 2.0, 3.0]), resamples)
    with pytest.raises(ValueError, match="the terms have 3 rows but the resamples are of 2 clusters"):
        difference(terms, plain([1.0, 2.0, 3.0]), resamples)


def coverage(make_terms, truth: float, replications: int) -> float:
    """How often a nominal 95 % interval contains the truth."""
    hits = 0
    for seed in range(replications):
        terms = make_terms(np.random.default_rng(seed))
        interval = bootstrap(terms, Resamples.draw(len(terms), 200, seed))
        hits += bool(interval.low[0] <= truth <= interval.high[0])
    return hits / replications


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [sips, rips, snsips, snrips])
def test_coverage_at_good_overlap(world, estimator, observe_context):
    context, slate = world.everything()
    observation, chance = observe_context(context), world.chance(world.behaviour)
    near = type(world.target)("near", world.behaviour.table + 0.4 * world.appeal[:, :, 0])
    target, logged = (policy.step_log_prob(observation, slate) for policy in (near, world.behaviour))
    expected = world.expected(context, slate)[:, :, 0]

    def one_log(rng: np.random.Generator) -> Terms:
        rows = rng.choice(len(chance), 300, p=chance)
        return estimator(rng.random((300, 3)) < expected[rows], target[rows], logged[rows])

    replications = 800
    low, high = binom.ppf([0.001, 0.999], replications, 0.95) / replications
    assert low - 0.01 <= coverage(one_log, world.truth(near)[0], replications) <= high


@pytest.mark.slow
def test_sessions_must_be_resampled_whole():
    sessions, steps, spread = 80, 10, 1.0

    def rows(rng: np.random.Generator) -> Terms:
        user = rng.normal(0.0, spread, (sessions, 1))  # users differ, so the slates of a session are alike
        return plain((1.0 + user + rng.normal(0.0, 1.0, (sessions, steps))).ravel())

    cluster = np.repeat(np.arange(sessions), steps)
    whole = coverage(lambda rng: rows(rng).grouped(cluster, sessions), 1.0, 500)
    apart = coverage(rows, 1.0, 500)
    assert 0.92 <= whole <= 0.975
    assert apart < 0.7
