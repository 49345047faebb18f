"""The figure of a trade-off: policies as points of two objectives, with intervals, names and a front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recsim.report.chart import NOTES_MARGIN, Figure, Trace, axis, figure, label, whiskers
from recsim.report.labels import text_positions
from recsim.report.measured import Interval
from recsim.report.offline import Estimate, Offline
from recsim.report.palette import SYMBOL, VERDICT


@dataclass(frozen=True)
class Spot:
    """A policy as a point.

    Attributes:
        name: of the policy.
        x: across.
        y: up.
        color: a token of `recsim.report.palette`.
        symbol: of plotly.
        counts: whether it may be on the front.
    """

    name: str
    x: Interval
    y: Interval
    color: str
    symbol: str
    counts: bool = True


def spots_figure(spots: Sequence[Spot], across: str, up: str, notes: Sequence[dict[str, Any]] = ()) -> Figure:
    """The points, and the front of those that no other one beats in both."""
    xs, ys = [spot.x for spot in spots], [spot.y for spot in spots]
    places = text_positions(xs, ys, [spot.name for spot in spots])
    points = [_point(spot, across, up, place) for spot, place in zip(spots, places, strict=True)]
    data = [_front([spot for spot in spots if spot.counts]), *points]
    x, y = (axis(label(name), range=_padded(found)) for name, found in ((across, xs), (up, ys)))
    return figure(data, 380, x, y, annotations=list(notes), margin=NOTES_MARGIN)


def pairs(objectives: Sequence[str]) -> list[tuple[str, str]]:
    """Objectives to hold against each other: clicks and conversions against novelty, else the first against others.

    >>> pairs(["click", "conversion", "novelty"]), pairs(["click", "like"]), pairs(["click"])
    ([('click', 'novelty'), ('conversion', 'novelty')], [('click', 'like')], [])
    """
    if "novelty" in objectives:
        return [(name, "novelty") for name in ("click", "conversion") if name in objectives]
    return [(objectives[0], other) for other in objectives[1:3]]


def estimated_trade_off(found: Offline, across: str, up: str) -> Figure | None:
    """Every policy as a point of two estimated objectives; None with fewer than two usable ones."""
    estimand = found.estimands[0]
    spoken = [found.speaker(name, estimand=estimand) for name in found.policies]
    spots = []
    for estimate in (e for e in spoken if e is not None and e.usable):
        x, y = (_interval(found.by(estimate.policy, estimate.estimator, name)) for name in (across, up))
        if x is not None and y is not None:
            color, symbol = VERDICT[estimate.verdict], SYMBOL[estimate.verdict]
            spots.append(Spot(estimate.policy, x, y, color, symbol))
    if len(spots) < 2:
        return None
    return spots_figure(spots, f"{across} per {estimand}", f"{up} per {estimand}")


def _interval(estimate: Estimate | None) -> Interval | None:
    """A usable estimate as an interval."""
    if estimate is None or not estimate.usable or estimate.value is None:
        return None
    if estimate.low is None or estimate.high is None:
        return None
    return Interval(mean=estimate.value, se=estimate.se or 0.0, low=estimate.low, high=estimate.high)


def _point(spot: Spot, across: str, up: str, place: str) -> Trace:
    x, y, color = spot.x, spot.y, spot.color
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [x.mean],
        "y": [y.mean],
        "text": [label(spot.name)],
        "textposition": place,
        "cliponaxis": False,
        "error_x": whiskers([x.mean], [x.low], [x.high], color),
        "error_y": whiskers([y.mean], [y.low], [y.high], color),
        "marker": {"color": color, "symbol": spot.symbol, "size": 8, "line": {"width": 2, "color": color}},
        "hovertemplate": (
            f"{label(spot.name)}<br>{label(across)} {x.mean:,.3f} ({x.low:,.3f} to {x.high:,.3f})"
            f"<br>{label(up)} {y.mean:,.3f} ({y.low:,.3f} to {y.high:,.3f})<extra></extra>"
        ),
    }


def _front(spots: Sequence[Spot]) -> Trace:
    places = [(spot.x.mean, spot.y.mean) for spot in spots]
    front = sorted(p for p in places if not any(q[0] >= p[0] and q[1] >= p[1] and q != p for q in places))
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [x for x, _ in front],
        "y": [y for _, y in front],
        "line": {"color": "@muted", "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _padded(intervals: Sequence[Interval]) -> list[float]:
    low, high = min(i.low for i in intervals), max(i.high for i in intervals)
    pad = 0.16 * ((high - low) or abs(high) or 1.0)
    return [low - pad, high + pad]
