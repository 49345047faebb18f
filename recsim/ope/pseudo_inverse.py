"""Pseudo-inverse estimators: the value of a whole slate, if it is a sum of what each item adds at its position.

Notation: the vector 1_s (k m,) tells which item stands at which position of slate s; q = E_e[1_s | x] of the target
policy and Gamma = E_b[1_s 1_s' | x] of the policy in force. If E[R | x, s] = phi_x' 1_s with any phi_x, known or not,
then G = q' Gamma^+ 1_s is an unbiased weight for the slate's reward R, as E_b[G R] = q' Gamma^+ Gamma phi_x = q' phi_x
for every q that the log supports. Only the sum over the slate needs to be recorded. If users are not additive (an item
takes from its neighbours), it is biased, which no number in the log shows.

Gamma is that of the policy in force, and G is known

- `product_weight`: where both policies draw each position on its own, with repeats: G = 1 - K + sum_k w_k;
- `uniform_weight`: where the policy in force shows every slate without repeats alike, whatever the target is;
- `enumerated_weight`: where all slates can be listed, for any two policies.

For a ranker without repeats that is not uniform over a large catalogue, Gamma has (k m)^2 entries per context, each an
integral over two times of arrival; nothing here does that. `product_weight` of marginal log-probabilities is then an
approximation: its mean is exactly 1, and it ignores only that no item can stand twice. Its bias, which for additive
rewards was 1.9 % of the value for slates of 2 of 4 items, 1.1 % of 10 and 0.2 % of 40 (Plackett-Luce with normal
logits, 0.5 wide in force and 0.7 away for the target; a test repeats this), falls with the share of the catalogue that
a slate shows.

Shapes: `reward` (n, k) or (n, k, o), summed over positions, so that (n, 1) and (n, 1, o) are rewards of whole slates;
`weight` (n,) of one of these functions. Weights may be negative. All estimators return `Terms`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.checks import reward_array
from recsim.ope.exposure import position_array
from recsim.ope.positions import position_weight
from recsim.ope.terms import Terms, mean_terms

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SUPPORTED = 1e-8  # how far q may be from what Gamma reaches, by rounding
_SMALL = 1e-10  # eigenvalues of Gamma below this share of the largest are 0


def product_weight(target: ArrayLike, logged: ArrayLike) -> Floats:
    """(n,) G = 1 - K + sum_k w_k, for policies that draw every position on its own.

    Source: Swaminathan et al. 2017, "Off-policy evaluation for slate recommendation" (product policies).

    Args:
        target: (n, k) log-probabilities of the target policy for the logged item at each position.
        logged: (n, k) those of the policy in force.

    >>> product_weight(np.log([[1.0, 0.25]]), np.log([[0.5, 0.5]])).round(9).tolist()  # 1 - 2 + 2 + 0.5
    [1.5]
    """
    weight = position_weight(target, logged)
    total: Floats = 1.0 - weight.shape[1] + weight.sum(axis=1)
    return total


def uniform_weight(target_position: ArrayLike, n_items: int) -> Floats:
    """(n,) G where the policy in force showed all slates of k different items out of `n_items` alike.

    With Q_a = sum_j q_ja, the chance that the target shows item a at all, A = (sum_{a in s} Q_a - k^2/m) / k and
    D = sum_j q_j,s_j - k/m - A, it is G = 1 + A m (m-1) / (m-k) + D (m-1), without the second term if k = m: Gamma has
    the eigenvalues k/m, (m-k) / (m (m-1)) and 1 / (m-1), where vectors (position, item) are equal in both, in the
    position alone, and in neither.

    Source: Swaminathan et al. 2017, uniform logging over rankings; the form here follows from the eigenvalues.

    Args:
        target_position: (n, k, k), the log-probability under the target that the logged item of position i stands at
            position j (`Ranking.position_log_prob`).
        n_items: m, of which the policy in force chose.

    Raises:
        ValueError: if there are fewer items than positions, or a log-probability is none.

    >>> with np.errstate(divide="ignore"):  # of 3 items the target shows 0 above 1, as logged
    ...     uniform_weight(np.log([[[1.0, 0.0], [0.0, 1.0]]]), 3).round(9).tolist()  # A = 1/3, D = 1
    [5.0]
    """
    chance = np.exp(position_array(target_position, "target"))
    k, m = chance.shape[1], n_items
    if m < k:
        raise ValueError(f"n_items is {m} for slates of {k} different items; at least {k} are needed.")
    shown = (chance.sum(axis=(1, 2)) - k * k / m) / k
    placed = np.einsum("nkk->n", chance) - k / m - shown
    weight: Floats = 1.0 + placed * (m - 1)
    if m > k:
        weight += shown * (m * (m - 1) / (m - k))
    return weight


def enumerated_weight(
    slates: ArrayLike, target_chance: ArrayLike, logged_chance: ArrayLike, shown: ArrayLike, context: ArrayLike
) -> Floats:
    """(n,) G by the definition, where all slates can be listed.

    Args:
        slates: (s, k) int64, every slate that either policy shows.
        target_chance: (c, s) probabilities of the target policy in each of c contexts.
        logged_chance: (c, s) those of the policy in force.
        shown: (n,) int64, the number of the slate that each row shows.
        context: (n,) int64, the number of its context.

    Raises:
        ValueError: if probabilities do not add up to 1, a logged slate had probability 0, or the target shows items at
            positions where the policy in force cannot tell what they are worth.

    >>> slates, half = [[0, 1], [1, 0]], [[0.5, 0.5]]  # Gamma has rank 2: the weights are those of whole slates
    >>> enumerated_weight(slates, [[0.25, 0.75]], half, [0, 1], [0, 0]).round(9).tolist()
    [0.5, 1.5]
    """
    listed, shown, context = (np.asarray(values, np.int64) for values in (slates, shown, context))
    target, logged = (
        _chances(values, name, len(listed))
        for values, name in ((target_chance, "target_chance"), (logged_chance, "logged_chance"))
    )
    if target.shape != logged.shape:
        raise ValueError(f"target_chance has shape {target.shape} but logged_chance has shape {logged.shape}.")
    missing = logged[context, shown] <= 0
    if missing.any():
        row = int(missing.argmax())
        raise ValueError(
            f"row {row:,} shows slate {shown[row]}, whose logged_chance in context {context[row]} is 0; a logged slate "
            "cannot have had probability 0. Drop the row or pass the probabilities that were in force."
        )
    places = _indicators(listed)
    weight = np.empty(len(shown))
    for number in np.unique(context):
        rows = context == number
        weight[rows] = _weight_of_slates(places, target[number], logged[number], int(number))[shown[rows]]
    return weight


def pi(reward: ArrayLike, weight: ArrayLike) -> Terms:
    """Pseudo-inverse estimator: (1/n) sum_i G_i R_i.

    Source: Swaminathan et al. 2017, "Off-policy evaluation for slate recommendation".

    >>> float(pi([[1, 0], [1, 1]], [1.5, 0.5]).value[0])  # (1.5 * 1 + 0.5 * 2) / 2
    1.25
    """
    total, weights = _reward_and_weight(reward, weight)
    return mean_terms(weights[:, None] * total)


def wpi(reward: ArrayLike, weight: ArrayLike) -> Terms:
    """Self-normalised `pi`: sum_i G_i R_i / sum_i G_i. Consistent where `pi` is, biased by O(1/n).

    Source: Swaminathan et al. 2017 (there "wPI").

    >>> float(wpi([[1, 0], [1, 1]], [1.5, 0.25]).value[0])  # (1.5 * 1 + 0.25 * 2) / (1.5 + 0.25)
    1.1428571428571428
    """
    total, weights = _reward_and_weight(reward, weight)
    return Terms((weights[:, None] * total)[:, None, :], weights[:, None])


def pi_with_variate(reward: ArrayLike, weight: ArrayLike, position_weights: ArrayLike | None = None) -> Terms:
    """`pi` less what chance made of the mean weight: mean(G R) - beta mean(G - 1), for every objective its own beta.

    beta = sum_i G_i R_i (G_i - 1) / sum_i (G_i - 1)^2 where only weights are given. With the `position_weights` Y of
    product policies the denominator is sum_i sum_k (Y_ik - 1)^2, of the same expectation at less noise. Estimating beta
    from the log costs a bias of O(1/n), which the terms, that take it as given, do not show.

    Source: Vlassis et al. 2021, "Control variates for slate off-policy evaluation" (there PICVs).

    >>> float(pi_with_variate([[1, 0], [1, 1]], [1.5, 0.5]).value[0])  # beta = (0.75 - 0.5) / 0.5, mean weight 1
    1.25
    """
    total, weights = _reward_and_weight(reward, weight)
    variate = weights[:, None] - 1.0  # (n, 1)
    spread = variate if position_weights is None else _variates(position_weights, len(weights))
    return mean_terms(_corrected(weights[:, None] * total, variate, np.square(spread).sum()))


def pi_with_variates(reward: ArrayLike, weight: ArrayLike, position_weights: ArrayLike) -> Terms:
    """`pi` with a control variate per position: mean(G R) - sum_k beta_k mean(Y_k - 1).

    beta_k = sum_i G_i R_i (Y_ik - 1) / sum_i (Y_ik - 1)^2: best where the variates are not correlated, as with policies
    that draw every position on its own.

    Source: Vlassis et al. 2021, "Control variates for slate off-policy evaluation" (there PICVm).

    Args:
        reward: rewards.
        weight: (n,) G.
        position_weights: (n, k) Y, weights with mean 1 of each position (`position_weight`).

    >>> weights = [[2.0, 0.5], [0.5, 0.5]]  # G = (1.5, 0); beta_1 = 1.5 * 1 / 1.25, beta_2 = -1.5 * 0.5 / 0.5
    >>> round(float(pi_with_variates([[1, 0], [1, 1]], [1.5, 0.0], weights).value[0]), 9)  # 0.75 - 1.2 / 4 - 1.5 / 2
    -0.3
    """
    total, weights = _reward_and_weight(reward, weight)
    variates = _variates(position_weights, len(weights))
    return mean_terms(_corrected(weights[:, None] * total, variates, np.square(variates).sum(axis=0)))


def _corrected(earned: Floats, variates: Floats, spread: Floats) -> Floats:
    """`earned` (n, o) less each variate (n, v) times its beta; a variate without `spread` corrects nothing."""
    covered = np.einsum("no,nv->vo", earned, variates)
    spread = np.broadcast_to(spread, variates.shape[1:])[:, None]
    beta = np.where(spread > 0, covered / np.where(spread > 0, spread, 1.0), 0.0)
    corrected: Floats = earned - np.einsum("nv,vo->no", variates, beta)
    return corrected


def _reward_and_weight(reward: ArrayLike, weight: ArrayLike) -> tuple[Floats, Floats]:
    values, weights = reward_array(reward), np.asarray(weight, np.float64)
    if weights.shape != (len(values),):
        raise ValueError(f"weight has shape {weights.shape}; {(len(values),)} is needed: a number for every slate.")
    _refuse_infinite(weights, "weight")
    return values.sum(axis=1), weights


def _variates(position_weights: ArrayLike, n: int) -> Floats:
    weights = np.asarray(position_weights, np.float64)
    if weights.ndim != 2 or len(weights) != n:
        raise ValueError(f"position_weights have shape {weights.shape}; ({n}, k) is needed: a row for every slate.")
    _refuse_infinite(weights, "position_weights")
    return weights - 1.0


def _refuse_infinite(values: Floats, name: str) -> None:
    if not np.isfinite(values).all():
        place = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"row {place[0]:,} of {name} is {values[tuple(place)]}; weights are finite. Drop the slate or check its "
            "log-propensities."
        )


def _indicators(slates: Integers) -> Floats:
    """(s, k m) the vectors 1_s."""
    n_items = int(slates.max()) + 1
    places: Floats = np.eye(n_items)[slates].reshape(len(slates), -1)
    return places


def _weight_of_slates(places: Floats, target: Floats, logged: Floats, context: int) -> Floats:
    """(s,) G of every slate in one context."""
    gamma = (places * logged[:, None]).T @ places
    inverse = np.linalg.pinv(gamma, rcond=_SMALL, hermitian=True)
    q = target @ places
    if np.abs(gamma @ (inverse @ q) - q).max() > _SUPPORTED:
        raise ValueError(
            f"in context {context} the target policy shows items at positions where the slates of the policy in force "
            "do not tell what they add. The pseudo-inverse estimators cannot judge it on this log."
        )
    weight: Floats = places @ (inverse @ q)
    return weight


def _chances(values: ArrayLike, name: str, n_slates: int) -> Floats:
    chance = np.asarray(values, np.float64)
    if chance.ndim != 2 or chance.shape[1] != n_slates:
        raise ValueError(f"{name} has shape {chance.shape}; (contexts, {n_slates}) is needed: one column per slate.")
    wrong = ~((chance >= 0).all(axis=1) & (np.abs(chance.sum(axis=1) - 1.0) <= _SUPPORTED))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{name} of context {row} adds up to {chance[row].sum():g}, its least value being {chance[row].min():g}; "
            "probabilities are at least 0 and add up to 1 over all slates. List every slate that the policy shows."
        )
    return chance
