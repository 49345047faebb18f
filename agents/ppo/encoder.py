"""Encoders of what a user clicked lately, in order: `clicked` of worlds made with recent=h."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from recsim.agents.fusion.module import TransformerFusion


class RecurrentEncoder(nn.Module):
    """The last state of gated recurrent units (Cho et al. 2014) that read the clicked items, oldest first."""

    def __init__(self, item_size: int, recent: int, size: int) -> None:
        """An encoder of `recent` items of `item_size` features into `size` numbers."""
        super().__init__()
        self.units = nn.GRU(item_size, size, batch_first=True)

    def forward(self, items: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """(n, size) from items (n, h, item_size), newest first, of which those `present` (n, h) count."""
        known = torch.where(present.unsqueeze(-1), items, 0.0)
        last: torch.Tensor = self.units(known.flip(1))[1][0]
        return last


class TransformerEncoder(nn.Module):
    """A transformer layer over the clicked items, with a learned vector for how long ago (Vaswani et al. 2017)."""

    def __init__(self, item_size: int, recent: int, size: int) -> None:
        """As `RecurrentEncoder`."""
        super().__init__()
        self.fusion = TransformerFusion((item_size,), size)
        self.age = nn.Parameter(0.02 * torch.randn(recent, size))

    def forward(self, items: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """(n, size), as `RecurrentEncoder`."""
        known = self.fusion.known([items], present.unsqueeze(-1))
        return self.fusion.pool(self.fusion.tokens(known).squeeze(2) + self.age, present)


ENCODERS: Mapping[str, type[RecurrentEncoder] | type[TransformerEncoder]] = {
    "gru": RecurrentEncoder,
    "transformer": TransformerEncoder,
}
