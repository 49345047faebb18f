"""From the rows of a source to items: cells are cleaned, ids made unique, and rows that say nothing new left out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from recsim.catalog_table import TABLE_COLUMNS
from recsim.catalogs.importing.findings import Findings, quoted
from recsim.catalogs.importing.kinds import KIND_OF
from recsim.catalogs.importing.mapping import ColumnMapping
from recsim.catalogs.importing.reading import Row, Source
from recsim.catalogs.importing.texts import LONGEST, beginning, is_empty
from recsim.text_cleaning import clean_text

OURS = (*TABLE_COLUMNS, "image")
_MARKED = ("title", "text", "category", "price", "created", "popularity", "image")


@dataclass
class Items:
    """What the rows of a source became.

    Attributes:
        table: `OURS`, all still as text, then the further columns, then ``row``, the number of the row in the source.
        n_rows: of the source.
        left_out: what stood for the id of each row that became no item, by its number.
    """

    table: pd.DataFrame
    n_rows: int
    left_out: dict[int, str]


def read_items(source: Source, mapping: ColumnMapping, findings: Findings) -> Items:
    """All items of a source; whatever is odd about a row is in `findings`.

    Raises:
        ValueError: if the source is broken or has no rows.
    """
    reader = _Reader(source.columns, mapping, findings)
    for chunk in source.chunks():
        for row in chunk:
            reader.take(row)
    if reader.n_rows == 0:
        raise ValueError(f"{source.path} has a header and no rows: it needs one row for each item.")
    return Items(pd.DataFrame(reader.cells, dtype="str").assign(row=reader.numbers), reader.n_rows, reader.left_out)


@dataclass
class _Seen:
    """Ids and contents of the rows so far; of contents, a digest."""

    ids: set[str] = field(default_factory=set)
    rows: dict[bytes, int] = field(default_factory=dict)
    contents: dict[bytes, int] = field(default_factory=dict)


class _Reader:
    """Takes rows one after another."""

    def __init__(self, columns: Sequence[str], mapping: ColumnMapping, findings: Findings) -> None:
        place = {name: number for number, name in enumerate(columns)}
        self._place = {ours: place[theirs] for ours, theirs in mapping.named() if ours != "text"}
        self._text = [place[theirs] for theirs in mapping.text]
        self._findings = findings
        self._seen = _Seen()
        self._more = self._names_of_further(columns, {theirs for _, theirs in mapping.named()})
        self.cells: dict[str, list[str]] = {name: [] for name in (*OURS, *self._more.values())}
        self.numbers: list[int] = []
        self.left_out: dict[int, str] = {}
        self.n_rows = 0

    def _names_of_further(self, columns: Sequence[str], mapped: set[str]) -> dict[int, str]:
        names: dict[int, str] = {}
        for number, name in enumerate(columns):
            if name in mapped:
                continue
            names[number] = name
            if name in OURS or name == "row":
                names[number] = f"{name}_in_source"
                self._findings.add("renamed column", f"{name!r} is called {names[number]!r}")
        return names

    def take(self, row: Row) -> None:
        """One more row."""
        self.n_rows += 1
        self._tell_width(row)
        given = self._cell(row, "item_id")
        if self._is_repeated(row, given):
            self.left_out[row.number] = given
            return
        item = self._cleaned(row)
        item["item_id"] = self._unique_id(row, given)
        for name, values in self.cells.items():
            values.append(item.get(name, ""))
        self.numbers.append(row.number)

    def _cell(self, row: Row, ours: str) -> str:
        return row.cells[self._place[ours]] if ours in self._place else ""

    def _tell_width(self, row: Row) -> None:
        if row.surplus > 0:
            self._findings.add("row too long", f"{row.surplus} cells more than the header", row=row.number)
        elif row.surplus < 0:
            self._findings.add("row too short", f"{-row.surplus} cells fewer than the header", row=row.number)

    def _is_repeated(self, row: Row, given: str) -> bool:
        """Whether an earlier row says the same; one that differs by its id only is told and kept."""
        content = tuple(cell for number, cell in enumerate(row.cells) if number != self._place.get("item_id", -1))
        same_row = self._seen.rows.setdefault(_digest((given, *content)), row.number)
        if same_row != row.number:
            self._findings.add("duplicate row", f"the same as row {same_row}", row=row.number)
            return True
        same_content = self._seen.contents.setdefault(_digest(content), row.number)
        if same_content != row.number and any(content):
            self._findings.add("repeated content", f"but for the id the same as row {same_content}", row=row.number)
        return False

    def _unique_id(self, row: Row, given: str) -> str:
        if not given and "item_id" in self._place:
            self._findings.add("missing id", "no id", row=row.number)
        wanted = given or str(row.number)
        chosen, number = wanted, 2
        while chosen in self._seen.ids:
            chosen, number = f"{wanted}-{number}", number + 1
        if chosen != wanted:
            done = f"kept, as its cells differ, as {chosen!r}"
            self._findings.add("repeated id", f"id {quoted(wanted)} is taken", row=row.number, done=done)
        self._seen.ids.add(chosen)
        return chosen

    def _cleaned(self, row: Row) -> dict[str, str]:
        """The row's cells under our names, repaired."""
        item = {name: row.cells[number] for number, name in self._more.items()}
        marked = []
        repaired: dict[tuple[str, str], None] = {}
        for ours in _MARKED:
            parts = [row.cells[number] for number in self._text] if ours == "text" else [self._cell(row, ours)]
            kept = [part for part in parts if not is_empty(part)]
            marked += [f"{ours} is {quoted(part)}" for part in parts if part and is_empty(part)]
            item[ours] = _repaired(ours, kept, repaired)
        for what, part in repaired:
            self._findings.add(what, quoted(part), row=row.number)
        if marked:
            self._findings.add("empty marker", "; ".join(marked), row=row.number)
        self._fill_texts(row, item)
        return item

    def _fill_texts(self, row: Row, item: dict[str, str]) -> None:
        """The title stands for a missing text, and the other way round."""
        if not item["title"] and not item["text"]:
            self._findings.add("neither title nor text", "both are empty", row=row.number)
        elif not item["title"]:
            item["title"] = beginning(item["text"])
            if "title" in self._place:
                self._findings.add("missing title", "the title is empty", row=row.number)
        elif not item["text"]:
            item["text"] = item["title"]
            if self._text:
                self._findings.add("missing text", "the text is empty", row=row.number)
        if len(item["text"]) > LONGEST:
            done = f"{KIND_OF['very long text'].done}, {LONGEST:,} characters"
            self._findings.add("very long text", f"{len(item['text']):,} characters", row=row.number, done=done)


def _repaired(ours: str, parts: Sequence[str], repaired: dict[tuple[str, str], None]) -> str:
    """The cell of a column of ours from those of the source; a kind and a cell go into `repaired` once."""
    if ours not in ("title", "text", "category"):
        return parts[0] if parts else ""
    texts = []
    for part in parts:
        cleaned = clean_text(part)
        repaired |= dict.fromkeys((what, part) for what in cleaned.repaired)
        if cleaned.text and cleaned.text not in texts:
            texts.append(cleaned.text)
    return _sentences(texts)


def _sentences(texts: Sequence[str]) -> str:
    """Texts one after another, with a full stop after each that has no end."""
    joined = ""
    for text in texts:
        joined += f"{' ' if joined[-1] in '.!?:;,' else '. '}{text}" if joined else text
    return joined


def _digest(cells: Sequence[str]) -> bytes:
    text = "".join(f"{len(cell)}:{cell}" for cell in cells)
    return hashlib.blake2b(text.encode("utf-8", errors="surrogatepass"), digest_size=16).digest()
