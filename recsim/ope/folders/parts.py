"""Logs as folders of Parquet files, read in batches of whole sessions, so that memory does not grow with the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsim.logs_parquet import lists, numbers, write
from recsim.paths import absent

if TYPE_CHECKING:
    from recsim.logs import Log

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Key = tuple[int, int]

_READ_AT_ONCE = 2**20  # bytes of a column; without a number, all rows that stand in one row group of the file


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a file: whole sessions.

    Attributes:
        path: the file.
        start: the number of the first row in it.
        table: the columns that were asked for.
        user: (n,) int64, ascending.
        session: (n,) int64, ascending within a user.
    """

    path: Path
    start: int
    table: pa.Table
    user: Integers
    session: Integers

    def lists(self, name: str, width: int | None) -> NDArray[Any]:
        """(n, k) a column of lists."""
        return lists(self.table, name, self.path, width, self.start)

    @property
    def starts(self) -> Integers:
        """(sessions,) the first row of each session."""
        return np.concatenate([[0], _changes(self.user, self.session)])

    @property
    def cluster(self) -> Integers:
        """(n,) the session of each row, from 0 up."""
        starts = self.starts
        return np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(self.user))))


def parts_of(folder: str | Path) -> list[Path]:
    """The Parquet files of a folder and of the folders in it, by name; a file is a folder of one.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if there are none in it.
    """
    path = Path(folder)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(absent("folder", path, "pass a folder of Parquet files, or one file"))
    found = sorted(one for one in path.rglob("*.parquet") if not one.name.startswith("."))
    if not found:
        raise ValueError(f"there is no file *.parquet in {path}; `recsim collect` and `write_parts` write logs.")
    return found


def open_part(path: Path) -> pq.ParquetFile:
    """The file at `path`, of which only the description is read.

    Raises:
        ValueError: if it is no Parquet file.
    """
    try:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=_READ_AT_ONCE)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is not a Parquet file ({error}); remove it from the folder.") from error


def batches(path: Path, columns: Sequence[str], size: int) -> Iterator[Batch]:
    """The rows of a file with `columns`, about `size` at a time (more where a session is longer), sessions uncut.

    Raises:
        ValueError: if a column is missing or has gaps, or the rows are not in the order of user and session.
    """
    start, rest = 0, None
    with open_part(path) as file:
        for table in _tables(file, path, ["user", "session", *columns], size):
            batch = _batch(path, start, table if rest is None else pa.concat_tables([rest, table]))
            cut = int(batch.starts[-1])  # the last session may go on in the next piece
            if cut:
                yield Batch(path, start, batch.table.slice(0, cut), batch.user[:cut], batch.session[:cut])
            start, rest = start + cut, batch.table.slice(cut)
    if rest is not None and len(rest):
        yield _batch(path, start, rest)


def write_parts(
    log: Log, folder: str | Path, rows: int, more: Mapping[str, Floats] | None = None, *, first: int = 0
) -> list[Path]:
    """Write a log as files of about `rows` slates, sessions uncut, named part-00000.parquet and so on.

    Args:
        log: in the order of user and session, as logs are collected.
        folder: made if it is not there.
        rows: of a file; sessions that begin before a multiple of it end there.
        more: columns (n, k) by name, such as the log-propensities of a target policy.
        first: number of the first file, where a log is written bit by bit.

    Returns:
        The files.

    Raises:
        ValueError: if `rows` is below 1, the log is not in order, or a column has another shape.
    """
    more = more or {}
    if rows < 1:
        raise ValueError(f"rows is {rows}; a part holds at least 1 slate.")
    for name, values in more.items():
        if values.shape != log.slate.shape:
            raise ValueError(f"column {name!r} has shape {values.shape}; the log's slates have {log.slate.shape}.")
    _refuse_order(Path("log"), 0, log.user, log.session)
    starts = np.append(0, _changes(log.user, log.session))
    chosen = np.unique(starts[np.searchsorted(starts, np.arange(0, starts[-1] + 1, rows))])
    written = []
    for number, (start, stop) in enumerate(zip(chosen, [*chosen[1:], len(log)], strict=True), first):
        written.append(Path(folder) / f"part-{number:05}.parquet")
        write(log[start:stop], written[-1], {name: values[start:stop] for name, values in more.items()})
    return written


def _tables(file: pq.ParquetFile, path: Path, columns: list[str], size: int) -> Iterator[pa.Table]:
    done = 0
    try:
        for piece in file.iter_batches(batch_size=size, columns=columns, use_threads=False):
            yield pa.Table.from_batches([piece])
            done += len(piece)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(
            f"{path} cannot be read from row {done:,} on ({error}); a list is missing or has another length, or the "
            "file is damaged. Write it again."
        ) from error


def _batch(path: Path, start: int, table: pa.Table) -> Batch:
    user, session = numbers(table, "user", path, start), numbers(table, "session", path, start)
    _refuse_order(path, start, user, session)
    return Batch(path, start, table, user, session)


def _changes(user: Integers, session: Integers) -> Integers:
    """The rows whose session is not that of the row above."""
    found: Integers = np.flatnonzero((np.diff(user) != 0) | (np.diff(session) != 0)) + 1
    return found


def _refuse_order(path: Path, start: int, user: Integers, session: Integers) -> None:
    negative = np.flatnonzero(np.minimum(user, session) < 0)
    if negative.size:
        row = int(negative[0])
        raise ValueError(
            f"row {start + row:,} of {path}: user is {user[row]} and session {session[row]}; "
            "both are numbered from 0 up."
        )
    step_user, step_session = np.diff(user), np.diff(session)
    back = np.flatnonzero((step_user < 0) | ((step_user == 0) & (step_session < 0)))
    if back.size:
        row = int(back[0]) + 1
        raise ValueError(
            f"row {start + row:,} of {path}: user {user[row]}, session {session[row]} stands below "
            f"user {user[row - 1]}, session {session[row - 1]}. "
            "Sort the rows by user and session, so that a session is in one place."
        )
