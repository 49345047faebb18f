"""Items that have two modalities, and folds that keep copies of an item together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.encoding import unit_rows
from recsim.modality import Modality

Floats = NDArray[np.float64]
Items = NDArray[np.int64]

COPY = 0.99  # cosine from which two items are taken for copies of one
FEWEST = 20  # pairs from which an alignment can be learned and held against others
_BLOCK = 1024  # rows whose cosines with all others are held at a time


@dataclass(frozen=True)
class Pairs:
    """Two modalities of the items that have both.

    Attributes:
        items: (p,) int64, their row numbers in the catalogue.
        first: (p, d1) float64 rows of length 1.
        second: (p, d2) float64 rows of length 1.
    """

    items: Items
    first: Floats
    second: Floats

    def __len__(self) -> int:
        return len(self.items)


def pairs_of(catalog: Catalog, first: str, second: str) -> Pairs:
    """The items that have both modalities.

    Raises:
        ValueError: if one is not in the catalogue, or fewer than 20 items have both.
    """
    one, other = modality_of(catalog, first), modality_of(catalog, second)
    items = np.flatnonzero(one.present & other.present)
    if len(items) < FEWEST:
        raise ValueError(
            f"{len(items)} items of catalogue {catalog.name!r} have both {first!r} and {second!r}: at least {FEWEST} "
            "are needed to hold one against the other."
        )
    return Pairs(items, rows_of(one)[items], rows_of(other)[items])


def modality_of(catalog: Catalog, name: str) -> Modality:
    """A modality of the catalogue by name.

    Raises:
        ValueError: if there is none of that name.
    """
    if name not in catalog.modalities:
        raise ValueError(
            f"catalogue {catalog.name!r} has no modality {name!r}: choose from {', '.join(catalog.modalities)}."
        )
    return catalog.modalities[name]


def rows_of(modality: Modality) -> Floats:
    """(m, d) float64 rows of length 1; 0 where the modality is absent."""
    return unit_rows(modality.embedding.astype(np.float64))


def copies(*views: Floats, cosine: float = COPY) -> Items:
    """(n,) int64, the number of the group of copies that each row belongs to.

    Two rows are copies where their cosine in any of the views reaches `cosine`, and so are copies of copies. Catalogues
    hold the same picture or the same text several times; such items must not stand on both sides of a split, or what
    was held out has been seen.

    Args:
        views: (n, d) float64 rows of length 1, or 0 where absent.
        cosine: from which two rows are copies.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = [pair for view in views for pair in _close(view, cosine)]
    left, right = (np.concatenate([pair[side] for pair in edges]) for side in (0, 1))
    n = len(views[0])
    graph = coo_array((np.ones(len(left), np.bool_), (left, right)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def folds(groups: Items, n_folds: int, seed: int) -> Items:
    """(n,) int64 in 0..n_folds - 1: a fold for each row, the same for all rows of a group, folds of about equal size.

    Raises:
        ValueError: if there are fewer groups than folds.
    """
    found, counts = np.unique(groups, return_counts=True)
    if len(found) < n_folds:
        raise ValueError(
            f"{len(groups)} items make {len(found)} groups without copies: that is too few for {n_folds} folds."
        )
    draw = np.random.Generator(np.random.Philox(seed)).random(len(found))
    sizes, fold_of = np.zeros(n_folds, np.int64), np.zeros(len(found), np.int64)
    for group in np.lexsort((draw, -counts)):  # the largest first, each into the smallest fold so far
        fold_of[group] = sizes.argmin()
        sizes[fold_of[group]] += counts[group]
    return fold_of[np.searchsorted(found, groups)]


def splits(fold: Items) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """For each fold the rows outside of it, (n,) bool, and those in it."""
    for number in range(int(fold.max()) + 1):
        yield fold != number, fold == number


def _close(view: Floats, cosine: float) -> Iterator[tuple[Items, Items]]:
    for start in range(0, len(view), _BLOCK):
        left, right = np.nonzero(view[start : start + _BLOCK] @ view.T >= cosine)
        yield left + start, right
