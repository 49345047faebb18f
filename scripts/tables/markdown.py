"""What tables and the sentences below them are written with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from recsim.experiments.bench.measures import amount, promised
from recsim.report.format import number

KEPT = {True: "yes", False: "**no**", None: ""}


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """A table whose first `left` columns are flush left and the others right."""
    rule = [":---" if column < left else "---:" for column in range(len(header))]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *escaped))


def promises(found: dict[str, Any], *more: str) -> str:
    """A table of measures, and on what they were made."""
    rows = [
        (one["label"], amount(one["value"], one["unit"]), promised(one), KEPT[one.get("kept")])
        for one in found["measures"]
    ]
    names = ("recsim", "python", "numpy", "numba", *more)
    versions = ", ".join(f"{name} {found['versions'][name]}" for name in names)
    machine = found["machine"]
    return (
        markdown(("measure", "median", "promised", "kept"), rows, left=1)
        + f"\n\n{machine['cpu']} with {machine['cores']} cores, {machine['system']}; {versions}"
    )


def interval(found: dict[str, float] | None, middle: str = "mean", decimals: int = 2) -> str:
    """A number with its interval, or nothing."""
    if found is None:
        return ""
    value, low, high = (number(found[name], decimals) for name in (middle, "low", "high"))
    return f"{value} [{low}, {high}]"


def over(what: str, seeds: Sequence[int], level: float) -> str:
    """What the intervals of a table are over."""
    return f"\n\n{what} {seeds[0]} to {seeds[-1]}; intervals are {level:.0%}, over the {len(seeds)} worlds."
