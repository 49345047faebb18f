"""Figures of estimates with their intervals, beside the truth where it is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from recsim.report.chart import Figure, Trace, axis, figure, heading, label, tick, vertical, whiskers
from recsim.report.format import compact, decimals, number
from recsim.report.measured import REWARD, VERDICTS, Estimand
from recsim.report.offline import Estimate, Offline
from recsim.report.palette import SYMBOL, VERDICT

ROW = 21
FRAME = 110
Row = tuple[float, Estimate]


def values(found: Offline, estimand: Estimand = "slate") -> Figure | None:
    """The estimate that speaks for each policy, with what the log itself earned; None where there are none."""
    spoken = [(name, found.speaker(name, estimand=estimand)) for name in found.policies]
    told = [(name, e) for name, e in spoken if e is not None]
    if not told:
        return None
    names = [tick(name) for name, _ in told]
    rows: list[Row] = [(place, e) for place, (_, e) in enumerate(told)]
    earned = found.in_force.get(estimand, {}).get(REWARD)
    low, high = scale((e for _, e in rows), [0.0] if earned is None else [0.0, earned.mean])
    shapes = [
        vertical(e.truth, y - 0.35, y + 0.35, yref="y", color="@ink", width=2) for y, e in rows if e.truth is not None
    ]
    shapes += [] if earned is None else [vertical(earned.mean, dash="dot")]
    places = decimals(e.se for _, e in rows if e.usable)
    notes = [_word(y, e, places) for y, e in rows]
    logged = [] if earned is None else [_in_legend("the log itself", dash="dot", color="@muted")]
    ticks: dict[str, Any] = {"tickvals": [y for y, _ in rows], "ticktext": names}
    y = axis(range=[len(rows) - 0.4, -0.6], showgrid=False, ticklabelstandoff=8, **ticks)
    x = axis(f"reward of one {estimand}", range=[low, high], nticks=5, tickangle=0)
    more = {"shapes": shapes, "annotations": notes, "showlegend": True, "margin": {"l": 8, "r": 72, "t": 8, "b": 8}}
    return figure([*_marks(rows, low, high), *logged], FRAME + 34 * len(rows), x, y, **more)


def estimates(found: Offline, estimand: Estimand = "slate") -> Figure | None:
    """Every estimate of the reward, in a block a policy, with the truth as a line; None without estimates.

    The axis fits the truths and the usable estimates; what lies beyond is drawn as an arrow at the edge.
    """
    blocks = [(name, found.of(name, estimand=estimand)) for name in found.policies]
    blocks = [(name, block) for name, block in blocks if block]
    if not blocks:
        return None
    low, high = scale(estimate for _, block in blocks for estimate in block)
    rows: list[Row] = []
    headings, shapes = [], []
    at = 0
    for name, block in blocks:
        headings.append(heading(name, at))
        rows += [(at + 1 + place, estimate) for place, estimate in enumerate(block)]
        truth = block[0].truth
        if truth is not None:
            shapes.append(vertical(truth, at + 0.5, at + len(block) + 0.5, yref="y", color="@ink", width=2))
        at += len(block) + 1
    x = axis(f"reward of one {estimand}", range=[low, high])
    y = axis(
        range=[at - 0.3, -0.7],
        showgrid=False,
        ticklabelstandoff=6,
        tickvals=[y for y, _ in rows],
        ticktext=[label(estimate.estimator) for _, estimate in rows],
    )
    height = FRAME + ROW * at
    return figure(_marks(rows, low, high), height, x, y, shapes=shapes, annotations=headings, showlegend=True)


def _marks(rows: list[Row], low: float, high: float) -> list[Trace]:
    """Everything between the ends of the axis, and at its edge what lies beyond."""
    known = any(estimate.truth is not None for _, estimate in rows)
    truth = [_in_legend("true value", color="@ink")] if known else []
    return [*_verdicts(rows, low, high), *_arrows(rows, low, high), *_undefined(rows, low), *truth]


def scale(found: Iterable[Estimate], more: Iterable[float] = (0.0,)) -> tuple[float, float]:
    """Ends of the axis: the truths, every usable interval and `more` fit."""
    spots = [*more]
    for estimate in found:
        spots += [] if estimate.truth is None else [estimate.truth]
        if estimate.verdict != "do not use":
            spots += [end for end in (estimate.low, estimate.high) if end is not None]
    span = (max(spots) - min(spots)) or 1.0
    return min(spots) - (0.05 * span if min(spots) < 0 else 0.02 * span), max(spots) + 0.15 * span


def _verdicts(rows: list[Row], low: float, high: float) -> list[Trace]:
    data = []
    for verdict in VERDICTS:
        color = VERDICT[verdict]
        mine = [(y, e) for y, e in rows if e.verdict == verdict and e.value is not None and low <= e.value <= high]
        values = [e.value for _, e in mine if e.value is not None]
        lows = [max(low, _or(e.low, e.value)) for _, e in mine]
        highs = [min(high, _or(e.high, e.value)) for _, e in mine]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": verdict,
                "x": values,
                "y": [y for y, _ in mine],
                "error_x": whiskers(values, lows, highs, color),
                "marker": {"color": color, "symbol": SYMBOL[verdict], "size": 9},
                "text": [_hover(e) for _, e in mine],
                "hovertemplate": "%{text}<extra></extra>",
                "visible": True if mine else "legendonly",
                "showlegend": bool(mine),
            }
        )
    return data


def _arrows(rows: list[Row], low: float, high: float) -> list[Trace]:
    """Estimates beyond the axis."""
    far = [(y, e) for y, e in rows if e.value is not None and not low <= e.value <= high]
    if not far:
        return []
    above = [e.value is not None and e.value > high for _, e in far]
    edge = 0.012 * (high - low)
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "off the scale",
            "x": [high - edge if up else low + edge for up in above],
            "y": [y for y, _ in far],
            "marker": {
                "color": [VERDICT[e.verdict] for _, e in far],
                "symbol": ["triangle-right" if up else "triangle-left" for up in above],
                "size": 12,
            },
            "cliponaxis": False,
            "text": [_hover(e) for _, e in far],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def _undefined(rows: list[Row], low: float) -> list[Trace]:
    none = [y for y, estimate in rows if estimate.value is None]
    words = {"text": ["undefined"] * len(none), "textposition": "middle right", "textfont": {"color": "@muted"}}
    trace = {"type": "scatter", "mode": "text", "x": [low] * len(none), "y": none, "hoverinfo": "skip", **words}
    return [{**trace, "showlegend": False}] if none else []


def _in_legend(name: str, **line: Any) -> Trace:
    """The name of a line that is drawn as a shape."""
    return {"type": "scatter", "mode": "lines", "name": name, "x": [None], "y": [None], "line": {"width": 2, **line}}


def _word(row: float, estimate: Estimate, places: int) -> dict[str, Any]:
    """The estimate in a number at the right edge."""
    text = number(estimate.value, places) if estimate.usable else compact(estimate.value)
    place = {"xref": "paper", "x": 1, "xanchor": "left", "xshift": 8, "y": row, "yanchor": "middle"}
    return {"text": text, "showarrow": False, "font": {"color": VERDICT[estimate.verdict]}, **place}


def _hover(estimate: Estimate) -> str:
    interval = f"{compact(estimate.low)} to {compact(estimate.high)}"
    first = f"{label(estimate.policy)}, {label(estimate.estimator)}: {compact(estimate.value)} ({interval})"
    return f"{first}<br>truth {compact(estimate.truth)}<br>{estimate.verdict}: {label(estimate.reason)}"


def clipped(rows: list[tuple[float, Estimate]], low: float, high: float) -> list[Trace]:
    """Estimates over a number each, upright; what lies beyond the axis is an arrow at its edge."""
    inside, far = _verdicts([(x, e) for x, e in rows], low, high), _arrows([(x, e) for x, e in rows], low, high)
    return [_turned(trace) for trace in (*inside, *far)]


def _turned(trace: Trace) -> Trace:
    """The same with its axes exchanged."""
    turned = {**trace, "x": trace["y"], "y": trace["x"]}
    if "error_x" in turned:
        turned["error_y"] = turned.pop("error_x")
    symbols = {"triangle-right": "triangle-up", "triangle-left": "triangle-down"}
    marker = trace["marker"]
    if isinstance(marker["symbol"], list):
        turned["marker"] = {**marker, "symbol": [symbols[symbol] for symbol in marker["symbol"]]}
    return turned


def _or(value: float | None, other: float | None) -> float:
    found = value if value is not None else other
    return 0.0 if found is None else found
