"""What the modalities say of an item's category together, each weighed by how often it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.modalities.preparing.neighbours import voted
from recsim.modalities.preparing.pairs import Floats, Items, splits


@dataclass(frozen=True)
class Verdict:
    """A vote of several modalities.

    Attributes:
        probability: (m, c) float64, of each category.
        weights: (M,) float64 >= 0, the exponent that each modality's shares have in the vote, the mean over folds.
        accuracy: (M,) float64, share of the items whose category each modality alone names.
    """

    probability: Floats
    weights: Floats
    accuracy: Floats


def vote(
    views: Sequence[Floats],
    present: Sequence[NDArray[np.bool_]],
    category: Items,
    n_categories: int,
    count: int,
    *,
    groups: Items,
    fold: Items,
) -> Verdict:
    """The category of every item as its neighbours in each modality see it; neither it nor a copy votes.

    The vote is a logarithmic pool, p(c) proportional to prior(c)^(1 - sum of w_M) times the product over modalities of
    share_M(c)^w_M (Genest & Zidek 1986, "Combining probability distributions", section 3). The weights w_M >= 0
    are those of the highest mean log probability of the labels of the other folds.

    Args:
        views: (m, d) float64 rows of length 1, one array for each modality.
        present: (m,) bool, for each modality.
        category: (m,) int64 in 0..n_categories - 1.
        n_categories: c.
        count: neighbours that are asked in each modality.
        groups: (m,) int64, groups of copies, which do not vote on each other.
        fold: (m,) int64, each of which is judged by weights fitted to the others, copies in one fold.
    """
    floor = np.finfo(np.float64).tiny
    prior = np.log(np.maximum(np.bincount(category, minlength=n_categories) / len(category), floor))
    shares = [
        voted(rows, category, n_categories, count, present=there, groups=groups)
        for rows, there in zip(views, present, strict=True)
    ]
    evidence = np.stack([np.log(np.maximum(part, floor)) - prior for part in shares])  # (M, m, c)
    weights, probability = [], np.zeros((len(category), n_categories))
    for others, own in splits(fold):
        weights.append(_fitted(prior, evidence[:, others], category[others]))
        probability[own] = np.exp(_pooled(prior, evidence[:, own], weights[-1]))
    accuracy = [
        float((part[there].argmax(axis=1) == category[there]).mean())
        for part, there in zip(shares, present, strict=True)
    ]
    return Verdict(probability, np.mean(weights, axis=0), np.array(accuracy))


def _fitted(prior: Floats, evidence: Floats, category: Items) -> Floats:
    """(M,) float64 weights by which the labels of these items are most probable."""
    from scipy.optimize import minimize

    def surprise(weights: Floats) -> float:
        return float(-_pooled(prior, evidence, weights)[np.arange(len(category)), category].mean())

    start = np.full(len(evidence), 1 / len(evidence))
    return np.asarray(minimize(surprise, start, bounds=[(0.0, 4.0)] * len(evidence), method="L-BFGS-B").x)


def _pooled(prior: Floats, evidence: Floats, weights: Floats) -> Floats:
    """(m, c) float64 log probabilities of the pool."""
    from scipy.special import log_softmax

    return np.asarray(log_softmax(prior + np.tensordot(weights, evidence, axes=1), axis=1))
