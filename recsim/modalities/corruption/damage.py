"""What corruptions share: an item's own luck, the modalities concerned, and rows encoded again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.encoding import Source
from recsim.modality import Modality
from recsim.streams import Streams, sub_seed

if TYPE_CHECKING:
    from recsim.modalities import Encoder
    from recsim.modalities.cache import EmbeddingCache

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Damage:
    """What a corruption makes of a catalogue.

    Attributes:
        hit: (m,) bool, the items concerned.
        table: the table where it changes.
        modalities: the modalities where any changes.
        found: m texts, what was there, or nothing where there is nothing to tell.
        done: m texts, what was done, or nothing where the same was done to all.
    """

    hit: Flags
    table: pd.DataFrame | None = None
    modalities: Mapping[str, Modality] | None = None
    found: Sequence[str] = ()
    done: Sequence[str] = ()


def item_streams(catalog: Catalog, seed: int, name: str) -> Streams:
    """Random streams of the m items, keyed by item_id, so that an item keeps its luck in another catalogue or order."""
    digests = (hashlib.blake2b(text.encode(), digest_size=8).digest() for text in catalog.table["item_id"])
    numbers = np.array([int.from_bytes(digest, "little") for digest in digests], np.uint64)
    return Streams.of(sub_seed(seed, f"corruption {name}"), numbers)


def struck(luck: Streams, rate: float) -> Flags:
    """(m,) bool, the items that are hit at a rate; at a higher rate they are hit as well."""
    return np.less(luck.uniform("hit"), rate)


def modalities_of(catalog: Catalog, source: Source) -> list[Modality]:
    """The modalities made from texts or from images; those that do not tell are known by their name.

    Raises:
        ValueError: if there is none.
    """
    found = [
        modality
        for name, modality in catalog.modalities.items()
        if (name if modality.encoding is None else modality.encoding.source) == source
    ]
    if not found:
        raise ValueError(
            f"catalogue {catalog.name!r} has no modality made from {source}s (its modalities are "
            f"{', '.join(catalog.modalities)}): choose a corruption of what it has."
        )
    return found


def lost(modality: Modality, rows: Flags) -> Modality:
    """The modality without the items in `rows` (m,)."""
    return replace(modality, present=modality.present & ~rows)


def exchanged(modality: Modality, donor: Items) -> Modality:
    """The modality in which item i has what item `donor[i]` had."""
    return replace(modality, embedding=modality.embedding[donor], present=modality.present[donor])


def with_modalities(catalog: Catalog, changed: Sequence[Modality]) -> dict[str, Modality]:
    """All modalities of a catalogue, those of `changed` in the place of their namesakes."""
    return dict(catalog.modalities) | {modality.name: modality for modality in changed}


def check_encoding(catalog: Catalog, modalities: Sequence[Modality]) -> None:
    """Refuse modalities of which it is not known how they were made.

    Raises:
        ValueError: naming the first.
    """
    for modality in modalities:
        if modality.encoding is None:
            raise ValueError(
                f"modality {modality.name!r} of catalogue {catalog.name!r} does not say how it was made "
                "(Modality.encoding), so corrupted texts and images cannot be encoded like the others: make it by "
                "recsim.modalities.making.make_modality, or corrupt embeddings (gaussian, duplicated, stale)."
            )


def encoded_again(
    modality: Modality,
    rows: Items,
    items: Sequence[Any],
    cache: EmbeddingCache | None,
    encoder: Encoder[Any] | None = None,
) -> Modality:
    """The modality with the raw `items` (r) encoded in the place of the rows (r,); what has no direction is absent.

    Whoever asks for one modality several times makes its `encoder` once.
    """
    from recsim.modalities.making import encode_with, with_rows

    assert modality.encoding is not None  # of `check_encoding`
    return with_rows(modality, rows, encode_with(modality.encoding, items, cache, encoder=encoder))
