"""Fronts, against areas by hand, slow references and the coverage that intervals promise."""

import numpy as np
import pytest

from recsim.pareto import hypervolume, hypervolume_draws, non_dominated, percentile_interval


def test_the_non_dominated_are_those_of_the_definition() -> None:
    points = np.random.Generator(np.random.Philox(0)).integers(0, 5, (60, 3)).astype(float)
    expected = [not any((q >= p).all() and (q > p).any() for q in points) for p in points]
    assert non_dominated(points).tolist() == expected


def test_the_hypervolume_is_the_share_of_a_box_times_its_volume() -> None:
    points = np.array([[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 0.5]])
    assert hypervolume(points, [0, 0, 0]) == pytest.approx(2 * 1 + 1 * 2 - 1)  # the third is dominated
    assert hypervolume(points, [1, 0, 0]) == pytest.approx(1.0)  # only the first exceeds it
    draws = np.random.Generator(np.random.Philox(1)).random((200_000, 3)) * 2
    inside = (draws[:, None] < points).all(axis=2).any(axis=1).mean()
    assert hypervolume(points, [0, 0, 0]) == pytest.approx(8 * inside, rel=0.02)


def test_a_draw_is_the_hypervolume_of_the_users_drawn() -> None:
    totals = np.random.Generator(np.random.Philox(2)).random((4, 6, 2))
    found = hypervolume_draws(totals, [0, 0], n_boot=3, seed=9)
    generator = np.random.Generator(np.random.Philox(9))
    for value in found:
        users = generator.integers(0, 6, 6)
        assert value == pytest.approx(hypervolume(totals[:, users].mean(axis=1), [0, 0]))


def test_fronts_that_differ_by_a_constant_have_a_certain_difference() -> None:
    totals = np.random.Generator(np.random.Philox(3)).random((1, 50, 1))
    better, worse = (hypervolume_draws(t, [0.0], n_boot=40, seed=1) for t in (totals + 2, totals))
    interval = percentile_interval(2.0, better - worse)
    assert (interval.low, interval.high) == pytest.approx((2.0, 2.0))


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    means, covered = np.array([[2.0, 1.0], [1.0, 2.0]]), 0
    truth = hypervolume(means, [0, 0])
    for seed in range(200):
        noise = np.random.Generator(np.random.Philox(seed)).normal(size=(2, 100, 2))
        totals = means[:, None] + noise
        value = hypervolume(totals.mean(axis=1), [0, 0])
        interval = percentile_interval(value, hypervolume_draws(totals, [0, 0], n_boot=100, seed=seed), 0.9)
        covered += interval.low <= truth <= interval.high
    assert 0.83 <= covered / 200 <= 0.96
