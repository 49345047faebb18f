from pathlib import Path

import numpy as np
import pytest

from recsim.agents.linucb import PRIOR_REWARD, LinUCB
from recsim.logs import Log
from recsim.policy import Ranking, uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator


def inputs_of(bandit: LinUCB, observation: np.ndarray, item: int) -> np.ndarray:
    """x(u, item), one row a user, built the slow way."""
    cross = bandit.features.all(observation)[:, item]
    category = np.eye(len(bandit.catalog.categories))[[bandit.catalog.category[item]]]
    return np.hstack([np.ones((len(observation), 1)), cross, np.repeat(category, len(observation), axis=0)])


def test_estimates_are_ridge_regression_with_looks_as_weights(world: Simulator, log: Log) -> None:
    bandit = LinUCB(world.catalog, world.layout, ridge=2.0)
    reward = log.objectives @ np.array(log.info.weights)
    rows = slice(0, 60)
    bandit.update(log.observation[rows], log.slate[rows], reward[rows])
    earned = PRIOR_REWARD + reward[rows].sum(axis=0)  # nothing was predicted yet: all positions alike
    look = earned / earned.max()
    np.testing.assert_allclose(bandit.look, look)
    precision, response = 2.0 * np.eye(len(bandit.theta)), np.zeros(len(bandit.theta))
    for row in range(60):
        for position, item in enumerate(log.slate[row]):
            x = inputs_of(bandit, log.observation[row : row + 1], item)[0]
            precision += look[position] * np.outer(x, x)
            response += x * reward[row, position]
    np.testing.assert_allclose(bandit.theta, np.linalg.solve(precision, response), rtol=1e-5, atol=1e-7)


def test_looks_approach_the_true_examination_though_good_items_stand_on_top(world: Simulator) -> None:
    """Clicks by position alone would take the ranker's own order for position bias."""
    training = Simulator(world.catalog, world.users, slate_size=4, horizon=10, seed=78)
    bandit = LinUCB(world.catalog, world.layout).train(training, 2_000)
    truth = world.users.choice.theta(4)
    naive = bandit.earned / bandit.earned.max()
    assert np.abs(bandit.look - truth).max() < 0.08
    assert np.abs(naive - truth).max() > 0.12


def test_scores_are_upper_confidence_bounds(world: Simulator, log: Log) -> None:
    bandit = LinUCB(world.catalog, world.layout, alpha=0.7)
    bandit.update(log.observation, log.slate, log.objectives @ np.array(log.info.weights))
    observation, item = log.observation[90:95], 13
    x = inputs_of(bandit, observation, item)
    width = np.sqrt(np.einsum("nf,fg,ng->n", x, np.linalg.inv(bandit.precision), x))
    np.testing.assert_allclose(bandit.scores(observation)[:, item], x @ bandit.theta + 0.7 * width, rtol=1e-4)
    bandit.alpha = 0.0
    np.testing.assert_allclose(bandit.scores(observation)[:, item], x @ bandit.theta, rtol=1e-4, atol=1e-6)


def test_it_learns_to_beat_uniform_slates(world: Simulator, tmp_path: Path) -> None:
    training = Simulator(world.catalog, world.users, slate_size=4, horizon=10, seed=77)
    served: list[int] = []
    bandit = LinUCB(world.catalog, world.layout).train(training, 300, batch=50, progress=served.append)
    assert served == [50, 100, 150, 200, 250, 300]
    learned = rollout(world, Ranking("linucb", bandit, 4), 400).reward
    anything = rollout(world, uniform(world.catalog, 4), 400).reward
    difference = learned - anything
    assert difference.mean() > 3.0 * difference.std() / np.sqrt(len(difference))
    bandit.save(tmp_path / "linucb.safetensors")
    loaded = LinUCB.load(tmp_path / "linucb.safetensors", world.catalog, world.layout)
    observation = world.reset(20)
    np.testing.assert_array_equal(loaded.scores(observation), bandit.scores(observation))


def test_settings_that_make_no_sense_are_refused(world: Simulator) -> None:
    with pytest.raises(ValueError, match="alpha is -1"):
        LinUCB(world.catalog, world.layout, alpha=-1)
    with pytest.raises(ValueError, match="ridge 0"):
        LinUCB(world.catalog, world.layout, ridge=0)
