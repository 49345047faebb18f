"""Rows of a CSV, Parquet or JSON-lines file as text, a chunk at a time: memory does not grow with the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from recsim.catalogs.importing import delimited
from recsim.catalogs.importing.findings import quoted
from recsim.catalogs.importing.opening import text_lines, wrong_bytes
from recsim.catalogs.importing.values import as_text
from recsim.paths import absent

Form = Literal["csv", "parquet", "jsonl"]
CHUNK = 4096  # rows
FORM_OF: dict[str, Form] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
NEEDED: dict[Form, str] = {
    "csv": "a header and a row for each item",
    "parquet": "a row for each item",
    "jsonl": "a JSON object for each item, one a line",
}


@dataclass(frozen=True)
class Row:
    """One row of a source.

    Attributes:
        number: the first one is 1.
        cells: text, one for each column, without spaces around it.
        surplus: how many cells stood beyond the header; below 0, how many were missing.
    """

    number: int
    cells: tuple[str, ...]
    surplus: int = 0


@dataclass(frozen=True)
class Source:
    """A table in a file.

    Attributes:
        path: the file; a name that ends in ``.gz`` is uncompressed as it is read.
        form: what kind of file it is.
        columns: their names in order.
        encoding: of text files.
        separator: of CSV files.
    """

    path: Path
    form: Form
    columns: tuple[str, ...]
    encoding: str
    separator: str

    def chunks(self) -> Iterator[list[Row]]:
        """All rows in order, at most `CHUNK` at a time.

        Raises:
            ValueError: if the file is broken, with the place.
        """
        rows = self._rows()
        while chunk := list(islice(rows, CHUNK)):
            yield chunk

    def _rows(self) -> Iterator[Row]:
        if self.form == "parquet":
            return _numbered(_parquet_cells(self.path), len(self.columns))
        if self.form == "jsonl":
            return _numbered(_json_cells(self.path, self.encoding, self.columns), len(self.columns))
        cells = delimited.rows(self.path, self.encoding, self.separator)
        return _numbered(islice(cells, 1, None), len(self.columns))


def open_source(path: Path, *, encoding: str = "utf-8", separator: str | None = None) -> Source:
    r"""A file whose columns are known.

    Args:
        path: named as in `FORM_OF`; text files also with ``.gz``, and in ``.json`` each line is an object of its own.
        encoding: of text files, as Python names it.
        separator: of CSV files, one character or ``\t``; by default the one of ``, ; tab |`` that makes the most of the
            first rows.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is empty, of another kind, or has no usable header.
    """
    form = _form(path)
    _check_encoding(encoding)
    if separator is not None and form != "csv":
        raise ValueError(f"--separator is {separator!r}, and {path} is no CSV, which alone has one: leave it out.")
    if form == "parquet":
        return Source(path, form, _parquet_columns(path), encoding, "")
    if form == "jsonl":
        return Source(path, form, _json_columns(path, encoding), encoding, "")
    likely = delimited.likely_separator(path, encoding)
    used = likely if separator is None else _one_character(separator)
    header = next(delimited.rows(path, encoding, used), None)
    if header is None:
        raise ValueError(f"{path} has no lines: it needs {NEEDED[form]}.")
    if len(header) == 1 and used != likely and likely in header[0]:
        raise ValueError(
            f"--separator is {separator!r}, which does not stand in the first line of {path}, {quoted(header[0])}: "
            "leave it out, or name the one that stands there."
        )
    return Source(path, form, _named(header, path), encoding, used)


def _one_character(separator: str) -> str:
    if separator == "\\t":
        return "\t"
    if len(separator) != 1:
        raise ValueError(f"--separator is {separator!r}: it must be one character, such as ';', or '\\t' for a tab.")
    return separator


def _form(path: Path) -> Form:
    if not path.is_file():
        remedy = "name the CSV, Parquet or JSON-lines file that lists the items"
        raise FileNotFoundError(f"{path} is a folder: {remedy}." if path.is_dir() else absent("file", path, remedy))
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    form = FORM_OF.get(inner.suffix.lower())
    if form is None or (form == "parquet" and inner != path):
        hint = "uncompress it first, Parquet is compressed inside" if form else f"choose from {', '.join(FORM_OF)}"
        raise ValueError(f"{path} has a name that ends in {''.join(path.suffixes[-2:])!r}: {hint}.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: it needs {NEEDED[form]}.")
    return form


def _check_encoding(encoding: str) -> None:
    try:
        "".encode(encoding)
    except LookupError as error:
        raise ValueError(f"--encoding is {encoding!r}, which Python does not know: utf-8, cp1252, ...") from error


def _named(header: Sequence[str], path: Path) -> tuple[str, ...]:
    """Names of columns; one without a name gets its number."""
    names = [name or f"column_{place}" for place, name in enumerate(header, 1)]
    if not any(header):
        raise ValueError(f"{path} begins with an empty line: its first line must name the columns.")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path} has the column {name!r} {names.count(name)} times: give each its own name.")
    return tuple(names)


def _numbered(cells: Iterator[Sequence[str]], width: int) -> Iterator[Row]:
    for number, row in enumerate(cells, 1):
        filled = (*row[:width], *[""] * (width - len(row)))
        yield Row(number, filled, len(row) - width)


def _parquet_columns(path: Path) -> tuple[str, ...]:
    from pyarrow.lib import ArrowException
    from pyarrow.parquet import read_schema

    try:
        return _named(read_schema(path).names, path)
    except (ArrowException, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as Parquet ({' '.join(str(error).split())}): write it again."
        ) from error


def _parquet_cells(path: Path) -> Iterator[list[str]]:
    from pyarrow.lib import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=CHUNK, use_threads=False):
                columns = [[as_text(value) for value in column.to_pylist()] for column in batch.columns]
                yield from (list(row) for row in zip(*columns, strict=True))
    except (ArrowException, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as Parquet ({' '.join(str(error).split())}): write it again."
        ) from error


def _json_columns(path: Path, encoding: str) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for row in _json_rows(path, encoding):
        names |= dict.fromkeys(row)
    if not names:
        raise ValueError(f"{path} has no rows: it needs {NEEDED['jsonl']}.")
    return tuple(names)


def _json_cells(path: Path, encoding: str, columns: Sequence[str]) -> Iterator[list[str]]:
    return ([as_text(row.get(name)) for name in columns] for row in _json_rows(path, encoding))


def _json_rows(path: Path, encoding: str) -> Iterator[dict[str, Any]]:
    try:
        for number, line in enumerate(text_lines(path, encoding), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number} is no JSON ({error}): write one object a line.") from error
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number} is no JSON object: write one {{...}} a line for each item.")
            yield row
    except UnicodeDecodeError as error:
        raise wrong_bytes(path, encoding) from error
