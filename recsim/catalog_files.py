"""A catalogue as a folder: Parquet and npz without pickle, images, and a manifest. Files are data, never code.

::

    catalog.json      schema version, name, number of items, modalities in order
    items.parquet     the table
    modalities.npz    "<name>.embedding" float16 or float32, "<name>.present" bool
    card.md           for people
    images/           where the catalogue has images: the files that column "image" names
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.npyio import NpzFile
from pyarrow.lib import ArrowException

from recsim.catalog import Catalog, Modality

SCHEMA_VERSION = 1
MANIFEST, ITEMS, MODALITIES, CARD, IMAGES = "catalog.json", "items.parquet", "modalities.npz", "card.md", "images"
STORED_TYPES = ("float32", "float16")


def write_catalog(catalog: Catalog, path: Path, *, dtype: str, overwrite: bool) -> Path:
    """Writes into a hidden folder beside `path` and renames it, so that a folder under that name is always whole.

    Where a catalogue is replaced, the old one is moved aside first and deleted last.
    """
    if dtype not in STORED_TYPES:
        raise ValueError(f"embeddings cannot be stored as {dtype!r}: choose {' or '.join(STORED_TYPES)}.")
    path = path.absolute()
    _check_target(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _sibling(path)
    fresh.mkdir()
    try:
        _fill(catalog, fresh, dtype)
        _put_in_place(fresh, path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return path


def read_catalog(path: Path) -> Catalog:
    """The catalogue in a folder that `write_catalog` made; every check of `Catalog` is made again."""
    manifest = _read_manifest(path)
    for name in (ITEMS, MODALITIES, CARD):
        if not (path / name).is_file():
            raise FileNotFoundError(f"catalogue {path} has no {name}: it is incomplete; write or copy it again.")
    table = _read_table(path / ITEMS)
    if len(table) != manifest["items"]:
        raise ValueError(
            f"{path / ITEMS} has {len(table)} rows, but {MANIFEST} says {manifest['items']}: "
            "the two files are of different catalogues; write or copy it again."
        )
    images = path / IMAGES
    return Catalog(
        manifest["name"],
        table,
        _read_modalities(path / MODALITIES, manifest["modalities"]),
        (path / CARD).read_text(encoding="utf-8"),
        images if images.is_dir() else None,
    )


def _check_target(path: Path, overwrite: bool) -> None:
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise FileExistsError(f"{path} exists already: choose another folder, or pass overwrite=True to replace it.")
    if not (path / MANIFEST).is_file():
        raise FileExistsError(f"{path} is not a catalogue, so it is not replaced: choose another folder.")


def _sibling(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _fill(catalog: Catalog, folder: Path, dtype: str) -> None:
    stored: dict[str, npt.NDArray[Any]] = {}
    for name, modality in catalog.modalities.items():
        stored[f"{name}.embedding"] = _rounded(modality, dtype)
        stored[f"{name}.present"] = modality.present
    np.savez_compressed(folder / MODALITIES, allow_pickle=False, **stored)
    catalog.table.to_parquet(folder / ITEMS, index=False)
    (folder / CARD).write_text(catalog.card, encoding="utf-8")
    if catalog.image_dir is not None:
        _copy_images(catalog, folder / IMAGES)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": catalog.name,
        "items": len(catalog),
        "modalities": list(catalog.modalities),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _rounded(modality: Modality, dtype: str) -> npt.NDArray[np.floating[Any]]:
    if dtype == "float32":
        return modality.embedding
    limit = float(np.finfo(np.float16).max)
    largest = float(np.abs(modality.embedding).max())
    if largest > limit:
        raise ValueError(
            f"embedding of modality {modality.name!r} holds {largest:g}, and float16 ends at {limit:g}: "
            "save it with dtype='float32', or scale it."
        )
    rounded = modality.embedding.astype(np.float16)
    if np.any(modality.present & ~rounded.any(axis=1)):
        raise ValueError(
            f"embedding of modality {modality.name!r} has a row too small for float16: save it with dtype='float32'."
        )
    return rounded


def _copy_images(catalog: Catalog, images: Path) -> None:
    images.mkdir()
    for item in range(len(catalog)):
        source = catalog.image_path(item)
        if source is None or catalog.image_dir is None:
            continue
        target = images / source.relative_to(catalog.image_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _put_in_place(fresh: Path, path: Path) -> None:
    if not os.path.lexists(path):
        os.rename(fresh, path)
        return
    old = _sibling(path)
    os.rename(path, old)
    os.rename(fresh, path)
    shutil.rmtree(old)


def _read_manifest(path: Path) -> dict[str, Any]:
    where = path / MANIFEST
    if not where.is_file():
        raise FileNotFoundError(f"{path} is not a catalogue: it has no {MANIFEST}; pass a folder made by Catalog.save.")
    try:
        manifest = json.loads(where.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{where} is not valid JSON ({error}): write or copy the catalogue again.") from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"{where} has schema version {version!r}, and this release of recsim reads {SCHEMA_VERSION}: "
            "use the release that wrote it."
        )
    for key, kind in (("name", str), ("items", int), ("modalities", list)):
        if not isinstance(manifest.get(key), kind):
            raise ValueError(f"{where} has no usable {key!r} (found {manifest.get(key)!r}): write the catalogue again.")
    return dict(manifest)


def _read_table(where: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(where)
    except (ArrowException, OSError) as error:
        raise ValueError(f"{where} cannot be read ({error}): write or copy the catalogue again.") from error


def _read_modalities(where: Path, names: list[str]) -> dict[str, Modality]:
    arrays = _read_arrays(where)
    for key in (f"{name}.{part}" for name in names for part in ("embedding", "present")):
        if key not in arrays:
            raise ValueError(f"{where} lacks an array that {MANIFEST} promises, {key}: write the catalogue again.")
    return {name: Modality(name, arrays[f"{name}.embedding"], arrays[f"{name}.present"]) for name in names}


def _read_arrays(where: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with where.open("rb") as file, NpzFile(file, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (BadZipFile, EOFError, OSError, ValueError, zlib.error) as error:
        raise ValueError(f"{where} cannot be read ({error}): write or copy the catalogue again.") from error
