"""`SlateVecEnv`: the same rows as `SlateVectorEnv`, in Stable-Baselines3's form."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import SyncVectorEnv
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from recsim.catalog import Catalog
from recsim.envs import Candidates, FusionWeights, ProtoAction, SlateEnv
from recsim.envs.sb3 import SlateVecEnv
from recsim.envs.vector import SlateVectorEnv

N, STEPS = 5, 30


@pytest.fixture
def env(world: dict[str, Any]) -> SlateVecEnv:
    return SlateVecEnv(N, **world)


@pytest.fixture
def slates() -> np.ndarray:
    return np.random.Generator(np.random.Philox(6)).integers(0, 24, (STEPS, N, 4))


def test_equals_the_vector_environment(env: SlateVecEnv, world: dict[str, Any], slates: np.ndarray) -> None:
    vector = SlateVectorEnv(N, **world)
    env.seed(8)
    assert np.array_equal(env.reset(), vector.reset(seed=8)[0])
    assert env.objectives.tolist() == [[0.0] * 3] * N
    truncations = 0
    for slate in slates:
        observation, reward, terminated, truncated, final = vector.step(slate)
        observations, rewards, dones, infos = env.step(slate)
        assert np.array_equal(observations, observation)
        assert np.array_equal(rewards, reward)
        assert np.array_equal(dones, terminated | truncated)
        assert np.array_equal(env.objectives, final["objectives"])
        assert len(infos) == N
        for row, info in enumerate(infos):
            if not dones[row]:
                assert info == {}
                continue
            assert set(info) == {"terminal_observation", "TimeLimit.truncated"}
            assert np.array_equal(info["terminal_observation"], final["final_obs"][row])
            assert info["TimeLimit.truncated"] is bool(truncated[row])
        truncations += truncated.sum()
    assert truncations > 0


@pytest.mark.parametrize("wrap", [ProtoAction, FusionWeights, lambda env: Candidates(env, 9)])
def test_equals_the_wrapped_vector_environment(world: dict[str, Any], wrap: Any) -> None:
    vector, env = wrap(SlateVectorEnv(N, **world)), SlateVecEnv(wrap(SlateVectorEnv(N, **world)))
    assert (env.num_envs, env.observation_space) == (N, vector.single_observation_space)
    assert env.action_space == vector.single_action_space
    assert env.simulator is env.env.unwrapped.simulator
    env.seed(8)
    assert data_equivalence(env.reset(), vector.reset(seed=8)[0], exact=True)
    vector.action_space.seed(1)
    ends = 0
    for _ in range(STEPS):
        action = vector.action_space.sample()
        observation, reward, terminated, truncated, final = vector.step(action)
        observations, rewards, dones, infos = env.step(action)
        assert data_equivalence((observations, rewards, env.infos), (observation, reward, final), exact=True)
        for row in np.flatnonzero(terminated | truncated):
            assert data_equivalence(infos[row]["terminal_observation"], final["final_obs"][row], exact=True)
        ends += dones.sum()
    assert ends > N


def test_what_it_cannot_take(world: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="'catalog' is given beside a vector environment, which has its world already"):
        SlateVecEnv(SlateVectorEnv(N, **world), **world)
    late = SyncVectorEnv([lambda: SlateEnv(**world)])
    with pytest.raises(TypeError, match="SlateVecEnv wraps SlateEnv or SlateVectorEnv, but SyncVectorEnv.* is neither"):
        SlateVecEnv(late)
    with pytest.raises(TypeError, match="takes a number of rows or a vector environment, but got <SlateEnv instance>"):
        SlateVecEnv(SlateEnv(**world))  # type: ignore[arg-type]


def test_infos_of_two_steps_share_nothing(env: SlateVecEnv, slates: np.ndarray) -> None:
    env.reset()
    first, second = env.step(slates[0])[3], env.step(slates[1])[3]
    assert len({id(info) for info in [*first, *second]}) == 2 * N


def test_seed_and_options_take_effect_once(env: SlateVecEnv) -> None:
    assert env.seed(4) == [4] * N
    env.set_options({"user": 17})
    env.reset()
    assert env.simulator.seed == 4
    assert env.simulator.streams.user.tolist() == [17, 18, 19, 20, 21]
    env.reset()
    assert env.simulator.streams.user.tolist() == [22, 23, 24, 25, 26]
    env.seed(4)
    env.reset()
    assert env.simulator.streams.user.tolist() == [0, 1, 2, 3, 4]
    env.step(np.tile(np.arange(4), (N, 1)))
    assert env.objectives.any()
    env.reset()
    assert not env.objectives.any()
    drawn = env.seed()
    assert len(set(drawn)) == 1
    env.reset()
    assert env.simulator.seed == drawn[0]


def test_rows_share_one_simulator(env: SlateVecEnv) -> None:
    assert env.get_attr("simulator") == [env.simulator] * N
    assert env.get_attr("render_mode", indices=[0, 2]) == [None, None]
    assert env.has_attr("objectives")
    assert not env.has_attr("nothing_of_the_kind")
    assert env.env_is_wrapped(Monitor) == [False] * N
    env.set_attr("note", "all")
    assert env.get_attr("note", indices=1) == ["all"]
    with pytest.raises(ValueError, match="'note' cannot be set for some rows only: the rows share one simulator"):
        env.set_attr("note", "one", indices=[1])
    with pytest.raises(AttributeError, match="rows of SlateVecEnv have no method 'render'"):
        env.env_method("render")
    env.close()


def test_step_wait_before_step_async(env: SlateVecEnv) -> None:
    env.reset()
    with pytest.raises(RuntimeError, match="step_wait before step_async: there are no actions to take"):
        env.step_wait()


def test_step_before_reset(env: SlateVecEnv, slates: np.ndarray) -> None:
    with pytest.raises(RuntimeError, match="step before reset: there are no users yet"):
        env.step(slates[0])


def test_a_wrong_action_is_named_and_changes_nothing(env: SlateVecEnv, slates: np.ndarray) -> None:
    env.seed(1)
    env.reset()
    expected = env.step(slates[0])[1].tolist()
    env.seed(1)
    env.reset()
    with pytest.raises(
        ValueError, match=r"row 3, position 2 of the slate is item 24; items of 'synthetic' are 0 to 23"
    ):
        env.step(np.where(np.arange(20).reshape(5, 4) == 14, 24, 0))
    assert env.step(slates[0])[1].tolist() == expected


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
def test_copies_go_on_alike_and_apart(env: SlateVecEnv, slates: np.ndarray, copied: Any) -> None:
    env.seed(1)
    env.reset()
    twin = copied(env)
    ahead = [env.step(slate)[1].tolist() for slate in slates]
    assert [twin.step(slate)[1].tolist() for slate in slates] == ahead


def test_wrappers_of_stable_baselines_take_it(env: SlateVecEnv, slates: np.ndarray) -> None:
    wrapped = VecNormalize(VecMonitor(env))
    wrapped.reset()
    episodes = 0
    for slate in slates:
        _, _, dones, infos = wrapped.step(slate)
        episodes += sum("episode" in info for info in infos)
        assert [row for row, info in enumerate(infos) if "episode" in info] == np.flatnonzero(dones).tolist()
        assert wrapped.objectives.shape == (N, 3)
    assert episodes > N


def nine(env: Any) -> Any:
    return Candidates(env, 9)


@pytest.mark.filterwarnings("ignore:.*has an unconventional shape")
@pytest.mark.parametrize(
    ("wrap", "algorithm", "policy"),
    [
        (ProtoAction, PPO, "MlpPolicy"),
        (ProtoAction, SAC, "MlpPolicy"),
        (FusionWeights, PPO, "MlpPolicy"),
        (nine, PPO, "MultiInputPolicy"),
    ],
)
def test_stock_algorithms_train_on_wrapped_environments(
    world: dict[str, Any], wrap: Any, algorithm: Any, policy: str
) -> None:
    check_env(wrap(SlateEnv(**world)))
    several = make_vec_env(lambda: wrap(SlateEnv(**world)), n_envs=2)
    settings = {"n_steps": 8, "batch_size": 8, "n_epochs": 2} if algorithm is PPO else {"learning_starts": 8}
    for env in (SlateVecEnv(wrap(SlateVectorEnv(2, **world))), several):
        model = algorithm(policy, env, seed=0, device="cpu", **settings)
        before = [values.clone() for values in model.policy.parameters()]
        model.learn(32)
        assert any(not torch.equal(*pair) for pair in zip(before, model.policy.parameters(), strict=True))
        assert env.action_space.contains(model.predict(env.reset())[0][0])


@pytest.mark.slow
def test_ppo_learns_on_it() -> None:
    """Twelve items, one position, users who differ in nothing that matters: the best items can be found by trying."""
    options = {"interest_scale": 0.0, "satiation_cost": 0.0, "quality_scale": 3.0, "boredom": 0.0, "monotony": 0.0}
    catalog = Catalog.synthetic(12, 3, {"text": 2})
    env = SlateVecEnv(32, catalog=catalog, user_options=options, slate_size=1, horizon=8, seed=3)
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=128, n_epochs=4, learning_rate=0.01, seed=0, device="cpu")
    recorded = VecMonitor(env)
    before, _ = evaluate_policy(model, recorded, n_eval_episodes=256, deterministic=False)
    model.learn(8192)
    after, _ = evaluate_policy(model, recorded, n_eval_episodes=256, deterministic=False)
    assert after > 2 * before
