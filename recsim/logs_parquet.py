"""Logs as Parquet: one row a slate, fixed-size lists per position, the log's info in the file's metadata as JSON.

Columns:
    user, session, step: int64.
    observation: list of d float32.
    slate: list of k int64.
    click, conversion: list of k bool.
    objective_NAME, one for each objective: list of k float64.
    log_prob: float64.
    step_log_prob: list of k float64.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsim.files import write_whole
from recsim.logs import SCHEMA_VERSION, Log, LogInfo
from recsim.paths import absent

_KEY = b"recsim.log"
_LISTS = ("observation", "slate", "click", "conversion", "step_log_prob")
_WHOLE = ("whole numbers", pa.types.is_integer, np.int64)
_FLAG = ("true or false", pa.types.is_boolean, np.bool_)
_REAL = ("floating-point numbers", pa.types.is_floating, np.float64)
_KINDS: dict[str, tuple[str, Any, Any]] = {
    **dict.fromkeys(("user", "session", "step", "slate"), _WHOLE),
    **dict.fromkeys(("click", "conversion"), _FLAG),
    "observation": (*_REAL[:2], np.float32),
}  # all others: _REAL
_TEXT = {"policy", "catalog", "fingerprint", "users"}
_PROPENSITIES = ("exact", "estimated")
_SEVERAL: dict[str, Any] = {"objectives": str, "weights": (int, float)}


def write(log: Log, path: Path, more: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Write `log` to `path` under a temporary name, then rename; with `more` columns (n, k) by name."""
    columns: dict[str, pa.Array] = {name: pa.array(getattr(log, name)) for name in ("user", "session", "step")}
    columns |= {name: to_lists(getattr(log, name)) for name in _LISTS}
    columns |= {objective_column(name): to_lists(log.objectives[:, :, i]) for i, name in enumerate(log.info.objectives)}
    columns["log_prob"] = pa.array(log.log_prob)
    write_columns(columns | {name: to_lists(values) for name, values in (more or {}).items()}, log.info, path)


def write_columns(columns: Mapping[str, pa.Array], info: LogInfo, path: Path) -> None:
    """Write columns, not necessarily all of a log, with what holds for it."""
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(asdict(info)).encode()})
    write_whole(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read(path: Path) -> Log:
    """Read what `write` wrote; values are checked by `recsim.logs.check_log`."""
    if not path.is_file():
        raise FileNotFoundError(absent("log", path, "`recsim collect` writes one"))
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is not a Parquet file ({error}); `recsim collect` writes one.") from error
    info = info_of(table.schema, path)
    arrays: dict[str, NDArray[Any]] = {name: numbers(table, name, path) for name in ("user", "session", "step")}
    for name in _LISTS:
        width = None if name == "observation" else info.slate_size
        arrays[name] = lists(table, name, path, width)
    parts = [lists(table, objective_column(name), path, info.slate_size) for name in info.objectives]
    arrays["objectives"] = np.stack(parts, axis=2)
    log = Log(info, **arrays)
    _check_joint(log, numbers(table, "log_prob", path), path)
    return log


def info_of(schema: pa.Schema, path: Path) -> LogInfo:
    """What the file at `path` says of its log.

    Raises:
        ValueError: if it says nothing, or something that cannot be.
    """
    text = (schema.metadata or {}).get(_KEY)
    if text is None:
        raise ValueError(f"{path} is a Parquet file but no recsim log: its metadata has no {_KEY.decode()!r} entry.")
    place = f"{path}: the metadata entry {_KEY.decode()!r}"
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{place} is no JSON ({error}). Collect the log again.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{place} is {values!r}, not an object of names and values. Collect the log again.")
    if values.get("schema_version") == 1:
        values |= {"schema_version": SCHEMA_VERSION, "propensities": "exact"}
    if values.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(
            f"{path} has log schema version {values.get('schema_version')}; this recsim reads 1 and {SCHEMA_VERSION}. "
            "Collect it again, or read it with the version that wrote it."
        )
    for name in (f.name for f in fields(LogInfo)):
        if name not in values:
            raise ValueError(f"{place} has no {name!r}. Collect the log again.")
        if not _fits(name, values[name]):
            raise ValueError(f"{place} has {name} {values[name]!r}, which cannot be. Collect the log again.")
    if len(values["weights"]) != len(values["objectives"]):
        raise ValueError(f"{place} has {len(values['weights'])} weights for {len(values['objectives'])} objectives.")
    known = {f.name: values[f.name] for f in fields(LogInfo)}
    return LogInfo(**known | {name: tuple(values[name]) for name in _SEVERAL})


def _fits(name: str, value: Any) -> bool:
    if name in _SEVERAL:
        return isinstance(value, list) and len(value) > 0 and all(isinstance(one, _SEVERAL[name]) for one in value)
    if name == "propensities":
        return value in _PROPENSITIES
    return isinstance(value, str) if name in _TEXT else type(value) is int and value >= 0


def _check_joint(log: Log, joint: NDArray[np.float64], path: Path) -> None:
    wrong = np.flatnonzero(~(np.abs(joint - log.log_prob) <= 1e-6 * np.maximum(1.0, np.abs(joint))))
    if wrong.size and np.isfinite(log.step_log_prob[wrong[0]]).all():
        row = int(wrong[0])
        raise ValueError(
            f"row {row:,} of {path}: log_prob is {joint[row]}, but step_log_prob sums to {log.log_prob[row]}; "
            "the joint is the sum of the steps. Write the propensities that were in force."
        )


def objective_column(name: str) -> str:
    """The name of the column of an objective."""
    return f"objective_{name}"


def to_lists(values: NDArray[Any]) -> pa.Array:
    """`values` (n, k) as a column of n lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])


def numbers(table: pa.Table, name: str, path: Path, start: int = 0) -> NDArray[Any]:
    """The column of numbers `name` of `table`, whose first row is row `start` of the file at `path`.

    Raises:
        ValueError: if it is not there, holds something else, or a value is missing.
    """
    return _array(_column(table, name, path, start), name, path)


def lists(table: pa.Table, name: str, path: Path, width: int | None, start: int = 0) -> NDArray[Any]:
    """(n, k) the column of lists of equal length `name`, of length `width` if that is known.

    Raises:
        ValueError: as of `numbers`.
    """
    column = _column(table, name, path, start)
    if not pa.types.is_fixed_size_list(column.type):
        raise ValueError(f"{path}: column {name!r} holds {column.type}, not lists of one fixed length.")
    if width is not None and column.type.list_size != width:
        raise ValueError(f"{path}: column {name!r} holds lists of {column.type.list_size}; slate_size is {width}.")
    values = column.flatten()
    if values.null_count:
        first = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        row, position = divmod(first, column.type.list_size)
        raise ValueError(
            f"row {start + row:,}, position {position} of {path}: {name} is missing; every position needs a value."
        )
    return _array(values, name, path).reshape(len(column), column.type.list_size)


def _column(table: pa.Table, name: str, path: Path, start: int) -> pa.Array:
    if name not in table.column_names:
        raise ValueError(f"{path} has no column {name!r}; a log has {', '.join(table.column_names)} and {name}.")
    column = table.column(name).combine_chunks()
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise ValueError(f"row {start + row:,} of {path}: {name} is missing; every row needs every column.")
    return column


def _array(values: pa.Array, name: str, path: Path) -> NDArray[Any]:
    wanted, fits, kind = _KINDS.get(name, _REAL)
    if not fits(values.type):
        raise ValueError(f"{path}: column {name!r} holds {values.type}; {wanted} are needed. Write it in that type.")
    found: NDArray[Any] = values.to_numpy(zero_copy_only=False).astype(kind, copy=False)
    return found
