"""Plackett-Luce with a category discount: the more of its category stand above, the less likely an item comes next.

Items are drawn one after another without replacement. An item of score s with c items of its category above it has the
logit s - c * discount: a ranker can vary its slates as far as that pays, and the probability of each step is a softmax
still, so propensities are exact. A discount of 0 is Plackett-Luce (Plackett 1975). The highest logit at each step in
place of a draw is greedy re-ranking in the manner of maximal marginal relevance (Carbonell & Goldstein 1998), with the
category for the similarity.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.jit import allocating_row_kernel, inline_kernel

Array = NDArray[np.floating]
Floats = NDArray[np.float64]
Items = NDArray[np.int64]

_LITTLE = 1e-6  # weights are relative to their category's highest at first; once only such are left, they are made anew


def sample(scores: Array, discount: Array, category: Items, unit: Floats) -> Items:
    """(n, k) int64, slates drawn one item after another.

    Args:
        scores: (n, m) logits; -inf for items that are never drawn.
        discount: (n,) logits lost per item of the same category above.
        category: (m,) int64, from 0 up.
        unit: (n, k, 2) uniform draws from [0, 1), of a category and of an item in it for every position.
    """
    slate = np.full(unit.shape[:2], -1, np.int64)
    _sample(np.ascontiguousarray(scores), discount, category, _count(category), unit, slate)
    return slate


def best(scores: Array, discount: Array, category: Items, k: int) -> Items:
    """(n, k) int64, the item of the highest logit at each step, ties to the lower number; arguments as of `sample`."""
    slate = np.empty((len(scores), k), np.int64)
    _best(np.ascontiguousarray(scores), discount, category, _count(category), slate)
    return slate


def following(scores: Array, discount: Array, category: Items, slate: Items) -> Items:
    """(n, k) int64, the item of the highest logit at each position of slates (n, k), given their items above it.

    Arguments as of `sample`; with Gumbel noise in the scores, the items are draws of the policy.
    """
    logit, rows = np.array(scores), np.arange(len(slate))
    out = np.empty(slate.shape, np.int64)
    for position in range(slate.shape[1]):
        out[:, position] = logit.argmax(axis=1)
        shown = slate[:, position]
        logit -= discount[:, None] * (category == category[shown][:, None])
        logit[rows, shown] = -np.inf
    return out


def log_prob(scores: Array, discount: Array, category: Items, slate: Items) -> Floats:
    """(n, k) float64, log-probability of each item of slates (n, k) given the items above it; see `sample`.

    Items never shown are summed by category, and those shown later are added one by one, so nothing cancels.
    """
    out = np.empty(slate.shape)
    scores, slate = np.ascontiguousarray(scores), np.ascontiguousarray(slate)
    _log_prob(scores, discount, category, _count(category), slate, out)
    return out


def _count(category: Items) -> int:
    return int(category.max()) + 1


@inline_kernel
def _pick(weight: Floats, goal: float) -> int:
    """The place where the running sum of the weights passes `goal`; the last of weight above 0 if rounding hides it."""
    found = -1
    for place in range(len(weight)):
        if weight[place] > 0.0:
            found = place
            goal -= weight[place]
            if goal < 0.0:
                break
    return found


@inline_kernel
def _weigh(logit: Floats, category: Items, chosen: int, weight: Floats) -> tuple[float, float]:
    """Fill the weights of a category's items, 1 for its highest; that highest logit and the sum of the weights."""
    top, total = -np.inf, 0.0
    for item in range(len(logit)):
        if category[item] == chosen:
            top = max(top, logit[item])
    for item in range(len(logit)):
        if category[item] == chosen:
            weight[item] = np.exp(logit[item] - top) if logit[item] > -np.inf else 0.0
            total += weight[item]
    return top, total


@allocating_row_kernel
def _sample(scores: Array, discount: Array, category: Items, n_categories: int, unit: Floats, slate: Items) -> None:
    n, m = scores.shape
    for row in numba.prange(n):
        top, left, shown = np.full(n_categories, -np.inf), np.zeros(n_categories), np.zeros(n_categories)
        logit, weight, chance, inside = np.empty(m), np.zeros(m), np.zeros(n_categories), np.zeros(m)
        for item in range(m):
            logit[item] = scores[row, item]
            top[category[item]] = max(top[category[item]], logit[item])
        for item in range(m):
            if logit[item] > -np.inf:
                weight[item] = np.exp(logit[item] - top[category[item]])
                left[category[item]] += weight[item]
        for position in range(slate.shape[1]):
            high = -np.inf
            for c in range(n_categories):
                chance[c] = top[c] + np.log(left[c]) - discount[row] * shown[c] if left[c] > 0.0 else -np.inf
                high = max(high, chance[c])
            total = 0.0
            for c in range(n_categories):
                chance[c] = np.exp(chance[c] - high)
                total += chance[c]
            chosen = _pick(chance, unit[row, position, 0] * total)
            for item in range(m):
                inside[item] = weight[item] if category[item] == chosen else 0.0
            found = _pick(inside, unit[row, position, 1] * left[chosen])
            slate[row, position] = found
            shown[chosen] += 1.0
            logit[found], weight[found], inside[found] = -np.inf, 0.0, 0.0
            left[chosen] = inside.sum()
            if left[chosen] < _LITTLE:
                top[chosen], left[chosen] = _weigh(logit, category, chosen, weight)


@allocating_row_kernel
def _best(scores: Array, discount: Array, category: Items, n_categories: int, slate: Items) -> None:
    n, m = scores.shape
    for row in numba.prange(n):
        free, shown = np.ones(m, np.bool_), np.zeros(n_categories)
        for position in range(slate.shape[1]):
            found, high = -1, -np.inf
            for item in range(m):
                logit = scores[row, item] - discount[row] * shown[category[item]]
                if free[item] and (found < 0 or logit > high):
                    found, high = item, logit
            slate[row, position] = found
            free[found] = False
            shown[category[found]] += 1.0


@allocating_row_kernel
def _log_prob(scores: Array, discount: Array, category: Items, n_categories: int, slate: Items, out: Floats) -> None:
    n, m = scores.shape
    k = slate.shape[1]
    for row in numba.prange(n):
        chosen, above = np.zeros(m, np.bool_), np.zeros(n_categories)
        top, rest, logit = np.full(n_categories, -np.inf), np.zeros(n_categories), np.empty(n_categories + k)
        for position in range(k):
            chosen[slate[row, position]] = True
        for item in range(m):
            if not chosen[item]:
                top[category[item]] = max(top[category[item]], scores[row, item])
        for item in range(m):
            if not chosen[item] and scores[row, item] > -np.inf:
                rest[category[item]] += np.exp(scores[row, item] - top[category[item]])
        for position in range(k):
            high = -np.inf
            for c in range(n_categories):
                logit[c] = top[c] + np.log(rest[c]) - discount[row] * above[c] if rest[c] > 0.0 else -np.inf
                high = max(high, logit[c])
            for later in range(position, k):
                item = slate[row, later]
                logit[n_categories + later] = scores[row, item] - discount[row] * above[category[item]]
                high = max(high, logit[n_categories + later])
            total = 0.0
            for c in range(n_categories):
                total += np.exp(logit[c] - high)
            for later in range(position, k):
                total += np.exp(logit[n_categories + later] - high)
            out[row, position] = logit[n_categories + position] - high - np.log(total)
            above[category[slate[row, position]]] += 1.0
