"""A training that goes on from a checkpoint ends with the same bits as one that was not interrupted."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import VecMonitor

from recsim.agents.ppo.policy import PlackettLucePolicy
from recsim.agents.training.checkpoint import Checkpoints, resume, save_checkpoint
from recsim.catalog import Catalog
from recsim.envs import FusionWeights, ProtoAction, SlateVecEnv, SlateVectorEnv

ROLLOUT = 4 * 8
SMALL = {"hidden": 8, "tower": 4}


def made(catalog: Catalog, kind: str, seed: int = 1) -> Any:
    """A small model on a small world."""
    rows: Any = SlateVectorEnv(4, catalog=catalog, slate_size=3, horizon=5, seed=5)
    if kind in ("fusion", "recurrent"):
        rows = FusionWeights(rows)
    settings: dict[str, Any] = {"n_steps": 8, "batch_size": 16, "n_epochs": 2, "seed": seed, "device": "cpu"}
    settings["env"] = VecMonitor(SlateVecEnv(rows))
    if kind == "recurrent":
        return RecurrentPPO("MlpLstmPolicy", policy_kwargs={"lstm_hidden_size": 8, "net_arch": [8]}, **settings)
    if kind == "slate":
        return PPO(PlackettLucePolicy, policy_kwargs={"network": SMALL, "sampling_seed": 3}, **settings)
    return PPO("MlpPolicy", policy_kwargs={"net_arch": [8]}, **settings)


def bits(model: Any) -> list[torch.Tensor]:
    optimizer = model.policy.optimizer.state_dict()["state"].values()
    return [*model.policy.state_dict().values(), *(part for state in optimizer for part in state.values())]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["slate", "fusion", "recurrent"])
def test_going_on_is_bit_equal(catalog: Catalog, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    whole = made(catalog, kind)
    whole.learn(5 * ROLLOUT)
    cut = made(catalog, kind)
    cut.learn(3 * ROLLOUT, callback=Checkpoints(path, ROLLOUT + 1))  # written at 2 rollouts: the first one after 33
    on = made(catalog, kind, seed=2)
    torch.rand(3)
    resume(on, path)
    assert on.num_timesteps == 2 * ROLLOUT
    on.learn(3 * ROLLOUT, reset_num_timesteps=False)
    assert on.num_timesteps == whole.num_timesteps
    pairs = list(zip(bits(on), bits(whole), strict=True))
    assert len(pairs) > 10
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
    assert [episode["l"] for episode in on.ep_info_buffer] == [episode["l"] for episode in whole.ep_info_buffer]
    assert not any(torch.equal(ours, theirs) for ours, theirs in zip(bits(cut)[-3:-1], bits(whole)[-3:-1], strict=True))


def test_what_is_no_checkpoint_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    model, path = made(catalog, "fusion"), tmp_path / "checkpoint.pt"
    with pytest.raises(FileNotFoundError, match="there is no checkpoint .*: check the path"):
        resume(model, path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="is no checkpoint of recsim; remove it and train anew"):
        resume(model, path)
    torch.save({"policy": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="is no checkpoint of recsim"):
        resume(model, path)
    torch.save({"policy": Catalog}, path)
    with pytest.raises(ValueError, match="is no checkpoint of recsim"):
        resume(model, path)
    model.learn(ROLLOUT)
    save_checkpoint(model, path)
    with pytest.raises(ValueError, match="is a checkpoint of another model or world; train anew"):
        resume(made(catalog, "slate"), path)


def test_models_that_cannot_be_resumed_are_refused(catalog: Catalog, tmp_path: Path) -> None:
    env = SlateVecEnv(ProtoAction(SlateVectorEnv(2, catalog=catalog, slate_size=3)))
    sac = SAC("MlpPolicy", env, buffer_size=10, device="cpu", policy_kwargs={"net_arch": [4]})
    with pytest.raises(TypeError, match="this SAC has a replay buffer, which no checkpoint holds; train it without"):
        sac.learn(4, callback=Checkpoints(tmp_path / "checkpoint.pt", 2))
    noisy = PPO("MlpPolicy", env, use_sde=True, device="cpu")
    with pytest.raises(TypeError, match="this PPO explores by gSDE, whose noise no checkpoint holds"):
        save_checkpoint(noisy, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="every is 0"):
        Checkpoints(tmp_path / "checkpoint.pt", 0)
