"""Runs with every kind of policy: PPO trains reproducibly, leaves its traces, and its training can be cut short."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim.experiments.config import PPOPolicy, RunConfig
from recsim.experiments.config_file import read_config
from recsim.experiments.learner import environment, learn
from recsim.experiments.ppo import make_ppo, ppo_learner
from recsim.experiments.progress import Advance, Silent
from recsim.experiments.run_folder import RunFolder
from recsim.experiments.runner import run
from recsim.experiments.world import World
from recsim.metrics import mean_interval

pytestmark = pytest.mark.slow


class StopTraining(Silent):
    """A display that interrupts the training of the PPO after some slates."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        def advance(done: int) -> None:
            if name == "train ppo" and done >= total // 2:
                raise KeyboardInterrupt

        yield advance


@pytest.fixture(scope="module")
def smoke(smoke_file: Path) -> RunConfig:
    return read_config(smoke_file)


@pytest.fixture(scope="module")
def ppo(smoke: RunConfig) -> PPOPolicy:
    (found,) = (policy for policy in smoke.policies if isinstance(policy, PPOPolicy))
    return found


def test_the_run_has_every_policy_and_what_ppo_leaves(smoke_run: Path, smoke: RunConfig) -> None:
    metrics = json.loads((smoke_run / "metrics.json").read_text())
    assert [policy["kind"] for policy in metrics["policies"]] == [policy.kind for policy in smoke.policies]
    assert (smoke_run / "models" / "ppo.zip").is_file()
    (events,) = (smoke_run / "tensorboard" / "ppo").iterdir()
    assert events.name.startswith("events.out.tfevents")
    assert (smoke_run / "report.html").stat().st_size > 100_000


def test_tensorboard_has_the_losses_and_the_evaluations(smoke_run: Path) -> None:
    backend = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    found = backend.EventAccumulator(str(smoke_run / "tensorboard" / "ppo"))
    found.Reload()
    tags = {"rollout/ep_rew_mean", "train/value_loss", "train/approx_kl", "evaluation/reward"}
    assert tags <= set(found.Tags()["scalars"])
    curve = pd.read_parquet(smoke_run / "learning_curve.parquet")
    shown = {event.step: event.value for event in found.Scalars("evaluation/reward")}
    for point in curve.itertuples():
        assert shown[point.timesteps] == pytest.approx(point.reward, rel=1e-6)


def test_the_learning_curve_starts_before_training_and_ends_with_the_saved_policy(
    smoke_run: Path, smoke: RunConfig, ppo: PPOPolicy
) -> None:
    from recsim.experiments.policies import build
    from recsim.rollout import rollout

    curve = pd.read_parquet(smoke_run / "learning_curve.parquet")
    assert list(curve.columns) == ["policy", "timesteps", "reward", "low", "high", "kept"]
    assert curve["kept"].tolist() == [False, False, True]
    assert curve["timesteps"].tolist() == [0, 512, 1024]
    world = World.of(smoke)
    simulator = world.simulator("learning curve of ppo")
    sessions = rollout(simulator, build(ppo, world, smoke_run, simulator), ppo.eval_users, batch=32)
    interval = mean_interval(sessions.reward, smoke.evaluation.level)
    last = curve.iloc[-1]
    assert (last["reward"], last["low"], last["high"]) == (interval.mean, interval.low, interval.high)


def test_training_twice_gives_the_same_results_even_if_cut_short(
    smoke_run: Path, smoke: RunConfig, tmp_path: Path
) -> None:
    out = tmp_path / "smoke"
    with pytest.raises(KeyboardInterrupt):
        run(smoke, out, display=StopTraining())
    assert RunFolder(out).finished[-1] == "train linucb"
    assert not (out / "tensorboard").exists()
    run(smoke, out, resume=True)
    assert (out / "metrics.json").read_bytes() == (smoke_run / "metrics.json").read_bytes()
    pd.testing.assert_frame_equal(
        pd.read_parquet(out / "learning_curve.parquet"),
        pd.read_parquet(smoke_run / "learning_curve.parquet"),
        check_exact=True,
    )


def test_torch_gets_its_threads_back(smoke_run: Path) -> None:
    import torch

    from recsim.torch_threads import one_torch_thread

    before = torch.get_num_threads()
    torch.set_num_threads(2)  # tests have one
    try:
        with one_torch_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_training_environment_is_the_worlds_with_users_of_its_own(smoke: RunConfig, ppo: PPOPolicy) -> None:
    world = World.of(smoke)
    simulator = environment(ppo, world).simulator
    assert simulator.users is world.users
    assert (simulator.slate_size, simulator.horizon) == (smoke.slate_size, smoke.horizon)
    assert simulator.objectives == world.objectives
    parts = ("the launch log", "the production log", "evaluation", "learning curve of ppo", "training linucb")
    assert len({simulator.seed, *(world.simulator(part).seed for part in parts)}) == 6


def test_settings_reach_sb3(smoke: RunConfig, ppo: PPOPolicy) -> None:
    odd = ppo.model_copy(
        update={
            "gamma": 0.5, "gae_lambda": 0.25, "n_epochs": 3, "ent_coef": 0.125, "vf_coef": 0.75, "max_grad_norm": 2.0,
            "target_kl": 0.3, "learning_rate": 0.01, "clip_range": 0.4, "hidden": 8, "tower": 4, "value_scale": 2.0,
        }
    )  # fmt: skip
    model = make_ppo(odd, World.of(smoke), None)
    assert (model.gamma, model.gae_lambda, model.n_epochs, model.ent_coef) == (0.5, 0.25, 3, 0.125)
    assert (model.vf_coef, model.max_grad_norm, model.target_kl) == (0.75, 2.0, 0.3)
    assert (model.n_steps, model.batch_size, model.n_envs) == (16, 128, 16)
    assert model.lr_schedule(1.0) == 0.01
    assert model.clip_range(1.0) == 0.4  # type: ignore[operator]


def test_a_model_leaves_no_folder_of_logs_in_the_temporary_one(
    smoke: RunConfig, ppo: PPOPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SB3_LOGDIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make_ppo(ppo, World.of(smoke), None).learn(256)
    assert list(tmp_path.glob("SB3-*")) == []


def test_the_curve_is_measured_as_often_as_asked(smoke: RunConfig, ppo: PPOPolicy, tmp_path: Path) -> None:
    often = ppo.model_copy(update={"timesteps": 768, "eval_every": 300})
    world = World.of(smoke)
    seen: list[int] = []
    learn(ppo_learner(often, world, None), world, tmp_path / "run", tmp_path / "scratch", seen.append)
    # rollouts end at 256, 512 and 768; the first ones at or after 0, 300 and 600, and the end
    curve = pd.read_parquet(tmp_path / "scratch" / "results" / "learning_curve" / "ppo.parquet")
    assert curve["timesteps"].tolist() == [0, 512, 768]
    assert seen == list(np.arange(16, 769, 16))
