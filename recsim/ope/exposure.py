"""Estimators of the mean value of a slate that know which positions are looked at (position-based model).

The reward of item a at position k is its appeal times theta_k, the chance that the position is looked at, whatever
stands elsewhere. Then an item shown at the foot bears on a policy that shows it on top.

Shapes: `reward` (n, k) or (n, k, o). `target_position`, `logged_position` (n, k, k): log-probabilities that the logged
item of position i stands at position j (`Ranking.position_log_prob`), -inf for never. `examination` (k,): theta, up to
a factor. All return `Terms`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.checks import ROUNDING, logged_array, refuse_heavy, refuse_lengths, reward_array
from recsim.ope.positions import weighed_positions
from recsim.ope.slate import models_like
from recsim.ope.terms import Terms, mean_terms

Floats = NDArray[np.float64]


def exposure_weight(
    target_position: ArrayLike, logged_position: ArrayLike, examination: ArrayLike, window: int | None = None
) -> Floats:
    """(n, k) weights of `interpol`, and of `pbm` without a window: the exposure of each logged item, pi_e / pi_b.

    The exposure of item a is sum_j theta_j pi(a at j | x), over the positions j with |j - k| <= window.

    >>> target, logged = np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.full((1, 2, 2), 0.5)
    >>> with np.errstate(divide="ignore"):
    ...     exposure_weight(np.log(target), np.log(logged), [1.0, 0.5]).round(9).tolist()  # 1 / 0.75, 0.5 / 0.75
    [[1.333333333, 0.666666667]]
    """
    target, logged = position_array(target_position, "target"), position_array(logged_position, "logged")
    refuse_lengths(target_position=target, logged_position=logged)
    k = target.shape[1]
    logged_array(logged[:, range(k), range(k)], "logged position_log_prob on the diagonal")
    places, theta = np.arange(k), _examination(examination, k)
    near = np.abs(places[:, None] - places) <= _window(window, k)
    shown, offered = (np.einsum("nkj,kj->nk", np.exp(chance), near * theta) for chance in (target, logged))
    offered = np.maximum(offered, np.finfo(np.float64).tiny)  # a probability of e^-800 is 0 in floats
    with np.errstate(divide="ignore"):
        refuse_heavy(np.log(shown) - np.log(offered))
    weight: Floats = shown / offered
    return weight


def pbm(reward: ArrayLike, target_position: ArrayLike, logged_position: ArrayLike, examination: ArrayLike) -> Terms:
    """Position-based model: (1/n) sum_i sum_k r_ik E_e[theta of a_ik] / E_b[theta of a_ik], `exposure_weight`.

    An item shown at the foot bears on a policy that shows it on top: a policy that only reorders has small weights.
    Unbiased if the reward of item a at position k is theta_k times its appeal, whatever stands elsewhere, and theta is
    right.

    Source: Li et al. 2018; Joachims et al. 2017, "Unbiased learning-to-rank with biased feedback".

    >>> target, logged = np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.full((1, 2, 2), 0.5)
    >>> with np.errstate(divide="ignore"):
    ...     terms = pbm([[1, 1]], np.log(target), np.log(logged), [1.0, 0.5])
    >>> round(float(terms.value[0]), 9)  # 1 / 0.75 + 0.5 / 0.75
    2.0
    """
    return weighed_positions(reward, exposure_weight(target_position, logged_position, examination))


def interpol(
    reward: ArrayLike, target_position: ArrayLike, logged_position: ArrayLike, examination: ArrayLike, window: int
) -> Terms:
    """`pbm` with exposures summed over the positions no further than `window` from the logged one.

    A window of 0 is `iips`, one of k - 1 is `pbm`. In between it needs the position-based model only nearby, but as
    windows of neighbours overlap it is not exactly unbiased even if that model holds; its weights' mean is not 1.

    Source: Buchholz et al. 2022, "Off-policy evaluation for learning-to-rank via interpolating the item-position model
    and the position-based model".

    >>> target, logged = np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.full((1, 2, 2), 0.5)
    >>> with np.errstate(divide="ignore"):
    ...     terms = interpol([[1, 1]], np.log(target), np.log(logged), [1.0, 0.5], window=0)
    >>> round(float(terms.value[0]), 9)  # 1 / 0.5 + 1 / 0.5, as of iips
    4.0
    """
    return weighed_positions(reward, exposure_weight(target_position, logged_position, examination, window))


def pbm_dr(
    reward: ArrayLike,
    target_position: ArrayLike,
    logged_position: ArrayLike,
    examination: ArrayLike,
    model_logged: ArrayLike,
    model_target: ArrayLike,
) -> Terms:
    """Doubly robust `pbm`: (1/n) sum_i sum_k [q_k(x_i, pi_e) + (E_e[theta of a_ik] / E_b[..]) (r_ik - q_k(x_i, a_ik))].

    Unbiased if either the rewards follow the position-based model and the model q_k(x, a) = theta_k appeal(x, a) does,
    too, however wrong its appeal; or q is right. The first sum is over all that the target may show, not only over
    what was logged.

    Source: Oosterhuis 2023, "Doubly robust estimation for correcting position bias in click feedback for unbiased
    learning to rank".

    Args:
        reward: rewards.
        target_position: see `exposure_weight`.
        logged_position: see `exposure_weight`.
        examination: see `exposure_weight`.
        model_logged: like `reward`, the reward model at the logged items.
        model_target: like `reward`, its expectation under the target policy's slates.

    >>> target, logged = np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.full((1, 2, 2), 0.5)
    >>> with np.errstate(divide="ignore"):
    ...     terms = pbm_dr([[1, 1]], np.log(target), np.log(logged), [1.0, 0.5], [[0.4, 0.2]], [[0.4, 0.2]])
    >>> round(float(terms.value[0]), 9)  # 0.6 + 1 / 0.75 * 0.6 + 0.5 / 0.75 * 0.8
    1.933333333
    """
    values, weight = reward_array(reward), exposure_weight(target_position, logged_position, examination)
    refuse_lengths(logged_position=weight, reward=values)
    q_logged, q_target = models_like(values, model_logged=model_logged, model_target=model_target)
    return mean_terms(q_target.sum(axis=1) + np.einsum("nk,nko->no", weight, values - q_logged))


def position_array(log_prob: ArrayLike, whose: str) -> Floats:
    """Checked log-probabilities (n, k, k) that the item of position i stands at position j, of the policy `whose`.

    Raises:
        ValueError: if the shape is another, or a value is NaN or above 0.
    """
    values = np.asarray(log_prob, np.float64)
    name = f"{whose} position_log_prob"
    if values.ndim != 3 or values.shape[1] != values.shape[2] or not values.size:
        raise ValueError(
            f"{name} has shape {values.shape}; it must be (slates, positions, positions): the log-probability that the "
            "item of a position (second axis) stands at each position (last axis)."
        )
    wrong = ~(values <= ROUNDING)
    if wrong.any():
        row, item, position = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"row {row:,}, item of position {item}, position {position} of {name} is {values[row, item, position]:g}; "
            "logarithms of probabilities are at most 0, -inf for never. If these are probabilities, pass their "
            "logarithms."
        )
    return values


def _examination(examination: ArrayLike, k: int) -> Floats:
    theta = np.asarray(examination, np.float64)
    if theta.shape != (k,):
        raise ValueError(f"examination has shape {theta.shape}; a number for each of the {k} positions is needed.")
    wrong = ~((theta > 0) & np.isfinite(theta))
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(
            f"examination of position {place} is {theta[place]}; it is a chance above 0 that the position is looked "
            "at. Drop positions that nobody sees."
        )
    return theta


def _window(window: int | None, k: int) -> int:
    if window is None:
        return k
    if window < 0:
        raise ValueError(f"window is {window}; it is a number of positions from 0 up.")
    return window
