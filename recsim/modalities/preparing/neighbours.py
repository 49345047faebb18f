"""What the nearest items are: how often of the same category, and what they vote."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recsim.modalities.preparing.pairs import Floats, Items

_BLOCK = 1024  # queries whose cosines with all items are held at a time


def nearest(
    rows: Floats, queries: Items, count: int, *, among: NDArray[np.bool_], groups: Items | None = None
) -> Items:
    """(q, count) int64, the items nearest to each query, itself and its copies excepted, nearest first.

    Args:
        rows: (m, d) float64 of length 1, by whose cosine items are near.
        queries: (q,) int64 item numbers.
        count: how many.
        among: (m,) bool, the items that may be found.
        groups: (m,) int64, groups of copies; without them every item is one of its own.

    Raises:
        ValueError: if there are not so many others.
    """
    candidates = np.flatnonzero(among)
    groups = np.arange(len(rows)) if groups is None else groups
    if len(candidates) - int(np.bincount(groups[candidates]).max(initial=1)) < count:
        raise ValueError(f"{len(candidates)} items have no {count} nearest others: ask for fewer, or pass more items.")
    found = [np.zeros((0, count), np.int64)]
    for block, cosines in _cosines(rows, queries, candidates):
        cosines[groups[block, None] == groups[candidates]] = -np.inf
        top = np.sort(np.argpartition(-cosines, count - 1, axis=1)[:, :count], axis=1)
        order = np.argsort(-np.take_along_axis(cosines, top, axis=1), axis=1, kind="stable")
        found.append(candidates[np.take_along_axis(top, order, axis=1)])
    return np.concatenate(found)


def same_category(rows: Floats, category: Items, queries: Items, count: int, *, among: NDArray[np.bool_]) -> Floats:
    """(q,) float64, share of the `count` nearest items of each query that are of its category."""
    found = nearest(rows, queries, count, among=among)
    return np.asarray((category[found] == category[queries][:, None]).mean(axis=1), np.float64)


def voted(
    rows: Floats, category: Items, n_categories: int, count: int, *, present: NDArray[np.bool_], groups: Items
) -> Floats:
    """(m, c) float64, each category's share of the `count` nearest items, smoothed by one vote of the catalogue.

    Neither an item nor a copy of it votes on it. Rows of absent items are the shares of the catalogue, which say
    nothing about it.
    """
    prior = np.bincount(category, minlength=n_categories) / len(category)
    shares = np.tile(prior, (len(rows), 1))
    items = np.flatnonzero(present)
    labels = category[nearest(rows, items, count, among=present, groups=groups)]
    counts = np.stack([(labels == number).sum(axis=1) for number in range(n_categories)], axis=1)
    shares[items] = (counts + prior) / (count + 1)
    return np.asarray(shares)


def _cosines(rows: Floats, queries: Items, candidates: Items) -> Iterator[tuple[Items, Floats]]:
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        # Rounded, so that copies tie whatever the order in which the machine adds.
        yield block, np.round(rows[block] @ rows[candidates].T, 9)
