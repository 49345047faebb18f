from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, MultiDiscrete

from recsim.agents.ppo.credit import PositionRolloutBuffer

T, N, K, GAMMA = 2, 3, 2, 0.5


@pytest.fixture
def buffer() -> PositionRolloutBuffer:
    """Two steps of three users who see two items and never leave."""
    rng = np.random.Generator(np.random.Philox(0))
    env = SimpleNamespace(position_reward=np.zeros((N, K)))
    space, actions = Box(-1.0, 1.0, (1,)), MultiDiscrete([9, 9])
    buffer = PositionRolloutBuffer(T, space, actions, "cpu", 0.8, GAMMA, N, env=env)
    for step in range(T):
        env.position_reward = rng.random((N, K))
        reward = env.position_reward.sum(axis=1) + 0.25 * step  # the second step also brings something late
        value, log_prob = torch.from_numpy(rng.random((N, 1 + K))), torch.from_numpy(-rng.random((N, K)))
        observation = np.full((N, 1), step, np.float32) / 2
        buffer.add(observation, np.arange(N * K).reshape(N, K), reward, np.zeros(N), value, log_prob)
    buffer.compute_returns_and_advantage(torch.tensor([[0.1], [0.2], [0.3]]), np.zeros(N, bool))
    return buffer


def test_a_position_is_not_credited_with_the_luck_of_the_others(buffer: PositionRolloutBuffer) -> None:
    last = np.array([0.1, 0.2, 0.3])
    reward, value = buffer.rewards[1], buffer.values[1]
    slate = reward + GAMMA * last - value  # the advantage of the last step
    others = buffer.position_reward[1][:, ::-1] - buffer.position_value[1][:, ::-1]  # with two positions: the other one
    np.testing.assert_allclose(buffer.position_advantage[1], slate[:, None] - others, atol=1e-6)


def test_batches_hold_every_step_once(buffer: PositionRolloutBuffer) -> None:
    batches = list(buffer.get(4))
    assert [len(batch.observations) for batch in batches] == [4, 2]
    advantages = torch.cat([batch.advantages for batch in batches]).numpy()
    np.testing.assert_allclose(np.sort(advantages.ravel()), np.sort(buffer.position_advantage.ravel()))
    for batch in batches:
        size = len(batch.observations)
        assert batch.old_log_prob.shape == batch.advantages.shape == (size, K)
        assert batch.returns.shape == batch.old_values.shape == (size * (1 + K),)
        step = (2 * batch.observations[:, 0]).long()
        user = (batch.actions[:, 0] // K).long()
        target = torch.from_numpy(np.concatenate([buffer.returns[..., None], buffer.position_reward], axis=2))
        torch.testing.assert_close(batch.returns.reshape(size, 1 + K), target[step, user])
