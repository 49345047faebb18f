"""The numbers that SlateQ learns about every item for every user, and about the user alone."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.ranker import Ranker
from recsim.agents.slateq.choice import click_model
from recsim.catalog import Catalog
from recsim.observation import Layout

BASE_SCALE = 10.0  # the order of magnitude of returns


class Numbers(NamedTuple):
    """What the network says of c items for n users, (n, c) each.

    Attributes:
        appeal: logits of a click.
        worth: reward of a click, now.
        future: what a click adds to the value of what comes after the slate.
    """

    appeal: torch.Tensor
    worth: torch.Tensor
    future: torch.Tensor


class SlateValues(nn.Module):
    """Item-wise values Q(s, i) = worth + future + base, base being Q(s, no click), and the appeal of items."""

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        slate_size: int,
        choice: str,
        warm_start: StaticFusion | None,
        hidden: int,
        tower: int,
    ) -> None:
        """An untrained network; its layers start from torch's current random state."""
        super().__init__()
        self.appeal = Ranker(catalog, layout, warm_start, start_temperature=1.0, hidden=hidden, tower=tower)
        self.worth = Ranker(catalog, layout, hidden=hidden, tower=tower)
        self.future = Ranker(catalog, layout, hidden=hidden, tower=tower)
        _fill(self.worth.item_merit[-1], bias=1.0)  # before anything is known, what is clicked more is better
        self.click_model = click_model(choice, slate_size)
        self.base_net = nn.Sequential(
            nn.Linear(layout.size, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1)
        )
        _fill(self.base_net[-1], bias=0.0)

    def forward(self, observation: torch.Tensor, items: torch.Tensor | None = None) -> Numbers:
        """Numbers of all items, or of `items` (n, c)."""
        heads = (self.appeal, self.worth, self.future)
        return Numbers(*(head(observation) if items is None else head.at(observation, items) for head in heads))

    def base(self, observation: torch.Tensor) -> torch.Tensor:
        """(n,) the value of what comes after a slate without a click."""
        base: torch.Tensor = BASE_SCALE * self.base_net(observation * self.appeal.input_scale).squeeze(1)
        return base

    def value(self, observation: torch.Tensor, slate: torch.Tensor) -> torch.Tensor:
        """(n,) Q(s, A) = base + sum over the slate of P(click) * (worth + future)."""
        numbers = self(observation, slate)
        click = self.click_model.clicks(numbers.appeal, slate >= 0)
        value: torch.Tensor = self.base(observation) + (click * (numbers.worth + numbers.future)).sum(dim=1)
        return value


def _fill(layer: nn.Module, bias: float) -> None:
    """Let a linear layer say `bias`, whatever its input."""
    assert isinstance(layer, nn.Linear)
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, bias)
