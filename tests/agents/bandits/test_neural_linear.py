import numpy as np
import pytest

from recsim.agents.bandits.bandit import Feedback
from recsim.agents.bandits.linear_thompson import LinearThompson
from recsim.agents.bandits.neural_linear import NeuralLinear
from recsim.agents.bandits.posterior import Ridge
from recsim.simulator import Simulator


def test_until_its_network_is_trained_it_is_linear_thompson_sampling(world: Simulator, feedback: Feedback) -> None:
    neural = NeuralLinear(world.catalog, world.layout, every=len(feedback.slate) + 1)
    linear = LinearThompson(world.catalog, world.layout)
    for bandit in (neural, linear):
        bandit.update(feedback)
    assert not neural.network.trained
    np.testing.assert_allclose(neural.scores(feedback.observation[:9]), linear.scores(feedback.observation[:9]))


def test_after_training_the_head_is_ridge_regression_on_the_buffer(world: Simulator, feedback: Feedback) -> None:
    bandit = NeuralLinear(world.catalog, world.layout, every=700, buffer_size=300, steps=20, ridge=2.0)
    bandit.update(Feedback(*(values[:700] for values in feedback)))
    assert bandit.network.trained
    assert len(bandit.buffer) == 300
    np.testing.assert_array_equal(bandit.buffer.slate, feedback.slate[400:700])
    x = bandit.features.at(feedback.observation[400:700], feedback.slate[400:700])
    assert (x[..., -16:] > 0.0).any()
    prior = Ridge.of(bandit.features.size, len(world.catalog), 2.0, 10.0)
    look = np.broadcast_to(bandit.looks.share, (300, 4)).reshape(-1)
    items, reward = feedback.slate[400:700].reshape(-1), feedback.reward[400:700].reshape(-1)
    head = prior.after(x.reshape(-1, x.shape[2]), items, reward, look)
    np.testing.assert_allclose(bandit.posterior.shared, head.shared, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bandit.posterior.met, head.met, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bandit.posterior.response, head.response, rtol=1e-4, atol=1e-5)


def test_it_learns_what_is_not_linear(world: Simulator, feedback: Feedback) -> None:
    """Rewards for liking the text of an item very much or not at all, which no linear model of x can tell."""
    linear = LinearThompson(world.catalog, world.layout)
    neural = NeuralLinear(world.catalog, world.layout, every=len(feedback.slate), steps=400, learning_rate=0.003)
    liked = linear.features.at(feedback.observation, feedback.slate)[..., 0]
    reward = (np.abs(liked - np.median(liked)) > np.quantile(np.abs(liked - np.median(liked)), 0.5)).astype(np.float64)
    error = []
    for bandit in (linear, neural):
        bandit.update(feedback._replace(reward=reward))
        found = bandit.scores(feedback.observation, feedback.slate)
        error.append(np.square(found - reward).mean())
    assert error[1] < 0.7 * error[0]


def test_settings_that_make_no_sense_are_refused(world: Simulator) -> None:
    with pytest.raises(ValueError, match="buffer_size is 0; it is a number above 0"):
        NeuralLinear(world.catalog, world.layout, buffer_size=0)


def test_training_that_diverges_is_told_with_its_step(world: Simulator, feedback: Feedback) -> None:
    bandit = NeuralLinear(world.catalog, world.layout, every=100, learning_rate=1e30)
    with pytest.raises(ValueError, match=r"is (inf|nan) at step \d of training the network: training has diverged"):
        bandit.update(feedback)
