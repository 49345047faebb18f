from __future__ import annotations

import numpy as np
import pytest

from recsim.ope.embedding import cluster_weight, offcem
from recsim.ope.pairwise import pairwise_model


class PairWorld:
    """Continuous contexts, 8 items in 2 clusters: linear differences within clusters, a wild effect of the cluster."""

    cluster = np.repeat([0, 1], 4)

    def __init__(self) -> None:
        self.items = np.random.default_rng(5).normal(size=(8, 2))

    def features(self, observation, slate):
        """(n, k, 4) products of context and item."""
        pairs = observation[:, None, :, None] * self.items[slate][:, :, None, :]
        return pairs.reshape(*slate.shape, 4).astype(np.float32)

    def tables(self, n, seed):
        """Contexts, expected rewards (n, m, 2) and both policies' probabilities."""
        rng = np.random.default_rng(seed)
        observation = rng.normal(size=(n, 2)).astype(np.float32)
        everything = np.broadcast_to(np.arange(8), (n, 8))
        within = self.features(observation, everything) @ np.array([[1.0, 0.2], [0.5, -1.0], [-0.7, 0.0], [0.3, 0.4]])
        wild = 3 * np.sin(5 * observation[:, :1]) * np.where(self.cluster == 0, 1.0, -0.5)  # (n, m)
        scores = np.stack([0.5 * observation @ self.items.T, 1.2 * observation @ self.items.T])
        table = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
        return observation, within + wild[:, :, None], table[0], table[1]

    def log(self, n, seed, noise):
        observation, expected, logged, target = self.tables(n, seed)
        rng = np.random.default_rng([seed, 1])
        action = np.minimum((rng.random((n, 1)) > np.cumsum(logged, axis=1)).sum(axis=1), 7)
        reward = expected[np.arange(n), action] + noise * rng.normal(size=(n, 2))
        return observation, expected, logged, target, action, reward


@pytest.fixture(scope="module")
def world():
    return PairWorld()


def centred(world, table, logged):
    """(n, m, o) less the mean over each row's items of a cluster."""
    out = np.empty_like(table)
    for cluster in (0, 1):
        items = world.cluster == cluster
        chance = logged[:, items] / logged[:, items].sum(axis=1, keepdims=True)
        out[:, items] = table[:, items] - np.einsum("nm,nmo->no", chance, table[:, items])[:, None]
    return out


def fit(world, log, session=None, n_folds=2):
    observation, _, logged, _, action, reward = log
    session = np.arange(len(reward)) if session is None else session
    return pairwise_model(reward, action, observation, logged, world.cluster, session, world.features, n_folds=n_folds)


def test_it_learns_how_items_of_a_cluster_differ_whatever_the_cluster_does(world):
    log = world.log(6000, 0, noise=0.1)
    found, truth = (centred(world, table, log[2]) for table in (fit(world, log), log[1]))
    missed = np.square(found - truth).mean(axis=(0, 1)) / np.square(truth).mean(axis=(0, 1))
    assert (missed < 0.01).all()  # 1 % of the variance within clusters


@pytest.mark.slow
def test_offcem_with_it_is_close_where_mips_is_biased(world):
    errors = {"offcem": [], "mips": []}
    for seed in range(12):
        log = world.log(1500, seed, noise=0.5)
        _, expected, logged, target, action, reward = log
        model = fit(world, log)
        weight = cluster_weight(world.cluster, action, target, logged)
        truth = np.einsum("nm,nmo->no", target, expected).mean(axis=0)
        under_target = np.einsum("nm,nmo->no", target, model)
        terms = offcem(reward, weight, model[np.arange(1500), action], under_target)
        errors["offcem"].append(terms.value - truth)
        errors["mips"].append((weight[:, None] * reward).mean(axis=0) - truth)
    found = np.array(errors["offcem"])
    assert (np.abs(found.mean(axis=0)) < 3 * found.std(axis=0, ddof=1) / np.sqrt(12)).all()
    gain = np.square(errors["mips"]) - np.square(found)
    assert (gain.mean(axis=0) > 3 * gain.std(axis=0, ddof=1) / np.sqrt(12)).all()


def test_no_row_is_scored_by_a_model_that_saw_its_session(world):
    observation, expected, logged, target, action, reward = world.log(60, 3, noise=0.5)
    session = np.arange(60) // 3
    first = fit(world, (observation, expected, logged, target, action, reward), session)
    changed = reward.copy()
    changed[:3] += 5.0
    second = fit(world, (observation, expected, logged, target, action, changed), session)
    assert (first[:3] == second[:3]).all()
    assert (first != second).any()


def test_rows_in_another_order_give_the_same_model(world):
    log, rows = world.log(200, 4, noise=0.5), np.random.default_rng(0).permutation(200)
    session = np.arange(200) // 3
    moved = fit(world, tuple(array[rows] for array in log), session[rows])
    assert (moved == fit(world, log, session)[rows]).all()


def test_a_cluster_of_one_item_has_no_differences(world):
    observation, _, logged, _, action, reward = world.log(100, 5, noise=0.5)
    model = pairwise_model(reward, action, observation, logged, np.arange(8), np.arange(100), world.features)
    assert np.isfinite(model).all()


def test_errors_name_what_is_wrong(world):
    observation, _, logged, _, action, reward = world.log(10, 6, noise=0.5)
    arrays = (reward, action, observation, logged, world.cluster, np.arange(10), world.features)
    with pytest.raises(ValueError, match=r"cluster has 7 items but the tables have 8"):
        pairwise_model(*arrays[:4], world.cluster[1:], *arrays[5:])
    with pytest.raises(ValueError, match=r"action has 9 rows but reward has 10"):
        pairwise_model(reward, action[1:], *arrays[2:])
    with pytest.raises(ValueError, match=r"n_folds is 11 and the log has 10 session"):
        pairwise_model(*arrays, n_folds=11)
    hole = observation.copy()
    hole[4, 1] = np.nan
    with pytest.raises(ValueError, match=r"row 4, column 1 of observation is nan; it must be finite"):
        pairwise_model(reward, action, hole, *arrays[3:])
    never = np.where(world.cluster == 0, 0.25, 0.0) * np.ones((10, 1))
    with pytest.raises(ValueError, match=r"row \d: the cluster of item [4-7] had probability 0 by logged_table"):
        pairwise_model(reward, np.full(10, 5), observation, never, *arrays[4:])
