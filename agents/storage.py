"""Agents on disk: arrays as safetensors; what they are and whose items they rank is in the metadata. No pickles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from recsim.catalog import Catalog
from recsim.files import write_whole

Floats = NDArray[np.float64]


def save_arrays(path: Path, kind: str, arrays: Mapping[str, Floats], catalog: Catalog) -> None:
    """Write arrays under a temporary name, then rename; their kind and catalogue go into the metadata."""
    contiguous = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    about = {"kind": kind, **identity(catalog)}
    write_whole(path, lambda temporary: save_file(contiguous, temporary, metadata=about))


def load_arrays(path: Path, kind: str, catalog: Catalog) -> dict[str, Floats]:
    """Arrays of a file written by `save_arrays`.

    Args:
        path: the file.
        kind: what it must hold.
        catalog: the catalogue it must belong to.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no safetensors file, holds another kind or belongs to another catalogue.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {kind} at {path}; save one first.")
    try:
        with safe_open(path, framework="numpy") as file:
            about = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file ({error}); save the {kind} again.") from error
    if about.get("kind") != kind:
        raise ValueError(f"{path} holds a {about.get('kind')}, but a {kind} is needed; choose the matching file.")
    check_identity(path, about, catalog)
    return arrays


def identity(catalog: Catalog) -> dict[str, str]:
    """What a saved agent says of the catalogue that it ranks."""
    return {"catalog": catalog.name, "fingerprint": catalog.fingerprint}


def check_identity(path: Path, about: Mapping[str, str], catalog: Catalog) -> None:
    """Refuse an agent that ranks other items.

    Raises:
        ValueError: if `about`, from the file at `path`, names another catalogue or the same one with other items.
    """
    if about.get("catalog") != catalog.name:
        raise ValueError(f"{path} ranks catalogue {about.get('catalog')!r}, but {catalog.name!r} is needed.")
    if about.get("fingerprint") != catalog.fingerprint:
        raise ValueError(f"{path} ranks other items than catalogue {catalog.name!r} has now; train it again.")
