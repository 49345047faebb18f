"""Which items a catalogue's modalities hold alike: neighbours of a few items, by each modality and by all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recsim.streams import sub_seed

if TYPE_CHECKING:
    from recsim.catalog import Catalog

TOGETHER = "all together"
NONE = -1  # stands where there are fewer neighbours
Items = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Neighbours:
    """The nearest items of some items.

    Attributes:
        items: (n,) int64, whose neighbours.
        by: for each modality, and for `TOGETHER` where there are several, (n, c) int64 items from the nearest on;
            `NONE` where an item lacks the modality, or there are fewer.
    """

    items: Items
    by: dict[str, Items]

    def same_category(self, catalog: Catalog, name: str) -> float | None:
        """Share of the neighbours by `name` that are of their item's category; None without neighbours."""
        found = self.by[name]
        given = found != NONE
        same = catalog.category[found] == catalog.category[self.items][:, None]
        return float(same[given].mean()) if given.any() else None

    def shared(self, one: str, other: str) -> float | None:
        """Share of the neighbours by `one` that are neighbours by `other`, of items that have neighbours by both."""
        both = (self.by[one] != NONE).any(axis=1) & (self.by[other] != NONE).any(axis=1)
        pairs = zip(self.by[one][both], self.by[other][both], strict=True)
        hits = [np.isin(a[a != NONE], b) for a, b in pairs]
        return float(np.concatenate(hits).mean()) if hits else None


def sample(catalog: Catalog, count: int, seed: int) -> Items:
    """(n,) int64, items at random, from as many categories as there is room for; by category, then by number.

    An item of every category is drawn before a second one of any. Equal seeds give equal items.
    """
    draw = np.random.Generator(np.random.Philox(sub_seed(seed, "shown items")))
    shuffled = draw.permutation(len(catalog))
    by_category = shuffled[catalog.category[shuffled].argsort(kind="stable")]
    sizes = np.bincount(catalog.category, minlength=len(catalog.categories))
    turn = np.concatenate([np.arange(size) for size in sizes])  # whether it is its category's first, second, ...
    place = np.empty(len(catalog), np.int64)
    place[shuffled] = np.arange(len(catalog))
    chosen = by_category[np.lexsort((place[by_category], turn))[:count]]
    return np.asarray(chosen[np.lexsort((chosen, catalog.category[chosen]))], dtype=np.int64)


def nearest(catalog: Catalog, items: Items, count: int) -> Neighbours:
    """The items of largest cosine with each of `items` in every modality, and over all of them.

    All together is the sum of the cosines, where a modality that one of both lacks counts 0: the inner product of two
    rows of `Catalog.taste`. Only items that have the modality are neighbours; ties go to the lower number. The
    catalogue is gone through in blocks, so that memory does not grow with it.
    """
    from recsim.catalog import row_blocks
    from recsim.retrieval import similarity

    query = catalog.taste[items]
    names = [*catalog.modalities, *([TOGETHER] if len(catalog.modalities) > 1 else [])]
    best = {name: _Best(len(items), min(count, max(len(catalog) - 1, 1))) for name in names}
    for block in row_blocks(len(catalog)):
        rows = np.arange(block.start, block.stop)
        cosines = similarity(query, catalog.taste, catalog.offsets, rows[None])
        itself = rows == items[:, None]
        for part, modality in enumerate(catalog.modalities.values()):
            lacking = ~modality.present[items][:, None] | ~modality.present[block]
            best[modality.name].take(np.where(lacking | itself, -np.inf, cosines[:, part]), rows)
        if TOGETHER in best:
            best[TOGETHER].take(np.where(itself, -np.inf, cosines.sum(axis=1)), rows)
    return Neighbours(items, {name: best[name].items for name in names})


def agreements(found: Neighbours, names: Sequence[str]) -> list[tuple[str, str, float]]:
    """For every two modalities, the share of the neighbours by the first that the second names as well."""
    pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
    shares = [(one, other, found.shared(one, other)) for one, other in pairs]
    return [(one, other, share) for one, other, share in shares if share is not None]


class _Best:
    """The best items of every row so far."""

    def __init__(self, rows: int, count: int) -> None:
        self.items = np.full((rows, count), NONE, np.int64)
        self._scores = np.full((rows, count), -np.inf, np.float32)

    def take(self, scores: Floats, items: Items) -> None:
        """Keep what is better among the scores (n, b) of the items (b,), which come after all items before."""
        scores = np.concatenate([self._scores, scores.astype(np.float32)], axis=1)
        numbers = np.concatenate([self.items, np.broadcast_to(items, (len(scores), len(items)))], axis=1)
        order = (-scores).argsort(axis=1, kind="stable")[:, : self.items.shape[1]]
        self._scores = np.take_along_axis(scores, order, axis=1)
        chosen = np.take_along_axis(numbers, order, axis=1)
        self.items = np.where(np.isneginf(self._scores), NONE, chosen)
