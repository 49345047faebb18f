"""`Reveal`: the hidden state in the infos, a copy, and in observations only if asked for."""

from dataclasses import fields
from typing import Any

import numpy as np
from gymnasium.spaces import Box

from recsim.envs import FusionWeights, Reveal, SlateEnv, SlateVectorEnv

N = 5


def test_the_hidden_state_is_in_the_infos_and_a_copy(world: dict[str, Any]) -> None:
    env = Reveal(SlateVectorEnv(N, **world))
    assert env.observation_space == env.env.observation_space
    _, infos = env.reset()
    env.action_space.seed(1)
    for _ in range(8):
        state = env.simulator.state
        assert list(infos["hidden"]) == [
            part for field in fields(state) for part in (field.name, f"_{field.name}")
        ]  # each with its mask
        for field in fields(state):
            told, true = infos["hidden"][field.name], getattr(state, field.name)
            assert np.array_equal(told, true)
            assert not np.shares_memory(told, true)
        infos = env.step(env.action_space.sample())[4]


def test_a_single_environment_tells_of_its_user(clockwork: dict[str, Any]) -> None:
    env = Reveal(SlateEnv(**clockwork))
    _, info = env.reset(options={"user": 2})
    assert info == {"hidden": {"seen": 0, "stays": 3}}
    info = env.step(np.arange(4))[4]
    assert info["hidden"] == {"seen": 1, "stays": 3}


def test_the_last_state_of_ended_sessions(clockwork: dict[str, Any]) -> None:
    env = Reveal(SlateVectorEnv(3, **clockwork))
    env.reset()  # users 0, 1, 2 stay for 1, 2, 3 slates
    slate = np.tile(np.arange(4), (3, 1))
    infos = [env.step(slate)[4] for _ in range(2)]
    assert infos[0]["hidden"]["stays"].tolist() == [4, 2, 3]  # user 3 came
    assert infos[0]["final_info"]["hidden"]["stays"].tolist() == [1, 0, 0]
    assert infos[0]["final_info"]["hidden"]["seen"].tolist() == [1, 0, 0]
    assert infos[0]["final_info"]["_hidden"].tolist() == [True, False, False]
    assert infos[1]["final_info"]["hidden"]["seen"].tolist() == [0, 2, 0]


def test_the_hidden_state_can_be_observed(clockwork: dict[str, Any]) -> None:
    plain = SlateVectorEnv(3, **clockwork)
    env = Reveal(SlateVectorEnv(3, **clockwork), observation=True)
    size = env.simulator.layout.size
    assert isinstance(env.single_observation_space, Box)
    assert env.single_observation_space.shape == (size + 2,)
    observation, _ = env.reset()
    assert observation.dtype == np.float32
    assert np.array_equal(observation[:, :size], plain.reset()[0])
    assert observation[:, size:].tolist() == [[0, 1], [0, 2], [0, 3]]
    slate = np.tile(np.arange(4), (3, 1))
    observation, *_, infos = env.step(slate)
    assert np.array_equal(observation[:, :size], plain.step(slate)[0])
    assert observation[:, size:].tolist() == [[0, 4], [1, 2], [1, 3]]
    assert infos["final_obs"][0][size:].tolist() == [1, 1]


def test_other_wrappers_build_on_it(world: dict[str, Any]) -> None:
    """What was appended to the observation does not change what their actions mean."""
    over = FusionWeights(Reveal(SlateVectorEnv(N, **world), observation=True))
    alone = FusionWeights(SlateVectorEnv(N, **world))
    over.reset(seed=1), alone.reset(seed=1)
    alone.action_space.seed(1)
    for _ in range(10):
        weights = alone.action_space.sample()
        assert np.array_equal(over.step(weights)[1], alone.step(weights)[1])
