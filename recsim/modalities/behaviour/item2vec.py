"""Item vectors by Item2vec (Barkan and Koenigstein 2016): items are words, and what a session clicked is a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recsim.modalities.behaviour.clicks import Clicks
from recsim.streams import sub_seed
from recsim.torch_threads import one_torch_thread

if TYPE_CHECKING:
    import torch

Items = NDArray[np.int64]

EPOCHS, CONTEXTS, NEGATIVES, POWER = 20, 5, 15, 0.75  # all but CONTEXTS as in the paper's section 4
BATCH, STEPS, NOISE, LEARNING_RATE = 1024, 30, 64, 0.03  # a batch at most, steps of an epoch at least


def item2vec(clicks: Clicks, dim: int, seed: int, progress: Callable[[int], None]) -> NDArray[np.float32]:
    """(m, dim) float32, skip-gram vectors of items with negative sampling over what sessions clicked.

    For an item i and another one j that the same session clicked, log sigma(<u_i, v_j>) + sum_k log sigma(-<u_i, v_k>)
    is maximised (the paper's equation 4, by Adam), with 15 items k drawn in proportion to their frequency^0.75; a batch
    shares 64 drawn items, which count 15 / 64 each: the same in expectation, of less variance, and quicker. The order
    within a session does not count: in each of 20 epochs every click meets 5 others of its session, drawn anew,
    which is the paper's second reading of sets, shuffling them. Before that a click of an item of frequency f stays
    with probability sqrt(rho / f), where rho is the mean frequency (the paper chose it for each data set).

    u_i starts at 0 and moves only when i is met with another item: one that never was stays 0.
    """
    import torch

    sentences = Sentences.of(clicks)
    draw = np.random.Generator(np.random.Philox(sub_seed(seed, "item2vec")))
    with one_torch_thread():
        inward, outward = (torch.nn.Embedding(clicks.n_items, dim, sparse=True) for _ in range(2))
        with torch.no_grad():
            inward.weight.zero_()
            first = draw.standard_normal((clicks.n_items, dim)) / np.sqrt(dim)
            outward.weight.copy_(torch.from_numpy(first.astype(np.float32)))
        optimizer = torch.optim.SparseAdam([inward.weight, outward.weight], lr=LEARNING_RATE)
        for epoch in range(EPOCHS):
            for items, others, noise in sentences.batches(draw):
                loss = _loss(inward(items), outward(others), outward(noise))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()  # type: ignore[no-untyped-call]
            progress(100 * (epoch + 1) // EPOCHS)
        return inward.weight.detach().numpy().copy()


def _loss(item: torch.Tensor, other: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Negative log likelihood of (b, f) items with (b, f) others against (c, f) noise, summed over the batch."""
    from torch.nn.functional import logsigmoid

    met = (item * other).sum(dim=1)
    drawn = item @ noise.T  # (b, c)
    return -(logsigmoid(met).sum() + NEGATIVES / len(noise) * logsigmoid(-drawn).sum())


@dataclass(frozen=True)
class Sentences:
    """Sessions that clicked two items or more, as sets.

    Attributes:
        session: (c,) int64, ascending.
        item: (c,) int64.
        frequency: (m,) float64, share of each item in `item`.
    """

    session: Items
    item: Items
    frequency: NDArray[np.float64]

    @classmethod
    def of(cls, clicks: Clicks) -> Sentences:
        """The sentences of clicks.

        Raises:
            ValueError: if no session clicked two items.
        """
        session, item = np.unique(np.stack([clicks.session, clicks.item]), axis=1)
        together = np.bincount(session)[session] > 1
        if not together.any():
            raise ValueError(
                "no session clicked two different items, and item2vec learns from items that were clicked together: "
                "choose als or svd, or pass clicks without sessions."
            )
        count = np.bincount(item[together], minlength=clicks.n_items)
        return cls(session[together], item[together], count / count.sum())

    def batches(self, draw: np.random.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """An epoch: (b,) items, (b,) others of their sessions and (64,) items drawn as noise, in any order."""
        import torch

        weight = self.frequency**POWER
        upto = np.cumsum(weight / weight.sum())
        item, other = self.pairs(draw)
        order = draw.permutation(len(item))
        size = min(BATCH, len(order) // STEPS + 1)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            noise = np.searchsorted(upto, draw.random(NOISE) * upto[-1], side="right")
            yield torch.from_numpy(item[rows]), torch.from_numpy(other[rows]), torch.from_numpy(noise)

    def pairs(self, draw: np.random.Generator) -> tuple[Items, Items]:
        """(p,) items and (p,) others of the same session: for every click that stays, `CONTEXTS` of the others."""
        mean = 1 / np.count_nonzero(self.frequency)
        stays = draw.random(len(self.item)) < np.sqrt(mean / self.frequency[self.item])
        session, item = self.session[stays], self.item[stays]
        size = np.bincount(session, minlength=1)
        start = np.cumsum(size) - size
        place = np.flatnonzero(size[session] > 1).repeat(CONTEXTS)
        own = session[place]
        further = draw.integers(1, size[own])
        return item[place], item[start[own] + (place - start[own] + further) % size[own]]
