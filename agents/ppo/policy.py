"""The policy class for stable-baselines3's PPO: `PPO(PlackettLucePolicy, SlateVecEnv(...), policy_kwargs=...)`."""

from __future__ import annotations

from typing import Any

import gymnasium
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import nn

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.ppo import plackett_luce
from recsim.agents.ppo.ranker import Ranker
from recsim.catalog import Catalog
from recsim.observation import Layout


class PlackettLucePolicy(ActorCriticPolicy):
    """Actor: Plackett-Luce over the scores of a `Ranker`; one action is a slate. Critic: a network of the observation.

    The joint log-probability of a slate is exact. Its entropy has no closed form: SB3 then uses -log-probability, of
    which the entropy is the mean. Sampling draws from a generator of its own.
    """

    def __init__(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.spaces.MultiDiscrete,
        lr_schedule: Schedule,
        *,
        catalog: Catalog | None = None,
        layout: Layout | None = None,
        warm_start: StaticFusion | None = None,
        start_temperature: float = 0.25,
        hidden: int = 64,
        tower: int = 16,
        value_scale: float = 10.0,
        sampling_seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        """A policy; SB3 passes the first three arguments, `policy_kwargs` the rest.

        Args:
            observation_space: (d,) Box of the environment.
            action_space: MultiDiscrete of k item numbers.
            lr_schedule: SB3's learning-rate schedule.
            catalog: the items; by default those that the observation space of a recsim environment names.
            layout: where features stand in an observation, likewise.
            warm_start: a fitted static ranker where training starts; without it, all items start equal.
            start_temperature: temperature of the Plackett-Luce policy around the warm start.
            hidden: width of the small networks.
            tower: size of the two-tower embedding.
            value_scale: the order of magnitude of returns; the critic's output is multiplied by it.
            sampling_seed: seed of the slates' Gumbel noise; by default drawn from torch's generator, which SB3 seeds.
            **kwargs: passed on to `ActorCriticPolicy`.

        Raises:
            ValueError: if neither the arguments nor the observation space name a catalogue and a layout.
        """
        catalog, layout = (
            catalog or getattr(observation_space, "catalog", None),
            layout or getattr(observation_space, "layout", None),
        )
        if catalog is None or layout is None:
            raise ValueError(
                "the observation space names no catalogue and layout; use a recsim environment, or pass both as "
                "policy_kwargs={'catalog': ..., 'layout': ...}."
            )
        self._ranker_arguments = (catalog, layout, warm_start)
        self.sizes = {"hidden": hidden, "tower": tower}
        self._start_temperature = start_temperature
        self.slate_size = len(action_space.nvec)
        self.value_scale = value_scale
        self._sampling_seed = int(torch.randint(2**62, ())) if sampling_seed is None else sampling_seed
        self._generator: torch.Generator | None = None
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        catalog, layout, warm_start = self._ranker_arguments
        self.ranker = Ranker(
            catalog,
            layout,
            warm_start,
            start_temperature=self._start_temperature,
            hidden=self.sizes["hidden"],
            tower=self.sizes["tower"],
        )
        hidden = self.sizes["hidden"]
        self.critic = nn.Sequential(
            nn.Linear(self.ranker.layout.size, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, 1),
        )
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def forward(
        self, obs: torch.Tensor, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Slates (n, k), values (n, 1) and joint log-probabilities (n,)."""
        scores = self.ranker(obs)
        slate = self._slate(scores, deterministic)
        return slate, self.predict_values(obs), plackett_luce.log_prob(scores, slate).sum(dim=1)

    def evaluate_actions(
        self, obs: PyTorchObs, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Values (n, 1), joint log-probabilities (n,) of slates (n, k), and None for the entropy."""
        assert isinstance(obs, torch.Tensor)
        return self.predict_values(obs), plackett_luce.log_prob(self.ranker(obs), actions.long()).sum(dim=1), None

    def predict_values(self, obs: PyTorchObs) -> torch.Tensor:
        """(n, 1) estimated returns."""
        assert isinstance(obs, torch.Tensor)
        values: torch.Tensor = self.value_scale * self.critic(obs * self.ranker.input_scale)
        return values

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> torch.Tensor:
        return self._slate(self.ranker(observation), deterministic)

    def _slate(self, scores: torch.Tensor, deterministic: bool) -> torch.Tensor:
        if deterministic:
            return scores.topk(self.slate_size, dim=1).indices
        if self._generator is None:
            self._generator = torch.Generator(scores.device).manual_seed(self._sampling_seed)
        return plackett_luce.sample(scores, self.slate_size, self._generator)
