"""A trained PPO policy as a `Scorer`, so that it is evaluated, logged and saved like every other ranker."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO

from recsim.agents.ppo.policy import PlackettLucePolicy
from recsim.agents.ppo.ranker import Ranker
from recsim.agents.storage import check_identity, identity
from recsim.catalog import Catalog
from recsim.files import write_whole
from recsim.observation import Layout

_ABOUT = "recsim.json"  # our own entry in SB3's zip: what is needed to rebuild the network without unpickling anything


class PPOScorer:
    """Scores of a trained `Ranker`."""

    def __init__(self, ranker: Ranker) -> None:
        """Scores by `ranker`, which is set to evaluation mode."""
        self.ranker = ranker.eval()

    def scores(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, m) float64 Plackett-Luce logits."""
        with torch.no_grad():
            inputs = torch.tensor(observation, device=self.ranker.keys.device)
            scores: NDArray[np.float32] = self.ranker(inputs).cpu().numpy()
        return scores.astype(np.float64)

    @classmethod
    def of(cls, model: PPO) -> PPOScorer:
        """The scorer of a model in memory."""
        assert isinstance(model.policy, PlackettLucePolicy)
        return cls(model.policy.ranker)

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> PPOScorer:
        """The scorer of a model written by `save_ppo`. Tensors are read as data; nothing in the file is executed.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file was not written by `save_ppo`, or belongs to another catalogue or version.
        """
        if not path.is_file():
            raise FileNotFoundError(f"there is no PPO model at {path}; train one first.")
        try:
            with zipfile.ZipFile(path) as archive:
                about = json.loads(archive.read(_ABOUT))
                with archive.open("policy.pth") as file:
                    state = torch.load(file, weights_only=True, map_location="cpu")
        except (zipfile.BadZipFile, KeyError) as error:
            raise ValueError(f"{path} is not a model written by recsim ({error}); train and save it again.") from error
        check_identity(path, about, catalog)
        ranker = Ranker(catalog, layout, hidden=about["hidden"], tower=about["tower"])
        prefix = "ranker."
        weights = {name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)}
        try:
            ranker.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(
                f"{path} holds a network of another shape, of another version of recsim or the catalogue; train again."
            ) from error
        return cls(ranker)


def save_ppo(model: PPO, path: Path) -> None:
    """Write an SB3 zip that `PPOScorer.load` reads, under a temporary name, then rename.

    The policy's arguments (the whole catalogue among them) stay out of it: `PPO.load` needs them as
    `custom_objects={"policy_kwargs": ...}` to go on training.
    """
    policy = model.policy
    assert isinstance(policy, PlackettLucePolicy)
    write_whole(path, lambda temporary: _write(model, policy, temporary))


def _write(model: PPO, policy: PlackettLucePolicy, path: Path) -> None:
    arguments, model.policy_kwargs = model.policy_kwargs, {}
    try:
        model.save(path)
    finally:
        model.policy_kwargs = arguments
    about = {**identity(policy.ranker.features.catalog), **policy.sizes}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_ABOUT, json.dumps(about))
