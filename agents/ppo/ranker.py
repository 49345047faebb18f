"""The ranker that PPO trains: it varies its slates, may read clicks in order, and leaves out what must not be shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.fusion.towers import ItemTower, seen_of
from recsim.agents.ppo.encoder import ENCODERS
from recsim.agents.ranker import NETWORK_SCALE, Ranker, network, start_at_zero
from recsim.catalog import Catalog
from recsim.observation import Layout

_DISCOUNT_GAIN = 10.0  # logits that one unit of the learned weight is worth, as for the features
_ITEM_GAIN = 3.0

_NEVER = -1e9  # a logit that is not drawn while there is any other item


class DiverseRanker(Ranker):
    """Scores of a `Ranker`, plus a weight of every item, and what an item loses by others of its category above it.

    score(u, i) = the ranker's + item_weight(i), discount(u) = weight + a network of the user (see `recsim.diverse`)

    All of this starts at 0. Items that have not appeared yet are not shown, nor, if asked for, those that the user
    bought lately.

    Attributes:
        category: (m,) int64, categories of the items.
        one_hot: (m, C) float32, the same.
        born: (m,) float32, days on which items appear; by default all are there from the start.
    """

    one_hot: torch.Tensor
    born: torch.Tensor

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        warm_start: StaticFusion | None = None,
        *,
        start_temperature: float = 0.25,
        hidden: int = 64,
        tower: int = 32,
        fusion: str | None = None,
        encoder: str | None = None,
        mask_bought: bool = False,
        modalities: Sequence[str] | None = None,
    ) -> None:
        """A ranker for `catalog`.

        Args:
            catalog: the items.
            layout: where features stand in an observation.
            warm_start: a fitted static ranker where it starts; without it, all items score 0.
            start_temperature: by which the scores of the warm start are divided.
            hidden: width of the networks.
            tower: size of the two-tower embedding.
            fusion: how the item tower fuses modalities, a key of `recsim.agents.fusion.module.KINDS`; None puts all
                features of an item through one network.
            encoder: how the items clicked lately are read in order, a key of `ENCODERS`; None does not read them.
            mask_bought: whether items that the user bought lately are left out.
            modalities: those that it sees of items and of what users liked and passed over; None: all.

        Raises:
            ValueError: if there is no such fusion, encoder or modality, or the observation does not tell what it needs.
        """
        state_size = layout.size + (hidden if encoder is not None else 0)
        super().__init__(
            catalog,
            layout,
            warm_start,
            start_temperature=start_temperature,
            hidden=hidden,
            tower=tower,
            state_size=state_size,
        )
        if mask_bought:
            _recent(layout, "bought", "mask_bought")
        self.category: NDArray[np.int64] = np.ascontiguousarray(catalog.category)
        self.mask_bought, self.is_fused = mask_bought, fusion is not None
        self.register_buffer("one_hot", self.keys[:, self.features.category_key].clone())
        self.register_buffer("born", torch.full((len(catalog),), torch.finfo(torch.float32).min))
        self.encoder = _encoder(encoder, self.item_input.shape[1], layout, hidden)
        if fusion is not None:
            self.item_tower = ItemTower(catalog, fusion, tower, modalities)
        self._hide(~seen_of(catalog, modalities))
        self.item_weight = nn.Parameter(torch.zeros(len(catalog)))
        self.discount_weight = nn.Parameter(torch.zeros(()))
        self.discount_net = network(state_size, hidden, 1)
        start_at_zero(self.discount_net)

    def scored(self, observation: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """(n, m) scores from observations (n, d) and what the networks see of them, `state` (n, state_size)."""
        scores = super().scored(observation, state) + _ITEM_GAIN * self.item_weight
        if self.mask_bought:
            scores = scores.masked_fill(self._bought(observation), _NEVER)
        if "day" in self.layout.columns:
            scores = scores.masked_fill(observation[:, self.layout["day"]] < self.born, _NEVER)
        return scores

    def at(self, observation: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """(n, c) scores of `items` (n, c) int64; those at -1 mean nothing."""
        scores: torch.Tensor = self(observation).gather(1, items.clamp(min=0))
        return scores

    def discount(self, state: torch.Tensor) -> torch.Tensor:
        """(n,) logits that an item loses per item of its category above it, from `state` (n, state_size)."""
        learned = self.discount_net(state).squeeze(1)
        discount: torch.Tensor = _DISCOUNT_GAIN * (self.discount_weight + NETWORK_SCALE * learned)
        return discount

    def state(self, observation: torch.Tensor) -> torch.Tensor:
        """(n, state_size), what the networks see of users."""
        state = super().state(observation)
        if self.encoder is None:
            return state
        clicked = observation[:, self.layout["clicked"]].long()
        return torch.cat([state, self.encoder(self.item_input[clicked], clicked >= 0)], dim=1)

    def item_vectors(self) -> torch.Tensor:
        """(m, tower), the item side of the two-tower residual."""
        if not self.is_fused:
            return super().item_vectors()
        vectors: torch.Tensor = self.item_tower(torch.arange(len(self.category), device=self.keys.device))
        return vectors

    def _hide(self, modalities: NDArray[np.bool_]) -> None:
        """Leave modalities (M,) out of what is known of items, and out of what the networks see of users."""
        columns = torch.from_numpy(np.repeat(modalities, np.diff(self.features.catalog.offsets)).nonzero()[0])
        self.keys[:, columns] = 0.0
        self.item_input[:, columns] = 0.0
        for name in ("liked", "passed"):
            self.input_scale[self.layout[name]][columns] = 0.0

    def _bought(self, observation: torch.Tensor) -> torch.Tensor:
        """(n, m) bool, whether users bought items lately."""
        bought, count = observation[:, self.layout["bought"]].long(), len(self.category)
        mask = torch.zeros(len(observation), count + 1, dtype=torch.bool, device=observation.device)
        return mask.scatter_(1, torch.where(bought < 0, count, bought), True)[:, :count]  # nothing: the extra column


def _encoder(name: str | None, item_size: int, layout: Layout, size: int) -> nn.Module | None:
    if name is None:
        return None
    if name not in ENCODERS:
        raise ValueError(f"there is no encoder {name!r}; the encoders are {', '.join(ENCODERS)}.")
    return ENCODERS[name](item_size, _recent(layout, "clicked", f"encoder {name!r}"), size)


def _recent(layout: Layout, name: str, needed_by: str) -> int:
    """How many items the observation tells as `name`."""
    if name not in layout.columns:
        raise ValueError(
            f"{needed_by} reads {name!r}, which these observations do not tell: make the world with recent=20 or so."
        )
    count: int = layout[name].stop - layout[name].start
    return count
