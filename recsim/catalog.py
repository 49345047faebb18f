"""What can be recommended: items with a table, embeddings of several modalities, and presence masks.

Items are the row numbers 0..m-1 everywhere in the simulation; ``item_id`` is for people.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsim.catalog_table import check_images, check_table

Array = TypeVar("Array", bound=npt.NDArray[Any])
MODALITY_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, eq=False)
class Modality:
    """One way of perceiving items: an embedding per item and who has one.

    The mask is the truth: whatever stands in the rows of absent items is replaced by zeros.

    Attributes:
        name: lower-case identifier, such as ``text``, ``image`` or ``behaviour``.
        embedding: (m, d) float32, finite; the rows of absent items are 0, those of present items are not.
        present: (m,) bool, whether the item has this modality.
    """

    name: str
    embedding: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not MODALITY_NAME.fullmatch(self.name):
            raise ValueError(
                f"modality name {self.name!r} is not a lower-case identifier: use letters a-z, digits and "
                "underscores, starting with a letter, such as 'text'."
            )
        embedding = np.asarray(self.embedding)
        present = np.asarray(self.present)
        self._check_shapes(embedding, present)
        stored = np.where(present[:, None], embedding, 0.0).astype(np.float32)
        self._check_rows(stored, present)
        object.__setattr__(self, "embedding", _frozen(stored))
        object.__setattr__(self, "present", _frozen(present.copy()))

    def __len__(self) -> int:
        return len(self.present)

    @property
    def dim(self) -> int:
        """Number of columns d of the embedding."""
        return int(self.embedding.shape[1])

    def _check_shapes(self, embedding: npt.NDArray[np.generic], present: npt.NDArray[np.generic]) -> None:
        if embedding.ndim != 2 or embedding.shape[1] == 0 or embedding.dtype.kind not in "fiu":
            raise ValueError(
                f"embedding of modality {self.name!r} has shape {embedding.shape} and type {embedding.dtype}: "
                "pass numbers of shape (items, dimensions)."
            )
        if present.dtype != np.bool_:
            raise TypeError(
                f"present mask of modality {self.name!r} has type {present.dtype}, not bool: "
                "pass a comparison, such as present=counts > 0."
            )
        if present.shape != embedding.shape[:1]:
            raise ValueError(
                f"present mask of modality {self.name!r} has shape {present.shape}, but its embedding has "
                f"{embedding.shape[0]} rows: pass one value for each item."
            )

    def _check_rows(self, stored: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> None:
        broken = np.flatnonzero(~np.isfinite(stored).all(axis=1))
        if len(broken):
            raise ValueError(
                f"embedding of modality {self.name!r} holds NaN or infinity in row {broken[0]} "
                f"({len(broken)} such rows): repair the row or mark the item absent in the mask."
            )
        empty = np.flatnonzero(present & ~stored.any(axis=1))
        if len(empty):
            raise ValueError(
                f"embedding of modality {self.name!r} is all zeros in row {empty[0]}, which the mask calls present "
                f"({len(empty)} such rows): mark these items absent, or check that the mask is not inverted."
            )


class Catalog:
    """Items 0..m-1 with a table, modalities and, where there are any, images. Treat it as read-only.

    Attributes:
        name: what logs and reports call the catalogue.
        table: m rows with the columns ``item_id``, ``title``, ``text``, ``category``, ``price``, ``created`` and
            ``popularity``; further columns are kept as they are.
        modalities: one `Modality` a name, in the order in which they stand side by side in `taste`.
        card: markdown for people: source, licence, how it was made, weak points.
        image_dir: folder to which the file names in the column ``image`` are relative, or None.
    """

    def __init__(
        self,
        name: str,
        table: pd.DataFrame,
        modalities: Mapping[str, Modality],
        card: str = "",
        image_dir: str | PathLike[str] | None = None,
    ) -> None:
        """Checks everything and copies the table.

        Args:
            name: not empty.
            table: ``item_id`` (unique), ``title``, ``text``, ``category`` (text), ``price`` (>= 0); optionally
                ``created`` (ISO date or empty; default empty), ``popularity`` (> 0; scaled to sum to 1; default
                equal) and ``image`` (file name in `image_dir`, or empty for an item without an image).
            modalities: at least one; every one has m rows.
            card: markdown.
            image_dir: every file that the column ``image`` names must exist in it.
        """
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name of the catalogue is {name!r}: pass a short text, such as 'my-shop'.")
        self.name = name
        self.table = check_table(table)
        self.modalities = _checked_modalities(modalities, len(self.table))
        self.card = card
        self.image_dir = None if image_dir is None else Path(image_dir)
        if self.image_dir is not None:
            check_images(self.table, self.image_dir)

    def __len__(self) -> int:
        """Number of items m."""
        return len(self.table)

    def __repr__(self) -> str:
        dims = ", ".join(f"{name} {modality.dim}-d" for name, modality in self.modalities.items())
        return f"Catalog({self.name!r}, {len(self):,} items, {len(self.categories)} categories, {dims})"

    @cached_property
    def categories(self) -> list[str]:
        """Names of the categories in alphabetical order."""
        return sorted(set(self.table["category"].to_list()))

    @cached_property
    def category(self) -> npt.NDArray[np.int64]:
        """(m,) int64, index of each item's category in `categories`."""
        index = {name: number for number, name in enumerate(self.categories)}
        return _frozen(np.array([index[name] for name in self.table["category"].to_list()], dtype=np.int64))

    @cached_property
    def price(self) -> npt.NDArray[np.float64]:
        """(m,) float64 >= 0."""
        return _frozen(np.array(self.table["price"], dtype=np.float64))

    @cached_property
    def price_level(self) -> npt.NDArray[np.float32]:
        """(m,) float32: log(1 + price), standardised over the items; all 0 where every price is the same."""
        return _frozen(standardised(np.log1p(self.price)).astype(np.float32))

    @cached_property
    def popularity(self) -> npt.NDArray[np.float64]:
        """(m,) float64 > 0 that sum to 1: how often each item is met before any policy acts."""
        return _frozen(np.array(self.table["popularity"], dtype=np.float64))

    @cached_property
    def novelty(self) -> npt.NDArray[np.float32]:
        """(m,) float32 in [0, 1]: self-information -log2(popularity), 0 for the most and 1 for the least popular item.

        All 0 where every item is equally popular.
        """
        information = -np.log2(self.popularity)
        spread = np.ptp(information)
        scaled = (information - information.min()) / spread if spread > 0 else np.zeros_like(information)
        return _frozen(scaled.astype(np.float32))

    @cached_property
    def taste(self) -> npt.NDArray[np.float32]:
        """(m, D) float32: the unit-norm rows of every modality side by side; 0 where an item lacks the modality."""
        return _frozen(
            np.concatenate([_unit_rows(modality.embedding) for modality in self.modalities.values()], axis=1)
        )

    @cached_property
    def offsets(self) -> npt.NDArray[np.int64]:
        """(M + 1,) int64: the column of `taste` at which each modality starts; the last one is D."""
        return _frozen(np.cumsum([0, *(modality.dim for modality in self.modalities.values())], dtype=np.int64))

    @cached_property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that change with any item's id, category, price or popularity, and with any embedding.

        Models and logs carry it, so that they are not used with another catalogue of the same name.
        """
        digest = hashlib.blake2b(digest_size=16)
        for text in (*self.table["item_id"], *self.table["category"], *self.modalities):
            digest.update(f"{len(text)}:{text}".encode())
        for array in (self.price, self.popularity, self.offsets, self.taste):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def image_path(self, item: int) -> Path | None:
        """Where the image of an item lies, or None where it has none."""
        if not 0 <= item < len(self):
            raise IndexError(f"item {item} is not in catalogue {self.name!r}: items are 0 to {len(self) - 1}.")
        if self.image_dir is None:
            return None
        file_name = str(self.table["image"].iloc[item])
        return self.image_dir / file_name if file_name else None

    def save(
        self,
        path: str | PathLike[str],
        *,
        dtype: Literal["float32", "float16"] = "float32",
        overwrite: bool = False,
    ) -> Path:
        """Writes the catalogue as a folder that `Catalog.load` reads, whole or not at all.

        Args:
            path: the folder; its parent is created.
            dtype: how embeddings are stored; float16 halves the file and keeps about three digits.
            overwrite: whether a catalogue that is there already is replaced.

        Returns:
            The folder.
        """
        from recsim.catalog_files import write_catalog

        return write_catalog(self, Path(path), dtype=dtype, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Catalog:
        """The catalogue in a folder written by `save`."""
        from recsim.catalog_files import read_catalog

        return read_catalog(Path(path))

    @classmethod
    def synthetic(
        cls,
        n_items: int = 100,
        n_categories: int = 5,
        dims: Mapping[str, int] | None = None,
        seed: int = 0,
        missing: float = 0.0,
    ) -> Catalog:
        """A made-up catalogue for tests and benchmarks, see `recsim.catalogs.synthetic.synthetic_catalog`."""
        from recsim.catalogs.synthetic import synthetic_catalog

        return synthetic_catalog(n_items, n_categories, dims, seed, missing)


def standardised(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(m,) float64 with mean 0 and standard deviation 1; all 0 where every value is the same."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)


def load_catalog(name_or_path: str | PathLike[str]) -> Catalog:
    """A bundled catalogue by name (``"openclipart"``), or the one in a folder written by `Catalog.save`.

    A bundled name wins over a folder of the same name: write ``./openclipart`` for the folder.
    """
    from recsim.catalogs import BUNDLED, bundled_path

    if isinstance(name_or_path, str) and name_or_path in BUNDLED:
        return Catalog.load(bundled_path(name_or_path))
    path = Path(name_or_path)
    if not path.is_dir():
        raise FileNotFoundError(
            f"there is no catalogue {str(name_or_path)!r}: bundled is {', '.join(BUNDLED)}; "
            "anything else must be a folder written by Catalog.save."
        )
    return Catalog.load(path)


def _checked_modalities(modalities: Mapping[str, Modality], n_items: int) -> dict[str, Modality]:
    if not modalities:
        raise ValueError("the catalogue has no modalities: pass at least one, such as {'text': Modality('text', ...)}.")
    for name, modality in modalities.items():
        if not isinstance(modality, Modality):
            raise TypeError(f"modality {name!r} is a {type(modality).__name__}: wrap it in recsim.Modality.")
        if modality.name != name:
            raise ValueError(f"modality {modality.name!r} is filed under {name!r}: use the same name in both places.")
        if len(modality) != n_items:
            raise ValueError(
                f"modality {name!r} has {len(modality)} rows, but the table has {n_items}: "
                "pass one row for each item, in the table's order; use the mask for items without it."
            )
    return dict(modalities)


def _unit_rows(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def _frozen(array: Array) -> Array:
    array.setflags(write=False)
    return array
