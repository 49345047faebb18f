"""Doubly robust estimators for single actions: a reward model, corrected on the log by weights of several kinds.

(1/n) sum_i [q(x_i, pi_e) + w_i (r_i - q(x_i, a_i))], with w plain, clipped, switched off, shrunk or self-normalised.
With plain weights the estimate is unbiased however wrong the model is, provided that it was not fitted on the rows it
scores; each other weight is biased by E[(w - w') (r - q)], which a good model makes small.

Shapes: as in `recsim.ope.bandit`, which offers these functions, too.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.action_checks import action_models_like, reward_and_weight
from recsim.ope.action_weights import (
    clipped_weight,
    importance_weight,
    shrunk_weight,
    subgaussian_weight,
    switched_weight,
)
from recsim.ope.terms import Terms, mean_terms

Floats = NDArray[np.float64]


def dr(
    reward: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    model_logged: ArrayLike,
    model_target: ArrayLike,
    clip: float = math.inf,
) -> Terms:
    """Doubly robust, with weights of at most `clip`.

    Source: Dudik, Erhan, Langford and Li 2014, "Doubly robust policy evaluation and optimization", section 3.

    >>> target, logged = np.log([0.5, 0.1]), np.log([0.25, 0.2])  # w = 2 and 0.5
    >>> round(float(dr([1, 0], target, logged, [0.5, 0.5], [0.4, 0.6]).value[0]), 9)  # (0.4 + 1 + 0.6 - 0.25) / 2
    0.875
    """
    return corrected(reward, clipped_weight(target, logged, clip), model_logged, model_target)


def switch_dr(
    reward: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    model_logged: ArrayLike,
    model_target: ArrayLike,
    threshold: float,
) -> Terms:
    """Doubly robust where w <= `threshold`, the reward model alone elsewhere.

    Source: Wang, Agarwal and Dudik 2017, "Optimal and adaptive off-policy evaluation in contextual bandits";
    with DR instead of IPS below the threshold, as in Su et al. 2020.

    >>> target, logged = np.log([0.5, 0.1]), np.log([0.25, 0.2])  # w = 2 and 0.5
    >>> terms = switch_dr([1, 0], target, logged, [0.5, 0.5], [0.4, 0.6], threshold=1.0)
    >>> round(float(terms.value[0]), 9)  # (0.4 + 0.6 - 0.25) / 2
    0.375
    """
    return corrected(reward, switched_weight(target, logged, threshold), model_logged, model_target)


def dros(
    reward: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    model_logged: ArrayLike,
    model_target: ArrayLike,
    shrinkage: float,
) -> Terms:
    """Doubly robust with optimistic shrinkage: `dr` at a `shrinkage` of infinity, `dm` at 0.

    Source: Su, Dimakopoulou, Krishnamurthy and Dudik 2020, "Doubly robust off-policy evaluation with shrinkage".

    >>> target, logged = np.log([0.5, 0.1]), np.log([0.25, 0.2])  # w = 2 and 0.5, shrunk to 8 / 8 and 2 / 4.25
    >>> terms = dros([1, 0], target, logged, [0.5, 0.5], [0.4, 0.6], shrinkage=4.0)
    >>> round(float(terms.value[0]), 6)  # (0.4 + 0.5 + 0.6 - 0.5 * 2 / 4.25) / 2
    0.632353
    """
    return corrected(reward, shrunk_weight(target, logged, shrinkage), model_logged, model_target)


def subgaussian_dr(
    reward: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    model_logged: ArrayLike,
    model_target: ArrayLike,
    share: float,
) -> Terms:
    """Doubly robust with the weights w / (1 - share + share w): `dr` at a `share` of 0.

    Source: Metelli, Russo and Restelli 2021, "Subgaussian and differentiable importance sampling for off-policy
    evaluation and learning".

    >>> target, logged = np.log([0.5, 0.1]), np.log([0.25, 0.2])  # w = 2 and 0.5, to 2 / 1.5 and 0.5 / 0.75
    >>> terms = subgaussian_dr([1, 0], target, logged, [0.5, 0.5], [0.4, 0.6], share=0.5)
    >>> round(float(terms.value[0]), 6)  # (0.4 + 2 / 3 + 0.6 - 1 / 3) / 2
    0.666667
    """
    return corrected(reward, subgaussian_weight(target, logged, share), model_logged, model_target)


def sndr(
    reward: ArrayLike, target: ArrayLike, logged: ArrayLike, model_logged: ArrayLike, model_target: ArrayLike
) -> Terms:
    """Self-normalised `dr`: (1/n) sum_i q(x_i, pi_e) + sum_i w_i (r_i - q(x_i, a_i)) / sum_i w_i.

    Two ratios, so that intervals resample the sum of the weights as well.

    Source: Swaminathan and Joachims 2015, "The self-normalized estimator for counterfactual learning", applied to DR
    by Thomas and Brunskill 2016, "Data-efficient off-policy policy evaluation".

    >>> target, logged = np.log([0.5, 0.1]), np.log([0.25, 0.2])  # w = 2 and 0.5
    >>> round(float(sndr([1, 0], target, logged, [0.5, 0.5], [0.4, 0.6]).value[0]), 9)  # 1 / 2 + (1 - 0.25) / 2.5
    0.8
    """
    weight, missed, q_target = _parts(reward, importance_weight(target, logged), model_logged, model_target)
    numerator = np.stack([q_target, weight[:, None] * missed], axis=1)  # (n, 2, o)
    return Terms(numerator, np.stack([np.ones_like(weight), weight], axis=1))


def corrected(reward: ArrayLike, weight: ArrayLike, model_logged: ArrayLike, model_target: ArrayLike) -> Terms:
    """The reward model's value, corrected by the weighted errors it made on the log, for any `weight` (n,)."""
    weight, missed, q_target = _parts(reward, weight, model_logged, model_target)
    return mean_terms(q_target + weight[:, None] * missed)


def _parts(
    reward: ArrayLike, weight: ArrayLike, model_logged: ArrayLike, model_target: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Weights (n,), the model's errors on the log and its value under the target (n, o)."""
    values, weights = reward_and_weight(reward, weight)
    q_logged, q_target = action_models_like(values, model_logged=model_logged, model_target=model_target)
    return weights, values - q_logged, q_target
