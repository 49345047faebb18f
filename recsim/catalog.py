"""What can be recommended: items with a table, embeddings of several modalities, and presence masks.

Items are the row numbers 0..m-1 everywhere in the simulation; ``item_id`` is for people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsim.catalog_table import check_findings, check_images, check_table
from recsim.encoding import unit_rows
from recsim.modality import Modality

Array = TypeVar("Array", bound=npt.NDArray[Any])
_BLOCK = 16_384  # rows whose float64 copy is small beside the catalogue


class Catalog:
    """Items 0..m-1 with a table, modalities and, where there are any, images. Treat it as read-only.

    Attributes:
        name: what logs and reports call the catalogue.
        table: m rows with the columns ``item_id``, ``title``, ``text``, ``category``, ``price``, ``created`` and
            ``popularity``; further columns are kept as they are.
        modalities: one `Modality` a name, in the order in which they stand side by side in `taste`.
        card: markdown for people: source, licence, how it was made, weak points.
        image_dir: folder to which the file names in the column ``image`` are relative, or None.
        findings: what was found wrong or odd about items, and what was done about it: a row a finding, with the columns
            of `recsim.catalog_table.FINDING_COLUMNS`, all text.
    """

    def __init__(
        self,
        name: str,
        table: pd.DataFrame,
        modalities: Mapping[str, Modality],
        card: str = "",
        image_dir: str | PathLike[str] | None = None,
        findings: pd.DataFrame | None = None,
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
            findings: by default none.
        """
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name of the catalogue is {name!r}: pass a short text, such as 'my-shop'.")
        self.name = name
        self.table = check_table(table)
        self.modalities = checked_modalities(modalities, len(self.table))
        self.card = card
        self.image_dir = None if image_dir is None else Path(image_dir)
        self.findings = check_findings(findings)
        if self.image_dir is not None:
            check_images(self.table, self.image_dir)

    def __len__(self) -> int:
        """Number of items m."""
        return len(self.price)

    def __repr__(self) -> str:
        dims = ", ".join(f"{name} {modality.dim}-d" for name, modality in self.modalities.items())
        return f"Catalog({self.name!r}, {len(self):,} items, {len(self.categories)} categories, {dims})"

    def _column(self, name: str) -> pd.Series[Any]:
        """A checked column of the table."""
        return self.table[name]

    @cached_property
    def _by_category(self) -> tuple[npt.NDArray[np.int64], list[str]]:
        codes, names = pd.factorize(self._column("category"), sort=True)
        return _frozen(codes.astype(np.int64, copy=False)), names.to_list()

    @property
    def categories(self) -> list[str]:
        """Names of the categories in alphabetical order."""
        return self._by_category[1]

    @property
    def category(self) -> npt.NDArray[np.int64]:
        """(m,) int64, index of each item's category in `categories`."""
        return self._by_category[0]

    @cached_property
    def price(self) -> npt.NDArray[np.float64]:
        """(m,) float64 >= 0."""
        return _frozen(np.array(self._column("price"), dtype=np.float64))

    @cached_property
    def price_level(self) -> npt.NDArray[np.float32]:
        """(m,) float32: log(1 + price), standardised over the items; all 0 where every price is the same."""
        return _frozen(standardised(np.log1p(self.price)).astype(np.float32))

    @cached_property
    def popularity(self) -> npt.NDArray[np.float64]:
        """(m,) float64 > 0 that sum to 1: how often each item is met before any policy acts."""
        return _frozen(np.array(self._column("popularity"), dtype=np.float64))

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
        taste = np.empty((len(self), int(self.offsets[-1])), np.float32)
        for modality, start, stop in zip(self.modalities.values(), self.offsets[:-1], self.offsets[1:], strict=True):
            for rows in row_blocks(len(self)):
                taste[rows, start:stop] = unit_rows(modality.embedding[rows].astype(np.float64))
        return _frozen(taste)

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
        item_id, category = self._column("item_id"), np.array(self.categories, dtype=object)
        for rows in row_blocks(len(self)):
            digest.update(_lengths_and_texts(item_id.iloc[rows]))
        for rows in row_blocks(len(self)):
            digest.update(_lengths_and_texts(category[self.category[rows]]))
        digest.update(_lengths_and_texts(self.modalities))
        for array in (self.price, self.popularity, self.offsets, self.taste):
            digest.update(array.data.cast("B"))
        return digest.hexdigest()

    def image_path(self, item: int) -> Path | None:
        """Where the image of an item lies, or None where it has none."""
        if not 0 <= item < len(self):
            raise IndexError(f"item {item} is not in catalogue {self.name!r}: items are 0 to {len(self) - 1}.")
        if self.image_dir is None:
            return None
        file_name = str(self.table["image"].iloc[item])
        return self.image_dir / file_name if file_name else None

    def replaced(
        self,
        *,
        name: str | None = None,
        table: pd.DataFrame | None = None,
        modalities: Mapping[str, Modality] | None = None,
        card: str | None = None,
        findings: pd.DataFrame | None = None,
    ) -> Catalog:
        """The same catalogue with other parts; what is not given stays. Images are looked for in the same folder."""
        return Catalog(
            self.name if name is None else name,
            self.table if table is None else table,
            self.modalities if modalities is None else modalities,
            self.card if card is None else card,
            self.image_dir,
            self.findings if findings is None else findings,
        )

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
            dtype: how embeddings are stored. float32 keeps every bit in files that are mapped into memory when the
                catalogue is loaded, which suits a million items; they take 8 bytes a number, as `taste` is stored as
                well. float16 keeps about three digits, compressed into one file to hand around; it is read whole.
            overwrite: whether a catalogue that is there already is replaced.

        Returns:
            The folder.
        """
        from recsim.catalog_files import write_catalog

        return write_catalog(self, Path(path), dtype=dtype, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Catalog:
        """The catalogue in a folder written by `save`.

        Every check of `Catalog` is made again, but where float32 was saved, embeddings are not read before they are
        used, and columns of text (other than category and image) are read and checked on first use.
        """
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


def row_blocks(n_rows: int) -> Iterator[slice]:
    """Slices of consecutive rows, small enough that a float64 copy of a block costs little memory."""
    return (slice(start, min(start + _BLOCK, n_rows)) for start in range(0, n_rows, _BLOCK))


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
            "anything else must be a folder that `recsim catalog import` or Catalog.save has written."
        )
    return Catalog.load(path)


def checked_modalities(modalities: Mapping[str, Modality], n_items: int) -> dict[str, Modality]:
    """The modalities of `n_items` items by name.

    Raises:
        ValueError: if there are none, one is filed under another name, or it has another number of rows.
        TypeError: if one is no `Modality`.
    """
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


def _lengths_and_texts(texts: Iterable[str]) -> bytes:
    return "".join(f"{len(text)}:{text}" for text in texts).encode()


def _frozen(array: Array) -> Array:
    array.setflags(write=False)
    return array
