"""Faults of the feature store: embeddings that are noisy, another item's, or out of date. No encoder is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recsim.catalog import Catalog, row_blocks
from recsim.encoding import unit_rows
from recsim.modalities.corruption.damage import Damage, Flags, Items, exchanged, struck, with_modalities
from recsim.modality import Modality
from recsim.streams import Streams

if TYPE_CHECKING:
    from recsim.modalities.cache import EmbeddingCache


def gaussian(catalog: Catalog, sigma: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Embeddings of length 1 plus normal noise whose expected squared length is `sigma` squared."""
    changed = [_noisy(modality, sigma, luck) for modality in catalog.modalities.values()]
    hit = np.any([modality.present for modality in changed], axis=0)
    return Damage(hit, modalities=with_modalities(catalog, changed))


def duplicated(catalog: Catalog, rate: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Items with all the embeddings of another one, as after a join by the wrong key."""
    hit, other = struck(luck, rate), donors(catalog, luck)
    from_whom = np.where(hit, other, np.arange(len(catalog)))
    changed = [exchanged(modality, from_whom) for modality in catalog.modalities.values()]
    item_id = catalog.table["item_id"].to_list()
    done = [f"has the embeddings of {item_id[row]}" for row in from_whom]
    return Damage(hit, modalities=with_modalities(catalog, changed), done=done)


def stale(catalog: Catalog, share: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Embeddings (1 - share) x + share y, x the item's own and y that of what once stood under its number."""
    other = donors(catalog, luck)
    hit, changed = np.zeros(len(catalog), bool), []
    for modality in catalog.modalities.values():
        both = modality.present & modality.present[other]
        changed.append(_mixed(modality, other, both, share))
        hit |= both
    item_id = catalog.table["item_id"].to_list()
    done = [f"mixed with {share:.0%} of {item_id[row]}" for row in other]
    return Damage(hit, modalities=with_modalities(catalog, changed), done=done)


def donors(catalog: Catalog, luck: Streams) -> Items:
    """(m,) int64, for each item another one by chance.

    Raises:
        ValueError: if there is no other.
    """
    m = len(catalog)
    if m < 2:
        raise ValueError(f"catalogue {catalog.name!r} has 1 item, which can have no other's embedding: use 2 or more.")
    drawn = np.floor(luck.uniform("donor") * (m - 1)).astype(np.int64)
    return drawn + (drawn >= np.arange(m))


def _noisy(modality: Modality, sigma: float, luck: Streams) -> Modality:
    embedding = np.zeros(modality.embedding.shape, np.float32)
    for rows in row_blocks(len(modality)):
        noise = luck[rows].normal(f"noise of {modality.name}", modality.dim) / np.sqrt(modality.dim)
        embedding[rows] = unit_rows(modality.embedding[rows].astype(np.float64)) + sigma * noise
    return replace(modality, embedding=embedding)


def _mixed(modality: Modality, other: Items, rows: Flags, share: float) -> Modality:
    embedding = modality.embedding.copy()
    own, others = (
        unit_rows(modality.embedding[numbers].astype(np.float64)) for numbers in (np.flatnonzero(rows), other[rows])
    )
    embedding[rows] = (1.0 - share) * own + share * others
    return replace(modality, embedding=embedding)
