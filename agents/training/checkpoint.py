"""Checkpoints of an on-policy training by Stable-Baselines3, from which it goes on bit for bit.

A checkpoint is written between two updates, when the rollout buffer is empty. It holds the policy, its optimizer and
generators, SB3's counters, the global generators of torch and numpy (SB3 draws actions and minibatches from them), and
the sessions that the environment is in the middle of. The file is one of torch, of which tensors, numbers and names
are read and nothing else; nothing in it is executed.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from recsim.files import write_whole
from recsim.paths import absent

_COUNTERS = ("num_timesteps", "_n_updates", "_episode_num")
_MONITOR = ("episode_returns", "episode_lengths")


class Resumable(Protocol):
    """A callback with a memory of its own, which checkpoints keep."""

    def state(self) -> dict[str, Any]:
        """Numbers, texts, tensors, and lists and dicts of such."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        ...


class Checkpoints(BaseCallback):
    """Writes a checkpoint every so many slates, over the one before, whole or not at all.

    It comes last in a list of callbacks, so that it keeps what the others have done at the same moment.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, every: int, parts: Mapping[str, Resumable] | None = None) -> None:
        """Checkpoints of a model on a recsim environment, in `SlateVecEnv`, and of `parts` by name.

        Raises:
            ValueError: if `every` is below 1.
        """
        super().__init__()
        if every < 1:
            raise ValueError(f"every is {every}; it is from 1 up.")
        self.path, self._every, self._parts = path, every, dict(parts or {})

    def _init_callback(self) -> None:
        _check(self.model)

    def _on_training_start(self) -> None:
        self._next = (self.num_timesteps // self._every + 1) * self._every

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._next:
            save_checkpoint(self.model, self.path, self._parts)
            self._on_training_start()

    def _on_step(self) -> bool:
        return True


def save_checkpoint(model: Any, path: Path, parts: Mapping[str, Resumable] | None = None) -> None:
    """Write all that `resume` needs, whole or not at all; for the moment before a rollout.

    Raises:
        TypeError: if the model is not on-policy, or explores by generalised state-dependent noise.
    """
    _check(model)
    environment, policy = model.get_env(), model.policy
    content = {
        "policy": policy.state_dict(),
        "optimizer": policy.optimizer.state_dict(),
        "generators": {name: part.get_state() for name, part in _generators(policy).items()},
        "torch": torch.get_rng_state(),
        "numpy": _numpy_state(),
        "counters": {name: getattr(model, name) for name in _COUNTERS},
        "episodes": [{name: float(value) for name, value in episode.items()} for episode in model.ep_info_buffer],
        "episode_starts": torch.from_numpy(np.asarray(model._last_episode_starts)),
        "sessions": _tensors(environment.get_attr("simulator")[0].snapshot()),
        "monitor": _tensors({name: getattr(environment, name) for name in _MONITOR if hasattr(environment, name)}),
        "lstm": [list(states) for states in getattr(model, "_last_lstm_states", ())],
        "parts": {name: part.state() for name, part in (parts or {}).items()},
    }
    write_whole(path, lambda temporary: torch.save(content, temporary))


def resume(model: Any, path: Path, parts: Mapping[str, Resumable] | None = None) -> None:
    """Put a new model, made with the same arguments, where the checkpoint at `path` was written.

    Then `model.learn(remaining slates, reset_num_timesteps=False)` ends with the same bits as an uninterrupted
    training, under the same versions of the libraries and on one thread.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no checkpoint, or one of another model or world.
        TypeError: as `save_checkpoint`.
    """
    _check(model)
    content, environment, policy = _read(path), model.get_env(), model.policy
    try:
        environment.set_options({"snapshot": {name: part.numpy() for name, part in content["sessions"].items()}})
        model._last_obs = environment.reset()
        policy.load_state_dict(content["policy"])
        policy.optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path} is a checkpoint of another model or world; train anew. ({error})") from error
    for name, state in content["generators"].items():
        setattr(policy, name, torch.Generator(policy.device).manual_seed(0))
        getattr(policy, name).set_state(state)
    for name, value in content["counters"].items():
        setattr(model, name, value)
    model.ep_info_buffer = deque(content["episodes"], maxlen=model._stats_window_size)
    model.ep_success_buffer = deque(maxlen=model._stats_window_size)
    model._last_episode_starts = content["episode_starts"].numpy()
    for name, array in content["monitor"].items():
        setattr(environment, name, array.numpy())
    if content["lstm"]:
        model._last_lstm_states = type(model._last_lstm_states)(*map(tuple, content["lstm"]))
    for name, part in (parts or {}).items():
        part.restore(content["parts"][name])
    torch.set_rng_state(content["torch"])
    _set_numpy_state(content["numpy"])


def _check(model: Any) -> None:
    if not isinstance(model, OnPolicyAlgorithm) or model.use_sde:
        what = "explores by gSDE, whose noise" if isinstance(model, OnPolicyAlgorithm) else "has a replay buffer, which"
        raise TypeError(f"this {type(model).__name__} {what} no checkpoint holds; train it without checkpoints.")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(absent("checkpoint", path, "check the path"))
    try:
        content: dict[str, Any] = torch.load(path, weights_only=True)
        whole = {"policy", "sessions", "parts"} <= content.keys()
    except (RuntimeError, ValueError, EOFError, AttributeError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is no checkpoint of recsim; remove it and train anew.") from error
    if not whole:
        raise ValueError(f"{path} is no checkpoint of recsim; remove it and train anew.")
    return content


def _generators(policy: torch.nn.Module) -> dict[str, torch.Generator]:
    """The generators that a policy samples from, where it has its own."""
    return {name: value for name, value in vars(policy).items() if isinstance(value, torch.Generator)}


def _tensors(arrays: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def _numpy_state() -> dict[str, Any]:
    """Numpy's global generator, from which SB3 draws minibatches."""
    whole: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    state: dict[str, Any] = whole | {
        "state": whole["state"] | {"key": torch.from_numpy(whole["state"]["key"].astype(np.int64))}
    }
    return state


def _set_numpy_state(state: dict[str, Any]) -> None:
    key = state["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state(state | {"state": state["state"] | {"key": key}})  # noqa: NPY002
