"""CSV as it is found in the world: other separators, byte order marks, line breaks inside quotes."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from recsim.catalogs.importing.opening import text_lines, wrong_bytes

SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 50  # rows from which the separator is judged


def rows(path: Path, encoding: str, separator: str) -> Iterator[list[str]]:
    """Cells without spaces around them, header first; empty lines are no rows.

    Raises:
        ValueError: with the line, if the bytes do not fit the encoding or a quote is never closed.
    """
    quotes = _Quotes(text_lines(path, encoding))
    reader = csv.reader(quotes, delimiter=separator)
    started = following = 1
    opened = False
    try:
        for cells in reader:
            opened = quotes.open()
            started, following = following, reader.line_num + 1
            if cells:
                yield [cell.strip() for cell in cells]
    except UnicodeDecodeError as error:
        raise wrong_bytes(path, encoding) from error
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {reader.line_num}: {error}; most likely a quote before this line is never closed: "
            "close it, or write it twice where it belongs to the text."
        ) from error
    if opened:
        raise ValueError(
            f"{path}, line {started}: a quote is opened and never closed: close it, or write it twice where it belongs "
            "to the text."
        )


class _Quotes:
    """Lines as they come, with a count of the quotes since it was last asked for."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._count = self._n_lines = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._count += line.count('"')
            self._n_lines += 1
            yield line

    def open(self) -> bool:
        """Whether the row just read spans lines and has an odd number of quotes: at the end of a file, one is open."""
        odd = self._n_lines > 1 and self._count % 2 == 1
        self._count = self._n_lines = 0
        return odd


def likely_separator(path: Path, encoding: str) -> str:
    """The separator that cuts the most of the first rows into as many cells as the header, and at least two."""
    return max(SEPARATORS, key=lambda separator: _agreement(path, encoding, separator))


def _agreement(path: Path, encoding: str, separator: str) -> tuple[float, int]:
    try:
        widths = [len(cells) for cells in islice(rows(path, encoding, separator), _SAMPLE)]
    except ValueError:  # with this separator; what is wrong with the right one is told when the file is read
        return 0.0, 0
    if not widths or widths[0] < 2:
        return 0.0, 0
    return Counter(widths)[widths[0]] / len(widths), widths[0]
