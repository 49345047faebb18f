"""Points of items for their places in rankings, in which ties share."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.jit import row_kernel

Floats = NDArray[np.float64]
Scores = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Items = NDArray[np.int64]


def shared_points(values: Scores, present: Flags, above: Floats) -> Floats:
    """Points of items in rankings; ties share the mean of the points of their places, absent items have none.

    Args:
        values: (n, m) scores, a ranking a row.
        present: (m,) bool, which items are ranked.
        above: (m + 1,) float64, sum of the points of the places above each place.

    Returns:
        (n, m) float64.

    >>> scores, present = np.array([[0.2, 0.9, 0.2, 0.7]]), np.array([True, True, True, False])
    >>> shared_points(scores, present, above=np.array([0.0, 4.0, 6.0, 7.0, 7.0])).tolist()  # places of 4, 2, 1 and 0
    [[1.5, 4.0, 1.5, 0.0]]
    """
    ranked = np.where(present, values, -np.inf)
    points = np.zeros(values.shape)
    _share(np.argsort(-ranked, axis=1), ranked, above, points)
    return points


def shared_points_at(values: Scores, present: Flags, items: Items, above: Floats) -> Floats:
    """`shared_points` (n, k) of a few items (n, k), without sorting them all; of no meaning at -1."""
    points = np.zeros(items.shape)
    _share_among(values, present, items, above, points)
    return points


@row_kernel
def _share(order: Items, values: Scores, above: Floats, points: Floats) -> None:
    n, m = order.shape
    for row in numba.prange(n):
        place = 0
        while place < m and values[row, order[row, place]] > -np.inf:
            start, value = place, values[row, order[row, place]]
            while place < m and values[row, order[row, place]] == value:
                place += 1
            mean = (above[place] - above[start]) / (place - start)
            for tied in range(start, place):
                points[row, order[row, tied]] = mean


@row_kernel
def _share_among(values: Scores, present: Flags, items: Items, above: Floats, points: Floats) -> None:
    n, m = values.shape
    for row in numba.prange(n):
        for j in range(items.shape[1]):
            value, higher, level = values[row, items[row, j]], 0, 0
            for item in range(m):
                higher += present[item] and values[row, item] > value
                level += present[item] and values[row, item] == value
            if present[items[row, j]]:
                points[row, j] = (above[higher + level] - above[higher]) / level
