"""What a table is: cells with what they say, by what they are sorted and how they are marked."""

from __future__ import annotations

from dataclasses import dataclass

from recsim.report.format import compact, ends, number
from recsim.report.offline import Estimate
from recsim.report.palette import SIGN

HUGE = 10_000.0  # estimates beyond this are shortened, for a single weight can make them absurd


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: what it says.
        note: a second, smaller line.
        order: by what its column is sorted; None stands last.
        mark: a class of the style sheet, such as a verdict.
    """

    text: str
    note: str = ""
    order: float | str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Column:
    """A column; those of numbers are aligned to the right."""

    title: str
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        caption: what it shows.
        columns: of all cells.
        rows: cells and whether the row is the best policy's.
        groups: titles over several columns with their widths, or none.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[tuple[Cell, ...], bool], ...]
    groups: tuple[tuple[str, int], ...] = ()


def verdict_cell(estimate: Estimate, *, named: bool = False) -> Cell:
    """The verdict on an estimate, with its sign; `named` where the row does not tell the estimator."""
    mark, by = estimate.verdict.replace(" ", "-"), f"by {estimate.estimator}" if named else ""
    return Cell(f"{SIGN[estimate.verdict]} {estimate.verdict}", by, order=estimate.verdict, mark=mark)


def spoken_cell(spoken: Estimate, places: int) -> Cell:
    """The estimate that speaks for a policy, with its interval."""
    huge = any(abs(end or 0.0) >= HUGE for end in (spoken.value, spoken.low, spoken.high))
    shown = compact(spoken.value) if huge else number(spoken.value, places)
    note = f"{compact(spoken.low)} to {compact(spoken.high)}" if huge else ends(spoken, places)
    return Cell(shown, note, spoken.value)
