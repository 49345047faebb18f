"""Importance weights of single actions and their transformations: what estimators really weigh rows by.

w_i = pi_e(a_i | x_i) / pi_b(a_i | x_i), target over logging propensity. Large weights make estimates noisy; each
transformation trades that noise for a bias, by one number. Overlap (`recsim.ope.overlap_of`) belongs to the weights an
estimator uses, so each has its function here.

Shapes: `target` (n,) log-propensities of the logged actions under the policy to evaluate (-inf: never), `logged` (n,)
    under the policy in force. All return (n,) float64, 0 or more.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.action_checks import action_logged_array, action_target_array, refuse_rows
from recsim.ope.checks import ROUNDING, first_wrong, refuse_heavy

Floats = NDArray[np.float64]


def importance_weight(target: ArrayLike, logged: ArrayLike) -> Floats:
    """w, the plain importance weights; 1 on average if the logged policy could do all that the target does.

    >>> importance_weight(np.log([0.5, 0.1]), np.log([0.25, 0.2])).round(9).tolist()  # 0.5 / 0.25, 0.1 / 0.2
    [2.0, 0.5]
    """
    target, logged = action_target_array(target), action_logged_array(logged)
    refuse_rows(target=target, logged=logged)
    log_weight = target - logged
    refuse_heavy(log_weight)
    return np.exp(log_weight)


def clipped_weight(target: ArrayLike, logged: ArrayLike, clip: float) -> Floats:
    """min(clip, w).

    Source: Ionides 2008, "Truncated importance sampling".

    >>> clipped_weight(np.log([0.5, 0.1]), np.log([0.25, 0.2]), clip=1.5).round(9).tolist()  # of 2 and 0.5
    [1.5, 0.5]
    """
    return np.minimum(importance_weight(target, logged), _within(clip, "clip"))


def switched_weight(target: ArrayLike, logged: ArrayLike, threshold: float) -> Floats:
    """The weights up to `threshold`, 0 for larger ones, whose rows are left to the reward model.

    Source: Wang, Agarwal and Dudik 2017, "Optimal and adaptive off-policy evaluation in contextual bandits".

    >>> switched_weight(np.log([0.5, 0.1]), np.log([0.25, 0.2]), threshold=1.5).round(9).tolist()  # of 2 and 0.5
    [0.0, 0.5]
    """
    weight = importance_weight(target, logged)
    return np.where(weight <= _within(threshold, "threshold"), weight, 0.0)


def shrunk_weight(target: ArrayLike, logged: ArrayLike, shrinkage: float) -> Floats:
    """Optimistic shrinkage, shrinkage w / (w^2 + shrinkage): w itself at infinity, 0 at 0.

    Source: Su, Dimakopoulou, Krishnamurthy and Dudik 2020, "Doubly robust off-policy evaluation with shrinkage".

    >>> shrunk_weight(np.log([0.5, 0.1]), np.log([0.25, 0.2]), shrinkage=4.0).round(6).tolist()  # 8 / 8, 2 / 4.25
    [1.0, 0.470588]
    """
    weight, bound = importance_weight(target, logged), _within(shrinkage, "shrinkage")
    if bound == 0:
        return np.zeros_like(weight)
    if math.isinf(bound):
        return weight
    return weight * (bound / (np.square(weight) + bound))


def subgaussian_weight(target: ArrayLike, logged: ArrayLike, share: float) -> Floats:
    """The harmonic mean of w and 1 where 1 has a `share` from 0 to 1: w / (1 - share + share w), below 1 / share.

    Source: Metelli, Russo and Restelli 2021, "Subgaussian and differentiable importance sampling for off-policy
    evaluation and learning" (power mean with s = -1).

    >>> subgaussian_weight(np.log([0.5, 0.1]), np.log([0.25, 0.2]), share=0.5).round(6).tolist()  # 2 / 1.5, 0.5 / 0.75
    [1.333333, 0.666667]
    """
    weight, part = importance_weight(target, logged), _within(share, "share", 1.0)
    below = 1.0 - part + part * weight
    return np.divide(weight, below, out=np.zeros_like(weight), where=below > 0)


def replay_weight(target: ArrayLike, logged: ArrayLike) -> Floats:
    """1 where a deterministic target would have made the logged choice, else 0, in a log of uniform choices.

    Source: Li, Chu, Langford and Wang 2011, "Unbiased offline evaluation of contextual-bandit-based news article
    recommendation algorithms", algorithm 2.

    Raises:
        ValueError: if the target is stochastic, or the logged propensity differs between rows: what matches is then
            no fair sample of what the target would meet.

    >>> replay_weight([0.0, -np.inf], np.log([0.25, 0.25])).tolist()
    [1.0, 0.0]
    """
    target, logged = action_target_array(target), action_logged_array(logged)
    refuse_rows(target=target, logged=logged)
    drawn = (target > -np.inf) & (target < -ROUNDING)
    if drawn.any():
        place, value = first_wrong(drawn, target, ("row",))
        raise ValueError(
            f"{place} of target log_prob is {value:g}, but replay is for policies that always make the same choice, "
            "with log-probability 0 or -inf. Use snips for one that draws."
        )
    uneven = np.abs(logged - logged[0]) > ROUNDING
    if uneven.any():
        place, value = first_wrong(uneven, logged, ("row",))
        raise ValueError(
            f"{place} of logged log_prob is {value:g} and row 0 is {logged[0]:g}, but replay needs a log of uniform "
            "choices. Use snips, which weighs rows by their propensities."
        )
    return (target > -np.inf).astype(np.float64)


def _within(value: float, name: str, high: float = math.inf) -> float:
    if not 0 <= value <= high:
        raise ValueError(f"{name} is {value}; it must be a number from 0 to {high:g}. Choose one in that range.")
    return float(value)
