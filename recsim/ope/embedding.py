"""Estimators for many items, weighing rows by what the items have in common: embeddings or clusters.

With thousands of items w(x, a) is huge for almost every choice. If the reward depends on the item only through its
embedding e, the ratio w(x, e) = p(e | x, pi_e) / p(e | x, pi_b) is enough (MIPS), and it is far smaller. Where items of
one cluster differ as well, a model f(x, a) that is right about those differences repairs that (OffCEM).

Shapes: `reward` (n,) or (n, o); `weight` (n,), by one of the functions of `recsim.ope.embedding_weights`, offered here,
    too. All return `Terms`.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from recsim.ope.bandit import weighted_mean, weighted_ratio
from recsim.ope.doubly_robust import corrected
from recsim.ope.embedding_weights import cluster_weight, embedding_weight, fitted_weight
from recsim.ope.terms import Terms

__all__ = ["cluster_weight", "embedding_weight", "fitted_weight", "mips", "offcem", "snmips"]


def mips(reward: ArrayLike, weight: ArrayLike) -> Terms:
    """Marginalised IPS: (1/n) sum_i w(x_i, e_i) r_i.

    Unbiased if the item matters only through its embedding, and every embedding of the target's can be logged.

    Source: Saito and Joachims 2022, "Off-policy evaluation for large action spaces via embeddings".

    Args:
        reward: rewards.
        weight: from `cluster_weight`, `embedding_weight` or `fitted_weight`.

    >>> logged, target = [[0.25, 0.25, 0.25, 0.25]] * 2, [[0.5, 0.25, 0.25, 0.0]] * 2
    >>> weight = cluster_weight([0, 0, 1, 1], [1, 3], target, logged)  # 0.75 / 0.5, 0.25 / 0.5
    >>> float(mips([1, 1], weight).value[0])  # (1.5 + 0.5) / 2
    1.0
    """
    return weighted_mean(reward, weight)


def snmips(reward: ArrayLike, weight: ArrayLike) -> Terms:
    """Self-normalised `mips`: sum_i w(x_i, e_i) r_i / sum_i w(x_i, e_i).

    Source: Swaminathan and Joachims 2015 for the normalisation.

    >>> float(snmips([1, 0], [1.5, 0.5]).value[0])  # 1.5 / 2
    0.75
    """
    return weighted_ratio(reward, weight)


def offcem(reward: ArrayLike, weight: ArrayLike, model_logged: ArrayLike, model_target: ArrayLike) -> Terms:
    """Conjunct effect model: (1/n) sum_i [f(x_i, pi_e) + w(x_i, c(a_i)) (r_i - f(x_i, a_i))].

    Unbiased if f is right about the differences between items of one cluster (`recsim.ope.pairwise.pairwise_model` fits
    those), however wrong it is about the clusters.

    Source: Saito, Ren and Joachims 2023, "Off-policy evaluation for large action spaces via conjunct effect modeling".

    Args:
        reward: rewards.
        weight: from `cluster_weight`.
        model_logged: like `reward`, f at the logged item.
        model_target: like `reward`, the expectation of f over the target policy's items.

    >>> float(offcem([1, 0], [1.5, 0.5], [0.5, 0.5], [0.25, 0.75]).value[0])  # (0.25 + 0.75 + 0.75 - 0.25) / 2
    0.75
    """
    return corrected(reward, weight, model_logged, model_target)
