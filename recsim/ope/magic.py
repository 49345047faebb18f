"""MAGIC: how far to trust the weights, and from which step on the model, chosen by the data for every objective.

g_j is the estimate that weights rewards for j + 1 steps and takes the model's word for what follows, j = -1 (the model
alone) to T - 1 (weighted doubly robust, all the way). Few steps mean bias, many mean noise; MAGIC takes the mixture of
them with the least estimated mean squared error.

The spread of the result over sessions says nothing of the model's own error. Where the blend leans on the model, an
interval of it is as little worth as one of the direct method; look at the blend, and at `wdr` beside it.

Source: Thomas and Brunskill 2016, "Data-efficient off-policy policy evaluation for reinforcement learning".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.sessions import wdr
from recsim.ope.terms import Terms

Floats = NDArray[np.float64]


def magic(
    reward: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    q_logged: ArrayLike,
    v_target: ArrayLike,
    *,
    session: ArrayLike,
    step: ArrayLike,
    gamma: float = 1.0,
    within: ArrayLike | None = None,
    level: float = 0.5,
) -> Terms:
    """The blend sum_j x_j g_j of partial weighted doubly robust estimates. Consistent wherever `wdr` is.

    Its groups are those of `recsim.ope.sessions.wdr`, group j multiplied by the share x_j + x_j+1 + ... of the blend
    that reaches it. The blend counts as given, so an interval does not contain the uncertainty of its choice.

    Args:
        reward: see `recsim.ope.sessions`, as all that follow.
        target: log-propensities of the target policy.
        logged: log-propensities of the policy in force.
        q_logged: model of the reward to go of what was shown.
        v_target: its expectation under the target policy.
        session: session numbers.
        step: steps from 0 up.
        gamma: discount per step.
        within: rewards weighted inside the slate.
        level: see `blend`.

    >>> target, logged = np.log([1.0, 0.25, 0.25]), np.log([0.5, 0.5, 0.5])
    >>> rows = {"session": [0, 0, 1], "step": [0, 1, 0]}
    >>> q, v = [1.0, 4.0, 3.0], [2.0, 4.0, 2.0]  # says each reward to the point, so all g_j are 2
    >>> terms = magic([1, 4, 3], target, logged, q, v, **rows, gamma=0.0)
    >>> round(float(terms.value[0]), 9)
    2.0
    """
    terms = wdr(reward, target, logged, q_logged, v_target, session=session, step=step, gamma=gamma, within=within)
    reached = np.cumsum(blend(terms, level)[::-1], axis=0)[::-1]  # (t + 1, o)
    return Terms(terms.numerator * reached, terms.denominator)


def blend(terms: Terms, level: float = 0.5) -> Floats:
    """(t + 1, o) the shares x of g_-1 ... g_T-1 that minimise x' (Omega + b b') x; not negative, summing to 1.

    Omega is the covariance of the g_j over sessions by the delta method (the paper leaves out that the sums of weights
    vary, too). b_j is the distance of g_j to an interval around g_T-1 that covers its expectation with probability
    `level`, by the normal approximation (the paper: by bootstrap). Among equally good blends one is taken; where the
    log has no weight left at some step, g_T-1 is undefined and so is the blend's value: x is g_T-1 alone.

    Args:
        terms: of `recsim.ope.sessions.wdr`, whose groups up to j sum to g_j; at least two rows.
        level: between 0 and 1; smaller ones trust the weights more.

    >>> noisy = np.array([[[0.0], [9.0]], [[0.0], [-9.0]], [[1.0], [3.0]], [[1.0], [-3.0]]])
    >>> blend(Terms(noisy, np.ones((4, 2)))).round(9).tolist()  # steps that only add noise get no share
    [[1.0], [0.0]]

    Raises:
        ValueError: if `level` is not between 0 and 1, or there are fewer than two rows.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; the interval around the weighted estimate has a level between 0 and 1.")
    if len(terms) < 2:
        raise ValueError(f"the log has {len(terms)} session; a covariance needs at least 2. Collect more sessions.")
    n_groups, n_objectives = terms.numerator.shape[1:]
    totals = terms.denominator.sum(axis=0)
    if (totals == 0).any():
        return np.repeat(np.eye(n_groups)[:, -1:], n_objectives, axis=1)
    parts = terms.numerator.sum(axis=0) / totals[:, None]  # (t + 1, o)
    spread = (terms.numerator - parts * terms.denominator[:, :, None]) / totals[:, None]  # delta method, per group
    partial, influence = np.cumsum(parts, axis=0), np.cumsum(spread, axis=1)
    return np.stack([_shares(partial[:, o], influence[:, :, o], level) for o in range(n_objectives)], axis=1)


def _shares(partial: Floats, influence: Floats, level: float) -> Floats:
    from scipy.optimize import nnls
    from scipy.special import ndtri

    n = len(influence)
    spread = influence * np.sqrt(n / (n - 1))
    half_width = ndtri(0.5 + level / 2) * np.sqrt(np.square(spread[:, -1]).sum())
    bias = np.sign(partial - partial[-1]) * np.maximum(np.abs(partial - partial[-1]) - half_width, 0.0)
    root = np.concatenate([spread, bias[None]])  # root' root = Omega + b b'
    scale = np.abs(root).max()
    if scale == 0.0:
        return np.full(len(partial), 1.0 / len(partial))
    # min |root x| on the simplex is min |root y|^2 + (1 - sum y)^2 over y >= 0, y = x / (1 + |root x|^2)
    triangle = np.linalg.qr(root / scale, mode="r")
    system = np.concatenate([triangle, np.ones((1, len(partial)))])
    shares, _ = nnls(system, np.append(np.zeros(len(triangle)), 1.0), maxiter=100 * len(partial))
    return np.asarray(shares / shares.sum())
