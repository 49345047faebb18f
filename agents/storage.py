"""Agents on disk: arrays as safetensors, with what they are in the file's own metadata. No pickles."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

Floats = NDArray[np.float64]


def save_arrays(path: Path, kind: str, arrays: Mapping[str, Floats], about: Mapping[str, str]) -> None:
    """Write arrays under a temporary name, then rename; `kind` and `about` go into the metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        contiguous = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
        save_file(contiguous, temporary, metadata={"kind": kind, **about})
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_arrays(path: Path, kind: str, expected: Mapping[str, str]) -> tuple[dict[str, Floats], dict[str, str]]:
    """Arrays and metadata of a file written by `save_arrays`.

    Args:
        path: the file.
        kind: what it must hold.
        expected: metadata entries it must have, such as the catalogue's name.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no safetensors file, or holds another kind or belongs to something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no {kind} at {path}; save one first.")
    try:
        with safe_open(path, framework="numpy") as file:
            about = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file ({error}); save the {kind} again.") from error
    for key, value in {"kind": kind, **expected}.items():
        if about.get(key) != value:
            raise ValueError(f"{path} has {key} {about.get(key)!r}, but {value!r} is needed; choose the matching file.")
    return arrays, about
