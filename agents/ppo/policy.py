"""The policy class for stable-baselines3's PPO: `PPO(PlackettLucePolicy, SlateVecEnv(...), policy_kwargs=...)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import nn

from recsim import diverse
from recsim.agents.fusion.static import StaticFusion
from recsim.agents.ppo import plackett_luce
from recsim.agents.ppo.ranker import DiverseRanker
from recsim.catalog import Catalog
from recsim.observation import Layout


class PlackettLucePolicy(ActorCriticPolicy):
    """Actor: Plackett-Luce with a category discount over the scores of a `DiverseRanker`; one action is a slate.

    Critic: a network of the observation. Log-probabilities are exact. Entropy has no closed form: SB3 then uses
    -log-probability, of which the entropy is the mean. Sampling draws from a generator of its own.

    With `credit="position"` the policy tells log-probabilities and values by position, for `PositionRolloutBuffer`.
    """

    value_scale: torch.Tensor

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
        credit: Literal["slate", "position"] = "slate",
        network: Mapping[str, Any] | None = None,
        born: NDArray[np.float32] | None = None,
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
            credit: whether what a slate earns is credited to the slate, or what a position earns to the position.
            network: keyword arguments of the `DiverseRanker`.
            born: (m,) days on which items appear (`Simulator.born`), before which they are not shown.
            value_scale: the order of magnitude of returns; the critic's output is multiplied by it.
            sampling_seed: seed of the slates' draws; by default drawn from torch's generator, which SB3 seeds.
            **kwargs: passed on to `ActorCriticPolicy`.

        Raises:
            ValueError: if neither the arguments nor the observation space name a catalogue and a layout, or the credit
                is unknown.
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
        if credit not in ("slate", "position"):
            raise ValueError(f"credit is {credit!r}; it goes to the 'slate' or to each 'position'.")
        self._catalog, self._layout = catalog, layout
        self._warm_start, self._start_temperature, self._born = warm_start, start_temperature, born
        self.network = dict(network or {})
        self.slate_size, self.by_position = len(action_space.nvec), credit == "position"
        self._value_scale = value_scale
        self._sampling_seed = int(torch.randint(2**62, ())) if sampling_seed is None else sampling_seed
        self._generator: torch.Generator | None = None
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        self.ranker = DiverseRanker(
            self._catalog,
            self._layout,
            self._warm_start,
            start_temperature=self._start_temperature,
            **self.network,
        )
        if self._born is not None:
            self.ranker.born.copy_(torch.tensor(self._born))
        positions = self.slate_size if self.by_position else 0
        self.register_buffer("value_scale", torch.tensor([self._value_scale] + [1.0] * positions))
        hidden = self.ranker.hidden
        self.critic = nn.Sequential(
            nn.Linear(self.ranker.state_size, hidden),
            nn.Tanh(),
            nn.Linear(hidden, hidden),
            nn.Tanh(),
            nn.Linear(hidden, 1 + positions),
        )
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def forward(
        self, obs: torch.Tensor, deterministic: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Slates (n, k), values and log-probabilities: (n, 1) and (n,), or (n, 1 + k) and (n, k) by position."""
        scores, discount, values = self._judged(obs)
        slate = self._slate(scores, discount, deterministic)
        return slate, values, self._log_prob(scores, discount, slate)

    def evaluate_actions(self, obs: PyTorchObs, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        """Values and log-probabilities of slates (n, k), as of `forward`, and None for the entropy."""
        assert isinstance(obs, torch.Tensor)
        scores, discount, values = self._judged(obs)
        return values, self._log_prob(scores, discount, actions.long()), None

    def predict_values(self, obs: PyTorchObs) -> torch.Tensor:
        """(n, 1) estimated returns."""
        assert isinstance(obs, torch.Tensor)
        return self._values(self.ranker.state(obs))[:, :1]

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> torch.Tensor:
        assert isinstance(observation, torch.Tensor)
        state = self.ranker.state(observation)
        return self._slate(self.ranker.scored(observation, state), self.ranker.discount(state), deterministic)

    def _judged(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scores (n, m), discounts (n,) and values of observations, whose state is made once for all three."""
        state = self.ranker.state(obs)
        return self.ranker.scored(obs, state), self.ranker.discount(state), self._values(state)

    def _values(self, state: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.value_scale * self.critic(state)
        return values

    def _log_prob(self, scores: torch.Tensor, discount: torch.Tensor, slate: torch.Tensor) -> torch.Tensor:
        steps = plackett_luce.log_prob(scores, slate, self.ranker.one_hot, discount)
        return steps if self.by_position else steps.sum(dim=1)

    def _slate(self, scores: torch.Tensor, discount: torch.Tensor, deterministic: bool) -> torch.Tensor:
        logits, loss = scores.detach().cpu().numpy(), discount.detach().cpu().numpy()
        if deterministic:
            slate = diverse.best(logits, loss, self.ranker.category, self.slate_size)
        else:
            if self._generator is None:
                self._generator = torch.Generator().manual_seed(self._sampling_seed)
            unit = torch.rand(len(logits), self.slate_size, 2, generator=self._generator, dtype=torch.float64)
            slate = diverse.sample(logits, loss, self.ranker.category, unit.numpy())
        return torch.from_numpy(slate).to(scores.device)
