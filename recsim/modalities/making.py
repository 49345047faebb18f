"""From raw items to a modality of a catalogue."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from recsim.encoding import Encoding, Origin
from recsim.modalities import Encoder
from recsim.modalities.cache import EmbeddingCache, Progress
from recsim.modalities.names import image_encoder, text_encoder
from recsim.modalities.reduce import PrincipalComponents
from recsim.modality import Modality


def make_modality(
    name: str,
    encoder: Encoder[Any],
    items: Sequence[str | PathLike[str]],
    present: npt.NDArray[np.bool_],
    *,
    source: Origin,
    dim: int = 64,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], object] = warnings.warn,
) -> Modality:
    """The items encoded, and reduced to their first principal components (`recsim.modalities.reduce`).

    Embeddings are read from the cache block by block and never held together; what is held grows with m x `dim` only.

    Args:
        name: of the modality.
        encoder: what encodes the items.
        items: m texts or image files; those of absent items are not looked at.
        present: (m,) bool, which items have this modality. Items in which the encoder finds nothing become absent.
        source: what of an item `items` are, as in `Encoding`.
        dim: columns to keep; fewer where the embeddings do not have as many directions, as the shape then shows.
        cache: where embeddings are kept; by default in a temporary file.
        progress: is told how many of the present items are encoded, again and again.
        tell: is told a sentence if items became absent; by default it becomes a warning.

    Raises:
        ValueError: if the items do not fit the mask, or fewer than two of them can be told apart.
    """
    _check(name, items, present, dim)
    rows = np.flatnonzero(present)
    raw = _raw([items[row] for row in rows.tolist()], source)
    with _given_or_temporary(cache) as kept:
        encoding = _fitted(name, encoder, kept.blocks(encoder, raw, progress=progress), source, dim)
        embedding = np.zeros((len(items), len(encoding.components)), np.float32)
        embedding[rows] = _projected(encoding, kept.blocks(encoder, raw), len(raw))
    found = np.asarray(embedding.any(axis=1))
    if (lost := len(rows) - int(found.sum())) > 0:
        tell(
            f"modality {name!r}: encoder {encoder.name!r} found nothing it knows in {lost:,} of {len(rows):,} items, "
            f"the first of them item {rows[~found[rows]][0]:,}; they are absent."
        )
    return Modality(name, embedding, found, encoding)


def with_rows(modality: Modality, rows: npt.ArrayLike, values: npt.ArrayLike) -> Modality:
    """The modality with other rows of some items, which are present from now on unless they are 0.

    Args:
        modality: the one that changes.
        rows: (r,) int, the numbers of the items.
        values: (r, d), their rows, in the space of the others.
    """
    items, embedding, present = np.asarray(rows, np.int64), modality.embedding.copy(), modality.present.copy()
    embedding[items] = values
    present[items] = embedding[items].any(axis=1)
    return replace(modality, embedding=embedding, present=present)


def encoder_of(encoding: Encoding) -> Encoder[Any]:
    """The encoder that an encoding names; `encode_with` checks that it is the same."""
    return text_encoder(encoding.encoder) if encoding.reads == "text" else image_encoder(encoding.encoder)


def encode_with(
    encoding: Encoding,
    items: Sequence[str | PathLike[str]],
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
    *,
    encoder: Encoder[Any] | None = None,
) -> npt.NDArray[np.float32]:
    """(m, r) float32: other raw items in the space of a modality; rows in which nothing is known are 0.

    Args:
        encoding: of the modality.
        items: m texts or image files, as `encoding.source` says.
        cache: where embeddings are kept; by default in a temporary file.
        progress: is told how many items are encoded, again and again.
        encoder: the one that made the modality; by default it is made by its name.

    Raises:
        ValueError: if the encoder is another one than that which made the modality.
    """
    encoder = encoder or encoder_of(encoding)
    if encoder.fingerprint != encoding.fingerprint:
        raise ValueError(
            f"the {encoding.reads} encoder {encoder.name!r} has the fingerprint {encoder.fingerprint}, and the "
            f"modality was made by {encoding.encoder!r} with {encoding.fingerprint}: its rows would mean something "
            "else; install the same model and release, pass encoder=, or make the modality again."
        )
    raw = _raw(items, encoding.source)
    with _given_or_temporary(cache) as kept:
        return _projected(encoding, kept.blocks(encoder, raw, progress=progress), len(raw))


def _fitted(
    name: str, encoder: Encoder[Any], blocks: Iterator[npt.NDArray[np.float32]], source: Origin, dim: int
) -> Encoding:
    fitted = PrincipalComponents(encoder.dim)
    for block in blocks:
        fitted.add(block[block.any(axis=1)])
    centre, components, rank = fitted.fit() if fitted.count else (np.empty(0), np.empty((0, 0)), 0)
    if rank == 0:
        raise ValueError(
            f"modality {name!r} cannot be made by encoder {encoder.name!r}, which tells no two of its items apart: "
            "choose another encoder, or leave the modality out."
        )
    kept = components[: min(dim, rank)].astype(np.float32)
    return Encoding(source, encoder.name, encoder.fingerprint, centre.astype(np.float32), kept)


def _projected(encoding: Encoding, blocks: Iterator[npt.NDArray[np.float32]], n_items: int) -> npt.NDArray[np.float32]:
    rows = np.empty((n_items, len(encoding.components)), np.float32)
    start = 0
    for block in blocks:
        rows[start : start + len(block)] = encoding.project(block)
        start += len(block)
    return rows


def _raw(items: Sequence[Any], source: Origin) -> Sequence[Any]:
    """Image files as paths, since the cache takes a str for a text."""
    return [Path(item) for item in items] if source == "image" else items


@contextmanager
def _given_or_temporary(cache: EmbeddingCache | None) -> Iterator[EmbeddingCache]:
    if cache is not None:
        yield cache
        return
    with TemporaryDirectory(prefix="recsim-") as folder, EmbeddingCache(Path(folder) / "embeddings.sqlite") as made:
        yield made


def _check(name: str, items: Sequence[str | PathLike[str]], present: npt.NDArray[np.bool_], dim: int) -> None:
    if present.shape != (len(items),) or present.dtype != np.bool_:
        raise ValueError(
            f"present mask of modality {name!r} has shape {present.shape} and type {present.dtype}, for {len(items)} "
            "items: pass one bool for each."
        )
    if dim < 1:
        raise ValueError(f"modality {name!r} is to have {dim} columns: ask for at least 1.")
