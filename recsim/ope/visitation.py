"""Marginalised importance sampling: weights for where a policy gets to, instead of for the whole way there.

The weight of a row is d^e_t(s) / d^b_t(s) times rho: how much more often the target policy is in state s at step t than
the policy in force, and the ratio of the action taken there. Unlike w_0:t it does not grow without bound as sessions
get longer, for it forgets the way; in return, the state must tell all that the next state and the rewards depend on. If
it does not, the estimates are biased by as much as is missing, which no interval shows.

Source: Xie, Ma and Wang 2019, "Towards optimal off-policy evaluation for reinforcement learning with marginalized
importance sampling"; Kallus and Uehara 2020, "Double reinforcement learning for efficient off-policy
evaluation in Markov decision processes".

Shapes: as in `recsim.ope.sessions`; `ratio` (rows,) is `visit_ratio(...).ratio`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.checks import LARGEST_LOG_WEIGHT
from recsim.ope.steps import Rows, Steps, discounts
from recsim.ope.terms import Terms, mean_terms, sum_by
from recsim.streams import sub_seed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


HEAVY = float(np.exp(LARGEST_LOG_WEIGHT))


@dataclass(frozen=True, eq=False)
class Visits:
    """How much more often the target policy comes to the states of a log, step by step.

    Attributes:
        ratio: (n,) d^e_t(s) / d^b_t(s) of each row's state and step.
        unseen: (n,) bool, rows whose state no session that the ratio is estimated from was in at that step; their
            ratio is 0, so their rewards are left out.
        state: (n,) int64, the state that each row counts as; with folds, labels of one fold mean nothing in another.
    """

    ratio: Floats
    unseen: Rows
    state: Integers


def visit_ratio(
    state: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    *,
    session: ArrayLike,
    step: ArrayLike,
    n_clusters: int | None = None,
    n_folds: int = 1,
    seed: int = 0,
) -> Visits:
    """State-visitation ratios, estimated forwards: d^e_t(s') = (1/n) sum_i ratio(s_i,t-1) rho_i,t-1 1{s_it = s'}.

    Args:
        state: (n,) whole numbers, states that are alike sharing one; or (n, d) features, which are scaled to unit
            variance and put in `n_clusters` clusters by k-means. Rows of one cluster then count as one state.
        target: log-propensities of the target policy.
        logged: log-propensities of the policy in force.
        session: session numbers.
        step: steps from 0 up.
        n_clusters: for features; clusters are found in the rows that the ratio is estimated from.
        n_folds: 1 estimates from all sessions, as Xie, Ma and Wang do for `mis`, where it has the least noise. From 2
            up each session's ratios come from the other folds, which `drl` needs for its guarantee.
        seed: of k-means.

    >>> rows = {"session": [0, 0, 1, 1], "step": [0, 1, 0, 1]}
    >>> target, logged = np.log([0.8, 0.5, 0.2, 0.5]), np.log([0.5, 0.5, 0.5, 0.5])
    >>> visit_ratio([0, 1, 0, 2], target, logged, **rows).ratio.round(9).tolist()  # 0.8 / 0.5 and 0.2 / 0.5 move on
    [1.0, 1.6, 1.0, 0.4]

    Raises:
        TypeError: if states are no numbers, or numbers with a fraction without `n_clusters`.
        ValueError: if a shape or value cannot be, or there are too few sessions for folds or states for clusters.
    """
    steps = Steps.of(session, step)
    rho = np.exp(steps.log_ratio(target, logged))
    features = _states(steps, state, n_clusters)
    ratio, unseen, label = np.empty(len(steps)), np.empty(len(steps), bool), np.empty(len(steps), np.int64)
    for number, (train, scored) in enumerate(steps.splits(n_folds)):
        found = _labels(features, train, steps, n_clusters, sub_seed(seed, f"state clusters, fold {number}"))
        ratios, missing = _forwards(steps, found, rho, train)
        ratio[scored], unseen[scored], label[scored] = ratios[scored], missing[scored], found[scored]
    return Visits(ratio, unseen, label)


def marginal_weight(
    ratio: ArrayLike, target: ArrayLike, logged: ArrayLike, *, session: ArrayLike, step: ArrayLike
) -> Floats:
    """(s, t) the weights of `mis` and `drl`, ratio times rho; a session that ended keeps its last, as it stays ended.

    >>> target, logged = np.log([0.8, 0.5, 0.2]), np.log([0.5, 0.5, 0.5])
    >>> marginal_weight([1, 1.6, 1], target, logged, session=[0, 0, 1], step=[0, 1, 0]).round(9).tolist()
    [[1.6, 1.6], [0.4, 0.4]]
    """
    steps = Steps.of(session, step)
    weight = steps.table(_ratio(steps, ratio) * np.exp(steps.log_ratio(target, logged)))
    at = np.minimum(np.arange(steps.shape[1]), steps.length[:, None] - 1)
    return np.take_along_axis(weight, at, axis=1)


def mis(
    reward: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    ratio: ArrayLike,
    *,
    session: ArrayLike,
    step: ArrayLike,
    gamma: float = 1.0,
    within: ArrayLike | None = None,
    state: ArrayLike | None = None,
) -> Terms:
    """Marginalised importance sampling: (1/n) sum_i sum_t gamma^t ratio_it rho_it r_it.

    Unbiased with exact ratios. With `within` (see `recsim.ope.sessions`) it is the sum of gamma^t ratio_it within_it.

    Ratios that were estimated from the same rows vary with them, which the sessions' sums do not show. Pass the
    `state` that they were estimated for, and the result has the same value, but its spread is that of the whole
    procedure: (1/n) sum_i [V_i0 + sum_t gamma^t ratio_it (rho_it (r_it + gamma V_i,t+1) - V_it)], where V_t(s) is the
    mean of rho (r + gamma V_t+1) over the rows in s at t, so that within every state the differences add up to 0.

    Source: Xie, Ma and Wang 2019; for the spread, the efficient influence function of Kallus and Uehara 2020.

    Args:
        reward: see `recsim.ope.sessions`.
        target: log-propensities of the target policy.
        logged: log-propensities of the policy in force.
        ratio: of `visit_ratio`.
        session: session numbers.
        step: steps from 0 up.
        gamma: discount per step.
        within: rewards weighted inside the slate.
        state: (n,) whole numbers, `state` of `visit_ratio` without folds.

    >>> target, logged = np.log([0.8, 0.5, 0.2]), np.log([0.5, 0.5, 0.5])
    >>> rows = {"session": [0, 0, 1], "step": [0, 1, 0], "gamma": 0.5}
    >>> terms = mis([1, 2, 3], target, logged, [1, 1.6, 1], **rows)
    >>> terms.numerator[:, 0, 0].round(9).tolist()  # 1.6 * 1 + 0.5 * 1.6 * 2 and 0.4 * 3, on average 2.2
    [3.2, 1.2]
    >>> mis([1, 2, 3], target, logged, [1, 1.6, 1], **rows, state=[0, 0, 0]).value.round(9).tolist()
    [2.2]
    """
    steps = Steps.of(session, step)
    paid = _paid(steps, reward, target, logged, within)
    discount, visits = discounts(gamma, steps.shape[1])[steps.step][:, None], _ratio(steps, ratio)[:, None]
    if state is None:
        return mean_terms(steps.table(discount * visits * paid).sum(axis=1))
    rho = np.exp(steps.log_ratio(target, logged))[:, None]
    value, ahead = _backwards(steps, np.asarray(_states(steps, state, None), np.int64), rho, paid, float(gamma))
    first = np.where(steps.step[:, None] == 0, value, 0.0)
    return mean_terms(steps.table(first + discount * visits * (ahead - value)).sum(axis=1))


def drl(
    reward: ArrayLike,
    target: ArrayLike,
    logged: ArrayLike,
    ratio: ArrayLike,
    q_logged: ArrayLike,
    v_target: ArrayLike,
    *,
    session: ArrayLike,
    step: ArrayLike,
    gamma: float = 1.0,
    within: ArrayLike | None = None,
) -> Terms:
    """Double reinforcement learning: (1/n) sum_i sum_t gamma^t [mu_it (r_it - Q_it) + mu_i,t-1 V_it], mu_i,-1 = 1.

    mu_it = ratio_it rho_it. Unbiased if the ratios or the model are exact; with both estimated, each from sessions that
    it does not score (`n_folds` of `visit_ratio` and of `recsim.ope.fqe.fitted_q`), their errors only multiply.

    Source: Kallus and Uehara 2020, the estimator for time-variant Markov decision processes.

    >>> target, logged = np.log([0.8, 0.5, 0.2]), np.log([0.5, 0.5, 0.5])
    >>> terms = drl([1, 2, 3], target, logged, [1, 1.6, 1], [2, 1, 2], [2.5, 1.5, 2.5],
    ...             session=[0, 0, 1], step=[0, 1, 0], gamma=0.5)
    >>> round(float(terms.value[0]), 9)  # [1.6 * (1 - 2) + 2.5 + 0.5 * 1.6 * (2 - 1 + 1.5) + 0.4 * (3 - 2) + 2.5] / 2
    2.9
    """
    steps = Steps.of(session, step)
    paid = steps.table(_ratio(steps, ratio)[:, None] * _paid(steps, reward, target, logged, within))
    q, v = steps.table(steps.like(q_logged, "q_logged", paid)), steps.table(steps.like(v_target, "v_target", paid))
    weight = marginal_weight(ratio, target, logged, session=session, step=step)
    before = np.concatenate([np.ones((len(weight), 1)), weight[:, :-1]], axis=1)
    discount = discounts(gamma, steps.shape[1])
    corrected = paid - weight[:, :, None] * q + before[:, :, None] * v
    return mean_terms((discount[None, :, None] * corrected).sum(axis=1))


def _paid(steps: Steps, reward: ArrayLike, target: ArrayLike, logged: ArrayLike, within: ArrayLike | None) -> Floats:
    rho, values = np.exp(steps.log_ratio(target, logged)), steps.values(reward, "reward")
    if within is None:
        return rho[:, None] * values
    return steps.like(within, "within", values)


def _ratio(steps: Steps, ratio: ArrayLike) -> Floats:
    values = steps.values(ratio, "ratio")
    if values.shape[1] != 1 or (values < 0).any():
        raise ValueError(
            f"ratio has shape {values.shape} and a least value of {values.min():g}; it must be one number per row, not "
            "negative. Pass the ratio of visit_ratio."
        )
    return values[:, 0]


def _states(steps: Steps, state: ArrayLike, n_clusters: int | None) -> Floats | Integers:
    values = np.asarray(state)
    if n_clusters is None:
        if values.dtype.kind not in "iu" or values.ndim != 1:
            raise TypeError(
                f"state holds {values.dtype} in shape {values.shape}; states are whole numbers (rows,), or features "
                "with n_clusters, in how many clusters to put them."
            )
        steps.values(values, "state")
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    if n_clusters < 1:
        raise ValueError(f"n_clusters is {n_clusters}; features need at least 1 cluster.")
    return steps.values(values, "state")


def _labels(features: Floats | Integers, train: Rows, steps: Steps, n_clusters: int | None, seed: int) -> Integers:
    if n_clusters is None:
        return features.astype(np.int64)
    from sklearn.cluster import KMeans
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    order = steps.order
    rows = features[order[train[order]]]
    distinct = len(np.unique(rows, axis=0))
    if distinct < n_clusters:
        raise ValueError(
            f"n_clusters is {n_clusters} and there are {distinct} different states to fit them on; ask for fewer."
        )
    clusters = make_pipeline(StandardScaler(), KMeans(n_clusters, n_init=1, random_state=seed))
    with threadpool_limits(limits=1):
        clusters.fit(rows)
        return np.asarray(clusters.predict(features), np.int64)


def _forwards(steps: Steps, label: Integers, rho: Floats, train: Rows) -> tuple[Floats, Rows]:
    order, following = steps.order, steps.following
    ratio, unseen, moved = np.ones(len(steps)), np.zeros(len(steps), bool), np.ones(len(steps))
    n_labels = int(label.max()) + 1
    for number in range(steps.shape[1]):
        here = order[steps.step[order] == number]
        if number:  # before the first action, both policies are in the same states
            seen = here[train[here]]
            count = np.bincount(label[seen], minlength=n_labels)
            total = np.bincount(label[seen], weights=moved[seen], minlength=n_labels)
            ratio[here] = (total / np.maximum(count, 1))[label[here]]
            unseen[here] = count[label[here]] == 0
        onward = here[following[here] >= 0]
        moved[following[onward]] = ratio[onward] * rho[onward]
        if (moved[following[onward]] > HEAVY).any():
            raise ValueError(
                f"a ratio of visits at step {number + 1} is above {HEAVY:g}, too large to be averaged; the log has "
                "next to nothing where the target policy goes. Check the logged log-propensities."
            )
    return ratio, unseen


def _backwards(steps: Steps, label: Integers, rho: Floats, paid: Floats, gamma: float) -> tuple[Floats, Floats]:
    """V of every row's state and step, and rho (r + gamma V of the next row), of which it is the mean."""
    order, following = steps.order, steps.following
    value, ahead = np.zeros_like(paid), paid.copy()
    for number in range(steps.shape[1] - 1, -1, -1):
        here = order[steps.step[order] == number]
        onward = here[following[here] >= 0]
        ahead[onward] += gamma * rho[onward] * value[following[onward]]
        where, place = np.unique(label[here], return_inverse=True)
        mean = sum_by(ahead[here], place, len(where)) / np.bincount(place)[:, None]
        value[here] = mean[place]
    return value, ahead
