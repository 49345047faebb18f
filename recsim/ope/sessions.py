"""Estimators of the mean discounted return of a session, as pure functions of plain arrays, for every objective.

A session i of n is a sequence of slates (or single actions) of any length. Step t earns r_it and was logged with
rho_it = pi_e / pi_b, the ratio of the probabilities of all that was shown there; w_it = rho_i0 ... rho_it, and
w_i,-1 = 1. A session that ended stays ended: it earns nothing more and keeps its weight, so that w_it averages to 1 at
every step however the lengths differ. All of them need the exact propensities of the policy that was in force, and
that it could show whatever the target shows.

Slates inside sessions. Later states may depend on the whole slate, so earlier steps are always weighted by whole
slates, w_i,t-1. The reward of step t itself may be weighted by any slate estimator instead of rho_it r_it: pass that as
`within`, which then counts as gamma^t w_i,t-1 within_it. If `within_it` has the mean that the target's slate would have
earned in the state at hand, the sum stays unbiased, because w_i,t-1 makes the states those of the target. So the
assumption needed is that of the slate estimator, on immediate rewards alone: for RIPS (sum_k w_k r_k) no position's
reward depends on items below it; for IIPS on no other item; for PI (G R) it is additive over (position, item). None of
them is needed of how states move on.

Shapes: one row per step, in any order. `session`, `step` (rows,) whole numbers, steps from 0 up without gaps; `reward`,
    `within`, `q_logged`, `v_target` (rows,) or (rows, o); `target`, `logged` (rows,) log-propensities of all that was
    shown at the row (add up the positions of a slate; -inf in `target`: never); `gamma` from 0 to 1. `q_logged` is a
    model of the reward still to come, discounted from the row on, given what was shown there; `v_target` is its
    expectation over what the target policy would show there (`recsim.ope.fqe` fits both). All return `Terms` with one
    row per session, in the order of session numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.steps import Steps, carried, discounts
from recsim.ope.terms import Terms, mean_terms

Floats = NDArray[np.float64]


def carried_weight(target: ArrayLike, logged: ArrayLike, *, session: ArrayLike, step: ArrayLike) -> Floats:
    """(n, t) w_it, which `pdis`, `wpdis`, `dr` and `wdr` use; `tis` and `wis` use the last column alone.

    >>> quarter = np.log([0.25, 0.25, 0.25])
    >>> half = np.log([0.5, 0.5, 0.5])
    >>> carried_weight(half, quarter, session=[0, 0, 1], step=[0, 1, 0]).round(9).tolist()  # 1 keeps its 2
    [[2.0, 4.0], [2.0, 2.0]]
    """
    steps = Steps.of(session, step)
    return carried(steps, steps.log_ratio(target, logged))


def tis(
    reward: ArrayLike, target: ArrayLike, logged: ArrayLike, *, session: ArrayLike, step: ArrayLike, gamma: float = 1.0
) -> Terms:
    """Trajectory-wise importance sampling: (1/n) sum_i w_iT sum_t gamma^t r_it, T the session's last step. Unbiased.

    Source: Precup, Sutton and Singh 2000, "Eligibility traces for off-policy policy evaluation".

    >>> target, logged = np.log([1.0, 0.25, 0.25]), np.log([0.5, 0.5, 0.5])  # rho = 2, 1/2 and 1/2
    >>> terms = tis([1, 4, 3], target, logged, session=[0, 0, 1], step=[0, 1, 0], gamma=0.5)
    >>> round(float(terms.value[0]), 9)  # [2 * 1/2 * (1 + 0.5 * 4) + 1/2 * 3] / 2
    2.25
    """
    log = _Logged.of(reward, target, logged, session, step, gamma)
    return mean_terms(log.weight[:, -1:] * log.reward.sum(axis=1))


def wis(
    reward: ArrayLike, target: ArrayLike, logged: ArrayLike, *, session: ArrayLike, step: ArrayLike, gamma: float = 1.0
) -> Terms:
    """Self-normalised `tis`: the weights divided by their sum instead of n. Consistent, biased by O(1/n).

    Source: Precup, Sutton and Singh 2000.

    >>> target, logged = np.log([1.0, 0.25, 0.25]), np.log([0.5, 0.5, 0.5])
    >>> terms = wis([1, 4, 3], target, logged, session=[0, 0, 1], step=[0, 1, 0], gamma=0.5)
    >>> round(float(terms.value[0]), 9)  # [1 * (1 + 0.5 * 4) + 1/2 * 3] / (1 + 1/2)
    3.0
    """
    log = _Logged.of(reward, target, logged, session, step, gamma)
    whole = log.weight[:, -1:]
    return Terms((whole * log.reward.sum(axis=1))[:, None, :], whole)


def pdis(
    reward: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    *,
    session: ArrayLike,
    step: ArrayLike,
    gamma: float = 1.0,
    within: ArrayLike | None = None,
) -> Terms:
    """Per-decision importance sampling: (1/n) sum_i sum_t gamma^t w_it r_it. Unbiased, and lighter than `tis`.

    With `within` (see the module) it is (1/n) sum_i sum_t gamma^t w_i,t-1 within_it.

    Source: Precup, Sutton and Singh 2000.

    >>> target, logged = np.log([1.0, 0.25, 0.25]), np.log([0.5, 0.5, 0.5])
    >>> terms = pdis([1, 4, 3], target, logged, session=[0, 0, 1], step=[0, 1, 0], gamma=0.5)
    >>> round(float(terms.value[0]), 9)  # [2 * 1 + 0.5 * 1 * 4 + 1/2 * 3] / 2
    2.75
    """
    log = _Logged.of(reward, target, logged, session, step, gamma, within)
    return mean_terms(log.earned.sum(axis=1))


def wpdis(
    reward: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    *,
    session: ArrayLike,
    step: ArrayLike,
    gamma: float = 1.0,
    within: ArrayLike | None = None,
) -> Terms:
    """Self-normalised `pdis`: sum_t gamma^t [sum_i w_it r_it / sum_i w_it]. Consistent, biased by O(1/n).

    The sums run over all sessions, those that ended included. With `within` they are sum_i w_i,t-1 within_it /
    sum_i w_i,t-1: what comes before a step is normalised, the slate at the step is left to its own estimator.

    Source: Precup, Sutton and Singh 2000; Thomas 2015, "Safe reinforcement learning", for weights normalised by step.

    >>> target, logged = np.log([1.0, 0.25, 0.25]), np.log([0.5, 0.5, 0.5])
    >>> terms = wpdis([1, 4, 3], target, logged, session=[0, 0, 1], step=[0, 1, 0], gamma=0.5)
    >>> round(float(terms.value[0]), 9)  # (2 * 1 + 1/2 * 3) / (2 + 1/2) + 0.5 * (1 * 4 + 1/2 * 0) / (1 + 1/2)
    2.733333333
    """
    log = _Logged.of(reward, target, logged, session, step, gamma, within)
    return Terms(log.earned, log.weight if within is None else log.before)


def dm(v_target: ArrayLike, *, session: ArrayLike, step: ArrayLike) -> Terms:
    """Direct method: the mean of V at the first step of every session. As biased as the model it comes from.

    Source: Le, Voloshin and Yue 2019, "Batch policy learning under constraints" (with fitted Q evaluation).

    >>> round(float(dm([5.0, 1.0, 2.0], session=[0, 0, 1], step=[0, 1, 0]).value[0]), 9)  # (5 + 2) / 2
    3.5
    """
    steps = Steps.of(session, step)
    return mean_terms(steps.table(steps.values(v_target, "v_target"))[:, 0])


def dr(
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
) -> Terms:
    """Doubly robust: (1/n) sum_i sum_t gamma^t [w_it (r_it - Q_it) + w_i,t-1 V_it].

    Unbiased if the propensities are exact and the model was not fitted on the sessions it scores, however wrong it is.
    With `within`, w_it r_it becomes w_i,t-1 within_it; Q keeps its whole-slate weight, because the reward to go depends
    on the whole slate.

    Source: Jiang and Li 2016, "Doubly robust off-policy value evaluation for reinforcement learning".

    >>> target, logged = np.log([1.0, 0.25, 0.25]), np.log([0.5, 0.5, 0.5])
    >>> q, v = [2.0, 3.0, 2.0], [2.5, 1.5, 2.5]
    >>> terms = dr([1, 4, 3], target, logged, q, v, session=[0, 0, 1], step=[0, 1, 0], gamma=0.5)
    >>> round(float(terms.value[0]), 9)  # [2 * (1 - 2) + 2.5 + 0.5 * (1 * (4 - 3) + 2 * 1.5) + 1/2 * (3 - 2) + 2.5] / 2
    2.75
    """
    log = _Logged.of(reward, target, logged, session, step, gamma, within)
    q, v = log.models(q_logged, v_target)
    return mean_terms((log.earned - log.weight[:, :, None] * q + log.before[:, :, None] * v).sum(axis=1))


def wdr(
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
) -> Terms:
    """Weighted doubly robust: `dr` with w_it / sum_j w_jt in place of w_it / n at every step. Consistent.

    The groups of the result are g = -1, 0, ..., T - 1: group -1 holds V_i0, group t what has the weights w_it, namely
    gamma^t (r_it - Q_it) + gamma^(t+1) V_i,t+1. The sum of the groups up to j is the estimate that trusts the weights
    for j + 1 steps and the model from there on, which `recsim.ope.magic` blends. With `within`, group t holds
    gamma^(t+1) within_i,t+1 in place of gamma^t r_it.

    Source: Thomas and Brunskill 2016, "Data-efficient off-policy policy evaluation for reinforcement learning".

    >>> target, logged = np.log([1.0, 0.25, 0.25]), np.log([0.5, 0.5, 0.5])
    >>> q, v = [2.0, 3.0, 2.0], [2.5, 1.5, 2.5]
    >>> terms = wdr([1, 4, 3], target, logged, q, v, session=[0, 0, 1], step=[0, 1, 0], gamma=0.5)
    >>> round(float(terms.value[0]), 9)  # 2.5 + [2 * (1 - 2 + 0.75) + 1/2 * (3 - 2)] / (2 + 1/2) + 0.5 * 1 / (1 + 1/2)
    2.833333333
    """
    log = _Logged.of(reward, target, logged, session, step, gamma, within)
    q, v = log.models(q_logged, v_target)
    first, n_steps = (log.earned if within is not None else np.zeros_like(log.earned)), log.earned.shape[1]
    numerator = np.zeros((len(q), n_steps + 1, q.shape[2]))
    numerator[:, :-1] += log.before[:, :, None] * v + first
    numerator[:, 1:] += (log.earned - first) - log.weight[:, :, None] * q
    return Terms(numerator, np.concatenate([log.before[:, :1], log.weight], axis=1))


@dataclass(frozen=True, eq=False)
class _Logged:
    """A log laid out by session and step; `reward` and `earned` are discounted, 0 after the end.

    Attributes:
        steps: which row is which.
        discount: (t,) gamma^t.
        reward: (n, t, o) gamma^t r_it.
        weight: (n, t) w_it.
        before: (n, t) w_i,t-1.
        earned: (n, t, o) gamma^t w_it r_it, or gamma^t w_i,t-1 within_it.
    """

    steps: Steps
    discount: Floats
    reward: Floats
    weight: Floats
    before: Floats
    earned: Floats

    @classmethod
    def of(
        cls,
        reward: ArrayLike,
        target: ArrayLike,
        logged: ArrayLike,
        session: ArrayLike,
        step: ArrayLike,
        gamma: float,
        within: ArrayLike | None = None,
    ) -> _Logged:
        steps = Steps.of(session, step)
        discount = discounts(gamma, steps.shape[1])
        values = steps.values(reward, "reward")
        paid = discount[None, :, None] * steps.table(values)
        weight = carried(steps, steps.log_ratio(target, logged))
        before = np.concatenate([np.ones((len(weight), 1)), weight[:, :-1]], axis=1)
        if within is None:
            return cls(steps, discount, paid, weight, before, weight[:, :, None] * paid)
        inner = steps.like(within, "within", values)
        earned = discount[None, :, None] * before[:, :, None] * steps.table(inner)
        return cls(steps, discount, paid, weight, before, earned)

    def models(self, q_logged: ArrayLike, v_target: ArrayLike) -> list[Floats]:
        """(n, t, o) gamma^t Q_it and gamma^t V_it."""
        named = (q_logged, "q_logged"), (v_target, "v_target")
        return [
            self.discount[None, :, None] * self.steps.table(self.steps.like(values, name, self.reward))
            for values, name in named
        ]
