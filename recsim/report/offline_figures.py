"""Figures of what the log alone says: estimates beside the truth, and how much the log is worth for each policy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from recsim.ope.diagnostics import CAUTION_BELOW_ESS, REFUSE_BELOW_ESS
from recsim.report.chart import NOTES_MARGIN, Figure, Trace, axis, figure, label, names_axis, vertical, whiskers
from recsim.report.format import compact
from recsim.report.overlap import overlap_rows
from recsim.report.palette import SYMBOL, VERDICT
from recsim.report.read import Run
from recsim.report.results import Estimate

ROW = 21
FRAME = 110
Row = tuple[int, Estimate]


def estimates(run: Run) -> Figure | None:
    """Every estimate of the reward of a slate, in a block a policy, with the truth as a line; None without estimates.

    The axis fits the truths and the usable estimates; what lies beyond is drawn as an arrow at the edge.
    """
    blocks = [(p.name, run.estimates(p.name)) for p in run.ranked if run.estimates(p.name)]
    if not blocks:
        return None
    low, high = _scale([estimate for _, block in blocks for estimate in block])
    rows: list[Row] = []
    headings, shapes = [], []
    at = 0
    for name, block in blocks:
        headings.append(_heading(name, at))
        rows += [(at + 1 + place, estimate) for place, estimate in enumerate(block)]
        truth = block[0].truth
        if truth is not None:
            shapes.append(vertical(truth, at + 0.5, at + len(block) + 0.5, yref="y", color="@ink", width=2))
        at += len(block) + 1
    data = [*_verdicts(rows, low, high), *_arrows(rows, low, high), *_undefined(rows, low), _truth_in_legend()]
    x = axis("reward of one slate", range=[low, high])
    y = axis(
        range=[at - 0.3, -0.7],
        showgrid=False,
        ticklabelstandoff=6,
        tickvals=[y for y, _ in rows],
        ticktext=[label(estimate.estimator) for _, estimate in rows],
    )
    return figure(data, FRAME + ROW * at, x, y, shapes=shapes, annotations=headings, showlegend=True)


def effective_sizes(run: Run) -> Figure | None:
    """Effective sample size of the log for each policy on a log scale, with the limits of the verdicts."""
    rows = [row for row in overlap_rows(run) if row.ess is not None]
    if not rows:
        return None
    kinds = list(dict.fromkeys(row.estimators for row in rows))
    data = []
    for number, kind in enumerate(kinds):
        mine = [row for row in rows if row.estimators == kind]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(kind),
                "x": [max(row.ess or 0.0, 1.0) for row in mine],
                "y": [label(row.policy) for row in mine],
                "text": [compact(row.ess) for row in mine],
                "hovertemplate": "%{y}: %{text} effective slates<extra>" + label(kind) + "</extra>",
                "marker": {
                    "symbol": ("circle", "diamond-open", "square", "cross")[number % 4],
                    "color": ("@accent", "@ink", "@muted", "@caution")[number % 4],
                    "size": 10,
                    "line": {"width": 2, "color": ("@accent", "@ink", "@muted", "@caution")[number % 4]},
                },
            }
        )
    limits = {
        str(REFUSE_BELOW_ESS): REFUSE_BELOW_ESS,
        str(CAUTION_BELOW_ESS): CAUTION_BELOW_ESS,
        "log": run.metrics.log.slates,
    }
    policies = list(dict.fromkeys(row.policy for row in rows))
    x = axis("effective sample size (log scale)", type="log", dtick=1)
    shapes = [vertical(float(value), dash="dot") for value in limits.values()]
    notes = [_limit(name, value) for name, value in limits.items()]
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.3, "yanchor": "top"}
    height = FRAME + 34 * len(policies)
    return figure(
        data,
        height,
        x,
        names_axis(),
        shapes=shapes,
        annotations=notes,
        showlegend=True,
        legend=legend,
        margin=NOTES_MARGIN,
    )


def _scale(found: Iterable[Estimate]) -> tuple[float, float]:
    """Ends of the axis: the truths and every usable interval fit."""
    spots = [0.0]
    for estimate in found:
        spots += [] if estimate.truth is None else [estimate.truth]
        if estimate.verdict != "do not use":
            spots += [end for end in (estimate.low, estimate.high) if end is not None]
    span = (max(spots) - min(spots)) or 1.0
    return min(spots) - (0.05 * span if min(spots) < 0 else 0.02 * span), max(spots) + 0.15 * span


def _verdicts(rows: list[Row], low: float, high: float) -> list[Trace]:
    data = []
    for verdict, color in VERDICT.items():
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
            "text": [_hover(e) for _, e in far],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def _undefined(rows: list[Row], low: float) -> list[Trace]:
    none = [y for y, estimate in rows if estimate.value is None]
    words = {"text": ["undefined"] * len(none), "textposition": "middle right", "textfont": {"color": "@muted"}}
    trace = {"type": "scatter", "mode": "text", "x": [low] * len(none), "y": none, "hoverinfo": "skip", **words}
    return [{**trace, "showlegend": False}] if none else []


def _truth_in_legend() -> Trace:
    line = {"color": "@ink", "width": 2}
    return {"type": "scatter", "mode": "lines", "name": "true value", "x": [None], "y": [None], "line": line}


def _limit(name: str, value: int) -> dict[str, Any]:
    place = {"x": math.log10(max(value, 1)), "yref": "paper", "y": 1, "yanchor": "bottom"}
    return {"text": name, "showarrow": False, "font": {"size": 12, "color": "@muted"}, **place}


def _heading(name: str, y: int) -> dict[str, Any]:
    place = {"xref": "paper", "x": 0, "xanchor": "left", "xshift": 4, "y": y, "yanchor": "middle"}
    return {"text": f"<b>{label(name)}</b>", "showarrow": False, "font": {"size": 13, "color": "@ink"}, **place}


def _hover(estimate: Estimate) -> str:
    interval = f"{compact(estimate.low)} to {compact(estimate.high)}"
    first = f"{label(estimate.policy)}, {label(estimate.estimator)}: {compact(estimate.value)} ({interval})"
    return f"{first}<br>truth {compact(estimate.truth)}<br>{estimate.verdict}: {label(estimate.reason)}"


def _or(value: float | None, other: float | None) -> float:
    found = value if value is not None else other
    return 0.0 if found is None else found
