"""Slates that earn most from users who choose by multinomial logit, given odds and values of single items.

Items are chosen with probability odds / (1 + sum of the odds of the slate), and none with the rest. A slate A, of
columns of `odds` and `value` (n, c), earns V(A) = (none + sum(odds * value)) / (1 + sum(odds)), where `value` is what
the choice of an item is worth and `none` (n,) what it is worth if nothing is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from recsim.policy import top_k
from recsim.slates import check_size
from recsim.users.choice import MultinomialLogit
from recsim.users.contract import Appeal

Floats = NDArray[np.float64]
Items = NDArray[np.int64]


def earned(odds: Floats, value: Floats, none: Floats, slate: Items) -> Floats:
    """(n,) float64, V of slates (n, k).

    >>> earned(np.array([[1.0, 2.0, 3.0]]), np.array([[4.0, 0.0, 2.0]]), np.array([5.0]), np.array([[0, 2]])).tolist()
    [3.0]
    """
    weight = np.take_along_axis(odds, slate, axis=1)
    chosen = (weight * np.take_along_axis(value, slate, axis=1)).sum(axis=1)
    total: Floats = (none + chosen) / (1.0 + weight.sum(axis=1))
    return total


def top_k_slates(odds: Floats, value: Floats, none: Floats, k: int) -> Items:
    """(n, k) int64, the columns with the highest odds * value, best first (Ie et al. 2019, "top-k").

    It heeds neither how items compete nor what no choice is worth.
    """
    return top_k(odds * value, k)


def greedy_slates(odds: Floats, value: Floats, none: Floats, k: int) -> Items:
    """(n, k) int64 columns, each of which raises V of those above it most (Ie et al. 2019, "greedy").

    As k items are shown, the last may lower V. Ties go to the lower column.
    """
    check_size(odds, k)
    left, rows = odds.astype(np.float64), np.arange(len(odds))
    slate = np.empty((len(odds), k), np.int64)
    above, below = none.astype(np.float64), np.ones(len(odds))
    for position in range(k):
        reached = (above[:, None] + left * value) / (below[:, None] + left)
        chosen = np.where(left < 0.0, -np.inf, reached).argmax(axis=1)
        above += odds[rows, chosen] * value[rows, chosen]
        below += odds[rows, chosen]
        slate[:, position], left[rows, chosen] = chosen, -0.5
    return slate


def best_slates(odds: Floats, value: Floats, none: Floats, k: int) -> Items:
    """(n, k) int64, columns of the slates with the highest V, exactly (see `MultinomialLogit.best_slate`).

    Ie et al. 2019 find them by a linear programme.
    """
    appeal = Appeal(odds / (1.0 + odds), np.zeros(odds.shape))
    return MultinomialLogit().best_slate(appeal, value - none[:, None], k)


OPTIMISERS: Mapping[str, Callable[[Floats, Floats, Floats, int], Items]] = {
    "top_k": top_k_slates,
    "greedy": greedy_slates,
    "exact": best_slates,
}
