"""DualDICE with linear features: the weights of the target policy's visits, without any propensities.

Let mu(s, a) = sum_t gamma^t Pr_e(s_t = s, a_t = a) be the discounted visits of the target policy to a session, and
beta(s, a) the visits of the log (undiscounted, per session). Their ratio zeta = mu / beta is the saddle point of

    min_nu max_zeta  E[sum_t (nu_t - gamma nu'_t+1) zeta_t - zeta_t^2 / 2] - E[nu'_0]

over sessions of the log, where nu_t = nu(s_t, a_t), zeta_t alike, and nu'_t = E_e nu(s_t, .) over the target policy's
actions, 0 once a session has ended; nu and zeta are both linear in the caller's features phi. The solution is closed.
With C = E[sum_t phi phi'], M = E[sum_t phi (phi - gamma E_e phi_t+1)'] and b = E[E_e phi_0] it is
theta = (M' C^-1 M)^-1 b and zeta = phi' C^-1 M theta. The value is E[sum_t zeta r].

What is supported. Visits are not normalised by 1 - gamma, so that every gamma from 0 to 1 works, 1 included: sessions
end, and the end is an absorbing state that earns nothing. The next state, and whether there is one, may depend on what
the features tell of state and action alone. Where a horizon cuts sessions off, that includes the step: use `by_step`,
which gives every step features of its own, unless the features tell the step already. Sessions that went on after the
log was cut are not supported: their ends would count as leaving. Leave them out.

The target policy enters by what it would show, the logging policy not at all, so the log may come from unknown or mixed
policies. In return the estimate is as biased as the features are too few to express nu and zeta, which no interval
shows; and zeta may be negative where they are.

Source: Nachum, Chow, Dai and Li 2019, "DualDICE: behavior-agnostic estimation of discounted stationary distribution
corrections", with f(x) = x^2 / 2; regularisation of both players as in Yang et al. 2020, "Off-policy evaluation via the
regularized Lagrangian".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.fqe import state_actions
from recsim.ope.steps import Rows, Steps, discounts
from recsim.ope.terms import Terms, mean_terms

Floats = NDArray[np.float64]


def dice(reward: ArrayLike, ratio: ArrayLike, *, session: ArrayLike, step: ArrayLike) -> Terms:
    """The mean discounted return by visits: (1/n) sum_i sum_t zeta_it r_it, one row per session.

    The discount is part of `ratio`, which comes from `dice_ratio` and counts as given: an interval does not contain the
    uncertainty of its estimation.

    >>> terms = dice([1, 4, 2], [2.0, 0.5, 1.0], session=[0, 0, 1], step=[0, 1, 0])
    >>> round(float(terms.value[0]), 9)  # (2 * 1 + 0.5 * 4 + 1 * 2) / 2
    3.0
    """
    steps = Steps.of(session, step)
    weight = steps.values(ratio, "ratio")
    if weight.shape[1] != 1:
        raise ValueError(
            f"ratio has shape {weight.shape}; it must be one number per row. Pass what dice_ratio returns."
        )
    return mean_terms(steps.table(weight * steps.values(reward, "reward")).sum(axis=1))


def dice_ratio(
    features: ArrayLike,
    target_features: ArrayLike,
    *,
    session: ArrayLike,
    step: ArrayLike,
    gamma: float = 1.0,
    target_probability: ArrayLike | None = None,
    by_step: bool = False,
    regularization: float = 1e-6,
    n_folds: int = 1,
) -> Floats:
    """(n,) zeta of every row: discounted visits of the target policy per visit of the log.

    Args:
        features: (n, f) of each row's state and of what was shown there; let one of them be constant, or one-hot.
        target_features: (n, d, f) of the same state and d actions of the target policy: draws, or all its actions
            with `target_probability`.
        session: (n,) session numbers.
        step: (n,) steps from 0 up.
        gamma: discount per step.
        target_probability: (n, d) of the actions in `target_features`, rows summing to 1; None for draws.
        by_step: features of their own for every step, f times as many as steps; needed where a horizon ends sessions.
        regularization: above 0; the share of the mean diagonal that is added to that of C and of M' C^-1 M. More of it
            gives less noise and ratios nearer to 0.
        n_folds: 1 fits and scores on all sessions, which has the least error while features are few: what a cell was
            visited too often cancels out. From 2 up, every session's ratios come from the other folds.

    >>> rows = {"session": [0, 1, 2, 3], "step": [0, 0, 0, 0]}
    >>> shown = [[1, 0], [1, 0], [1, 0], [0, 1]]  # 3/4 and 1/4; the target policy: half and half
    >>> both = [[[1, 0], [0, 1]]] * 4
    >>> dice_ratio(shown, both, **rows).round(4).tolist()  # 1/2 over 3/4, 1/2 over 1/4
    [0.6667, 0.6667, 0.6667, 2.0]

    Raises:
        TypeError: if a column holds no numbers.
        ValueError: if shapes do not agree, values are not finite, a setting is out of range, or there are fewer
            sessions than folds.
    """
    if not regularization > 0.0:
        raise ValueError(f"regularization is {regularization}; it must be above 0, for the equations may be singular.")
    steps = Steps.of(session, step)
    design, ahead, chance = state_actions(steps, features, target_features, target_probability)
    discounts(gamma, 1)
    expected = np.einsum("ndf,nd->nf", ahead, chance)
    system = _System(steps, design, expected, float(gamma), by_step, regularization)
    out = np.empty(len(steps))
    for train, scored in steps.splits(n_folds):
        out[scored] = system.ratio(train)[scored]
    return out


class _System:
    """The equations of a log; features stand in blocks, one for all steps or one for each."""

    def __init__(
        self, steps: Steps, design: Floats, expected: Floats, gamma: float, by_step: bool, regularization: float
    ) -> None:
        self.steps, self.design, self.expected = steps, design, expected
        self.gamma, self.regularization = gamma, regularization
        self.n_blocks = steps.shape[1] if by_step else 1

    def ratio(self, train: Rows) -> Floats:
        """(n,) zeta of all rows, from the sessions of the rows in `train`."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):  # more threads move the last digits
            eta = _saddle_point(*self._moments(train), self.regularization).reshape(self.n_blocks, -1)
        block = np.minimum(self.steps.step, self.n_blocks - 1)
        values: Floats = np.einsum("nf,nf->n", self.design, eta[block])
        return values

    def _moments(self, train: Rows) -> tuple[Floats, Floats, Floats]:
        n_features, order = self.design.shape[1], self.steps.order
        covariance = np.zeros((self.n_blocks * n_features,) * 2)
        flow = np.zeros_like(covariance)
        following = self.steps.following
        ahead = np.where((following >= 0)[:, None], self.expected[following], 0.0)
        for number in range(self.steps.shape[1]):
            rows = order[(self.steps.step[order] == number) & train[order]]
            here, after = self._block(number, n_features), self._block(number + 1, n_features)
            squares = self.design[rows].T @ self.design[rows]
            covariance[here, here] += squares
            flow[here, here] += squares
            flow[here, after] -= self.gamma * self.design[rows].T @ ahead[rows]
        first = order[(self.steps.step[order] == 0) & train[order]]
        start = np.zeros(len(covariance))
        start[:n_features] = self.expected[first].sum(axis=0)
        return covariance / len(first), flow / len(first), start / len(first)

    def _block(self, number: int, n_features: int) -> slice:
        place = min(number, self.n_blocks - 1)
        return slice(place * n_features, (place + 1) * n_features)


def _saddle_point(covariance: Floats, flow: Floats, start: Floats, regularization: float) -> Floats:
    inner = np.linalg.solve(_ridged(covariance, regularization), flow)  # C^-1 M
    theta = np.linalg.solve(_ridged(flow.T @ inner, regularization), start)
    eta: Floats = inner @ theta
    return eta


def _ridged(matrix: Floats, regularization: float) -> Floats:
    size = float(np.trace(matrix)) / len(matrix)
    if not size > 0.0:
        raise ValueError(
            "the features of what was shown, or what flows out of them, are 0 everywhere, so the equations have no "
            "solution. Use features that tell where sessions end, or a gamma below 1."
        )
    out: Floats = matrix + regularization * size * np.eye(len(matrix))
    return out
