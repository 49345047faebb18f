"""What the modalities say of an item's category together, each weighed by how often it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.modalities.preparing.neighbours import voted
from recsim.modalities.preparing.pairs import Floats, Items


@dataclass(frozen=True)
class Verdict:
    """A vote of several modalities.

    Attributes:
        probability: (m, c) float64, of each category.
        weights: (M,) float64 >= 0, the exponent that each modality's shares have in the vote.
        accuracy: (M,) float64, share of the items whose category each modality alone names.
    """

    probability: Floats
    weights: Floats
    accuracy: Floats


def vote(
    views: Sequence[Floats], present: Sequence[NDArray[np.bool_]], category: Items, n_categories: int, count: int
) -> Verdict:
    """The category of every item as its neighbours in each modality see it; nobody's own label takes part.

    The vote is a logarithmic pool, p(c) proportional to prior(c)^(1 - sum of w_M) times the product over modalities of
    share_M(c)^w_M (Genest & Zidek 1986, "Combining probability distributions", section 3). The weights w_M >= 0
    are those of the highest mean log probability of the true label. Shares leave the item itself out, so
    what the weights are fitted to is held out already; M numbers are fitted to m items.

    Args:
        views: (m, d) float64 rows of length 1, one array for each modality.
        present: (m,) bool, for each modality.
        category: (m,) int64 in 0..n_categories - 1.
        n_categories: c.
        count: neighbours that are asked in each modality.
    """
    from scipy.optimize import minimize

    floor = np.finfo(np.float64).tiny
    prior = np.log(np.maximum(np.bincount(category, minlength=n_categories) / len(category), floor))
    shares = [
        voted(rows, category, n_categories, count, present=there) for rows, there in zip(views, present, strict=True)
    ]
    evidence = np.stack([np.log(np.maximum(part, floor)) - prior for part in shares])  # (M, m, c)

    def surprise(weights: Floats) -> float:
        return float(-_pooled(prior, evidence, weights)[np.arange(len(category)), category].mean())

    start = np.full(len(views), 1 / len(views))
    weights = minimize(surprise, start, bounds=[(0.0, 4.0)] * len(views), method="L-BFGS-B").x
    accuracy = [
        float((part[there].argmax(axis=1) == category[there]).mean())
        for part, there in zip(shares, present, strict=True)
    ]
    return Verdict(np.exp(_pooled(prior, evidence, weights)), np.asarray(weights), np.array(accuracy))


def _pooled(prior: Floats, evidence: Floats, weights: Floats) -> Floats:
    """(m, c) float64 log probabilities of the pool."""
    from scipy.special import log_softmax

    return np.asarray(log_softmax(prior + np.tensordot(weights, evidence, axes=1), axis=1))
