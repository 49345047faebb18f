"""Items whose two modalities say different things: a wrong title, or another item's picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.modalities.preparing.aligning import cross_fitted
from recsim.modalities.preparing.pairs import Floats, Items, Pairs, copies, folds
from recsim.modalities.preparing.settings import AlignmentMethod
from recsim.streams import sub_seed

CLOSEST = 10  # other items whose cosines say how well something could suit
_BLOCK = 1024  # rows whose cosines with all others are held at a time


@dataclass(frozen=True)
class Agreement:
    """How well the two modalities of each item agree, by alignments that have not seen its pair.

    The margin of a first and a second is their cosine, less the mean of the 10 highest cosines of the first with
    seconds of other items, and less that of the second with firsts of others, the mean of both; half the cross-domain
    similarity local scaling of Conneau et al. 2018, "Word translation without parallel data", equation 3. It is near 0
    for an item about which neither modality says much, and far below 0 where both are clear, and about something else.

    Attributes:
        items: (p,) int64, row numbers in the catalogue.
        standing: (p,) float64 in [0, 1], share of the strangers of the same fold (the first of one item with the second
            of another) whose margin is below that of the item's own two: near 1 for partners, 1/2 by chance.
    """

    items: Items
    standing: Floats


def agreement(
    pairs: Pairs, method: AlignmentMethod = "cca", *, n_folds: int = 5, divisions: int = 1, seed: int = 0
) -> Agreement:
    """Agreement of every pair, cross-fitted: folds keep copies of an item together, and judge by the other folds.

    Args:
        pairs: at least 20.
        method: cca, procrustes or contrastive.
        n_folds: of which each is judged by what the others have taught.
        divisions: into folds, over which the standing is averaged: who is flagged depends on chance less.
        seed: of the folds and of contrastive.

    Raises:
        ValueError: if there are fewer groups of copies than folds, or a fold is one group.
    """
    groups = copies(pairs.first, pairs.second)
    found = [_divided(pairs, method, groups, n_folds, sub_seed(seed, f"{number}")) for number in range(divisions)]
    return Agreement(pairs.items, np.mean(found, axis=0))


def _divided(pairs: Pairs, method: AlignmentMethod, groups: Items, n_folds: int, seed: int) -> Floats:
    """(p,) float64 standing by one division into folds."""
    fold = folds(groups, n_folds, sub_seed(seed, "folds"))
    found = np.zeros(len(pairs))
    for own, alignment in cross_fitted(method, pairs, fold, groups=groups, seed=sub_seed(seed, "alignment")):
        if len(set(groups[own].tolist())) < 2:
            raise ValueError(f"a fold of {own.sum()} items holds copies of one item only: ask for fewer folds.")
        first, second = alignment.first.transform(pairs.first[own]), alignment.second.transform(pairs.second[own])
        found[own] = standing(first, second, groups[own])
    return found


def standing(first: Floats, second: Floats, groups: Items) -> Floats:
    """(n,) float64, share of the strangers whose margin is below that of each row's own two.

    Args:
        first: (n, r) float64 rows of length 1.
        second: (n, r) float64 rows of length 1, row i the partner of the first's row i.
        groups: (n,) int64, groups of copies, which are no strangers.
    """
    level = _level(first, second, groups), _level(second, first, groups)
    margins = (first * second).sum(axis=1) - (level[0] + level[1]) / 2
    own = np.sort(margins)
    below, strangers = np.zeros(len(own) + 1, np.int64), 0
    for start in range(0, len(own), _BLOCK):
        rows = slice(start, start + _BLOCK)
        margin = first[rows] @ second.T - (level[0][rows, None] + level[1]) / 2
        theirs = margin[groups[rows, None] != groups]
        below += np.bincount(np.searchsorted(own, theirs, side="right"), minlength=len(own) + 1)
        strangers += len(theirs)
    return np.asarray(below.cumsum()[np.searchsorted(own, margins)] / strangers)


def _level(queries: Floats, answers: Floats, groups: Items) -> Floats:
    """(n,) float64, the mean of the 10 highest cosines of each query with answers of other groups."""
    level = np.zeros(len(queries))
    for start in range(0, len(queries), _BLOCK):
        rows = slice(start, start + _BLOCK)
        others = np.where(groups[rows, None] != groups, queries[rows] @ answers.T, -np.inf)
        ranked = -np.sort(-others, axis=1)[:, :CLOSEST]
        level[rows] = ranked.mean(axis=1, where=np.isfinite(ranked))
    return level
