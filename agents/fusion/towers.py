"""The network behind `NetworkFusion`: a tower for items, one for users, and heads on their products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recsim.agents.fusion.module import TransformerFusion, make_fusion
from recsim.catalog import Catalog
from recsim.observation import Layout

_RESIDUAL_SCALE = 0.1  # the experts' share of a logit as they start: most of a log's clicks need no more than the rest
_DROPOUT = 0.5  # of a user's queries


class Shape(NamedTuple):
    """What a network looks like.

    Attributes:
        fusion: kind of fusion, a key of `module.KINDS`.
        tasks: number T of heads.
        experts: number E of experts that the heads mix; with 1 they share their bottom.
        size: length of the towers' vectors.
        factors: length s of an expert's vectors.
        modalities: names of those that are seen; None: all.
    """

    fusion: str
    tasks: int
    experts: int
    size: int
    factors: int
    modalities: Sequence[str] | None = None


class ItemTower(nn.Module):
    """Items' modalities, fused, beside category, price and novelty.

    Attributes:
        seen: (M,) bool, which modalities it sees; the others count as absent.
    """

    taste: Tensor
    present: Tensor
    own: Tensor
    seen: Tensor

    def __init__(self, catalog: Catalog, fusion: str, size: int, modalities: Sequence[str] | None = None) -> None:
        """A tower for `catalog`; its parameters are drawn from torch's global generator.

        Raises:
            ValueError: if there is no such fusion or modality.
        """
        super().__init__()
        self.sizes = tuple(modality.dim for modality in catalog.modalities.values())
        seen = seen_of(catalog, modalities)
        present = np.stack([modality.present for modality in catalog.modalities.values()], axis=1) & seen
        category = np.eye(len(catalog.categories), dtype=np.float32)[catalog.category]
        own = np.column_stack([category, catalog.price_level, 4.0 * catalog.novelty - 2.0]).astype(np.float32)
        for name, table in (("taste", catalog.taste.copy()), ("present", present), ("own", own), ("seen", seen)):
            self.register_buffer(name, torch.from_numpy(table), persistent=False)
        self.fusion = make_fusion(fusion, self.sizes, size, seed=_seed())
        self.mix = nn.Linear(size + own.shape[1], size)

    def forward(self, items: Tensor) -> Tensor:
        """(c, size) vectors of items (c,)."""
        fused = self.fusion(self.parts(items), self.present[items])
        vector: Tensor = self.mix(torch.cat([fused, self.own[items]], dim=-1))
        return vector

    def parts(self, items: Tensor) -> tuple[Tensor, ...]:
        """M tensors (..., D_M), the taste of items (...)."""
        parts: tuple[Tensor, ...] = torch.split(self.taste[items], list(self.sizes), dim=-1)
        return parts


class UserTower(nn.Module):
    """What a user liked and passed over, fused over modalities, beside the other quantities, in one hidden layer.

    The fusion `transformer` looks at the items clicked lately as well: its tokens are the modalities of `liked` and
    those of every item in `clicked`, with a learned vector for how long ago the click was.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, items: ItemTower, layout: Layout, fusion: str, size: int) -> None:
        """A tower beside `items`; its parameters are drawn from torch's global generator.

        Raises:
            ValueError: if the fusion is `transformer` and the layout has no `clicked`.
        """
        super().__init__()
        self.layout, self.sizes = layout, items.sizes
        self.rest = torch.from_numpy(_rest(layout))
        self.register_buffer("center", torch.zeros(len(self.rest)))
        self.register_buffer("scale", torch.ones(len(self.rest)))
        self.liked, self.passed = (make_fusion(fusion, self.sizes, size, seed=_seed()) for _ in range(2))
        if isinstance(self.liked, TransformerFusion):
            if "clicked" not in layout.columns:
                raise ValueError(
                    "fusion 'transformer' reads the items clicked lately, which these observations do not tell: make "
                    "the world with recent=10 or so, or choose another fusion."
                )
            self.age = nn.Parameter(0.02 * torch.randn(layout["clicked"].stop - layout["clicked"].start, 1, size))
        self.mix = nn.Linear(2 * size + len(self.rest), size)

    def standardise(self, observation: Tensor) -> None:
        """Bring the other quantities to mean 0 and spread 1 over observations (n, d)."""
        spread, mean = torch.std_mean(observation[:, self.rest], dim=0, correction=0)
        self.center.copy_(mean)
        self.scale.copy_(torch.where(spread > 0.0, 1.0 / spread, 1.0))

    def forward(self, observation: Tensor, items: ItemTower) -> Tensor:
        """(n, size) vectors of the users behind observations (n, d); what they clicked is looked up in `items`."""
        rest = (observation[:, self.rest] - self.center) * self.scale
        passed = self.passed(*self._taste(observation, "passed", items.seen))
        parts, there = self._taste(observation, "liked", items.seen)
        if isinstance(self.liked, TransformerFusion):
            liked = self._history(self.liked, observation, items, parts, there)
        else:
            liked = self.liked(parts, there)
        vector: Tensor = self.mix(torch.cat([liked, passed, rest], dim=-1)).relu()
        return vector

    def _taste(self, observation: Tensor, name: str, seen: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """The parts of a mean taste, and which of them there are: those that are seen and not 0."""
        parts = torch.split(observation[:, self.layout[name]], list(self.sizes), dim=-1)
        return parts, seen & torch.stack([(part != 0.0).any(dim=-1) for part in parts], dim=-1)

    def _history(
        self,
        fusion: TransformerFusion,
        observation: Tensor,
        items: ItemTower,
        parts: tuple[Tensor, ...],
        there: Tensor,
    ) -> Tensor:
        clicked = observation[:, self.layout["clicked"]].long()  # (n, h)
        seen = items.present[clicked] & (clicked >= 0).unsqueeze(-1)  # (n, h, M)
        tokens = fusion.tokens(fusion.known(items.parts(clicked), seen)) + self.age  # (n, h, M, size)
        everything = torch.cat([fusion.tokens(fusion.known(parts, there)), tokens.flatten(1, 2)], dim=1)
        return fusion.pool(everything, torch.cat([there, seen.flatten(1, 2)], dim=1))


class Experts(nn.Module):
    """What the crossing of a user's and an item's vector adds to the logits of T tasks; 0 at first.

    residual_t(u, i) = sum_e gate_te(u) <w_t, U_e(u) * V_e(i)>

    Expert e is the element-wise product of two vectors (generalised matrix factorisation, He et al. 2017, section
    3.2), and w_t the tower of task t. gate_t, one for each task, is a softmax over the E experts (multi-gate mixture of
    experts, Ma et al. 2018, section 4.2); with one expert it is 1 and the tasks share their bottom (Caruana 1997).
    """

    def __init__(self, shape: Shape) -> None:
        """Experts whose parameters are drawn from torch's global generator."""
        super().__init__()
        self.shape = shape
        products = shape.experts * shape.factors
        self.query, self.key = nn.Linear(shape.size, products), nn.Linear(shape.size, products, bias=False)
        self.gate = nn.Linear(shape.size, shape.tasks * shape.experts)
        self.task = nn.Parameter(torch.ones(shape.tasks, 1, shape.factors))
        self.dropout = nn.Dropout(_DROPOUT)
        nn.init.zeros_(self.query.weight)
        nn.init.zeros_(self.query.bias)

    def queries(self, user: Tensor) -> Tensor:
        """(n, T, E * s), whose products with `key` of items' vectors are the residuals, from users' (n, size)."""
        tasks, experts, factors = self.shape.tasks, self.shape.experts, self.shape.factors
        gate = self.gate(user).reshape(-1, tasks, experts, 1).softmax(dim=2)
        query = _RESIDUAL_SCALE * self.dropout(self.query(user)).reshape(-1, 1, experts, factors)
        queries: Tensor = (gate * self.task * query).flatten(2)
        return queries


class FusionNetwork(nn.Module):
    """Logits of T tasks for (user, item) pairs, in a form that serves a whole catalogue by one matrix product.

    logit_t(u, i) = <wide_t, x(u, i)> + merit_t(item(i)) + residual_t(user(u), item(i))

    x are observable cross features (wide and deep learning, Cheng et al. 2016); the residual is that of `Experts`.
    """

    def __init__(self, catalog: Catalog, layout: Layout, n_wide: int, slate_size: int, shape: Shape) -> None:
        """A network with `n_wide` cross features; its parameters are drawn from torch's global generator."""
        super().__init__()
        self.wide = nn.Parameter(torch.zeros(n_wide, shape.tasks))
        self.position = nn.Parameter(torch.zeros(slate_size, 1))
        self.item = ItemTower(catalog, shape.fusion, shape.size, shape.modalities)
        self.merit = nn.Linear(shape.size, shape.tasks)
        nn.init.zeros_(self.merit.weight)
        nn.init.zeros_(self.merit.bias)
        self.user = UserTower(self.item, layout, shape.fusion, shape.size)
        self.experts = Experts(shape)

    def forward(self, observation: Tensor, slate: Tensor, wide: Tensor) -> Tensor:
        """(n, k, T) logits of slates (n, k) with cross features (n, k, f), task 0 by how its position is looked at."""
        shown, place = torch.unique(slate, return_inverse=True)
        merit, key = self.items(shown)
        residual = torch.einsum("ntp,nkp->nkt", self.users(observation), key[place])
        logits = wide @ self.wide + merit[place] + residual
        return torch.cat([logits[..., :1] + self.position, logits[..., 1:]], dim=2)

    def users(self, observation: Tensor) -> Tensor:
        """(n, T, E * s) queries of the users behind observations (n, d)."""
        queries: Tensor = self.experts.queries(self.user(observation, self.item))
        return queries

    def items(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """(c, T) merits and (c, E * s) keys of items (c,)."""
        vector = self.item(items)
        return self.merit(vector), self.experts.key(vector)


def seen_of(catalog: Catalog, modalities: Sequence[str] | None) -> NDArray[np.bool_]:
    """(M,) bool, which modalities of a catalogue are named; None names all.

    Raises:
        ValueError: if the catalogue has no such modality.
    """
    names = list(catalog.modalities) if modalities is None else modalities
    for name in names:
        if name not in catalog.modalities:
            known = ", ".join(catalog.modalities)
            raise ValueError(f"the catalogue {catalog.name!r} has no modality {name!r}; it has {known}.")
    return np.array([name in names for name in catalog.modalities])


def _rest(layout: Layout) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Columns of the quantities that are no mean tastes."""
    columns = np.arange(layout.size)
    return np.setdiff1d(layout.quantities, np.concatenate([columns[layout["liked"]], columns[layout["passed"]]]))


def _seed() -> int:
    return int(torch.randint(2**31, ()))
