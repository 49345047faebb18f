"""The network that scores items for users: dynamic fusion of observable features, plus a two-tower residual."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from recsim.agents.features import CrossFeatures
from recsim.agents.fusion.static import StaticFusion
from recsim.catalog import Catalog
from recsim.observation import Layout

# Logits per unit of a feature that one unit of its learned weight is worth: features differ in size, learning rates do
# not.
_GAINS = {"liked": 10.0, "passed": 10.0, "exposure": 50.0, "category_clicks": 100.0, "price": 2.0, "novelty": 5.0}

# The outputs of the networks are scaled down: with many parameters they would otherwise use up the policy's trust
# region with noise before the few fusion weights, which every slate informs, have moved.
NETWORK_SCALE = 0.1
_MERIT_SCALE = 0.3


class Ranker(nn.Module):
    """Scores of all m items for n users, as a product of user queries and item keys.

    score(u, i) = sum over features f of gain_f * (w_f + g_f(u)) * x_f(u, i)    dynamic fusion, g a network of the user
                + b * known_i + <profile_u @ W, category_i>         what a static ranker knows of items and profiles
                + merit(i) + <tower(u), tower(i)>                   what an item's content says, two-tower residual

    A warm start sets w, b, W to those of a fitted static fusion, over the start temperature; g, merit and the user
    tower's output start at 0, so that training starts where the static ranker stands. PPO, SlateQ and the learners from
    logs build on it.
    """

    keys: torch.Tensor
    known: torch.Tensor
    item_input: torch.Tensor
    input_scale: torch.Tensor
    gain: torch.Tensor

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        warm_start: StaticFusion | None = None,
        *,
        start_temperature: float = 0.25,
        hidden: int = 64,
        tower: int = 16,
        state_size: int | None = None,
    ) -> None:
        """A ranker for `catalog`.

        Args:
            catalog: the items.
            layout: where features stand in an observation.
            warm_start: a fitted static ranker where it starts; without it, all items score 0.
            start_temperature: by which the scores of the warm start are divided.
            hidden: width of the networks.
            tower: size of the two-tower embedding.
            state_size: length of what the networks see of a user, where `state` tells more than the observation.
        """
        super().__init__()
        features = CrossFeatures(catalog, layout)
        self.features, self.layout, self.hidden = features, layout, hidden
        self.state_size = layout.size if state_size is None else state_size
        taste_scale = float(np.sqrt(catalog.offsets[-1]))
        keys = torch.from_numpy(features.keys)
        self.register_buffer("keys", keys, persistent=False)
        item_input = torch.cat([keys[:, : catalog.offsets[-1]] * taste_scale, keys[:, catalog.offsets[-1] :]], 1)
        self.register_buffer("item_input", item_input, persistent=False)
        self.register_buffer("input_scale", _input_scale(layout, taste_scale), persistent=False)
        self.register_buffer("gain", torch.tensor([_gain(name) for name in features.names]), persistent=False)
        self.register_buffer("known", torch.zeros(len(catalog)))  # the only table that is not the catalogue's

        profile = layout["profile"].stop - layout["profile"].start
        self.fusion_weight = nn.Parameter(torch.zeros(len(features.names)))
        self.known_weight = nn.Parameter(torch.zeros(()))
        self.profile_weight = nn.Parameter(torch.zeros(profile, len(catalog.categories)))
        self.item_merit = network(self.item_input.shape[1], hidden, 1)
        self.fusion_net = network(self.state_size, hidden, len(features.names))
        self.user_tower = network(self.state_size, hidden, tower)
        self.item_tower: nn.Module = network(self.item_input.shape[1], hidden, tower)
        for learned in (self.fusion_net, self.user_tower, self.item_merit):
            start_at_zero(learned)
        if warm_start is not None:
            self._start_from(warm_start, start_temperature)

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """(n, m) scores from (n, d) observations."""
        return self.scored(observation, self.state(observation))

    def scored(self, observation: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """(n, m) scores from observations (n, d) and what the networks see of them, `state` (n, state_size)."""
        bias = _MERIT_SCALE * self.item_merit(self.item_input).squeeze(1) + self.known_weight * self.known
        residual = NETWORK_SCALE * self.user_tower(state) @ self.item_vectors().T
        scores: torch.Tensor = torch.addmm(bias, self._query(observation, state), self.keys.T) + residual
        return scores

    def at(self, observation: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """(n, c) scores of `items` (n, c) int64; those at -1 mean nothing."""
        state, item = self.state(observation), self.item_input[items]
        bias = _MERIT_SCALE * self.item_merit(item).squeeze(2) + self.known_weight * self.known[items]
        residual = torch.einsum("nt,nct->nc", self.user_tower(state), self.item_vectors()[items])
        linear = torch.einsum("np,ncp->nc", self._query(observation, state), self.keys[items])
        scores: torch.Tensor = bias + linear + NETWORK_SCALE * residual
        return scores

    def state(self, observation: torch.Tensor) -> torch.Tensor:
        """(n, state_size), what the networks see of users."""
        return observation * self.input_scale

    def item_vectors(self) -> torch.Tensor:
        """(m, tower), the item side of the two-tower residual."""
        vectors: torch.Tensor = self.item_tower(self.item_input)
        return vectors

    def _query(self, observation: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """(n, P): for each group of key columns, the weighted sum of the features that meet it."""
        weight = self.gain * (self.fusion_weight + NETWORK_SCALE * self.fusion_net(state))  # (n, f)
        parts: dict[tuple[int, int], torch.Tensor] = {}
        category = self.features.category_key
        parts[category.start, category.stop] = observation[:, self.layout["profile"]] @ self.profile_weight
        for number, feature in enumerate(self.features.features):
            part = weight[:, number : number + 1]
            if feature.query is not None:
                part = part * observation[:, feature.query]
            place = (feature.key.start, feature.key.stop)
            parts[place] = parts[place] + part if place in parts else part
        return torch.cat([parts[place] for place in sorted(parts)], dim=1)

    def _start_from(self, fusion: StaticFusion, temperature: float) -> None:
        weights, modalities = fusion.weights / temperature, tuple(fusion.catalog.modalities)
        start = {f"liked_{name}": weight for name, weight in zip(modalities, weights, strict=False)}
        with torch.no_grad():
            for number, name in enumerate(self.features.names):
                self.fusion_weight[number] = start.get(name, 0.0) / float(self.gain[number])
            self.known.copy_(torch.from_numpy(fusion.scorers.alike(fusion.weights)))
            self.known_weight.fill_(1.0 / temperature)
            self.profile_weight.copy_(torch.from_numpy(weights[-1] * fusion.profile_rate))


def network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """A network with one hidden layer."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))


def start_at_zero(learned: nn.Sequential) -> None:
    """Let a network say 0, whatever its input."""
    for parameter in learned[-1].parameters():
        nn.init.zeros_(parameter)


def _gain(name: str) -> float:
    return _GAINS.get(name) or _GAINS[name.split("_")[0]]


def _input_scale(layout: Layout, taste_scale: float) -> torch.Tensor:
    """Brings the quantities of an observation to order 1: unit vectors and shares of categories have small entries.

    Item numbers are no quantities: networks see 0 there.
    """
    scale = torch.zeros(layout.size)
    scale[torch.from_numpy(layout.quantities)] = 1.0
    for name, value in (("liked", taste_scale), ("passed", taste_scale), ("exposure", 10.0), ("category_clicks", 50.0)):
        scale[layout[name]] = value
    return scale
