"""Estimators of the mean value of single actions (contextual bandits), as pure functions of plain arrays.

One row is one logged action a_i in context x_i with rewards r_i, one per objective, and the weight
w_i = pi_e(a_i | x_i) / pi_b(a_i | x_i). All of them need the exact propensities of the policy that was in force, and
that it could do whatever the target does. The functions that return the weights each estimator uses are in
`recsim.ope.action_weights`, the doubly robust ones in `recsim.ope.doubly_robust`; both are offered here, too.

Shapes: `reward` (n,) or (n, o); `target`, `logged` (n,) log-propensities of the logged actions under the target policy
    (-inf: never) and under the policy in force; `model_logged`, `model_target` like `reward`: the reward model at the
    logged action, and its expectation over the target policy's actions. All return `Terms`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from recsim.ope.action_checks import action_reward_array, reward_and_weight
from recsim.ope.action_weights import (
    clipped_weight,
    importance_weight,
    replay_weight,
    shrunk_weight,
    subgaussian_weight,
    switched_weight,
)
from recsim.ope.doubly_robust import dr, dros, sndr, subgaussian_dr, switch_dr
from recsim.ope.terms import Terms, mean_terms

__all__ = [
    "clipped_weight",
    "dm",
    "dr",
    "dros",
    "importance_weight",
    "ips",
    "replay",
    "replay_weight",
    "shrunk_weight",
    "sndr",
    "snips",
    "subgaussian_dr",
    "subgaussian_ips",
    "subgaussian_weight",
    "switch_dr",
    "switched_weight",
    "weighted_mean",
    "weighted_ratio",
]


def replay(reward: ArrayLike, target: ArrayLike, logged: ArrayLike) -> Terms:
    """The mean reward of the rows where a deterministic target would have made the logged, uniformly drawn choice.

    Source: Li, Chu, Langford and Wang 2011, "Unbiased offline evaluation of contextual-bandit-based news article
    recommendation algorithms", algorithm 2.

    Raises:
        ValueError: if the target is stochastic or the log is not of uniform choices (`replay_weight`).

    >>> float(replay([1, 0, 0], [0.0, 0.0, -np.inf], np.log([0.25, 0.25, 0.25])).value[0])  # (1 + 0) / 2
    0.5
    """
    return weighted_ratio(reward, replay_weight(target, logged))


def ips(reward: ArrayLike, target: ArrayLike, logged: ArrayLike, clip: float = np.inf) -> Terms:
    """Inverse propensity score: (1/n) sum_i min(clip, w_i) r_i. Unbiased without `clip`; heavy weights make it noisy.

    Source: Horvitz and Thompson 1952; Strehl et al. 2010, "Learning from logged implicit exploration data" (clipped).

    >>> target, logged = np.log([0.5, 0.1]), np.log([0.25, 0.2])  # w = 2 and 0.5
    >>> round(float(ips([1, 1], target, logged).value[0]), 9)  # (2 + 0.5) / 2
    1.25
    >>> round(float(ips([1, 1], target, logged, clip=1.0).value[0]), 9)  # (1 + 0.5) / 2
    0.75
    """
    return weighted_mean(reward, clipped_weight(target, logged, clip))


def snips(reward: ArrayLike, target: ArrayLike, logged: ArrayLike) -> Terms:
    """Self-normalised `ips`: sum_i w_i r_i / sum_i w_i. Consistent, in the range of the rewards, biased by O(1/n).

    Source: Swaminathan and Joachims 2015, "The self-normalized estimator for counterfactual learning".

    >>> target, logged = np.log([0.5, 0.1]), np.log([0.25, 0.2])  # w = 2 and 0.5
    >>> round(float(snips([1, 0], target, logged).value[0]), 9)  # 2 / 2.5
    0.8
    """
    return weighted_ratio(reward, importance_weight(target, logged))


def subgaussian_ips(reward: ArrayLike, target: ArrayLike, logged: ArrayLike, share: float) -> Terms:
    """`ips` with the weights w / (1 - share + share w): plain at a `share` of 0, all weights 1 at 1.

    Source: Metelli, Russo and Restelli 2021, "Subgaussian and differentiable importance sampling for off-policy
    evaluation and learning".

    >>> target, logged = np.log([0.5, 0.1]), np.log([0.25, 0.2])  # w = 2 and 0.5, to 2 / 1.5 and 0.5 / 0.75
    >>> round(float(subgaussian_ips([1, 1], target, logged, share=0.5).value[0]), 9)  # (4 / 3 + 2 / 3) / 2
    1.0
    """
    return weighted_mean(reward, subgaussian_weight(target, logged, share))


def dm(model_target: ArrayLike) -> Terms:
    """Direct method: (1/n) sum_i q(x_i, pi_e), the reward model's word. As biased as the model, which no spread shows.

    Source: Dudik, Erhan, Langford and Li 2014, "Doubly robust policy evaluation and optimization", section 3.

    >>> float(dm([0.5, 0.25]).value[0])  # (0.5 + 0.25) / 2
    0.375
    """
    return mean_terms(action_reward_array(model_target, "model_target"))


def weighted_mean(reward: ArrayLike, weight: ArrayLike) -> Terms:
    """(1/n) sum_i weight_i r_i, for any `weight` (n,)."""
    values, weights = reward_and_weight(reward, weight)
    return mean_terms(weights[:, None] * values)


def weighted_ratio(reward: ArrayLike, weight: ArrayLike) -> Terms:
    """sum_i weight_i r_i / sum_i weight_i, for any `weight` (n,)."""
    values, weights = reward_and_weight(reward, weight)
    return Terms((weights[:, None] * values)[:, None, :], weights[:, None])
