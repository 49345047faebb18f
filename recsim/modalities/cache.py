"""Embeddings that were made before, in one file, so that nothing is encoded twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b, file_digest
from os import PathLike
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from recsim.modalities import Encoder, batches
from recsim.store import Store, Table

Raw = TypeVar("Raw", bound=str | PathLike[str])
Progress = Callable[[int], None]

FOLDER_VARIABLE, FILE = "RECSIM_CACHE", "embeddings.sqlite"
COMMIT_EVERY = 256  # items: about a dozen seconds of EfficientNet-Lite0 on one core are what a killed run loses
EMBEDDINGS = Table(
    "embeddings",
    maker="encoder",
    key="content",
    value="embedding",
    holds="embeddings",
    elsewhere=f"name another folder in the environment variable {FOLDER_VARIABLE}",
)


def default_path() -> Path:
    """The file in the folder that RECSIM_CACHE names, or else in the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get(FOLDER_VARIABLE)
    return (Path(named) if named else user_cache_path("recsim", appauthor=False)) / FILE


def content_of(item: str | PathLike[str]) -> bytes:
    """16 bytes that change with a text, or with what is in a file: text is a str, and a file is a path."""
    if isinstance(item, str):
        return blake2b(item.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    with open(item, "rb") as file:
        return file_digest(file, lambda: blake2b(digest_size=16)).digest()


class EmbeddingCache(Store):
    """Embeddings by the fingerprint of the encoder and the content of the item, in an SQLite file.

    Every 256 new items are committed together, so that a run that was killed goes on where it was, and several
    processes may use the same file. Close it, or use it as a context.

    Attributes:
        path: the file.
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        """Opens the file, or makes it.

        Args:
            path: by default ``embeddings.sqlite`` in the folder that the environment variable RECSIM_CACHE names, or
                in the user's cache folder, such as ``~/.cache/recsim``.

        Raises:
            ValueError: if the file is damaged or something else.
            OSError: if it cannot be opened.
        """
        super().__init__(default_path() if path is None else Path(path), EMBEDDINGS)

    def encode(
        self, encoder: Encoder[Raw], items: Sequence[Raw], progress: Progress | None = None
    ) -> npt.NDArray[np.float32]:
        """(m, d) float32: what `encoder` makes of the items; only what is new is encoded.

        Args:
            encoder: of texts (items are str) or of files (items are paths).
            items: m of them; equal ones are encoded once.
            progress: is told how many of the items are done, again and again.
        """
        rows = np.empty((len(items), encoder.dim), np.float32)
        start = 0
        for block in self.blocks(encoder, items, progress=progress):
            rows[start : start + len(block)] = block
            start += len(block)
        return rows

    def blocks(
        self, encoder: Encoder[Raw], items: Sequence[Raw], size: int = 1024, progress: Progress | None = None
    ) -> Iterator[npt.NDArray[np.float32]]:
        """The rows of `encode` in order, at most `size` at a time, so that they need never be held together."""
        done = 0
        for part in batches(items, size):
            contents = [content_of(item) for item in part]
            rows = self._stored(encoder, contents)
            fresh = {content: item for content, item in zip(contents, part, strict=True) if content not in rows}
            for some in batches(list(fresh.items()), COMMIT_EVERY):
                rows |= self._encoded(encoder, some)
                if progress is not None:
                    progress(done + sum(content in rows for content in contents))
            done += len(part)
            if progress is not None:
                progress(done)
            yield np.stack([rows[content] for content in contents])

    def _encoded(self, encoder: Encoder[Raw], new: Sequence[tuple[bytes, Raw]]) -> dict[bytes, npt.NDArray[np.float32]]:
        rows = np.ascontiguousarray(encoder.encode([item for _, item in new]), np.float32)
        if rows.shape != (len(new), encoder.dim):
            raise ValueError(
                f"encoder {encoder.name!r} made an array of shape {rows.shape} of {len(new)} items: "
                f"its rows must be as many, and have the {encoder.dim} columns that its dim promises."
            )
        broken = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(broken):
            raise ValueError(
                f"encoder {encoder.name!r} made NaN or infinity of {new[broken[0]][1]!r}: "
                "compute in float32 or bfloat16, whose range is wider than that of float16, or leave the item out."
            )
        made = {content: row for (content, _), row in zip(new, rows, strict=True)}
        self.put(encoder.fingerprint, {content: row.astype("<f4").tobytes() for content, row in made.items()})
        return made

    def _stored(self, encoder: Encoder[Raw], contents: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        stored = self.get(encoder.fingerprint, contents, 4 * encoder.dim)
        return {content: np.frombuffer(row, "<f4").astype(np.float32, copy=False) for content, row in stored.items()}
