"""A catalogue as a folder: data without pickle, images, and a manifest. Files are data, never code.

::

    catalog.json      schema version, name, number of items, modalities in order
    items.parquet     the table
    card.md           for people
    findings.parquet  where something was found wrong or odd about items
    encodings.npz     where it is known how modalities were made: "<name>.centre", "<name>.components"
    images/           where the catalogue has images: the files that column "image" names

The schema version says how the arrays are stored: `MAPPED` as described in `recsim.catalog_mapped`, `COMPRESSED` as ::

    modalities.npz    "<name>.embedding" float16 or float32 (m, d), "<name>.present" bool (m,)
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

from recsim.catalog import Catalog
from recsim.catalog_mapped import MappedCatalog, array_files, unreadable, write_arrays
from recsim.encoding import Encoding
from recsim.modality import Modality
from recsim.paths import taken

COMPRESSED, MAPPED = 1, 2
SCHEMA_VERSION_OF = {"float32": MAPPED, "float16": COMPRESSED}
MANIFEST, ITEMS, MODALITIES, CARD, IMAGES = "catalog.json", "items.parquet", "modalities.npz", "card.md", "images"
FINDINGS, ENCODINGS = "findings.parquet", "encodings.npz"


def write_catalog(catalog: Catalog, path: Path, *, dtype: str, overwrite: bool) -> Path:
    """Writes into a hidden folder beside `path` and renames it, so that a folder under that name is always whole.

    Where a catalogue is replaced, the old one is moved aside first and deleted last.
    """
    if dtype not in SCHEMA_VERSION_OF:
        raise ValueError(f"embeddings cannot be stored as {dtype!r}: choose {' or '.join(SCHEMA_VERSION_OF)}.")
    path = path.absolute()
    check_target(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _sibling(path)
    fresh.mkdir()
    try:
        _fill(catalog, fresh, SCHEMA_VERSION_OF[dtype])
        _put_in_place(fresh, path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return path


def read_catalog(path: Path) -> Catalog:
    """The catalogue in a folder that `write_catalog` made; `Catalog.load` says what is checked when."""
    manifest = _read_manifest(path)
    name, modalities, mapped = manifest["name"], manifest["modalities"], manifest["schema_version"] == MAPPED
    for file in (ITEMS, CARD, *(array_files(modalities) if mapped else [MODALITIES])):
        if not (path / file).is_file():
            raise FileNotFoundError(f"catalogue {path} has no {file}: it is incomplete; write or copy it again.")
    card = (path / CARD).read_text(encoding="utf-8")
    images = path / IMAGES if (path / IMAGES).is_dir() else None
    findings = _read_table(path / FINDINGS) if (path / FINDINGS).is_file() else None
    encodings = _read_encodings(path / ENCODINGS, manifest.get("encodings", {}))
    if mapped:
        catalog: Catalog = MappedCatalog(name, path / ITEMS, modalities, encodings, card, images, findings)
    else:
        table = _read_table(path / ITEMS)
        made = _read_modalities(path / MODALITIES, modalities, encodings)
        catalog = Catalog(name, table, made, card, images, findings)
    if len(catalog) != manifest["items"]:
        raise ValueError(
            f"{path / ITEMS} has {len(catalog)} rows, but {MANIFEST} says {manifest['items']}: "
            "the two files are of different catalogues; write or copy it again."
        )
    return catalog


def check_target(path: Path, overwrite: bool, *, replace: str = "pass overwrite=True to replace it") -> None:
    """Refuse a place where no catalogue can be written: better at the start than after hours.

    Args:
        path: the folder.
        overwrite: whether a catalogue that is there is replaced.
        replace: how to replace it, in the message.

    Raises:
        FileExistsError: if something is there, unless it is a catalogue that is to be replaced.
    """
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise FileExistsError(taken(path, replace))
    if not (path / MANIFEST).is_file():
        raise FileExistsError(f"{path} is not a catalogue, so it is not replaced: choose another folder.")


def _sibling(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def _fill(catalog: Catalog, folder: Path, version: int) -> None:
    if version == MAPPED:
        write_arrays(catalog, folder)
    else:
        _write_compressed(catalog, folder)
    catalog.table.to_parquet(folder / ITEMS, index=False)
    (folder / CARD).write_text(catalog.card, encoding="utf-8")
    if catalog.image_dir is not None:
        _copy_images(catalog, folder / IMAGES)
    if len(catalog.findings):
        catalog.findings.to_parquet(folder / FINDINGS, index=False)
    manifest: dict[str, Any] = {
        "schema_version": version,
        "name": catalog.name,
        "items": len(catalog),
        "modalities": list(catalog.modalities),
    }
    encodings = {name: m.encoding for name, m in catalog.modalities.items() if m.encoding is not None}
    if encodings:
        manifest["encodings"] = _write_encodings(encodings, folder / ENCODINGS)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _write_encodings(encodings: dict[str, Encoding], where: Path) -> dict[str, dict[str, str]]:
    """The arrays, into a file; returned is what the manifest says of them."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, encoding in encodings.items():
        arrays |= {f"{name}.centre": encoding.centre, f"{name}.components": encoding.components}
    np.savez_compressed(where, allow_pickle=False, **arrays)
    return {
        name: {"source": made.source, "encoder": made.encoder, "fingerprint": made.fingerprint}
        for name, made in encodings.items()
    }


def _write_compressed(catalog: Catalog, folder: Path) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, modality in catalog.modalities.items():
        arrays |= {f"{name}.embedding": _rounded(modality), f"{name}.present": modality.present}
    np.savez_compressed(folder / MODALITIES, allow_pickle=False, **arrays)


def _rounded(modality: Modality) -> npt.NDArray[np.float16]:
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
        raise FileNotFoundError(
            f"{path} is not a catalogue: it has no {MANIFEST}; pass a folder that `recsim catalog import` or "
            "Catalog.save has written."
        )
    try:
        manifest = json.loads(where.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{where} is not valid JSON ({error}): write or copy the catalogue again.") from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version not in (COMPRESSED, MAPPED):
        raise ValueError(
            f"{where} has schema version {version!r}, and this release of recsim reads {COMPRESSED} and {MAPPED}: "
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
        raise unreadable(where, error) from error


def _read_encodings(where: Path, told: dict[str, dict[str, Any]]) -> dict[str, Encoding]:
    if not told:
        return {}
    arrays = _read_arrays(where)
    try:
        return {
            name: Encoding(
                texts["source"],
                texts["encoder"],
                texts["fingerprint"],
                arrays[f"{name}.centre"],
                arrays[f"{name}.components"],
            )
            for name, texts in told.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where} does not fit {MANIFEST} ({error}): write or copy the catalogue again.") from error


def _read_modalities(where: Path, names: list[str], encodings: dict[str, Encoding]) -> dict[str, Modality]:
    arrays = _read_arrays(where)
    for key in (f"{name}.{part}" for name in names for part in ("embedding", "present")):
        if key not in arrays:
            raise ValueError(f"{where} lacks an array that {MANIFEST} promises, {key}: write the catalogue again.")
    return {
        name: Modality(name, arrays[f"{name}.embedding"], arrays[f"{name}.present"], encodings.get(name))
        for name in names
    }


def _read_arrays(where: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with where.open("rb") as file, NpzFile(file, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (BadZipFile, EOFError, OSError, ValueError, zlib.error) as error:
        raise unreadable(where, error) from error
