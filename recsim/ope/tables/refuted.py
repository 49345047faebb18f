"""Propensities that the table itself refutes: actions logged more often than they say.

Whatever was known before a choice, 1{the action is a} / propensity is 1 in the mean over rows where a could be chosen,
and 0 where it could not: over all rows its mean is at most 1. Where it is clearly more, the propensities are not those
that were in force, and every weight that is made of them is wrong.

Source: Li, Kim and Zitouni 2015, "Toward predicting the outcome of an A/B experiment for search relevance" (the
harmonic mean test of logged propensities).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from recsim.ope.terms import sum_by

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST_ROWS = 50  # of an action that is judged
TOLERANCE = 0.05  # rounded propensities are no other propensities
STANDARD_ERRORS = 4.0
FALSE_ALARMS = 0.001  # chance of one in a table, shared among its actions
UNSEEN_SESSIONS = 2.0
SMALLEST = 1e-100  # propensities below count as so much, which floats can square


def excess_of(
    action: Integers, position: Integers, propensity: Floats, cluster: Integers
) -> tuple[Integers, Floats, Floats]:
    """How much oftener actions were logged than their propensities say, of those logged in `FEWEST_ROWS` or more.

    Standard errors are those of sums by session, as if there were `UNSEEN_SESSIONS` more without the action: else an
    action that by chance is in every row would have none. Source: Agresti and Coull 1998 (two failures more).

    Args:
        action: (n,) int64.
        position: (n,) int64; rows of each position are judged apart.
        propensity: (n,) float64 of the logged actions, above 0.
        cluster: (n,) int64, the session of each row.

    Returns:
        (g,) int64, the first row of every action at a position; (g,) float64, the mean of 1{logged} / propensity over
        the rows of the position; (g,) float64, by how many allowed errors it is above 1: refuted where it is over 1.

    >>> row, ratio, size = excess_of(np.zeros(200, int), np.zeros(200, int), np.full(200, 0.5), np.arange(200))
    >>> row.tolist(), ratio.tolist(), bool(size[0] > 1)  # logged in every row, which has chance 1/2
    ([0], [2.0], True)
    """
    inverse = 1 / np.maximum(propensity, SMALLEST)
    first_of_place, place = _numbers(np.zeros_like(position), position)
    size = np.bincount(place).astype(np.float64)
    first, of_session = _numbers(cluster, place)
    rows_of, place_of_session = np.bincount(of_session).astype(np.float64), place[first]  # of sessions at positions
    squares = sum_by(rows_of**2, place_of_session, len(first_of_place))
    sessions = np.bincount(place_of_session)
    first, group = _numbers(place, action)
    where = place[first]
    ratio = sum_by(inverse, group, len(first)) / size[where]
    first_of_pair, pair = _numbers(cluster, group)
    total, pair_group = sum_by(inverse, pair, len(first_of_pair)), group[first_of_pair]
    expected = ratio[pair_group] * rows_of[of_session[first_of_pair]]
    # Sessions without the action differ by their expected share alone, whose squares are in `squares`.
    spread = ratio**2 * squares[where] + sum_by((total - expected) ** 2 - expected**2, pair_group, len(first))
    spread = np.maximum(spread, 0.0) + UNSEEN_SESSIONS * (squares / sessions)[where]
    judged = np.bincount(group) >= FEWEST_ROWS
    degrees = np.maximum(sessions[where] - 1, 1)
    most = np.maximum(STANDARD_ERRORS, t.isf(FALSE_ALARMS / max(1, int(judged.sum())), degrees))
    error = np.maximum(most * np.sqrt(spread) / size[where], TOLERANCE)
    return first[judged], ratio[judged], ((ratio - 1) / error)[judged]


def refuted(
    action: Integers,
    labels: Sequence[Any],
    column: str,
    position: Integers,
    positions: Sequence[Any],
    propensity: Floats,
    cluster: Integers,
) -> str:
    """What refutes the propensities, of the action that does so most, in a sentence; empty where nothing does.

    Args:
        action: as in `excess_of`, as the other arrays are.
        labels: of the actions.
        column: the name of the column with actions.
        position: see there.
        positions: labels of the positions; empty where none are named.
        propensity: see there.
        cluster: see there.
    """
    row, ratio, size = excess_of(action, position, propensity, cluster)
    if not (size > 1).any():
        return ""
    worst = int(size.argmax())
    place = f" at position {positions[position[row[worst]]]}" if positions else ""
    return (
        f"{column} {labels[action[row[worst]]]!r} was logged {ratio[worst]:.3g} times as often{place} as its "
        "propensities say: they are not those that were in force."
    )


def _numbers(one: Integers, other: Integers) -> tuple[Integers, Integers]:
    """The first row (g,) of every pair of two codes, and the number (n,) of each row's pair."""
    _, first, number = np.unique(one * (int(other.max()) + 1) + other, return_index=True, return_inverse=True)
    return first, number
