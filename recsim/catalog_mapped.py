"""Catalogues of any size in a folder: feature tables that are mapped into memory, texts that are read when used.

::

    taste.npy               float32 (m, D), `Catalog.taste`
    <name>.embedding.npy    float32 (m, d), of each modality
    <name>.present.npy      bool (m,)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from numpy.lib.format import open_memmap
from pyarrow.lib import ArrowException

from recsim.catalog import Catalog, checked_modalities, row_blocks
from recsim.catalog_table import check_column, check_findings, check_images, check_table
from recsim.encoding import Encoding
from recsim.modality import Modality

TASTE = "taste.npy"
_SLACK = 1e-4  # of the squared length of a unit row in float32


def array_files(modalities: list[str]) -> list[str]:
    """Names of the files of the arrays."""
    return [TASTE, *(file for name in modalities for file in (_embedding_file(name), _present_file(name)))]


def write_arrays(catalog: Catalog, folder: Path) -> None:
    """The arrays, to the last bit."""
    arrays: dict[str, npt.NDArray[Any]] = {TASTE: catalog.taste}
    for name, modality in catalog.modalities.items():
        arrays |= {_embedding_file(name): modality.embedding, _present_file(name): modality.present}
    for file, array in arrays.items():
        np.save(folder / file, array, allow_pickle=False)


class MappedCatalog(Catalog):
    """A catalogue whose feature tables and texts stay in its files until they are used.

    It holds the files themselves: a catalogue that takes over the folder later changes nothing here. A pickle or a deep
    copy holds copies of the feature tables.
    """

    def __init__(
        self,
        name: str,
        items: Path,
        modalities: list[str],
        encodings: Mapping[str, Encoding],
        card: str,
        image_dir: Path | None,
        findings: pd.DataFrame | None,
    ) -> None:
        """The catalogue whose table is the Parquet file `items`, with the arrays beside it.

        `Catalog.__init__` would read and check all of it; `Catalog.load` says what is checked when.

        Raises:
            ValueError: if the files do not fit each other, or what is checked now is wrong.
        """
        self.name, self.card, self.image_dir = name, card, image_dir
        self.findings = check_findings(findings)
        self._path, self._bytes = items, _map_bytes(items)
        for column in ("price", "popularity", "category"):
            getattr(self, column)  # refused now rather than in the middle of a run
        if image_dir is not None:
            check_images(self._column("image").to_frame(), image_dir)
        pa.default_memory_pool().release_unused()  # as much as is held
        self.modalities = checked_modalities(_map_modalities(items.parent, modalities, encodings, len(self)), len(self))
        self.taste = _map_array(items.parent / TASTE, np.float32, (len(self), int(self.offsets[-1])))
        _check_unit_rows(self, items.parent / TASTE)

    @cached_property
    def table(self) -> pd.DataFrame:  # type: ignore[override]
        """All columns, as in `Catalog`; read and checked on first use."""
        return check_table(self._read())

    def _column(self, name: str) -> pd.Series[Any]:
        return check_column(self._read([name])[name], name)

    def _read(self, columns: list[str] | None = None) -> pd.DataFrame:
        try:
            file = pa.BufferReader(pa.py_buffer(self._bytes))
            return pd.read_parquet(file, columns=columns, use_threads=False)  # each thread would keep what it freed
        except (ArrowException, OSError) as error:
            raise unreadable(self._path, error) from error


def _embedding_file(modality: str) -> str:
    return f"{modality}.embedding.npy"


def _present_file(modality: str) -> str:
    return f"{modality}.present.npy"


def _map_modalities(
    folder: Path, names: list[str], encodings: Mapping[str, Encoding], n_items: int
) -> dict[str, Modality]:
    return {
        name: Modality.trusted(
            name,
            _map_array(folder / _embedding_file(name), np.float32, (n_items, None)),
            _map_array(folder / _present_file(name), np.bool_, (n_items,)),
            encodings.get(name),
        )
        for name in names
    }


def _map_array(where: Path, kind: type[np.generic], shape: tuple[int | None, ...]) -> npt.NDArray[Any]:
    """The read-only array in a file, of a type and shape (None for any length)."""
    try:
        array = open_memmap(where, mode="r")
    except (EOFError, OSError, ValueError) as error:
        raise unreadable(where, error) from error
    fits = array.ndim == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=False)
    )
    if array.dtype != kind or not fits or not array.flags.c_contiguous:
        order = "" if array.flags.c_contiguous else " in Fortran order"
        needed = str(shape).replace("None", "any")
        raise ValueError(
            f"{where} holds {array.dtype} of shape {array.shape}{order}, but {np.dtype(kind)} of shape {needed} "
            "belongs there: write or copy the catalogue again."
        )
    return np.asarray(array)


def _map_bytes(where: Path) -> npt.NDArray[np.uint8]:
    try:
        return np.asarray(np.memmap(where, np.uint8, mode="r"))
    except (OSError, ValueError) as error:  # an empty file
        raise unreadable(where, error) from error


def _check_unit_rows(catalog: Catalog, where: Path) -> None:
    """Raises unless every present part of every row of `taste` has length 1, and every other one length 0."""
    for name, start, stop in zip(catalog.modalities, catalog.offsets[:-1], catalog.offsets[1:], strict=True):
        present = catalog.modalities[name].present
        for rows in row_blocks(len(catalog)):
            part = catalog.taste[rows, start:stop]
            squared = np.einsum("md,md->m", part, part)
            wrong = np.flatnonzero(~(np.abs(squared - present[rows]) <= _SLACK))
            if len(wrong):
                raise ValueError(
                    f"{where}, row {rows.start + wrong[0]}: the part of modality {name!r} has squared length "
                    f"{squared[wrong[0]]:g}, not {int(present[rows][wrong[0]])}: write or copy the catalogue again."
                )


def unreadable(where: Path, error: Exception) -> ValueError:
    """What to raise where a file of a catalogue cannot be read."""
    return ValueError(f"{where} cannot be read ({error}): write or copy the catalogue again.")
