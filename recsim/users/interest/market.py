"""The items as the interest users see them: what is open about them, and their hidden quality and bait."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog, row_blocks, standardised
from recsim.jit import frozen
from recsim.streams import Streams
from recsim.users.interest.config import InterestConfig

Floats = NDArray[np.float32]
Items = NDArray[np.int64]


class Market(NamedTuple):
    """Items as the users see them."""

    taste: Floats  # (m, D)
    offsets: Items  # (M + 1,)
    category: Items  # (m,)
    quality: Floats  # (m,)
    bait: Floats  # (m,)
    price: Floats  # (m,) standardised log price
    novelty: Floats  # (m,)
    born: Floats  # (m,) day on which the item appears

    def __reduce__(self) -> tuple[Any, ...]:
        return frozen, (type(self), *self)


def market_of(catalog: Catalog, config: InterestConfig, seed: int) -> Market:
    """Items with their hidden quality (correlated with popularity) and bait."""
    bait = _bait(catalog, config, seed)
    quality = config.quality_popularity * standardised(np.log(catalog.popularity))
    quality += np.sqrt(1.0 - config.quality_popularity**2) * _item_normals(seed, "item quality", len(catalog))
    return frozen(
        Market,
        np.ascontiguousarray(catalog.taste, np.float32),
        catalog.offsets,
        catalog.category,
        quality.astype(np.float32),
        bait,
        catalog.price_level,
        catalog.novelty,
        _born(config, seed, len(catalog)),
    )


def _born(config: InterestConfig, seed: int, n_items: int) -> Floats:
    """(m,) float32, birthdays: the arriving items' in the period, the others' in as long a time before it."""
    if not config.has_days:
        return np.zeros(n_items, np.float32)
    items = Streams.of(seed, n_items)
    late = items.uniform("arrives") < config.arriving
    day = config.period * items.uniform("birthday")
    return np.where(late, day, day - config.period).astype(np.float32)


def _bait(catalog: Catalog, config: InterestConfig, seed: int) -> Floats:
    """(m,) float32, bait in [0, 1]: zero for most items, then rising evenly up to the one that looks most like bait.

    What makes an item look like bait is a direction in the space of each modality, so that bait can be told from
    content, with noise.
    """
    look = np.zeros(len(catalog))
    for number in range(len(catalog.modalities)):
        look += standardised(_along_bait_direction(catalog, number, seed))
    visible, share = config.bait_visibility, config.bait_share
    look = visible * standardised(look)
    look += np.sqrt(1.0 - visible**2) * _item_normals(seed, "item bait", len(catalog))
    rank = look.argsort(kind="stable").argsort(kind="stable") / max(len(catalog) - 1, 1)  # 0 .. 1
    bait = np.clip((rank - 1.0 + share) / share, 0.0, None) if share > 0 else np.zeros(len(rank))
    return bait.astype(np.float32)


def _along_bait_direction(catalog: Catalog, number: int, seed: int) -> NDArray[np.float64]:
    """(m,) inner products of modality `number` of every item with a direction of its own."""
    start, stop = catalog.offsets[number : number + 2]
    direction = Streams.of(seed, 1).normal(f"bait direction {number}", int(stop - start))[0]
    along = np.empty(len(catalog))
    for rows in row_blocks(len(catalog)):
        along[rows] = catalog.taste[rows, start:stop].astype(np.float64) @ direction
    return along


def _item_normals(seed: int, purpose: str, n_items: int) -> NDArray[np.float64]:
    """(m,) standard normal draws, one an item: streams of a million items take more memory than what they draw."""
    drawn = np.empty(n_items)
    for rows in row_blocks(n_items):
        drawn[rows] = Streams.of(seed, np.arange(rows.start, rows.stop)).normal(purpose)
    return drawn
