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
_NETWORK_SCALE = 0.1
_MERIT_SCALE = 0.3


class Ranker(nn.Module):
    """Scores of all m items for n users, as a product of user queries and item keys.

    score(u, i) = sum over features f of gain_f * (w_f + g_f(u)) * x_f(u, i)    dynamic fusion, g a network of the user
                + b * click_rate_i + <profile_u @ W, category_i>    what a static ranker knows of items and profiles
                + merit(i) + <tower(u), tower(i)>                   what an item's content says, two-tower residual

    A warm start sets w, b, W to those of a fitted static fusion, over the start temperature; g, merit and the user
    tower's output start at 0, so that training starts where the static ranker stands.
    """

    keys: torch.Tensor
    click_rate: torch.Tensor
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
    ) -> None:
        """A ranker for `catalog`; `hidden` is the width of its networks, `tower` that of the two-tower embedding."""
        super().__init__()
        features = CrossFeatures(catalog, layout)
        self.features, self.layout = features, layout
        taste_scale = float(np.sqrt(catalog.offsets[-1]))
        keys = torch.from_numpy(features.keys)
        self.register_buffer("keys", keys)
        self.register_buffer(
            "item_input", torch.cat([keys[:, : catalog.offsets[-1]] * taste_scale, keys[:, catalog.offsets[-1] :]], 1)
        )
        self.register_buffer("input_scale", _input_scale(layout, taste_scale))
        self.register_buffer("click_rate", torch.zeros(len(catalog)))
        self.register_buffer("gain", torch.tensor([_gain(name) for name in features.names]))

        profile = layout["profile"].stop - layout["profile"].start
        self.fusion_weight = nn.Parameter(torch.zeros(len(features.names)))
        self.click_rate_weight = nn.Parameter(torch.zeros(()))
        self.profile_weight = nn.Parameter(torch.zeros(profile, len(catalog.categories)))
        self.item_merit = _network(self.item_input.shape[1], hidden, 1)
        self.fusion_net = _network(layout.size, hidden, len(features.names))
        self.user_tower = _network(layout.size, hidden, tower)
        self.item_tower = _network(self.item_input.shape[1], hidden, tower)
        for network in (self.fusion_net, self.user_tower, self.item_merit):
            for parameter in network[-1].parameters():
                nn.init.zeros_(parameter)
        if warm_start is not None:
            self._start_from(warm_start, start_temperature)

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """(n, m) scores from (n, d) observations."""
        state = observation * self.input_scale
        bias = _MERIT_SCALE * self.item_merit(self.item_input).squeeze(1) + self.click_rate_weight * self.click_rate
        residual = _NETWORK_SCALE * self.user_tower(state) @ self.item_tower(self.item_input).T
        scores: torch.Tensor = torch.addmm(bias, self._query(observation, state), self.keys.T) + residual
        return scores

    def _query(self, observation: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """(n, P): for each group of key columns, the weighted sum of the features that meet it."""
        weight = self.gain * (self.fusion_weight + _NETWORK_SCALE * self.fusion_net(state))  # (n, f)
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
        *content, click_rate, profile_rate = fusion.weights / temperature
        start = {f"liked_{name}": weight for name, weight in zip(fusion.catalog.modalities, content, strict=True)}
        with torch.no_grad():
            for number, name in enumerate(self.features.names):
                self.fusion_weight[number] = start.get(name, 0.0) / float(self.gain[number])
            self.click_rate.copy_(torch.from_numpy(fusion.click_rate))
            self.click_rate_weight.fill_(click_rate)
            self.profile_weight.copy_(torch.from_numpy(profile_rate * fusion.profile_rate))


def _network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))


def _gain(name: str) -> float:
    return _GAINS.get(name) or _GAINS[name.split("_")[0]]


def _input_scale(layout: Layout, taste_scale: float) -> torch.Tensor:
    """Brings the columns of an observation to order 1: unit vectors and shares of categories have small entries."""
    scale = torch.ones(layout.size)
    for name, value in (("liked", taste_scale), ("passed", taste_scale), ("exposure", 10.0), ("category_clicks", 50.0)):
        scale[layout[name]] = value
    return scale
