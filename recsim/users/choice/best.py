"""The slate that earns most from users who stop on their way down."""

from __future__ import annotations

import numba
import numpy as np

from recsim.jit import allocating_row_kernel
from recsim.slates import check_size
from recsim.users.choice.browsing import Browsing, stops
from recsim.users.contract import Floats, Items


def best_order(appeal: Floats, satisfaction: Floats, worth: Floats, browsing: Browsing) -> Items:
    """The slates with the highest expected sum of clicks × worth, exactly, of users who look at all until they stop.

    Let an item earn r = appeal * worth when looked at, and stop the user with probability s. Of two neighbours, a
    belongs above b where r_a + (1 - s_a) r_b >= r_b + (1 - s_b) r_a, that is where r_a / s_a >= r_b / s_b. So the best
    order of any set is known, and which k items to show is a dynamic programme over all items in that order, from the
    bottom up: V(count) = max(V(count), r + (1 - s) V(count - 1)).

    Args:
        appeal: (n, c) float64.
        satisfaction: (n, c) float64, read only by models that it stops.
        worth: (n, c) float64, of a click.
        browsing: the model, of k positions.

    Returns:
        (n, k) int64 columns, top first; ties to the lower column.

    Raises:
        ValueError: if there are fewer columns than positions.
    """
    check_size(worth, len(browsing.look))
    earned, stop = np.empty((2, *worth.shape))
    _tally(appeal, satisfaction, worth, browsing, earned, stop)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((stop == 0.0) & (earned == 0.0), 0.0, earned / stop)  # what does nothing may stand anywhere
    slate = np.empty((len(worth), len(browsing.look)), np.int64)
    _select(np.argsort(-ratio, axis=1, kind="stable"), earned, stop, slate)
    return slate


@allocating_row_kernel
def _tally(
    appeal: Floats, satisfaction: Floats, worth: Floats, browsing: Browsing, earned: Floats, stop: Floats
) -> None:
    """Fill what each item earns when looked at, and how likely it stops the user."""
    n, count = appeal.shape
    for row in numba.prange(n):
        for column in range(count):
            earned[row, column] = appeal[row, column] * worth[row, column]
            stop[row, column] = stops(appeal[row, column], satisfaction[row, column], browsing)


@allocating_row_kernel
def _select(order: Items, earned: Floats, stop: Floats, slate: Items) -> None:
    """Fill the best slates (n, k) from items in their best order (n, c)."""
    n, items = order.shape
    k = slate.shape[1]
    for row in numba.prange(n):
        value = np.full(k + 1, -np.inf)
        value[0] = 0.0
        taken = np.zeros((items, k + 1), np.bool_)
        for place in range(items - 1, -1, -1):
            column = order[row, place]
            for count in range(min(k, items - place), 0, -1):
                shown = earned[row, column] + (1.0 - stop[row, column]) * value[count - 1]
                if shown >= value[count]:
                    value[count] = shown
                    taken[place, count] = True
        count = k
        for place in range(items):
            if count > 0 and taken[place, count]:
                slate[row, k - count] = order[row, place]
                count -= 1
