from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsim.agents.bandits.bandit import Feedback
from recsim.agents.bandits.linear import PRIOR_REWARD
from recsim.agents.bandits.linucb import LinUCB
from recsim.agents.bandits.posterior import ItemGaussian
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.policy import Ranking, uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator


def inputs_of(bandit: LinUCB, observation: np.ndarray, item: int) -> np.ndarray:
    """x(u, item), one row a user, built the slow way, and the item as a one-hot row."""
    cross = bandit.features.cross
    found = dict(zip(cross.names, cross.all(observation)[:, item].T, strict=True))
    own = [found.pop("price"), found.pop("novelty"), np.ones(len(observation))]
    category = np.eye(len(bandit.catalog.categories))[[bandit.catalog.category[item]]]
    told = np.einsum("c,np->ncp", category[0], bandit.layout.read(observation, "profile")).reshape(len(observation), -1)
    item_row = np.hstack([category, np.eye(len(bandit.catalog))[[item]]])
    alike = np.repeat(item_row, len(observation), axis=0)
    return np.hstack([np.array([*found.values()]).T, told, np.array(own).T, alike])


def test_estimates_are_ridge_regression_with_looks_as_weights(world: Simulator, log: Log, feedback: Feedback) -> None:
    bandit, part = (
        LinUCB(world.catalog, world.layout, ridge=2.0, item_ridge=7.0),
        Feedback(*(values[:60] for values in feedback)),
    )
    bandit.update(part)
    earned = PRIOR_REWARD + part.reward.sum(axis=0)  # nothing was predicted yet: all positions alike
    look = earned / earned.max()
    np.testing.assert_allclose(bandit.looks.share, look)
    prior = np.repeat([2.0, 7.0], [bandit.features.size, len(world.catalog)])
    precision, response = np.diag(prior), np.zeros(len(prior))
    for row in range(60):
        for position, item in enumerate(log.slate[row]):
            x = inputs_of(bandit, log.observation[row : row + 1], item)[0]
            precision += look[position] * np.outer(x, x)
            response += x * part.reward[row, position]
    np.testing.assert_allclose(bandit.posterior.mean, np.linalg.solve(precision, response), rtol=1e-5, atol=1e-7)


def test_looks_approach_the_true_examination_though_good_items_stand_on_top(world: Simulator) -> None:
    """Clicks by position alone would take the ranker's own order for position bias."""
    training = Simulator(world.catalog, world.users, slate_size=4, horizon=10, seed=78)
    looks = LinUCB(world.catalog, world.layout).train(training, 2_000).looks
    truth = world.users.choice.theta(4)
    naive = looks.earned / looks.earned.max()
    assert np.abs(looks.share - truth).max() < 0.08
    assert np.abs(naive - truth).max() > 0.12


def test_scores_are_upper_confidence_bounds(
    world: Simulator, log: Log, feedback: Feedback, whole: Callable[[ItemGaussian], np.ndarray]
) -> None:
    bandit = LinUCB(world.catalog, world.layout, alpha=0.7)
    bandit.update(feedback)
    observation, item = log.observation[90:95], 13
    x, mean = inputs_of(bandit, observation, item), bandit.posterior.mean
    width = np.sqrt(np.einsum("nf,fg,ng->n", x, np.linalg.inv(whole(bandit.posterior)), x))
    np.testing.assert_allclose(bandit.scores(observation)[:, item], x @ mean + 0.7 * width, rtol=1e-4)
    bandit.alpha = 0.0
    np.testing.assert_allclose(bandit.scores(observation)[:, item], x @ mean, rtol=1e-4, atol=1e-6)


def test_it_learns_to_beat_uniform_slates(world: Simulator) -> None:
    training = Simulator(world.catalog, world.users, slate_size=4, horizon=10, seed=77)
    served: list[int] = []
    bandit = LinUCB(world.catalog, world.layout).train(training, 300, batch=50, progress=served.append)
    assert served == [50, 100, 150, 200, 250, 300]
    learned = rollout(world, Ranking("linucb", bandit, 4), 400).reward
    anything = rollout(world, uniform(world.catalog, 4), 400).reward
    difference = learned - anything
    assert difference.mean() > 3.0 * difference.std() / np.sqrt(len(difference))


def test_settings_that_make_no_sense_are_refused(world: Simulator, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="alpha is -1"):
        LinUCB(world.catalog, world.layout, alpha=-1)
    with pytest.raises(ValueError, match="ridge is 0"):
        LinUCB(world.catalog, world.layout, ridge=0)


class ItemTimesUser:
    """x(u, i): the first three columns of the observation in the block of item i, 0 elsewhere: disjoint models."""

    def __init__(self, m: int) -> None:
        self.m, self.size = m, 3 * m

    def at(self, observation: np.ndarray, items: np.ndarray) -> np.ndarray:
        x = np.eye(self.m)[items][..., None] * observation[:, None, None, :3].astype(np.float64)
        return x.reshape(*items.shape, self.size)

    def dot(self, observation: np.ndarray, weights: np.ndarray, items: np.ndarray | None = None) -> np.ndarray:
        every = np.broadcast_to(np.arange(self.m), (len(observation), self.m)) if items is None else items
        return np.einsum("ncf,sf->nsc", self.at(observation, every), weights)

    def spread(self, observation: np.ndarray, covariance: np.ndarray, centre: np.ndarray) -> np.ndarray:
        x = self.at(observation, np.broadcast_to(np.arange(self.m), (len(observation), self.m))) - centre
        return np.einsum("ncf,fg,ncg->nc", x, covariance, x)


class Disjoint(LinUCB):
    """LinUCB with a model of its own for each item."""

    def features_of(self, catalog: Catalog, layout: Layout) -> ItemTimesUser:  # type: ignore[override]
        return ItemTimesUser(len(catalog))


def test_with_a_block_of_features_per_item_it_is_mabwiser_s_disjoint_linucb() -> None:
    mab = pytest.importorskip("mabwiser.mab")
    catalog = Catalog.synthetic(n_items=5)
    ours = Disjoint(catalog, Layout.of(catalog), alpha=0.8, ridge=1.5, item_ridge=1e12)  # no intercepts
    theirs = mab.MAB(list(range(5)), mab.LearningPolicy.LinUCB(alpha=0.8, l2_lambda=1.5))
    draw = np.random.Generator(np.random.Philox(4))
    learn = theirs.fit
    for _ in range(6):
        context = draw.standard_normal((40, 3)).astype(np.float32)
        item, reward = draw.integers(5, size=40), draw.random(40)
        ours.update(Feedback(context, item[:, None], reward[:, None] > 0.5, reward[:, None]))
        learn(decisions=item, rewards=reward, contexts=context.astype(np.float64))
        learn = theirs.partial_fit
        seen = draw.standard_normal((7, 3)).astype(np.float32)
        expected = [[row[arm] for arm in range(5)] for row in theirs.predict_expectations(seen.astype(np.float64))]
        np.testing.assert_allclose(ours.scores(seen), expected, rtol=0, atol=1e-8)
