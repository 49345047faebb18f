"""Models of Stable-Baselines3 on disk: the library's own zip files, read without executing what is in them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from gymnasium.spaces import Space
from stable_baselines3.common.policies import BasePolicy

from recsim.agents.storage import check_identity, identity
from recsim.catalog import Catalog
from recsim.files import write_whole
from recsim.paths import absent

ALGORITHMS = {  # where the class is, and its policy for observations that are rows of numbers
    "ppo": ("stable_baselines3", "PPO", "MlpPolicy"),
    "sac": ("stable_baselines3", "SAC", "MlpPolicy"),
    "recurrent_ppo": ("sb3_contrib", "RecurrentPPO", "MlpLstmPolicy"),
}
_ABOUT = "recsim.json"  # our own entry in SB3's zip: whose items the model ranks, and how


def algorithm_class(algorithm: str) -> Any:
    """The class of an algorithm by its name in `ALGORITHMS`.

    Raises:
        ValueError: if there is no such name.
    """
    if algorithm not in ALGORITHMS:
        raise ValueError(f"there is no algorithm {algorithm!r}; the algorithms are {', '.join(ALGORITHMS)}.")
    module, name, _ = ALGORITHMS[algorithm]
    return getattr(import_module(module), name)


def save_sb3(model: Any, path: Path, *, action: str, catalog: Catalog) -> None:
    """Write SB3's zip file, whole or not at all, and into it whose items the model ranks and what its actions mean."""

    def write(temporary: Path) -> None:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_ABOUT, json.dumps({**identity(catalog), "action": action}))

    write_whole(path, write)


def load_network(
    path: Path,
    algorithm: str,
    action: str,
    catalog: Catalog,
    spaces: tuple[Space[Any], Space[Any]],
    *,
    policy_kwargs: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> BasePolicy:
    """The network of a saved model. Arguments as in `SB3Policy.load`; `spaces` are of observations and actions.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no such model, or `save_sb3` wrote it for another catalogue or other actions; or its
            network cannot be built from what may be read of it.
    """
    model_class = algorithm_class(algorithm)
    about, data, state = _read(path)
    if about:
        check_identity(path, about, catalog)
        if about["action"] != action:
            raise ValueError(f"the actions of {path} are of kind {about['action']!r}, not {action!r}; say so.")
    if trust:
        given = {"observation_space": spaces[0], "action_space": spaces[1]}
        network: BasePolicy = model_class.load(path, device="cpu", custom_objects=given).policy
        return network
    kwargs = data.get("policy_kwargs", {}) if policy_kwargs is None else dict(policy_kwargs)
    if ":serialized:" in kwargs:
        raise ValueError(
            f"the policy_kwargs of {path} are pickled, and unpickling runs code. Pass policy_kwargs={{...}} as in "
            "training, or trust=True if you know where the file comes from."
        )
    network_class = model_class.policy_aliases[ALGORITHMS[algorithm][2]]
    network = network_class(*spaces, lambda remaining: 0.0, **{"use_sde": bool(data.get("use_sde")), **kwargs})
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"{path} holds a network of another shape than {algorithm} with actions {action!r} has here: another "
            "algorithm, catalogue, slate size, observation or policy_kwargs."
        ) from error
    return network


def _read(path: Path) -> tuple[dict[str, str], dict[str, Any], dict[str, torch.Tensor]]:
    """What `save_sb3` wrote of its own, SB3's JSON, and the tensors of the network."""
    if not path.is_file():
        raise FileNotFoundError(absent("model", path, "train one first"))
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read(_ABOUT)) if _ABOUT in archive.namelist() else {}
            data = json.loads(archive.read("data"))
            with archive.open("policy.pth") as file:
                state = torch.load(file, weights_only=True, map_location="cpu")
    except (zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is no model of Stable-Baselines3 ({error}); save it with model.save.") from error
    return about, data, state
