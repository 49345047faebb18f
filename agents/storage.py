"""Agents on disk: arrays as safetensors; what they are and whose items they rank is in the metadata. No pickles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from recsim.catalog import Catalog
from recsim.files import write_whole
from recsim.paths import absent


def save_arrays(
    path: Path,
    kind: str,
    arrays: Mapping[str, NDArray[Any]],
    catalog: Catalog,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Write arrays under a temporary name, then rename; their kind, catalogue and options go into the metadata.

    Args:
        path: the file.
        kind: what the agent is.
        arrays: its numbers.
        catalog: whose items it ranks.
        options: what else is needed to build it again, as JSON.
    """
    contiguous = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    about = {"kind": kind, "options": json.dumps(dict(options or {})), **identity(catalog)}
    write_whole(path, lambda temporary: save_file(contiguous, temporary, metadata=about))


def load_arrays(path: Path, kind: str, catalog: Catalog) -> dict[str, NDArray[Any]]:
    """Arrays of a file written by `save_arrays`.

    Args:
        path: the file.
        kind: what it must hold.
        catalog: the catalogue it must belong to.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no safetensors file, holds another kind or belongs to another catalogue.
    """
    with _opened(path, kind) as file:
        about = dict(file.metadata() or {})
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    if about.get("kind") != kind:
        raise ValueError(f"{path} holds a {about.get('kind')}, but a {kind} is needed; choose the matching file.")
    check_identity(path, about, catalog)
    return arrays


def load_kind(path: Path) -> str | None:
    """What the file at `path` says that it holds.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no safetensors file.
    """
    with _opened(path, "agent") as file:
        kind: str | None = (file.metadata() or {}).get("kind")
    return kind


def load_options(path: Path) -> dict[str, Any]:
    """The options of a file written by `save_arrays`; read its arrays first, which checks the file."""
    with safe_open(path, framework="numpy") as file:
        options: dict[str, Any] = json.loads(file.metadata()["options"])
    return options


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[Any]:
    if not path.is_file():
        raise FileNotFoundError(absent(kind, path, "save one first"))
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file ({error}); save the {kind} again.") from error


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
