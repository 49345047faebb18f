"""What a log of one policy can say about another at best: the largest possible weights, and what was never shown.

These are properties of the two policies, not of a sample. Guaranteed intervals (`recsim.ope.bounds`,
`recsim.ope.sequences`) and the diagnostics need them: with rare heavy weights, the largest weight that a log happens to
hold says nothing about those that it might have held.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.policy import finite_scores
from recsim.slates import check_size

Floats = NDArray[np.float64]

_ROWS = 512  # contexts at a time, so that what is sorted stays in the processor's cache
_SUM = 1e-6  # a row of probabilities may miss 1 by this much
_ROUNDING = 1e-9


def largest_weight(target: ArrayLike, logged: ArrayLike) -> float:
    """The largest weight that can occur, sup over contexts x and actions a of target(a | x) / logged(a | x).

    Infinite where the target policy takes an action that the policy in force never took.

    Args:
        target: (n, m) probabilities of the policy to evaluate, one row for every context that can occur.
        logged: (n, m) of the policy in force.

    >>> largest_weight([[0.5, 0.5], [0.9, 0.1]], [[0.5, 0.5], [0.3, 0.7]])  # 0.9 / 0.3
    3.0

    Raises:
        ValueError: if the tables differ in shape, or a row is no distribution.
    """
    target, logged = _tables(target, logged)
    shown = target > 0
    with np.errstate(divide="ignore"):
        return float((target[shown] / logged[shown]).max())


def unsupported_mass(target: ArrayLike, logged: ArrayLike) -> Floats:
    """(n,) the share of the target policy's choices that the policy in force could never have made.

    No weight can stand for them: an estimator that uses weights alone takes their reward to be 0.

    Args:
        target: as in `largest_weight`.
        logged: as in `largest_weight`.

    >>> unsupported_mass([[0.5, 0.5], [0.9, 0.1]], [[0.5, 0.5], [0.0, 1.0]]).tolist()
    [0.0, 0.9]

    Raises:
        ValueError: as in `largest_weight`.
    """
    target, logged = _tables(target, logged)
    mass: Floats = np.where(logged == 0, target, 0.0).sum(axis=1)
    return mass


def largest_slate_weights(target: ArrayLike, logged: ArrayLike, size: int) -> Floats:
    """(k,) upper bounds of the weights w_1..w_k of any slate prefix, both policies being Plackett-Luce rankers.

    With logits t and l, the weight of a prefix is exp(sum_j (t_aj - l_aj)) prod_j (L_j / T_j), where L_j and T_j sum
    exp over the items not shown above position j. The sum is at most that of the j largest differences; every L_j / T_j
    is at most its maximum over all sets of items left (found exactly, by Dinkelbach's method). For the first position
    the bound is exact; below, the items that attain the two maxima may differ, so that it is an upper one. The last
    entry bounds the weight of whole slates, and the sum of all that of `rips` with rewards of at most 1.

    Args:
        target: (n, m) logits, divided by the temperature, of the policy to evaluate, one row for every context.
        logged: (n, m) of the policy in force.
        size: k.

    Source: Dinkelbach 1967, "On nonlinear fractional programming".

    >>> largest_slate_weights(np.log([[2.0, 1.0, 1.0]]), np.zeros((1, 3)), 1).round(9).tolist()  # (2/4) / (1/3)
    [1.5]

    Raises:
        ValueError: if the logits differ in shape or are not finite, or there are fewer items than positions.
    """
    wanted, in_force = finite_scores("target", np.asarray(target, np.float64)), np.asarray(logged, np.float64)
    in_force = finite_scores("logged", in_force)
    _refuse_shapes(wanted, in_force)
    check_size(wanted, size)
    highest = np.full(size, -np.inf)
    for start in range(0, len(wanted), _ROWS):
        rows = slice(start, start + _ROWS)
        highest = np.maximum(highest, _log_prefix_bounds(wanted[rows], in_force[rows], size).max(axis=0))
    bounds: Floats = np.exp(highest)
    return bounds


def contribution_range(
    largest: ArrayLike, low: float = 0.0, high: float = 1.0, *, modelled: bool = False
) -> tuple[float, float]:
    """The least and the most that a row can contribute to an average of weighted rewards, for guaranteed intervals.

    Without a model, sum_k w_k r_k. With one, sum_k [q_k + w_k (r_k - q'_k)], where the model stays in the range of the
    reward (clip it).

    Args:
        largest: the largest weight, or (k,) one per position, each with a reward of its own.
        low: the least reward (of a position).
        high: the largest.
        modelled: whether the estimator is doubly robust.

    >>> contribution_range(30.0), contribution_range([2.0, 5.0], -1.0, 1.0), contribution_range(30.0, modelled=True)
    ((0.0, 30.0), (-7.0, 7.0), (-30.0, 31.0))

    Raises:
        ValueError: if the rewards' range is empty or a weight is negative.
    """
    weight = np.atleast_1d(np.asarray(largest, np.float64))
    if not low < high:
        raise ValueError(f"rewards are said to lie between {low} and {high}; the smaller end comes first.")
    if not (weight >= 0).all():
        raise ValueError(f"the largest weights are {weight.tolist()}; weights are at least 0. Pass ratios, not logs.")
    total = float(weight.sum())
    if modelled:
        return len(weight) * low - total * (high - low), len(weight) * high + total * (high - low)
    return total * min(low, 0.0), total * max(high, 0.0)


def _log_prefix_bounds(target: Floats, logged: Floats, size: int) -> Floats:
    """(n, k) logarithms of the bounds, for every context."""
    wanted = np.exp(target - target.max(axis=1, keepdims=True))
    in_force = np.exp(logged - logged.max(axis=1, keepdims=True))
    gain = (target - target.max(axis=1, keepdims=True)) - (logged - logged.max(axis=1, keepdims=True))
    chosen = -np.sort(-gain, axis=1)[:, :size].cumsum(axis=1)
    left = np.stack([_largest_ratio(in_force, wanted, drop) for drop in range(size)], axis=1)
    bounds: Floats = chosen + np.log(left).cumsum(axis=1)
    return bounds


def _largest_ratio(above: Floats, below: Floats, drop: int) -> Floats:
    """(n,) the largest ratio of sums of `above` and `below` (n, m) over all but `drop` of the columns.

    Dinkelbach: the set that maximises sum(above - ratio x below) at the present ratio has a larger one, until none has.
    Infinite where the sums are too small for float64.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = above.sum(axis=1) / below.sum(axis=1)
        while True:
            kept = np.argpartition(above - ratio[:, None] * below, drop, axis=1)[:, drop:] if drop else slice(None)
            rows = np.arange(len(above))[:, None] if drop else slice(None)
            better = above[rows, kept].sum(axis=1) / below[rows, kept].sum(axis=1)
            if not (better > ratio * (1 + _ROUNDING)).any():
                larger = np.maximum(better, ratio) * (1 + _ROUNDING * (drop > 0))
                return np.where(np.isnan(larger), np.inf, larger)
            ratio = np.maximum(better, ratio)


def _tables(target: ArrayLike, logged: ArrayLike) -> tuple[Floats, Floats]:
    tables = np.asarray(target, np.float64), np.asarray(logged, np.float64)
    _refuse_shapes(*tables)
    for name, table in zip(("target", "logged"), tables, strict=True):
        total = table.sum(axis=1)
        wrong = ~((table >= 0).all(axis=1) & (np.abs(total - 1) <= _SUM))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"row {row:,} of {name} is no distribution: it sums to {total[row]:g} and its least value is "
                f"{table[row].min():g}; probabilities are at least 0 and sum to 1. Correct the row."
            )
    return tables


def _refuse_shapes(target: Floats, logged: Floats) -> None:
    if target.ndim != 2 or target.shape != logged.shape or target.size == 0:
        raise ValueError(
            f"target has shape {target.shape} and logged has shape {logged.shape}; both must be (contexts, items), "
            "one row for the same context. Pass both policies' tables of the same contexts and items."
        )
