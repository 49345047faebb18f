"""Items whose two modalities say different things: a wrong title, or another item's picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.modalities.preparing.aligning import cross_fitted
from recsim.modalities.preparing.pairs import Floats, Items, Pairs, copies, folds
from recsim.modalities.preparing.settings import AlignmentMethod
from recsim.streams import sub_seed

CLOSEST = 10  # other items whose cosines say how well something could suit
_BLOCK = 1024  # rows whose cosines with all others are held at a time


@dataclass(frozen=True)
class Agreement:
    """How well the two modalities of each item agree, by alignments that have not seen its pair.

    Attributes:
        items: (p,) int64, row numbers in the catalogue.
        standing: (p,) float64: standard deviations by which the cosine of the two lies above the mean cosine of the
            item's first with seconds of other items, and of its second with firsts of others; the mean of both. Below 0
            its own partner suits it less than one drawn at random does.
        margin: (p,) float64: the cosine of the two, less the mean of the 10 highest cosines of its first with seconds
            of others and of its second with firsts of others; half the cross-domain similarity local scaling of Conneau
            et al. 2018, "Word translation without parallel data", equation 3. An item about which neither modality says
            much has a margin near 0; it is far below 0 where both are clear, and about something else.
    """

    items: Items
    standing: Floats
    margin: Floats


def agreement(
    pairs: Pairs, method: AlignmentMethod = "cca", *, n_folds: int = 5, divisions: int = 1, seed: int = 0
) -> Agreement:
    """Agreement of every pair, cross-fitted: folds keep copies of an item together, and judge by the other folds.

    Args:
        pairs: at least 20.
        method: cca, procrustes or contrastive.
        n_folds: of which each is judged by what the others have taught.
        divisions: into folds, over which standing and margin are averaged: who is flagged depends on chance less.
        seed: of the folds and of contrastive.

    Raises:
        ValueError: if there are fewer groups of copies than folds, or a fold is one group.
    """
    groups = copies(pairs.first, pairs.second)
    found = [_divided(pairs, method, groups, n_folds, sub_seed(seed, f"{number}")) for number in range(divisions)]
    standing, margin = (np.mean([one[part] for one in found], axis=0) for part in range(2))
    return Agreement(pairs.items, standing, margin)


def _divided(pairs: Pairs, method: AlignmentMethod, groups: Items, n_folds: int, seed: int) -> tuple[Floats, Floats]:
    """Standing and margin by one division into folds."""
    fold = folds(groups, n_folds, sub_seed(seed, "folds"))
    standing, margin = np.zeros(len(pairs)), np.zeros(len(pairs))
    for own, alignment in cross_fitted(method, pairs, fold, groups=groups, seed=sub_seed(seed, "alignment")):
        if len(set(groups[own].tolist())) < 2:
            raise ValueError(f"a fold of {own.sum()} items holds copies of one item only: ask for fewer folds.")
        first, second = alignment.first.transform(pairs.first[own]), alignment.second.transform(pairs.second[own])
        ways = one_way(first, second, groups[own]), one_way(second, first, groups[own])
        standing[own], margin[own] = ((ways[0][part] + ways[1][part]) / 2 for part in range(2))
    return standing, margin


def one_way(queries: Floats, answers: Floats, groups: Items) -> tuple[Floats, Floats]:
    """(n,) float64 standing and margin of each query's own answer among those of other groups."""
    own = (queries * answers).sum(axis=1)
    standing, margin = np.zeros(len(own)), np.zeros(len(own))
    for start in range(0, len(own), _BLOCK):
        rows = slice(start, start + _BLOCK)
        cosines, others = queries[rows] @ answers.T, groups[rows, None] != groups
        spread = cosines.std(axis=1, where=others)
        above = own[rows] - cosines.mean(axis=1, where=others)
        standing[rows] = above / np.where(spread > 0, spread, 1.0)
        margin[rows] = own[rows] - _best(cosines, others)
    return standing, margin


def _best(cosines: Floats, others: NDArray[np.bool_]) -> Floats:
    """(n,) float64, the mean of the highest cosines with others in each row."""
    ranked = -np.sort(-np.where(others, cosines, -np.inf), axis=1)[:, :CLOSEST]
    return np.asarray(ranked.mean(axis=1, where=np.isfinite(ranked)))
