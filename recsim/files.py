"""Files written whole or not at all: under a temporary name first, then renamed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd


def temporary_name(path: Path) -> Path:
    """A hidden name beside `path` that nothing else uses; `*.tmp` there is what a killed process left behind."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file under a temporary name, then give it its final one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write into, which takes its final name, and the place of what was there, once all is written."""
    scratch = temporary_name(path)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(scratch, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all: strict (no NaN), numbers to the last bit, the same bytes for the same value."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The value in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a Parquet file, whole or not at all."""
    write_whole(path, lambda temporary: table.to_parquet(temporary, index=False))
