"""What was found in a source, row by row, until the ids of the items are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from recsim.catalog_table import findings_table
from recsim.catalogs.importing.kinds import KIND_OF, KINDS, ORDER

WHOLE = 0  # the row of findings about the whole source
SHOWN = 80  # characters of a cell that a finding quotes


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        row: of the source, the first one is 1; `WHOLE` for all of it.
        what: the kind, of `recsim.catalogs.importing.kinds.KINDS`.
        found: what was there.
        done: what was done about it.
    """

    row: int
    what: str
    found: str
    done: str


class Findings:
    """A list of findings that grows."""

    def __init__(self) -> None:
        """Nothing found."""
        self._all: list[Finding] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, what: str, found: str, *, row: int = WHOLE, done: str = "") -> None:
        """One more; without `done`, what is always done about its kind."""
        self._all.append(Finding(row, what, found, done or KIND_OF[what].done))

    def only(self, what: str, rows: Collection[int]) -> None:
        """Of these rows nothing but one kind is told: they became no items, so that the rest does not matter."""
        self._all = [one for one in self._all if one.row not in rows or one.what == what]

    def of_all(self) -> list[Finding]:
        """Those about the whole source, in the order of the kinds."""
        return [one for one in self._ordered() if one.row == WHOLE]

    def counts(self) -> dict[str, int]:
        """How many of each kind, in the order of the kinds."""
        counted = Counter(one.what for one in self._all)
        return {kind.what: counted[kind.what] for kind in KINDS if counted[kind.what]}

    def table(self, item_ids: Mapping[int, str]) -> pd.DataFrame:
        """The columns of `Catalog.findings`, by row, then by kind.

        Args:
            item_ids: the id of the item that a row became; for a row that was left out, what stood for its id.
        """
        return findings_table(
            (item_ids.get(one.row, ""), one.what, _with_row(one), one.done) for one in self._ordered()
        )

    def _ordered(self) -> list[Finding]:
        return sorted(self._all, key=lambda one: (one.row, ORDER[one.what]))


def _with_row(one: Finding) -> str:
    return one.found if one.row == WHOLE else f"row {one.row}: {one.found}"


def quoted(text: str) -> str:
    r"""A cell in quotes, cut where it is long, with unprintable characters spelled out.

    >>> quoted("a\nb"), len(quoted("x" * 1000))
    ("'a\\nb'", 85)
    """
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
