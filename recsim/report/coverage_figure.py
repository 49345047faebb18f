"""How often intervals held the truth, as a figure and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recsim.report.chart import Figure, Trace, axis, figure, heading, label, vertical, whiskers
from recsim.report.coverage import Coverage, CoverageRow
from recsim.report.format import number, percent
from recsim.report.table import Cell, Column, Table

ROW, FRAME = 19, 110
# Whether coverage is as asked, in words, colours and symbols; None where nothing is asked, as at bad overlap.
KEPT = {
    True: ("as asked", "@trust", "circle"),
    False: ("not as asked", "@refuse", "x"),
    None: ("nothing asked", "@muted", "circle-open"),
}


def coverage_figure(document: Coverage | dict[str, object]) -> Figure | None:
    """A block a world, a row an interval, a mark an estimator; None without intervals.

    Args:
        document: what `recsim bench coverage` writes, parsed or as it stands there.
    """
    found = document if isinstance(document, Coverage) else Coverage.model_validate(document)
    if not found.intervals:
        return None
    headings, rows, at = [], {}, 0
    for world in dict.fromkeys(one.world for one in found.intervals):
        headings.append(heading(world, at))
        kinds = dict.fromkeys(one.interval for one in found.intervals if one.world == world)
        rows.update({(world, kind): at + 1 + place for place, kind in enumerate(kinds)})
        at += len(kinds) + 1
    data = [trace for kept in KEPT for trace in _marks(found.intervals, rows, kept)]
    lowest = min(one.coverage for one in found.intervals)
    x = axis(
        "share of the logs whose interval holds the truth", tickformat=".0%", range=[min(0.5, lowest) - 0.02, 1.02]
    )
    ticks: dict[str, Any] = {"tickvals": list(rows.values()), "ticktext": [label(kind) for _, kind in rows]}
    y = axis(range=[at - 0.3, -0.7], showgrid=False, ticklabelstandoff=6, **ticks)
    shapes = [vertical(found.level, color="@ink", width=1.2)]
    return figure(data, FRAME + ROW * at, x, y, shapes=shapes, annotations=headings, showlegend=True)


def coverage_words(found: Coverage) -> str:
    """What the figure shows, for those who do not see it."""
    asked = [one for one in found.intervals if one.kept is not None]
    kept = sum(one.kept is True for one in asked)
    return f"{kept} of {len(asked)} {percent(found.level, 0)} intervals cover as asked; the table has the numbers."


def coverage_table(found: Coverage) -> Table | None:
    """Every interval with its coverage and its mean width."""
    rows = []
    for one in found.intervals:
        words = [
            Cell(text, order=text) for text in (one.world, one.estimator, one.interval, one.kind or "for contrast")
        ]
        asked = KEPT[one.kept][0]
        error = "" if one.se is None else f"± {number(100 * one.se, 1)}"
        cells = (
            *words,
            Cell(percent(one.coverage, 1), error, one.coverage),
            Cell(number(one.width, 3), order=one.width),
            Cell(asked, order=asked, mark={True: "trust", False: "do-not-use", None: ""}[one.kept]),
        )
        rows.append((cells, False))
    left = [Column(title, numeric=False) for title in ("World", "Estimator", "Interval", "Kind")]
    columns = (*left, Column("Coverage"), Column("Mean width"), Column("Outcome", numeric=False))
    logs = f"{found.replications:,} logs of each world"
    caption = f"Coverage of {percent(found.level, 0)} intervals over {logs}, ± one standard error."
    return Table(caption, columns, tuple(rows)) if rows else None


def _marks(found: Sequence[CoverageRow], rows: dict[tuple[str, str], int], kept: bool | None) -> list[Trace]:
    mine = [one for one in found if one.kept is kept]
    if not mine:
        return []
    name, color, symbol = KEPT[kept]
    values, reach = [one.coverage for one in mine], [1.96 * (one.se or 0.0) for one in mine]
    lows = [value - error for value, error in zip(values, reach, strict=True)]
    highs = [min(1.0, value + error) for value, error in zip(values, reach, strict=True)]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": values,
            "y": [rows[one.world, one.interval] for one in mine],
            "error_x": whiskers(values, lows, highs, color),
            "marker": {"color": color, "symbol": symbol, "size": 8},
            "text": [f"{label(one.estimator)}, {label(one.interval)}: {one.coverage:.1%}" for one in mine],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]
