"""Faults that are planted in a catalogue, and how well they are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.modalities.preparing.disagreement import agreement
from recsim.modalities.preparing.pairs import Floats, Items, Pairs, copies, folds
from recsim.modalities.preparing.settings import AlignmentMethod, Inconsistent, Vote
from recsim.modalities.preparing.voting import vote
from recsim.streams import sub_seed


def swapped(pairs: Pairs, share: float, seed: int) -> tuple[Pairs, NDArray[np.bool_]]:
    """Pairs some of which hold the image of the next one chosen, and which these are, (p,) bool."""
    draw = np.random.Generator(np.random.Philox(sub_seed(seed, "swapped")))
    chosen = draw.choice(len(pairs), size=max(2, round(share * len(pairs))), replace=False)
    second, wrong = pairs.second.copy(), np.zeros(len(pairs), np.bool_)
    second[chosen], wrong[chosen] = pairs.second[np.roll(chosen, 1)], True
    return Pairs(pairs.items, pairs.first, second), wrong


def swaps_found(pairs: Pairs, method: AlignmentMethod, share: float, seed: int) -> dict[str, float]:
    """How well swapped images are told from the rest, as the step `inconsistent` does where nothing else is asked."""
    broken, wrong = swapped(pairs, share, seed)
    step = Inconsistent()
    found = agreement(broken, method, n_folds=step.folds, divisions=step.divisions, seed=seed).standing
    return told_apart(found, wrong) | flagged(found < step.below, wrong)


def labels_found(pairs: Pairs, category: Items, share: float, seed: int) -> dict[str, float]:
    """How well wrong categories are told from the rest, as the step `vote` does where nothing else is asked."""
    draw = np.random.Generator(np.random.Philox(sub_seed(seed, "labels")))
    n_categories = int(category.max()) + 1
    chosen = draw.choice(len(category), size=max(2, round(share * len(category))), replace=False)
    broken, wrong = category.copy(), np.zeros(len(category), np.bool_)
    broken[chosen] = (category[chosen] + draw.integers(1, n_categories, len(chosen))) % n_categories
    wrong[chosen] = True
    there, groups, step = np.ones(len(category), np.bool_), copies(pairs.first, pairs.second), Vote()
    fold = folds(groups, step.folds, sub_seed(seed, "folds"))
    views = [pairs.first, pairs.second]
    verdict = vote(views, [there, there], broken, n_categories, step.neighbours, groups=groups, fold=fold)
    said = verdict.probability.argmax(axis=1)
    outvoted = (said != broken) & (verdict.probability.max(axis=1) > step.above)
    return told_apart(verdict.probability[np.arange(len(category)), broken], wrong) | flagged(outvoted, wrong)


def told_apart(score: Floats, wrong: NDArray[np.bool_]) -> dict[str, float]:
    """Area under the ROC curve of low scores for what is wrong, and the share of wrong ones among as many lowest."""
    from sklearn.metrics import roc_auc_score

    lowest = np.argsort(score, kind="stable")[: wrong.sum()]
    return {"auc": float(roc_auc_score(wrong, -score)), "precision": float(wrong[lowest].mean())}


def flagged(flags: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> dict[str, float]:
    """Share of the flagged ones that are wrong (0 if none is flagged), and share of the wrong ones that are flagged."""
    right = int((flags & wrong).sum())
    return {"flagged_precision": right / max(1, int(flags.sum())), "flagged_recall": right / int(wrong.sum())}
