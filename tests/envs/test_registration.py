"""What importing recsim.envs gives, and what it does not load."""

import subprocess
import sys
from typing import Any

import gymnasium
import pytest

import recsim.envs
from recsim.envs.sb3 import SlateVecEnv
from recsim.envs.single import SlateEnv
from recsim.envs.vector import SlateVectorEnv


def test_the_environment_is_registered_by_name_only() -> None:
    spec = gymnasium.spec("recsim/Slate-v0")
    assert spec.entry_point == "recsim.envs.single:SlateEnv"
    assert spec.vector_entry_point == "recsim.envs.vector:SlateVectorEnv"
    assert spec.max_episode_steps is None
    assert recsim.envs.ENV_ID == "recsim/Slate-v0"


def test_importing_loads_neither_torch_nor_the_simulator() -> None:
    code = (
        "import sys, recsim.envs; heavy = {'torch', 'stable_baselines3', 'numba', 'pandas'} & set(sys.modules);"
        "assert not heavy, heavy; assert 'gymnasium' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_classes_load_when_they_are_used() -> None:
    assert recsim.envs.SlateEnv is SlateEnv
    assert recsim.envs.SlateVectorEnv is SlateVectorEnv
    assert recsim.envs.SlateVecEnv is SlateVecEnv
    assert set(recsim.envs.__all__) <= set(dir(recsim.envs))
    assert all(getattr(recsim.envs, name) for name in recsim.envs.__all__)
    with pytest.raises(AttributeError, match="module 'recsim.envs' has no attribute 'SlatEnv'"):
        recsim.envs.SlatEnv  # noqa: B018


def test_make_gives_the_single_environment(world: dict[str, Any]) -> None:
    env = gymnasium.make("recsim/Slate-v0", **world)
    assert isinstance(env.unwrapped, SlateEnv)
    env.reset(seed=1)
    env.step(env.action_space.sample())
    with pytest.raises(gymnasium.error.ResetNeeded):
        gymnasium.make("recsim/Slate-v0", **world).step(env.action_space.sample())


def test_make_vec_gives_the_vector_environment(world: dict[str, Any]) -> None:
    env = gymnasium.make_vec("recsim/Slate-v0", num_envs=5, **world)
    assert isinstance(env, SlateVectorEnv)
    assert env.num_envs == 5
    assert env.spec is not None
    assert isinstance(gymnasium.make_vec(env.spec), SlateVectorEnv)


def test_the_default_world_is_the_bundled_catalogue() -> None:
    env = gymnasium.make("recsim/Slate-v0")
    assert env.unwrapped.simulator.catalog.name == "openclipart"  # type: ignore[attr-defined]
    assert env.action_space.shape == (10,)
    assert env.unwrapped.simulator.horizon == 30  # type: ignore[attr-defined]
    observation, _ = env.reset(seed=0)
    observation, reward, *_ = env.step(env.action_space.sample())
    assert observation in env.observation_space
    assert reward >= 0
