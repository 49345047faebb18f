"""Bringing two modalities into one space, in which the two of an item lie close.

Three ways, each of which learns one linear map a modality from pairs: canonical correlations (`correlation`), a
rotation (`rotation`), and a contrastive head (`contrastive`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from recsim.encoding import unit_rows
from recsim.modalities.preparing.pairs import Floats, Items, Pairs, splits
from recsim.modalities.preparing.recall import partner_ranks
from recsim.modalities.preparing.settings import AlignmentMethod
from recsim.streams import sub_seed


@dataclass(frozen=True)
class View:
    """The way of one modality into the shared space.

    Attributes:
        centre: (d,) float64, what is subtracted from a row of length 1.
        weights: (d, r) float64, what the rest is multiplied by.
    """

    centre: Floats
    weights: Floats

    def transform(self, rows: Floats) -> Floats:
        """(n, r) float64 rows of length 1 of the shared space; rows without a direction stay 0."""
        given = rows.any(axis=1, keepdims=True)
        return unit_rows(np.where(given, unit_rows(rows) - self.centre, 0.0) @ self.weights)


@dataclass(frozen=True)
class Alignment:
    """Two modalities in one space of r columns."""

    first: View
    second: View


@dataclass(frozen=True)
class HeldOut:
    """How well held-out pairs find each other, each fold by a map that has seen no pair of it.

    Attributes:
        forward: (p,) int64, rank of the true second among the seconds of the fold, for each first (`partner_ranks`).
        backward: (p,) int64, rank of the true first, for each second.
        fold: (p,) int64.
    """

    forward: Items
    backward: Items
    fold: Items


def fit(
    method: AlignmentMethod, first: Floats, second: Floats, *, dim: int | None = None, groups: Items, seed: int
) -> Alignment:
    """An alignment learned from pairs.

    Args:
        method: cca, procrustes or contrastive.
        first: (p, d1) float64 rows of length 1.
        second: (p, d2) float64 rows of length 1, row i the partner of the first's row i.
        dim: columns r of the space; by default min(d1, d2), and for procrustes always max(d1, d2).
        groups: (p,) int64, groups of copies, which contrastive holds out together.
        seed: of what contrastive draws; the others draw nothing.

    Raises:
        ValueError: if there is no such method, or the space cannot have so many columns.
    """
    from recsim.modalities.preparing.contrastive import contrastive
    from recsim.modalities.preparing.correlation import cca
    from recsim.modalities.preparing.rotation import procrustes

    methods: dict[str, Callable[[], tuple[Floats, Floats]]] = {
        "cca": lambda: cca(*centred, _columns(method, first, second, dim)),
        "procrustes": lambda: procrustes(*centred),
        "contrastive": lambda: contrastive(*centred, _columns(method, first, second, dim), groups=groups, seed=seed),
    }
    if method not in methods:
        raise ValueError(f"there is no alignment {method!r}: choose from {', '.join(get_args(AlignmentMethod))}.")
    centres = first.mean(axis=0), second.mean(axis=0)
    centred = first - centres[0], second - centres[1]
    weights = methods[method]()
    return Alignment(View(centres[0], weights[0]), View(centres[1], weights[1]))


def cross_fitted(
    method: AlignmentMethod, pairs: Pairs, fold: Items, *, dim: int | None = None, groups: Items, seed: int
) -> Iterator[tuple[NDArray[np.bool_], Alignment]]:
    """For each fold, which rows are in it, (p,) bool, and an alignment learned from all the others."""
    for number, (others, own) in enumerate(splits(fold)):
        yield (
            own,
            fit(
                method,
                pairs.first[others],
                pairs.second[others],
                dim=dim,
                groups=groups[others],
                seed=sub_seed(seed, f"fold {number}"),
            ),
        )


def held_out(
    method: AlignmentMethod, pairs: Pairs, fold: Items, *, dim: int | None = None, groups: Items, seed: int
) -> HeldOut:
    """Ranks of true partners among those of the same fold, which the alignment has not seen."""
    forward, backward = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64)
    for own, alignment in cross_fitted(method, pairs, fold, dim=dim, groups=groups, seed=seed):
        first = alignment.first.transform(pairs.first[own])
        second = alignment.second.transform(pairs.second[own])
        forward[own] = partner_ranks(first, second, groups[own])
        backward[own] = partner_ranks(second, first, groups[own])
    return HeldOut(forward, backward, fold)


def _columns(method: str, first: Floats, second: Floats, dim: int | None) -> int:
    most = min(first.shape[1], second.shape[1], len(first) - 1)
    if dim is not None and dim > most:
        raise ValueError(
            f"{method} cannot make a space of {dim} columns from {len(first)} pairs of {first.shape[1]} and "
            f"{second.shape[1]} columns: ask for at most {most}."
        )
    return most if dim is None else dim
