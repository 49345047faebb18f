"""Utilities of several objectives, against sums by hand."""

from functools import partial

import numpy as np
import pytest

from recsim.scalarize import chebyshev, gain, linear

TOTALS = np.array([[4.0, 1.0, 2.0], [0.0, 3.0, 0.0]])


def test_linear_is_the_weighted_sum_with_weights_for_all_or_for_each() -> None:
    assert linear(TOTALS, np.array([0.5, 0.25, 0.25])).tolist() == [0.5 * 4 + 0.25 * 1 + 0.25 * 2, 0.25 * 3]
    assert linear(TOTALS, np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])).tolist() == [4.0, 0.5 * 3]


def test_chebyshev_is_what_falls_shortest() -> None:
    weights = np.array([0.5, 0.25, 0.25])
    # short of (4, 3, 2) by (0, 2, 0) and (4, 0, 2)
    assert chebyshev(TOTALS, weights, ideal=[4, 3, 2]).tolist() == [-0.25 * 2, -0.5 * 4]
    augmented = chebyshev(TOTALS, weights, ideal=[4, 3, 2], augmentation=0.125)
    assert augmented.tolist() == [-(0.25 * 2 + 0.125 * 2), -(0.5 * 4 + 0.125 * 6)]


def test_chebyshev_reaches_a_point_of_a_concave_front_that_no_sum_does() -> None:
    front = np.array([[0.0, 1.0], [0.4, 0.4], [1.0, 0.0]])
    grid = np.linspace(0, 1, 21)
    sums = {int(linear(front, np.array([w, 1 - w])).argmax()) for w in grid}
    distances = {int(chebyshev(front, np.array([w, 1 - w]), ideal=[1, 1]).argmax()) for w in grid}
    assert (sums, distances) == ({0, 2}, {0, 1, 2})


def test_augmentation_prefers_a_point_that_is_better_in_what_does_not_decide() -> None:
    points, even = np.array([[1.0, 0.0], [1.0, 0.5]]), np.array([0.9, 0.1])
    plain = chebyshev(points, even, ideal=[2, 1])
    assert plain[0] == plain[1]
    better = chebyshev(points, even, ideal=[2, 1], augmentation=0.01)
    assert better[1] > better[0]


@pytest.mark.parametrize("utility", [linear, partial(chebyshev, ideal=[20.0, 20.0, 20.0], augmentation=0.1)])
def test_gains_of_a_session_sum_to_the_utility_of_its_totals(utility) -> None:
    steps = np.random.Generator(np.random.Philox(0)).random((6, 5, 3))  # steps, sessions, objectives
    weights = np.random.Generator(np.random.Philox(1)).dirichlet(np.ones(3), 5)
    so_far, total = np.zeros((5, 3)), np.zeros(5)
    for step in steps:
        total += gain(utility, so_far, step, weights)
        so_far += step
    np.testing.assert_allclose(total, utility(so_far, weights) - utility(np.zeros((5, 3)), weights), atol=1e-12)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="objective 1 of row 1 is 3, above the ideal 2; choose an ideal"):
        chebyshev(TOTALS, np.ones(3), ideal=[4, 2, 2])
    with pytest.raises(ValueError, match=r"augmentation is -1; it is a number from 0 up"):
        chebyshev(TOTALS, np.ones(3), ideal=[4, 3, 2], augmentation=-1)
