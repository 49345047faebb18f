"""Training as a stage: interrupted, resumed, stopped early, ended by NaN; and stock algorithms, which learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from stable_baselines3.common.save_util import load_from_zip_file

from recsim.experiments.config import PPOPolicy, RunConfig, StockPolicy
from recsim.experiments.config_file import read_config
from recsim.experiments.errors import UserError
from recsim.experiments.learner import learn
from recsim.experiments.ppo import ppo_learner
from recsim.experiments.sb3 import load_sb3, make_sb3, sb3_learner, train_sb3
from recsim.experiments.world import World
from recsim.metrics import mean_interval
from recsim.rollout import rollout

pytestmark = pytest.mark.slow
SMALL = {"timesteps": 1024, "n_envs": 16, "n_steps": 16, "batch_size": 128, "n_epochs": 2, "eval_users": 20}


@pytest.fixture(scope="module")
def world(smoke_file: Path) -> World:
    return World.of(read_config(smoke_file))


def ppo(**settings: Any) -> PPOPolicy:
    return PPOPolicy(kind="ppo", warm_start=False, **(SMALL | {"eval_every": 256, "checkpoint_every": 256} | settings))


def weights(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_from_zip_file(path, load_data=False)[1]["policy"]
    return found


def interrupt(at: int) -> Any:
    def progress(done: int) -> None:
        if done >= at:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("keep", ["last", "best"])
def test_an_interrupted_training_goes_on_and_ends_with_the_same_bits(world: World, tmp_path: Path, keep: str) -> None:
    settings, seen = ppo(keep=keep), []
    whole, cut, run = tmp_path / "whole", tmp_path / "cut", tmp_path / "run"
    learn(ppo_learner(settings, world, None), world, tmp_path / "other", whole, lambda done: None)
    with pytest.raises(KeyboardInterrupt):
        learn(ppo_learner(settings, world, None), world, run, cut, interrupt(700))
    assert not cut.exists()
    assert (run / "checkpoints" / "ppo" / "checkpoint.pt").is_file()
    learn(ppo_learner(settings, world, None), world, run, cut, seen.append)
    assert seen[0] == 512 + 16
    assert not (run / "checkpoints").exists()
    ours, theirs = weights(cut / "models" / "ppo.zip"), weights(whole / "models" / "ppo.zip")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    curves = [pd.read_parquet(folder / "results" / "learning_curve" / "ppo.parquet") for folder in (cut, whole)]
    pd.testing.assert_frame_equal(*curves, check_exact=True)
    assert curves[0]["timesteps"].tolist() == [0, 256, 512, 768, 1024]
    kept = curves[0].loc[curves[0]["kept"]]
    assert len(kept) == 1
    assert kept.index[0] == (4 if keep == "last" else curves[0]["reward"].idxmax())


def test_training_ends_early_where_nothing_improves(world: World, tmp_path: Path) -> None:
    settings = ppo(learning_rate=1e-12, patience=2)
    evaluation = learn(ppo_learner(settings, world, None), world, tmp_path / "run", tmp_path, lambda done: None)
    assert [point.timesteps for point in evaluation.points] == [0, 256, 512]
    assert evaluation.stopped


def test_a_training_that_diverges_ends_in_a_sentence_and_keeps_its_checkpoint(world: World, tmp_path: Path) -> None:
    learner = ppo_learner(ppo(), world, None)
    checkpoint = tmp_path / "run" / "checkpoints" / "ppo" / "checkpoint.pt"

    def spoil(done: int) -> None:
        if done == 600:  # the middle of the third rollout; its update is the first that can notice
            with torch.no_grad():
                learner.model.policy.critic[0].weight.fill_(torch.nan)

    with pytest.raises(UserError, match="'ppo': training diverged at slate 768: the loss .*loss is nan; the last good"):
        learn(learner, world, tmp_path / "run", tmp_path, lambda done: spoil(done // 600 * 600))
    content = torch.load(checkpoint, weights_only=True)
    assert content["counters"]["num_timesteps"] == 512
    assert all(torch.isfinite(part).all() for part in content["policy"].values())


def stock(algorithm: str, action: str, **settings: Any) -> StockPolicy:
    return StockPolicy(kind="sb3", algorithm=algorithm, action=action, **settings)  # type: ignore[arg-type]


def test_sac_is_trained_saved_and_loaded(world: World, tmp_path: Path) -> None:
    options = {"learning_starts": 32, "batch_size": 16, "buffer_size": 500, "policy_kwargs": {"net_arch": [8]}}
    settings = stock("sac", "proto", timesteps=256, n_envs=8, eval_every=128, eval_users=20, options=options)
    train_sb3(settings, world, tmp_path / "run", tmp_path, lambda done: None)
    served = load_sb3(settings, world, tmp_path / "models" / "sb3.zip")
    curve = pd.read_parquet(tmp_path / "results" / "learning_curve" / "sb3.parquet")
    found = rollout(world.simulator("learning curve of sb3"), served, 20, batch=32)
    assert curve["reward"].tolist()[-1] == mean_interval(found.reward).mean


def test_settings_that_make_no_sense_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="sac decides numbers, not items; choose the action proto or fusion_weights"):
        stock("sac", "slate")
    with pytest.raises(UserError, match="PPO does not take the options of 'sb3': .*n_step"):
        make_sb3(stock("ppo", "proto", options={"n_step": 8}), world)


def test_fusion_weights_are_learned(smoke_file: Path, tmp_path: Path) -> None:
    config = read_config(smoke_file).model_dump()
    catalog = {"synthetic": {"n_items": 100, "n_categories": 5, "seed": 1}}
    world = World.of(RunConfig.model_validate(config | {"catalog": catalog, "horizon": 10}))
    options = {"n_steps": 16, "batch_size": 256, "n_epochs": 5, "learning_rate": 3e-3, "gamma": 0.9}
    settings = stock("ppo", "fusion_weights", timesteps=24_576, n_envs=64, eval_every=24_576, options=options)
    learner = sb3_learner(settings, world)
    fresh = world.simulator("judgement")
    start = rollout(fresh, learner.policy(learner.model), 600).reward
    learn(learner, world, tmp_path / "run", tmp_path, lambda done: None)
    end = rollout(fresh, load_sb3(settings, world, tmp_path / "models" / "sb3.zip"), 600).reward
    assert mean_interval(end - start).low > 0.0
    assert np.isfinite(end).all()
