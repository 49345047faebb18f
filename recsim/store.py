"""What is costly to make, kept in an SQLite file, so that it is made once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_ASK_FOR = 500  # SQLite before 3.32 takes 999 values in a query
_WAIT = 60.0  # seconds for another process to finish writing
_OURS = (0x72656373, 1)  # application id ("recs") and version of the tables


@dataclass(frozen=True)
class Table:
    """What a store keeps.

    Attributes:
        name: of the table.
        maker: column of the fingerprint of what makes values.
        key: column of what they are made of.
        value: column of the values.
        holds: the values in words.
        elsewhere: how another file is chosen, in words.
    """

    name: str
    maker: str
    key: str
    value: str
    holds: str
    elsewhere: str


class Store:
    """Values by the fingerprint of what makes them and a key, in an SQLite file.

    What is put is there whole or not at all, even where the process is killed, and several processes may use the same
    file. Close it, or use it as a context.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, table: Table) -> None:
        """Opens the file, or makes it.

        Raises:
            ValueError: if the file is damaged or something else.
            OSError: if it cannot be opened.
        """
        self.path, self._table = path, table
        with self._told():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Closes the file; what was put is in it already."""
        self._connection.close()

    def get(self, maker: str, keys: Sequence[bytes], size: int) -> dict[bytes, bytes]:
        """The values of `size` bytes that are there, by key.

        Raises:
            ValueError: if the file is damaged; so is one in which a value has another size.
            OSError: if it cannot be read.
        """
        table = self._table
        found: dict[bytes, bytes] = {}
        with self._told():
            for start in range(0, len(keys), _ASK_FOR):
                some = keys[start : start + _ASK_FOR]
                found |= dict(
                    self._connection.execute(
                        f"SELECT {table.key}, {table.value} FROM {table.name} "
                        f"WHERE {table.maker} = ? AND {table.key} IN ({', '.join('?' * len(some))})",
                        (maker, *some),
                    )
                )
            if odd := next((len(value) for value in found.values() if len(value) != size), None):
                raise sqlite3.DatabaseError(f"a value of {odd} bytes in place of {size}")
        return found

    def put(self, maker: str, values: Mapping[bytes, bytes]) -> None:
        """Keeps values by key; those that are there already stay.

        Raises:
            ValueError: if the file is damaged.
            OSError: if it cannot be written.
        """
        rows = [(maker, key, value) for key, value in values.items()]
        with self._told(), self._transaction():
            self._connection.executemany(f"INSERT OR IGNORE INTO {self._table.name} VALUES (?, ?, ?)", rows)

    def _prepare(self) -> None:
        table = self._table
        if not self._tables():
            with self._transaction():
                self._connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {table.name} ({table.maker} TEXT NOT NULL, {table.key} BLOB NOT NULL, "
                    f"{table.value} BLOB NOT NULL, PRIMARY KEY ({table.maker}, {table.key}))"
                )
                self._connection.execute(f"PRAGMA application_id = {_OURS[0]}")
                self._connection.execute(f"PRAGMA user_version = {_OURS[1]}")
        found = tuple(
            self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        if found != _OURS or self._tables() != [table.name]:
            raise sqlite3.DatabaseError("it was written by another program or another release of recsim")

    def _tables(self) -> list[str]:
        return [name for (name,) in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, even where the process is killed in the middle (SQLite's rollback journal)."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors as a sentence."""
        holds, elsewhere = self._table.holds, self._table.elsewhere
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            raise OSError(
                f"the cache of {holds} {self.path} cannot be used ({error}): free it, or {elsewhere}."
            ) from error
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{self.path} is no usable cache of {holds} ({error}): {elsewhere}, or delete this file; what a cache "
                "held is made again."
            ) from error
