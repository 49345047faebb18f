"""Estimators of the mean value of a slate, as pure functions of plain arrays, for every objective at once.

Notation: slate i of n has positions 1..k with rewards r_ik, one per objective, and R_i = sum_k r_ik. The step ratio is
rho_ik = pi_e(a_ik | x_i, a_i1..a_i,k-1) / pi_b(the same), w_ik = rho_i1 ... rho_ik and W_i = w_iK over the whole slate.
All of them need the exact propensities of the policy that was in force, and that it could show whatever the target
shows.

Shapes: `reward` (n, k) or (n, k, o); `target`, `logged` (n, k) step-wise log-propensities of the target policy (-inf:
    never) and of the policy in force; `model_logged`, `model_target` like `reward`. All return `Terms`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.checks import logged_array, refuse_heavy, refuse_lengths, reward_array, target_array
from recsim.ope.terms import Terms, mean_terms

Floats = NDArray[np.float64]


def prefix_weight(target: ArrayLike, logged: ArrayLike) -> Floats:
    """(n, k) w_ik = pi_e(a_i1..a_ik | x_i) / pi_b(a_i1..a_ik | x_i); the last column is the weight W_i of the slate.

    >>> prefix_weight(np.log([[1.0, 0.25]]), np.log([[0.5, 0.5]])).round(9).tolist()  # 1 / 0.5, then times 0.25 / 0.5
    [[2.0, 1.0]]
    """
    target, logged = target_array(target), logged_array(logged)
    refuse_lengths(target=target, logged=logged)
    log_weight = np.cumsum(target - logged, axis=1)
    refuse_heavy(log_weight)
    return np.exp(log_weight)


def sips(reward: ArrayLike, target: ArrayLike, logged: ArrayLike) -> Terms:
    """Slate importance sampling: (1/n) sum_i W_i R_i. Unbiased for any user behaviour; heavy weights on long slates.

    Source: Swaminathan et al. 2017, "Off-policy evaluation for slate recommendation" (there as the IPS baseline);
    McInerney et al. 2020, equation 1.

    >>> half = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> target = np.log([[1.0, 0.25], [0.25, 0.5]])  # W = 1 and 1/2
    >>> round(float(sips([[1, 0], [0, 1]], target, half).value[0]), 9)  # (1 * 1 + 1/2 * 1) / 2
    0.75
    """
    reward, weight = _reward_and_weight(reward, target, logged)
    return mean_terms(weight[:, -1, None] * _added_up(reward))


def rips(reward: ArrayLike, target: ArrayLike, logged: ArrayLike) -> Terms:
    """Reward-interaction importance sampling: (1/n) sum_i sum_k w_ik r_ik.

    Unbiased if the reward of a position does not depend on the items below it (users read from the top: a cascade).

    Source: McInerney et al. 2020, "Counterfactual evaluation of slate recommendations with sequential reward
    interactions", equations 3 and 4.

    >>> half = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> target = np.log([[1.0, 0.25], [0.25, 0.5]])  # w = (2, 1) and (1/2, 1/2)
    >>> round(float(rips([[1, 0], [0, 1]], target, half).value[0]), 9)  # (2 * 1 + 1/2 * 1) / 2
    1.25
    """
    reward, weight = _reward_and_weight(reward, target, logged)
    return mean_terms(np.einsum("nk,nko->no", weight, reward))


def snsips(reward: ArrayLike, target: ArrayLike, logged: ArrayLike) -> Terms:
    """Self-normalised `sips`: sum_i W_i R_i / sum_i W_i. Consistent, in the range of the rewards, biased by O(1/n).

    Source: Swaminathan and Joachims 2015, "The self-normalized estimator for counterfactual learning".

    >>> half = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> target = np.log([[1.0, 0.25], [0.25, 0.5]])  # W = 1 and 1/2
    >>> round(float(snsips([[1, 0], [0, 1]], target, half).value[0]), 9)  # (1 * 1 + 1/2 * 1) / (1 + 1/2)
    1.0
    """
    reward, weight = _reward_and_weight(reward, target, logged)
    whole = weight[:, -1, None]  # (n, 1)
    return Terms((whole * _added_up(reward))[:, None, :], whole)


def snrips(reward: ArrayLike, target: ArrayLike, logged: ArrayLike) -> Terms:
    """Self-normalised `rips`: sum_k [sum_i w_ik r_ik / sum_i w_ik], every position by its own weights.

    Consistent under the condition of `rips`, biased by O(1/n).

    Source: McInerney et al. 2020; Swaminathan and Joachims 2015 for the normalisation.

    >>> half = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> target = np.log([[1.0, 0.25], [0.25, 0.5]])  # w = (2, 1) and (1/2, 1/2)
    >>> round(float(snrips([[1, 0], [0, 1]], target, half).value[0]), 9)  # 2 / (2 + 1/2) + (1/2) / (1 + 1/2)
    1.133333333
    """
    reward, weight = _reward_and_weight(reward, target, logged)
    return Terms(weight[:, :, None] * reward, weight)


def dm(model_target: ArrayLike) -> Terms:
    """Direct method: (1/n) sum_i sum_k q_k(x_i, pi_e), the reward model's value of what the target policy would show.

    Uses no weights and no reward of the slate itself: as biased as the reward model, which its own spread does not
    show (`recsim.ope.evaluate` widens its interval by the weighted error of the model on the log).

    Source: Dudik et al. 2014, "Doubly robust policy evaluation and optimization", section 3.

    Args:
        model_target: expectation of the reward model under the target policy's slates, per position.

    >>> round(float(dm([[0.5, 0.25], [0.3, 0.15]]).value[0]), 9)  # (0.75 + 0.45) / 2
    0.6
    """
    return mean_terms(_added_up(reward_array(model_target, "model_target")))


def dr(
    reward: ArrayLike, target: ArrayLike, logged: ArrayLike, model_logged: ArrayLike, model_target: ArrayLike
) -> Terms:
    """Doubly robust, position by position: (1/n) sum_i sum_k [q_k(x_i, pi_e) + w_ik (r_ik - q_k(x_i, a_ik))].

    The reward model is additive over positions, so the weights are those of `rips`, not of the whole slate. Unbiased
    if either (1) the reward of a position does not depend on the items below it, and the model was not fitted on the
    slates it scores, however wrong it is; or (2) the model is right, E[r_k | x, slate] = q_k(x, a_k). With slates of
    one item it is the doubly robust estimator of contextual bandits.

    Source: Dudik et al. 2014, section 3, with the weights of McInerney et al. 2020, equation 4. `cascade_dr` is the
    variant with rewards to go.

    Args:
        reward: rewards.
        target: log-propensities of the target policy.
        logged: log-propensities of the policy in force.
        model_logged: the reward model at the logged items.
        model_target: expectation of the reward model under the target policy's slates.

    >>> half = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> target = np.log([[1.0, 0.25], [0.25, 0.5]])  # w = (2, 1) and (1/2, 1/2)
    >>> guess, under_target = np.full((2, 2), 0.5), np.array([[0.5, 0.25], [0.5, 0.25]])
    >>> terms = dr([[1, 0], [0, 1]], target, half, guess, under_target)
    >>> round(float(terms.value[0]), 9)  # 0.75 + [2 * 0.5 - 1 * 0.5 + (-0.5 + 0.5) / 2] / 2
    1.0
    """
    reward, weight = _reward_and_weight(reward, target, logged)
    q_logged, q_target = models_like(reward, model_logged=model_logged, model_target=model_target)
    return mean_terms(_added_up(q_target) + np.einsum("nk,nko->no", weight, reward - q_logged))


def cascade_dr(
    reward: ArrayLike, target: ArrayLike, logged: ArrayLike, to_go_logged: ArrayLike, to_go_target: ArrayLike
) -> Terms:
    """Doubly robust with rewards to go: (1/n) sum_i sum_k [w_ik (r_ik - Q_ik) + w_i,k-1 V_ik], w_i0 = 1.

    Q_ik = Q_k(x_i, a_i1..a_ik) models the reward still to come from position k on, V_ik its expectation over the
    target policy's item at k, given the logged items above. Unbiased if the reward of a position does
    not depend on the items below it, or if Q is right.

    Source: Kiyohara et al. 2022, "Doubly robust off-policy evaluation for ranking policies under the cascade behavior
    model", section 3.1.

    Args:
        reward: rewards.
        target: log-propensities of the target policy.
        logged: log-propensities of the policy in force.
        to_go_logged: Q, at the logged items.
        to_go_target: V.

    >>> half = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> target = np.log([[1.0, 0.25], [0.25, 0.5]])  # w = (2, 1) and (1/2, 1/2)
    >>> to_go = np.array([[1.0, 0.5], [1.0, 0.5]])
    >>> terms = cascade_dr([[1, 0], [0, 1]], target, half, to_go, to_go)
    >>> round(float(terms.value[0]), 9)  # [(0 + 1) + (-0.5 + 1) + (-0.5 + 1) + (0.25 + 0.25)] / 2
    1.25
    """
    reward, weight = _reward_and_weight(reward, target, logged)
    q_logged, q_target = models_like(reward, to_go_logged=to_go_logged, to_go_target=to_go_target)
    before = np.concatenate([np.ones((len(weight), 1)), weight[:, :-1]], axis=1)
    corrected = np.einsum("nk,nko->no", weight, reward - q_logged)
    return mean_terms(corrected + np.einsum("nk,nko->no", before, q_target))


def _added_up(values: Floats) -> Floats:
    """(n, o) sums over the positions of (n, k, o), several times as fast as numpy's sum over an axis in the middle."""
    total: Floats = np.einsum("nko->no", values)
    return total


def _reward_and_weight(reward: ArrayLike, target: ArrayLike, logged: ArrayLike) -> tuple[Floats, Floats]:
    values, weight = reward_array(reward), prefix_weight(target, logged)
    refuse_lengths(logged=weight, reward=values)
    return values, weight


def models_like(reward: Floats, **models: ArrayLike) -> list[Floats]:
    """Checked values of reward models, (n, k, o) like the `reward` that they model.

    Raises:
        ValueError: if one has another shape, or holds what is not finite.
    """
    arrays = {name: reward_array(values, name) for name, values in models.items()}
    refuse_lengths(reward=reward, **arrays)
    for name, values in arrays.items():
        if values.shape[2] != reward.shape[2]:
            raise ValueError(
                f"{name} has {values.shape[2]} objectives but reward has {reward.shape[2]}; "
                "model every objective of the log."
            )
    return list(arrays.values())
