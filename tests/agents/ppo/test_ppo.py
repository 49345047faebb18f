import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from recsim import diverse
from recsim.agents.fusion.static import StaticFusion
from recsim.agents.ppo.credit import PositionRolloutBuffer
from recsim.agents.ppo.policy import PlackettLucePolicy
from recsim.agents.ppo.ranker import DiverseRanker
from recsim.agents.ppo.scorer import PPOScorer, save_ppo
from recsim.catalog import Catalog
from recsim.envs.sb3 import SlateVecEnv
from recsim.logs import Log
from recsim.observation import Layout
from recsim.policy import Ranking
from recsim.rollout import rollout
from recsim.simulator import Simulator

SMALL: dict[str, Any] = {"network": {"hidden": 16, "tower": 4}}


@pytest.fixture(scope="module")
def fusion(world: Simulator, log: Log) -> StaticFusion:
    return StaticFusion.fit(log, world.catalog, world.layout)


def model_of(world: Simulator, fusion: StaticFusion | None, n_envs: int = 32, credit: str = "position") -> PPO:
    env = SlateVecEnv(n_envs, catalog=world.catalog, users=world.users, slate_size=4, horizon=10, seed=5)
    kwargs = {"catalog": world.catalog, "layout": world.layout, "warm_start": fusion, "credit": credit, **SMALL}
    by_position = {"rollout_buffer_class": PositionRolloutBuffer, "rollout_buffer_kwargs": {"env": env}}
    return PPO(
        PlackettLucePolicy,
        env,
        policy_kwargs=kwargs,
        n_steps=16,
        batch_size=n_envs * 8,
        n_epochs=4,
        learning_rate=1e-2,
        gamma=0.95,
        gae_lambda=0.8,
        clip_range=0.2 if credit == "position" else 1.0,
        vf_coef=0.5 if credit == "position" else 0.05,
        seed=0,
        device="cpu",
        **(by_position if credit == "position" else {}),
    )


def test_a_warm_start_stands_where_the_static_ranker_stands(world: Simulator, log: Log, fusion: StaticFusion) -> None:
    ranker = DiverseRanker(world.catalog, world.layout, fusion, start_temperature=0.5)
    np.testing.assert_allclose(
        PPOScorer(ranker).scores(log.observation), fusion.scores(log.observation) / 0.5, atol=1e-4
    )


def test_a_cold_start_likes_all_items_alike(world: Simulator, log: Log) -> None:
    scores = PPOScorer(DiverseRanker(world.catalog, world.layout)).scores(log.observation)
    assert not scores.any()


@pytest.mark.parametrize("credit", ["slate", "position"])
def test_the_policy_s_log_probability_is_exact(world: Simulator, log: Log, fusion: StaticFusion, credit: str) -> None:
    policy = model_of(world, fusion, credit=credit).policy
    assert isinstance(policy, PlackettLucePolicy)
    with torch.no_grad():
        policy.ranker.discount_weight.fill_(0.1)
    observation = torch.from_numpy(log.observation[:30])
    with torch.no_grad():
        slate, values, found = policy(observation)
        again = policy.evaluate_actions(observation, slate.float())
    scorer = PPOScorer(policy.ranker)
    scores, discount = scorer.scores(log.observation[:30]), scorer.discount(log.observation[:30])
    assert discount.min() > 0.5
    steps = diverse.log_prob(scores, discount, world.catalog.category, slate.numpy())
    expected = steps if credit == "position" else steps.sum(axis=1)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(again[1].numpy(), expected, atol=1e-4)
    assert values.shape == ((30, 5) if credit == "position" else (30, 1))
    assert policy.predict_values(observation).shape == (30, 1)
    best = policy.predict(log.observation[:30], deterministic=True)[0]
    np.testing.assert_array_equal(best, diverse.best(scores, discount, world.catalog.category, 4))


@pytest.mark.slow
@pytest.mark.parametrize("credit", ["slate", "position"])
def test_it_learns_to_beat_the_static_fusion_it_starts_from(
    world: Simulator, fusion: StaticFusion, credit: str
) -> None:
    model = model_of(world, fusion, n_envs=64, credit=credit).learn(40_000)
    learned = rollout(world, Ranking("ppo", PPOScorer.of(model), 4, temperature=1.0), 600).reward
    static = rollout(world, Ranking("static fusion", fusion, 4), 600).reward
    difference = learned - static
    assert difference.mean() > 3.0 * difference.std() / np.sqrt(len(difference))


@pytest.mark.slow
def test_trained_twice_it_is_the_same(world: Simulator, fusion: StaticFusion) -> None:
    first, second = (model_of(world, fusion).learn(1_024).policy.state_dict() for _ in range(2))
    moved = model_of(world, fusion).policy.state_dict()
    for name, values in first.items():
        assert torch.equal(values, second[name]), name
    assert not torch.equal(first["ranker.fusion_weight"], moved["ranker.fusion_weight"])


def test_a_saved_model_scores_the_same_and_nothing_in_it_is_unpickled(
    world: Simulator, log: Log, fusion: StaticFusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(world, fusion)
    save_ppo(model, tmp_path / "ppo.zip")
    assert [file.name for file in tmp_path.iterdir()] == ["ppo.zip"]
    monkeypatch.setattr("cloudpickle.loads", None)
    loaded = PPOScorer.load(tmp_path / "ppo.zip", world.catalog, world.layout)
    np.testing.assert_array_equal(loaded.scores(log.observation), PPOScorer.of(model).scores(log.observation))


def test_training_can_go_on_from_a_saved_model(world: Simulator, fusion: StaticFusion, tmp_path: Path) -> None:
    model = model_of(world, fusion)
    save_ppo(model, tmp_path / "ppo.zip")
    env = model.get_env()
    arguments = {
        "policy_kwargs": {"catalog": world.catalog, "layout": world.layout, "credit": "position", **SMALL},
        "rollout_buffer_kwargs": {"env": env},
    }
    again = PPO.load(tmp_path / "ppo.zip", env=env, custom_objects=arguments)
    again.learn(512)
    assert again.num_timesteps == 512


def test_the_wrong_model_file_is_refused(world: Simulator, fusion: StaticFusion, tmp_path: Path) -> None:
    path = tmp_path / "ppo.zip"
    with pytest.raises(FileNotFoundError, match="there is no PPO model .*: train one first"):
        PPOScorer.load(path, world.catalog, world.layout)
    path.write_text("not a zip")
    with pytest.raises(ValueError, match="is not a model written by recsim"):
        PPOScorer.load(path, world.catalog, world.layout)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", json.dumps({}))
    with pytest.raises(ValueError, match="is not a model written by recsim"):
        PPOScorer.load(path, world.catalog, world.layout)
    save_ppo(model_of(world, fusion), path)
    other = Catalog.synthetic(n_items=24, seed=1)
    other.name = "other"
    with pytest.raises(ValueError, match="but 'other' is needed"):
        PPOScorer.load(path, other, world.layout)


def test_a_network_of_another_shape_is_refused(world: Simulator, fusion: StaticFusion, tmp_path: Path) -> None:
    save_ppo(model_of(world, fusion), tmp_path / "ppo.zip")
    longer = Layout.of(world.catalog, profile_size=9)
    with pytest.raises(ValueError, match="holds a network of another shape"):
        PPOScorer.load(tmp_path / "ppo.zip", world.catalog, longer)


def test_item_numbers_are_no_quantities_to_the_networks(world: Simulator) -> None:
    env = SlateVecEnv(8, catalog=world.catalog, users=world.users, slate_size=4, horizon=10, recent=3)
    model = PPO(PlackettLucePolicy, env, seed=0, n_steps=4, batch_size=32, device="cpu").learn(32)
    observation = torch.from_numpy(env.reset())
    other = observation.clone()
    other[:, observation.shape[1] - 6 :] = 7.0
    policy = model.policy
    assert isinstance(policy, PlackettLucePolicy)
    assert torch.equal(policy.ranker(observation), policy.ranker(other))
    assert torch.equal(policy.predict_values(observation), policy.predict_values(other))


def test_it_is_built_from_the_environment_alone(world: Simulator) -> None:
    env = SlateVecEnv(8, catalog=world.catalog, users=world.users, slate_size=4, horizon=10)
    models = [PPO(PlackettLucePolicy, env, seed=seed, n_steps=4, batch_size=32, device="cpu") for seed in (0, 0, 1)]
    observation = np.repeat(env.reset(), 10, axis=0)
    first, same, other = (model.predict(observation)[0].tolist() for model in models)
    assert first == same
    assert first != other


def test_without_a_catalogue_it_says_what_to_pass(world: Simulator) -> None:
    env = SlateVecEnv(8, catalog=world.catalog, users=world.users, slate_size=4, horizon=10)
    env.observation_space = copy.deepcopy(env.observation_space)  # a plain Box
    with pytest.raises(ValueError, match="names no catalogue and layout; use a recsim environment, or pass both"):
        PPO(PlackettLucePolicy, env, device="cpu")
