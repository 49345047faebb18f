"""`VectorReward`: the objectives as the reward, in the convention of MO-Gymnasium."""

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box

from recsim.envs import ProtoAction, SlateEnv, SlateVectorEnv, VectorReward

WEIGHTS = np.array([1.0, 4.0, 0.5])


def test_the_reward_is_the_objectives_and_the_info_keeps_the_sum(world: dict[str, Any]) -> None:
    env = VectorReward(SlateEnv(**world))
    assert env.reward_space == env.unwrapped.reward_space == Box(0.0, 24.0, (3,), np.float64)
    env.reset(seed=1)
    env.action_space.seed(1)
    rewards = []
    for _ in range(20):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert reward in env.reward_space
        assert np.array_equal(reward, info["objectives"])
        assert not np.shares_memory(reward, info["objectives"])
        assert type(info["reward"]) is float
        assert info["reward"] == pytest.approx(reward @ WEIGHTS)
        rewards.append(reward)
        if terminated or truncated:
            env.reset()
    assert np.array(rewards)[:, 0].any()


def test_rows(world: dict[str, Any]) -> None:
    env = VectorReward(ProtoAction(SlateVectorEnv(5, **world)))
    assert env.unwrapped.reward_space.shape == (3,)
    env.reset(seed=1)
    env.action_space.seed(1)
    _, rewards, *_, infos = env.step(env.action_space.sample())
    assert rewards.shape == (5, 3)
    assert infos["reward"].shape == (5,)
    assert infos["_reward"].all()
    np.testing.assert_allclose(infos["reward"], rewards @ WEIGHTS)


@pytest.mark.filterwarnings("ignore:.*pkg_resources", "ignore:.*The reward returned by `step")
def test_wrappers_of_mo_gymnasium_take_it(world: dict[str, Any]) -> None:
    pytest.importorskip("mo_gymnasium")
    from mo_gymnasium.wrappers import LinearReward, MORecordEpisodeStatistics

    env, scalar = LinearReward(MORecordEpisodeStatistics(VectorReward(SlateEnv(**world))), WEIGHTS), SlateEnv(**world)
    env.reset(seed=1), scalar.reset(seed=1)
    scalar.action_space.seed(1)
    total, ended = np.zeros(3), False
    while not ended:
        action = scalar.action_space.sample()
        _, reward, terminated, truncated, info = env.step(action)
        assert reward == pytest.approx(scalar.step(action)[1])
        total += info["objectives"]
        ended = terminated or truncated
    np.testing.assert_allclose(info["episode"]["r"], total)


def test_its_vector_of_single_ones_is_ours(world: dict[str, Any]) -> None:
    pytest.importorskip("mo_gymnasium")
    from mo_gymnasium.wrappers.vector import MOSyncVectorEnv

    theirs, ours = MOSyncVectorEnv([lambda: VectorReward(SlateEnv(**world))]), VectorReward(SlateVectorEnv(1, **world))
    theirs.reset(seed=1), ours.reset(seed=1)
    ours.action_space.seed(1)
    for _ in range(3):
        action = ours.action_space.sample()
        (_, their_reward, *_), (_, our_reward, terminated, *_) = theirs.step(action), ours.step(action)
        np.testing.assert_allclose(their_reward, our_reward, rtol=1e-6)  # theirs is float32
        if terminated[0]:
            break
