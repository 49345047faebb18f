"""Estimators of the mean value of a slate that weigh each position by some of its items, in place of all above it.

They trade assumptions on users for steadier weights than those of `recsim.ope.slate`. `iips` and `sniips` assume that
the reward of a position depends on its own item alone (item-position model), `aips` that it depends on those of given
positions, which may differ from user to user; `recsim.ope.exposure` has those for the position-based model.

Shapes: `reward` (n, k) or (n, k, o). `target_marginal`, `logged_marginal` (n, k): log-probabilities that the logged
item stands at its position, whatever stands elsewhere (`Ranking.marginal_log_prob`), not the step-wise ones: with
these, `iips` would be neither it nor `rips`. Log-probabilities of the target are -inf for never. All return `Terms`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.checks import logged_array, refuse_heavy, refuse_lengths, reward_array, target_array
from recsim.ope.terms import Terms, mean_terms

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def position_weight(target_marginal: ArrayLike, logged_marginal: ArrayLike) -> Floats:
    """(n, k) weights of `iips`: pi_e(a_ik at k | x_i) / pi_b(a_ik at k | x_i).

    >>> position_weight(np.log([[1.0, 0.25]]), np.log([[0.5, 0.5]])).round(9).tolist()  # 1 / 0.5, 0.25 / 0.5
    [[2.0, 0.5]]
    """
    names = "target marginal_log_prob", "logged marginal_log_prob"
    target, logged = target_array(target_marginal, names[0]), logged_array(logged_marginal, names[1])
    refuse_lengths(target_marginal=target, logged_marginal=logged)
    refuse_heavy(target - logged)
    return np.exp(target - logged)


def iips(reward: ArrayLike, target_marginal: ArrayLike, logged_marginal: ArrayLike) -> Terms:
    """Independent importance sampling: (1/n) sum_i sum_k w_ik r_ik with the weights of `position_weight`.

    Unbiased if the reward of a position depends on no other item of the slate.

    Source: Li et al. 2018, "Offline evaluation of ranking policies with click models" (item-position model).

    >>> half = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> target = np.log([[1.0, 0.25], [0.25, 0.5]])  # w = (2, 1/2) and (1/2, 1)
    >>> round(float(iips([[1, 0], [0, 1]], target, half).value[0]), 9)  # (2 * 1 + 1 * 1) / 2
    1.5
    """
    return weighed_positions(reward, position_weight(target_marginal, logged_marginal))


def sniips(reward: ArrayLike, target_marginal: ArrayLike, logged_marginal: ArrayLike) -> Terms:
    """Self-normalised `iips`: sum_k [sum_i w_ik r_ik / sum_i w_ik]. Consistent where `iips` is, biased by O(1/n).

    Source: Li et al. 2018 for the weights; Swaminathan and Joachims 2015 for the normalisation.

    >>> half = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> target = np.log([[1.0, 0.25], [0.25, 0.5]])  # w = (2, 1/2) and (1/2, 1)
    >>> round(float(sniips([[1, 0], [0, 1]], target, half).value[0]), 9)  # 2 / (2 + 1/2) + 1 / (1/2 + 1)
    1.466666667
    """
    values, weight = reward_array(reward), position_weight(target_marginal, logged_marginal)
    refuse_lengths(logged_marginal=weight, reward=values)
    return Terms(weight[:, :, None] * values, weight)


def behaviour_weight(target: ArrayLike, logged: ArrayLike, relevant: ArrayLike) -> Floats:
    """(n, k) weights of `aips`: the product of pi_e / pi_b over the positions that matter for each position.

    Args:
        target: (n, k) step-wise log-propensities of the target policy.
        logged: (n, k) those of the policy in force.
        relevant: (k, k) or (n, k, k) bool, whether the item of position j (last axis) matters for the reward of k.

    >>> target, logged = np.log([[1.0, 0.25]]), np.log([[0.5, 0.5]])
    >>> behaviour_weight(target, logged, [[True, True], [False, True]]).round(9).tolist()  # 2 * 1/2, then 1/2
    [[1.0, 0.5]]
    """
    target, logged = target_array(target), logged_array(logged)
    refuse_lengths(target=target, logged=logged)
    ratio = target - logged
    matters = _relevant(relevant, ratio.shape)
    log_weight: Floats = np.where(matters, ratio[:, None, :], 0.0).sum(axis=2)
    refuse_heavy(log_weight)
    return np.exp(log_weight)


def aips(reward: ArrayLike, target: ArrayLike, logged: ArrayLike, relevant: ArrayLike) -> Terms:
    """Adaptive importance sampling: (1/n) sum_i sum_k r_ik prod_{j in c_k(x_i)} rho_ij with step ratios rho.

    Unbiased if the reward of position k depends only on the items of the positions c_k(x), and either both policies
    draw every position on its own (with repeats), or every c_k(x) reaches from the top down to some position: all of
    them is `sips`, down to k is `rips`. Else, as c_k leaves out steps that the others depend on, the estimate is of a
    policy that takes these steps as the one in force did: its weights have mean 1, and the bias shrinks as the
    catalogue grows beyond the slate. For c_k = {k} without repeats `iips` is exact. `recsim.ope.behaviour` chooses
    c_k(x) from a log.

    Source: Kiyohara et al. 2023, "Off-policy evaluation of ranking policies under diverse user behavior".

    Args:
        reward: rewards.
        target: step-wise log-propensities of the target policy.
        logged: those of the policy in force.
        relevant: see `behaviour_weight`.

    >>> half = np.log([[0.5, 0.5], [0.5, 0.5]])
    >>> target = np.log([[1.0, 0.25], [0.25, 0.5]])  # ratios (2, 1/2) and (1/2, 1)
    >>> whole, alone = np.ones((2, 2), bool), np.eye(2, dtype=bool)
    >>> round(float(aips([[1, 0], [0, 1]], target, half, [whole, alone]).value[0]), 9)  # (2 * 1/2 * 1 + 1 * 1) / 2
    1.0
    """
    return weighed_positions(reward, behaviour_weight(target, logged, relevant))


def weighed_positions(reward: ArrayLike, weight: Floats) -> Terms:
    """(1/n) sum_i sum_k w_ik r_ik with `weight` (n, k)."""
    values = reward_array(reward)
    refuse_lengths(logged=weight, reward=values)
    return mean_terms(np.einsum("nk,nko->no", weight, values))


def _relevant(relevant: ArrayLike, shape: tuple[int, ...]) -> Booleans:
    matters = np.asarray(relevant)
    n, k = shape
    if matters.dtype != np.bool_ or matters.shape not in {(k, k), (n, k, k)}:
        raise ValueError(
            f"relevant holds {matters.dtype} of shape {matters.shape}; booleans of shape {(k, k)} or {(n, k, k)} are "
            "needed: whether the item of position j (last axis) matters for the reward of position k."
        )
    return matters
