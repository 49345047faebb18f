"""Items whose two modalities say different things: a wrong title, or another item's picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.modalities.preparing.aligning import cross_fitted
from recsim.modalities.preparing.pairs import Floats, Items, Pairs, copies, folds
from recsim.modalities.preparing.recall import partner_ranks
from recsim.modalities.preparing.settings import AlignmentMethod
from recsim.streams import sub_seed


@dataclass(frozen=True)
class Agreement:
    """How well the two modalities of each item agree, by alignments that have not seen its pair.

    Attributes:
        items: (p,) int64, row numbers in the catalogue.
        score: (p,) float64: standard deviations by which the cosine of the two lies above the mean cosine of the item's
            first with seconds of other items, and of its second with firsts of others, averaged over both directions.
        better: (p,) float64 in [0, 1], share of the other items of the fold whose second suits the item's first at
            least as well as its own does.
    """

    items: Items
    score: Floats
    better: Floats


def agreement(pairs: Pairs, method: AlignmentMethod = "cca", *, n_folds: int = 5, seed: int = 0) -> Agreement:
    """Agreement of every pair, cross-fitted: folds keep copies of an item together, and judge by the other folds.

    Args:
        pairs: at least 20.
        method: cca, procrustes or contrastive.
        n_folds: of which each is judged by what the others have taught.
        seed: of the folds and of contrastive.

    Raises:
        ValueError: if there are fewer groups of copies than folds.
    """
    groups = copies(pairs.first, pairs.second)
    fold = folds(groups, n_folds, sub_seed(seed, "folds"))
    score, better = np.zeros(len(pairs)), np.zeros(len(pairs))
    for own, alignment in cross_fitted(method, pairs, fold, groups=groups, seed=sub_seed(seed, "alignment")):
        first, second = alignment.first.transform(pairs.first[own]), alignment.second.transform(pairs.second[own])
        cosines = first @ second.T
        score[own] = (_standing(cosines) + _standing(cosines.T)) / 2
        better[own] = partner_ranks(first, second, groups[own]) / (len(first) - 1)
    return Agreement(pairs.items, score, better)


def _standing(cosines: Floats) -> Floats:
    """(n,) float64, the diagonal in standard deviations of the rest of its row above the mean of the rest."""
    others = cosines[~np.eye(len(cosines), dtype=np.bool_)].reshape(len(cosines), -1)
    spread = others.std(axis=1)
    return np.asarray((np.diagonal(cosines) - others.mean(axis=1)) / np.where(spread > 0, spread, 1.0))
