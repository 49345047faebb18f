"""Faults of labelling: what belongs to one item is filed under another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recsim.catalog import Catalog
from recsim.modalities.corruption.collection import TEXTS
from recsim.modalities.corruption.damage import Damage, Items, exchanged, modalities_of, struck, with_modalities
from recsim.streams import Streams

if TYPE_CHECKING:
    from recsim.modalities.cache import EmbeddingCache


def swapped_categories(catalog: Catalog, rate: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Pairs of items have each other's category; how many items a category has does not change."""
    partner = partners(luck, rate)
    before = catalog.table["category"]
    after = before.iloc[partner].reset_index(drop=True)
    hit = (before != after).to_numpy(bool)
    return Damage(hit, catalog.table.assign(category=after), found=before.to_list(), done=after.to_list())


def swapped_titles(catalog: Catalog, rate: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Pairs of items have each other's title, text, and modalities made from them."""
    modalities = modalities_of(catalog, "text")
    partner = partners(luck, rate)
    hit = partner != np.arange(len(catalog))
    table = catalog.table
    swapped = table.assign(**{name: table[name].iloc[partner].reset_index(drop=True) for name in TEXTS})
    changed = with_modalities(catalog, [exchanged(modality, partner) for modality in modalities])
    return Damage(hit, swapped, changed, found=table["text"].to_list(), done=swapped["text"].to_list())


def partners(luck: Streams, rate: float) -> Items:
    """(m,) int64, with whom each item exchanges: itself, or the other of its pair.

    All items but the last of an odd number are paired by chance; the pairs are the same at every rate, and so many
    exchange that an item does with probability `rate`.
    """
    order = np.argsort(luck.uniform("pair"), kind="stable")
    pairs = order[: len(order) // 2 * 2].reshape(-1, 2)
    pairs = pairs[struck(luck[pairs[:, 0]], rate)]
    partner = np.arange(len(order))
    partner[pairs] = pairs[:, ::-1]
    return partner
