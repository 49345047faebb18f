"""Reports in Markdown: the same answer as the page's, in lines of 80 columns that read well in a terminal."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from recsim.report import answers, offline_tables, sentences, tables
from recsim.report.answers import Point
from recsim.report.cautions import warnings_by_subject
from recsim.report.offline import Offline
from recsim.report.read import Run
from recsim.report.table import Cell, Table

WIDTH = 80
MARKUP = str.maketrans({character: f"\\{character}" for character in "\\`*[]<>|"})


def evaluation_markdown(found: Offline) -> str:
    """The report of an evaluation of a log."""
    kicker = f"{found.n_slates:,} logged slates in {found.n_sessions:,} sessions of {found.logging_policy}."
    shown = {
        "Policies": offline_tables.judged(found),
        "Objectives": offline_tables.objectives(found),
        "How much more log would help": offline_tables.power(found),
    }
    parts = [*_answer(answers.headline(found), kicker, answers.points(found)), *_tables(shown)]
    return _joined([*parts, *_warnings(found)])


def run_markdown(run: Run) -> str:
    """The report of a run."""
    metrics = run.metrics
    kicker = (
        f"Run “{metrics.name}”: {metrics.catalog.n_items:,} items of {metrics.catalog.name}, {metrics.n_users:,} "
        f"simulated users, slates of {metrics.slate_size}, at most {metrics.horizon} slates a session."
    )
    shown = {
        "Policies": tables.policies(run),
        "Differences": tables.differences(run),
        "How much more log would help": offline_tables.power(run.offline),
    }
    parts = [*_answer(sentences.headline(run), kicker, sentences.points(run)), *_tables(shown)]
    return _joined([*parts, *_warnings(run.offline)])


def as_markdown(table: Table) -> str:
    """A table of at most 80 columns, in parts that each begin with the first column where it is wider.

    Columns of whole sentences are left out.

    >>> from recsim.report.table import Column
    >>> cells = (Cell("old"), Cell("1.25", "1.15 to 1.35")), (Cell("new"), Cell("2"))
    >>> table = Table("Worth.", (Column("Policy", False), Column("Worth")), tuple((row, False) for row in cells))
    >>> print(as_markdown(table))
    | Policy |              Worth |
    |:-------|-------------------:|
    | old    | 1.25, 1.15 to 1.35 |
    | new    |                  2 |
    """
    table = _without_prose(table)
    texts = [[_cell(cell) for cell in cells] for cells, _ in table.rows]
    widths = [
        max(3, _width(escaped(column.title)), *(_width(row[place]) for row in texts))
        for place, column in enumerate(table.columns)
    ]
    blocks = [_block(table, texts, widths, places) for places in _fitting(widths, _groups(table))]
    return "\n\n".join(blocks)


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it is, on one line and without control characters.

    >>> print(escaped("<script>alert(1)</script> a|b"))
    \<script\>alert(1)\</script\> a\|b
    """
    plain = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
    return " ".join(plain.split()).translate(MARKUP)


def _answer(headline: str, kicker: str, points: Sequence[Point]) -> Iterable[str]:
    yield f"# {escaped(headline)}" if len(headline) < WIDTH else _wrapped(f"**{escaped(headline)}**")
    yield _wrapped(escaped(kicker))
    for point in points:
        yield f"## {escaped(point.title)}"
        yield _wrapped(escaped(point.text))


def _tables(shown: Mapping[str, Table | None]) -> Iterable[str]:
    for title, table in shown.items():
        if table is not None:
            yield f"## {title}"
            yield _wrapped(escaped(table.caption))
            yield as_markdown(table)


def _warnings(found: Offline) -> Iterable[str]:
    told = warnings_by_subject(found.policies, [s for sentences in found.warnings.values() for s in sentences])
    if told:
        yield "## Warnings"
        lines = [f"{escaped(subject)}: {escaped(' '.join(found_there))}" for subject, found_there in told.items()]
        yield "\n".join(map(_item, lines))
    if found.left_out:
        yield "## Estimators that could not be used"
        lines = [f"{escaped(name)}: {escaped(why)}" for name, why in found.left_out.items()]
        yield "\n".join(map(_item, lines))


def _without_prose(table: Table) -> Table:
    prose = {place for cells, _ in table.rows for place, cell in enumerate(cells) if cell.mark == "prose"}
    kept = [place for place in range(len(table.columns)) if place not in prose]
    rows = tuple((tuple(cells[place] for place in kept), best) for cells, best in table.rows)
    return table if not prose else Table(table.caption, tuple(table.columns[place] for place in kept), rows)


def _fitting(widths: Sequence[int], groups: Sequence[str]) -> list[list[int]]:
    """Columns of each part: the first one always, and as many of the others, of one group, as fit."""
    parts: list[list[int]] = []
    for place in range(1, len(widths)):
        fits = parts and sum(widths[p] + 3 for p in (*parts[-1], place)) + 1 <= WIDTH
        if fits and groups[place] == groups[parts[-1][-1]]:
            parts[-1].append(place)
        else:
            parts.append([0, place])
    return parts or [[0]]


def _block(table: Table, texts: Sequence[Sequence[str]], widths: Sequence[int], places: Sequence[int]) -> str:
    titles = [escaped(table.columns[place].title) for place in places]
    lines = [titles, *([row[place] for place in places] for row in texts)]
    rule = [f"{'-' * (widths[p] + 1)}:" if table.columns[p].numeric else f":{'-' * (widths[p] + 1)}" for p in places]
    numeric = [table.columns[place].numeric for place in places]
    own = [widths[place] for place in places]
    drawn = [f"| {' | '.join(map(_padded, line, own, numeric))} |" for line in lines]
    shown = _groups(table)[places[-1]]
    heading = [_wrapped(f"{escaped(shown)}:"), ""] if shown else []
    if len(drawn[0]) > WIDTH:
        items = [f"{line[0]}: {titles[1]} {line[1]}" for line in lines[1:]]
        return "\n".join([*heading, *map(_item, items)])
    return "\n".join([*heading, drawn[0], f"|{'|'.join(rule)}|", *drawn[1:]])


def _groups(table: Table) -> list[str]:
    """The title that stands over each column, "" where there is none."""
    over = [title for title, width in table.groups for _ in range(width)]
    return over or [""] * len(table.columns)


def _cell(cell: Cell) -> str:
    between = " " if cell.note.startswith("±") else ", "
    return escaped(f"{cell.text}{between}{cell.note}" if cell.note else cell.text)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return f"{space}{text}" if right else f"{text}{space}"


def _width(text: str) -> int:
    """Columns of a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _item(text: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"
