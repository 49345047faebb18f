"""A model of how items of one cluster differ, for `recsim.ope.embedding.offcem`.

f(x, a) = h(x, a) + g(x, c(a)): h, linear in features of (context, item), is fitted to differences between items of a
cluster in the same context; g, trees on context and cluster, to what h leaves. Only h must be right for OffCEM.

A log has few pairs of rows with the same context. Comparing the logged item with all that the policy in force could
have shown from its cluster in the same context, by their exact probabilities, is the same regression over every
possible pair: sum over pairs of (r_a - r_b - h_a + h_b)^2 has its minimum where r fits the features' deviations from
their mean over the cluster, whatever g is (Robinson 1988, "Root-n-consistent semiparametric regression").

Source: Saito, Ren and Joachims 2023, "Off-policy evaluation for large action spaces via conjunct effect modeling"
(two-step regression).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from recsim.ope.action_checks import action_reward_array, code_array, input_array, probability_table, refuse_rows
from recsim.ope.embedding_weights import cluster_codes
from recsim.ope.folds import session_folds
from recsim.ope.reward_model import Features, Head, Observation, design_of, fit_head
from recsim.ope.terms import sum_by

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CELLS_AT_ONCE = 2**18  # (row, item) pairs whose features are held in memory
PENALTY = 1.0  # ridge, on features scaled to a standard deviation of 1: one row's worth of doubt


def pairwise_model(
    reward: ArrayLike,
    action: ArrayLike,
    observation: Observation,
    logged_table: ArrayLike,
    cluster: ArrayLike,
    session: ArrayLike,
    features: Features,
    *,
    n_folds: int = 2,
) -> Floats:
    """(n, m, o) f(x_i, a) for every row and item, cross-fitted: no row's session was seen by the model that scores it.

    Args:
        reward: (n,) or (n, o).
        action: (n,) int, the logged items.
        observation: (n, d) float32, the contexts.
        logged_table: (n, m) probabilities of the policy in force.
        cluster: (m,) int, the cluster of every item.
        session: (n,) the session of each row.
        features: `features(observation (n, d), items (n, k)) -> (n, k, f)`, as for reward models.
        n_folds: number of folds; sessions are never divided.

    Raises:
        ValueError: if an array does not fit, a value is not finite, or there are fewer sessions than folds.
    """
    values, table = action_reward_array(reward), probability_table(logged_table, "logged_table")
    codes, groups = code_array(action, table.shape[1], "action"), np.asarray(session)
    clusters, contexts = cluster_codes(cluster, table.shape[1]), input_array(observation, "observation")
    refuse_rows(reward=values, action=codes, observation=contexts, logged_table=table, session=groups)
    at_logged, deviation = _deviations(observation, codes, table, clusters, features)
    order = np.lexsort([*values.T, *contexts.T, codes, np.unique(groups, return_inverse=True)[1]])
    out = np.empty((*table.shape, values.shape[1]))
    with threadpool_limits(limits=1):  # sums in another order would change the last digits
        for train, score in session_folds(groups[order], n_folds):
            rows = order[train]
            own, n_clusters = clusters[codes[rows]], int(clusters.max()) + 1
            slope = _slope(deviation[rows], _centred(values[rows], own, n_clusters))  # (f, o)
            left = values[rows] - at_logged[rows] @ slope
            heads = _baseline(observation[rows], own, left, n_clusters)
            _predict(out, order[score], observation, clusters, features, slope, heads)
    return out


def _deviations(
    observation: Observation, action: Integers, table: Floats, cluster: Integers, features: Features
) -> tuple[Floats, Floats]:
    """(n, f) the features of the logged items, and their deviations from the mean that could have been shown."""
    at_logged, deviation = [], []
    for rows in _blocks(np.arange(len(action)), table.shape[1]):
        values = _item_features(observation, rows, table.shape[1], features)  # (rows, m, f)
        own = values[np.arange(len(rows)), action[rows]]
        chance = np.where(cluster == cluster[action[rows], None], table[rows], 0.0)
        total = chance.sum(axis=1)
        if (total == 0).any():
            row = int(rows[(total == 0).argmax()])
            raise ValueError(
                f"row {row:,}: the cluster of item {action[row]} had probability 0 by logged_table. "
                "Drop the row or pass the probabilities that were in force."
            )
        at_logged.append(own)
        deviation.append(own - np.einsum("nm,nmf->nf", chance / total[:, None], values))
    return np.concatenate(at_logged), np.concatenate(deviation)


def _centred(reward: Floats, cluster: Integers, n_clusters: int) -> Floats:
    """Rewards less the mean of their cluster, which moves no difference within one and makes fits less noisy."""
    count = np.bincount(cluster, minlength=n_clusters)[cluster, None]
    return reward - sum_by(reward, cluster, n_clusters)[cluster] / count


def _slope(deviation: Floats, reward: Floats) -> Floats:
    """(f, o) the effect of each feature on the rewards within clusters."""
    from sklearn.linear_model import Ridge

    spread = deviation.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    ridge = Ridge(alpha=PENALTY, fit_intercept=False).fit(deviation / scale, reward)
    slope: Floats = ridge.coef_.reshape(reward.shape[1], -1).T / scale[:, None]
    return slope


def _baseline(observation: Observation, cluster: Integers, left: Floats, n_clusters: int) -> list[Head]:
    design = _cluster_design(observation, cluster, n_clusters)
    return [fit_head(design, column) for column in left.T]


def _cluster_design(observation: Observation, cluster: Integers, n_clusters: int) -> NDArray[np.float32]:
    return np.concatenate([observation, np.eye(n_clusters, dtype=np.float32)[cluster]], axis=1, dtype=np.float32)


def _predict(
    out: Floats,
    score: Integers,
    observation: Observation,
    cluster: Integers,
    features: Features,
    slope: Floats,
    heads: list[Head],
) -> None:
    """Fill the rows `score` of `out` (n, m, o) with f."""
    n_clusters = int(cluster.max()) + 1
    for rows in _blocks(score, len(cluster)):
        out[rows] = _item_features(observation, rows, len(cluster), features) @ slope
        design = _cluster_design(
            np.repeat(observation[rows], n_clusters, axis=0), np.tile(np.arange(n_clusters), len(rows)), n_clusters
        )
        for objective, head in enumerate(heads):
            out[rows, :, objective] += head(design).reshape(len(rows), n_clusters)[:, cluster]


def _item_features(observation: Observation, rows: Integers, n_items: int, features: Features) -> Floats:
    items = np.broadcast_to(np.arange(n_items), (len(rows), n_items))
    values = design_of(features, observation[rows], items, rows)[:, :, :-1]  # without the position
    return values.astype(np.float64)


def _blocks(rows: Integers, n_items: int) -> Iterator[Integers]:
    size = max(1, CELLS_AT_ONCE // n_items)
    return (rows[start : start + size] for start in range(0, len(rows), size))
