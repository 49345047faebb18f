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
from recsim.agents.ppo.ranker import DiverseRanker
from recsim.agents.storage import check_identity, identity
from recsim.catalog import Catalog
from recsim.files import write_whole
from recsim.observation import Layout
from recsim.paths import absent

_ABOUT = "recsim.json"  # our own entry in SB3's zip: what is needed to rebuild the network without unpickling anything


class PPOScorer:
    """Scores and discounts of a trained `DiverseRanker`: a `DiverseScorer`."""

    def __init__(self, ranker: DiverseRanker) -> None:
        """Scores by `ranker`, which is set to evaluation mode."""
        self.ranker = ranker.eval()

    @property
    def category(self) -> NDArray[np.int64]:
        """(m,) int64, categories of the items."""
        return self.ranker.category

    def scores(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, m) float64 logits."""
        with torch.no_grad():
            return _numbers(self.ranker(self._inputs(observation)))

    def discount(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,) float64, logits lost per item of the same category above."""
        with torch.no_grad():
            return _numbers(self.ranker.discount(self.ranker.state(self._inputs(observation))))

    def _inputs(self, observation: NDArray[np.float32]) -> torch.Tensor:
        return torch.tensor(observation, device=self.ranker.keys.device)

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
            raise FileNotFoundError(absent("PPO model", path, "train one first"))
        try:
            with zipfile.ZipFile(path) as archive:
                about = json.loads(archive.read(_ABOUT))
                with archive.open("policy.pth") as file:
                    state = torch.load(file, weights_only=True, map_location="cpu")
        except (zipfile.BadZipFile, KeyError) as error:
            raise ValueError(f"{path} is not a model written by recsim ({error}); train and save it again.") from error
        check_identity(path, about, catalog)
        ranker = DiverseRanker(catalog, layout, **about["network"])
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

    The arguments of the policy and the rollout buffer (the whole catalogue and the environment among them) stay out of
    it: to go on training, `PPO.load` needs them as `custom_objects={"policy_kwargs": ..., "rollout_buffer_kwargs":
    ...}`.
    """
    policy = model.policy
    assert isinstance(policy, PlackettLucePolicy)
    write_whole(path, lambda temporary: _write(model, policy, temporary))


def _write(model: PPO, policy: PlackettLucePolicy, path: Path) -> None:
    arguments = model.policy_kwargs, model.rollout_buffer_kwargs
    model.policy_kwargs, model.rollout_buffer_kwargs = {}, {}
    try:
        model.save(path)
    finally:
        model.policy_kwargs, model.rollout_buffer_kwargs = arguments
    about = {**identity(policy.ranker.features.catalog), "network": policy.network}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_ABOUT, json.dumps(about))


def _numbers(values: torch.Tensor) -> NDArray[np.float64]:
    return values.cpu().numpy().astype(np.float64)
