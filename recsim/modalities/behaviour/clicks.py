"""Who clicked which item in which session: from logs, or from a table of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.paths import absent

COUNTED = ("click", "conversion")
COLUMNS = ("user", "item")
SESSION = "session"


@dataclass(frozen=True)
class Clicks:
    """Clicks, one row each.

    Attributes:
        user: (c,) int64, from 0 up without gaps.
        session: (c,) int64, from 0 up without gaps over all users: a session belongs to one user.
        item: (c,) int64 item numbers.
        n_items: m, of the catalogue.
    """

    user: NDArray[np.int64]
    session: NDArray[np.int64]
    item: NDArray[np.int64]
    n_items: int

    def __len__(self) -> int:
        """The number of clicks c."""
        return len(self.item)

    @property
    def n_users(self) -> int:
        """How many users clicked something."""
        return int(self.user.max()) + 1 if len(self) else 0

    @property
    def clicked(self) -> NDArray[np.int64]:
        """Numbers of the items with a click, ascending."""
        return np.unique(self.item)

    def matrix(self) -> csr_matrix:
        """(users, m) sparse float32, how often a user clicked an item."""
        once = np.ones(len(self), np.float32)
        return csr_matrix((once, (self.user, self.item)), shape=(self.n_users, self.n_items))


def clicks_of_log(log: Log, catalog: Catalog, counted: str = "click") -> Clicks:
    """The clicks of a log, or only those that converted.

    Raises:
        ValueError: if the log shows another catalogue, or `counted` is unknown.
    """
    if log.info.fingerprint != catalog.fingerprint:
        raise ValueError(
            f"the log shows items of a catalogue {log.info.catalog!r} that is not the {catalog.name!r} given; "
            "pass the catalogue with which it was collected."
        )
    if counted not in COUNTED:
        raise ValueError(f"{counted!r} cannot be counted; choose {' or '.join(COUNTED)}.")
    row, position = np.nonzero(getattr(log, counted))
    return _clicks(log.user[row], log.session[row], log.slate[row, position], len(catalog))


def clicks_of_table(table: pd.DataFrame, catalog: Catalog, where: str = "the table") -> tuple[Clicks, int]:
    """The clicks of a table with the columns ``user`` and ``item`` (an ``item_id`` of the catalogue), one row a click.

    Where it has a column ``session`` too, a session of item2vec is what a user clicked in one; otherwise it is
    everything that a user clicked.

    Returns:
        The clicks, and how many rows were left out because the catalogue has no such item.

    Raises:
        ValueError: if a column is missing, or a cell of one is empty.
    """
    for name in COLUMNS:
        if name not in table.columns:
            raise ValueError(f"{where} has no column {name!r}; it needs {' and '.join(COLUMNS)}, one row a click.")
    named = [*COLUMNS, *([SESSION] if SESSION in table.columns else [])]
    for name in named:
        empty = np.flatnonzero(table[name].isna())
        if len(empty):
            raise ValueError(f"row {empty[0]:,} of {where}: {name} is empty; fill it or drop the row.")
    item = pd.Index(catalog.table["item_id"]).get_indexer(pd.Index(table["item"].astype(str)))
    known = np.flatnonzero(item >= 0)
    rows = table.iloc[known]
    session = rows[SESSION] if SESSION in named else pd.Series(0, index=rows.index)
    clicks = _clicks(rows["user"].to_numpy(), session.to_numpy(), item[known], len(catalog))
    return clicks, len(table) - len(known)


def read_clicks(path: str | PathLike[str], catalog: Catalog) -> tuple[Clicks, int]:
    """The clicks in a CSV or Parquet file, see `clicks_of_table`; ids are read as text.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is neither, cannot be read, or `clicks_of_table` refuses it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(absent("file", path, "name the CSV or Parquet file with the clicks"))
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise ValueError(f"{path} is neither .csv nor .parquet; save the clicks as one of them.")
    try:
        table = pd.read_csv(path, dtype=str) if kind == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} cannot be read as {kind[1:]}: {error}") from error
    return clicks_of_table(table, catalog, str(path))


def _clicks(user: NDArray[Any], session: NDArray[Any], item: NDArray[Any], n_items: int) -> Clicks:
    """Clicks with users and sessions numbered anew by first appearance, so that their ids may be anything."""
    users = pd.factorize(user)[0].astype(np.int64)
    sessions = pd.factorize(session)[0].astype(np.int64)
    together = users * (sessions.max(initial=0) + 1) + sessions
    return Clicks(users, pd.factorize(together)[0].astype(np.int64), item.astype(np.int64), n_items)
