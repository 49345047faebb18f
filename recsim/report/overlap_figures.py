"""Figures of how far the log bears on each policy: effective sizes, by position, and the weights themselves."""

from __future__ import annotations

import math
from typing import Any

from recsim.ope.diagnostics import CAUTION_BELOW_ESS, REFUSE_BELOW_ESS
from recsim.report.chart import NOTES_MARGIN, Figure, axis, figure, label, names_axis, tick, vertical
from recsim.report.format import compact
from recsim.report.measured import Estimand
from recsim.report.offline import Offline
from recsim.report.offline_details import Histogram, PolicyOverlap
from recsim.report.overlap import overlap_rows

FRAME = 110
COLORS = ("@accent", "@ink", "@caution", "@trust", "@muted", "@refuse")
SYMBOLS = ("circle", "diamond-open", "square", "cross", "triangle-up", "star")
RAISED = str.maketrans("-1234", "⁻¹²³⁴")
DASHES = ("solid", "dash", "dot", "dashdot")


def effective_sizes(found: Offline, estimand: Estimand = "slate") -> Figure | None:
    """Effective sample size of the log for each policy on a log scale, with the limits of the verdicts."""
    rows = [row for row in overlap_rows(found, estimand) if row.ess is not None]
    if not rows:
        return None
    data = []
    for place, kind in enumerate(dict.fromkeys(row.estimators for row in rows)):
        mine = [row for row in rows if row.estimators == kind]
        color = COLORS[place % len(COLORS)]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(shortened(kind)),
                "x": [max(row.ess or 0.0, 1.0) for row in mine],
                "y": [label(row.policy) for row in mine],
                "text": [compact(row.ess) for row in mine],
                "hovertemplate": f"%{{y}}: %{{text}} effective {estimand}s<extra>{label(kind)}</extra>",
                "marker": {
                    "symbol": SYMBOLS[place % len(SYMBOLS)],
                    "color": color,
                    "size": 10,
                    "line": {"width": 2, "color": color},
                },
            }
        )
    limits = _limits(found.n_slates if estimand == "slate" else found.n_sessions)
    x = axis(f"effective {estimand}s (log scale)", type="log", dtick=1)
    names = list(dict.fromkeys(row.policy for row in rows))
    height = FRAME + 34 * len(names) + 10 * len(data)
    more = {
        "shapes": [vertical(float(value), dash="dot") for value in limits.values()],
        "annotations": [_limit(name, value) for name, value in limits.items()],
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yref": "container", "yanchor": "bottom"},
    }
    y = {**names_axis(), "tickvals": [label(name) for name in names], "ticktext": [tick(name) for name in names]}
    return figure(data, height, x, y, showlegend=True, margin=NOTES_MARGIN, **more)


def by_position(found: Offline) -> Figure | None:
    """Effective sample size of the weights down to each position, a line a policy; None where nobody looked at it."""
    shown = {name: found.overlap[name].positions for name in found.policies if name in found.overlap}
    shown = {name: positions for name, positions in shown.items() if positions}
    if not shown:
        return None
    data = []
    for place, (name, positions) in enumerate(shown.items()):
        color = COLORS[place % len(COLORS)]
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": label(name),
                "x": [one.position + 1 for one in positions],
                "y": [max(one.ess or 0.0, 1.0) for one in positions],
                "text": [compact(one.ess) for one in positions],
                "line": {"color": color, "width": 2, "dash": DASHES[place // len(COLORS) % len(DASHES)]},
                "marker": {"color": color, "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 8},
                "cliponaxis": False,
                "hovertemplate": f"{label(name)}, position %{{x}}: %{{text}} effective slates<extra></extra>",
            }
        )
    last = max(len(positions) for positions in shown.values())
    limits = _limits(found.n_slates)
    x = axis("position", range=[0.7, last + 0.3], dtick=1 if last <= 12 else None)
    y = axis("effective slates (log scale)", type="log", dtick=1)
    shapes = [_across(float(value)) for value in limits.values()]
    notes = [_across_limit(name, value) for name, value in limits.items()]
    more = {"shapes": shapes, "annotations": notes, "showlegend": True, "margin": {"l": 8, "r": 44, "t": 8, "b": 8}}
    return figure(data, 360, x, y, **more)


def histogram(found: Offline, policy: str) -> Figure | None:
    """How the weights of whole slates are spread, on a log scale with a bar for 0; None where that was not looked at.

    All policies of one log have the same axis.
    """
    own = found.overlap.get(policy)
    if own is None or own.histogram is None:
        return None
    share, zero = _shares(own)
    width = (own.histogram.high - own.histogram.low) / len(share)
    low, high = _reach([one.histogram for one in found.overlap.values() if one.histogram is not None])
    at_zero = low - 3 * width
    centres = [own.histogram.low + (place + 0.5) * width for place in range(len(share))]
    words = [f"{10 ** (x - width / 2):.2g} to {10 ** (x + width / 2):.2g}" for x in centres]
    kept = [(x, y, word) for x, y, word in zip(centres, share, words, strict=True) if low <= x <= high]
    data = [
        _bars([x for x, _, _ in kept], [y for _, y, _ in kept], [word for _, _, word in kept], 0.92 * width, "@accent"),
        _bars([at_zero], [zero], ["0, never shown"], 1.6 * width, "@refuse"),
    ]
    powers = [power for power in range(-4, 5, 1 if high - low <= 4 else 2) if low <= power <= high]
    ticks: dict[str, Any] = {
        "tickvals": [at_zero, *powers],
        "ticktext": ["0", *(_power(power) for power in powers)],
    }
    x_axis = axis(range=[at_zero - 1.5 * width, high + width / 2], showgrid=False, **ticks)
    y_axis = axis("slates", tickformat=".0%", rangemode="tozero", nticks=4)
    return figure(data, 190, x_axis, y_axis, shapes=[vertical(0.0, dash="dot")], bargap=0)


def histogram_words(found: Offline, policy: str) -> str:
    """What the histogram of a policy shows, for those who do not see it."""
    own = found.overlap.get(policy)
    if own is None or own.histogram is None:
        return ""
    share, zero = _shares(own)
    width = (own.histogram.high - own.histogram.low) / len(share)
    near = sum(y for place, y in enumerate(share) if abs(own.histogram.low + (place + 0.5) * width) < 1)
    return f"Weights of {policy}: {near:.0%} of the slates between 0.1 and 10, {zero:.0%} have weight 0."


def shortened(names: str, most: int = 3) -> str:
    """A list of names with commas, cut after the first ones.

    >>> shortened("dr, rips, snrips"), shortened("a, b, c, d, e")
    ('dr, rips, snrips', 'a, b, c and 2 more')
    """
    first = names.split(", ")
    return names if len(first) <= most else f"{', '.join(first[:most])} and {len(first) - most} more"


def _shares(own: PolicyOverlap) -> tuple[list[float], float]:
    """The share of all slates in each bar, and of those with weight 0."""
    counts = own.histogram.counts if own.histogram else ()
    total = max(1, sum(counts) + own.zero)
    return [count / total for count in counts], own.zero / total


def _reach(histograms: list[Histogram]) -> tuple[float, float]:
    """Powers of ten between which all policies have weights, 0.1 and 10 within."""
    ends = [-1.0, 1.0]
    for one in histograms:
        width = (one.high - one.low) / len(one.counts)
        full = [place for place, count in enumerate(one.counts) if count]
        ends += [one.low + width * place for place in full] + [one.low + width * (place + 1) for place in full]
    return min(ends), max(ends)


def _power(power: int) -> str:
    """A power of ten.

    >>> _power(-2), _power(0)
    ('10⁻²', '1')
    """
    return f"10{str(power).translate(RAISED)}" if power else "1"


def _bars(x: list[float], y: list[float], words: list[str], width: float, color: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": x,
        "y": y,
        "width": width,
        "marker": {"color": color, "line": {"width": 0}},
        "text": words,
        "textposition": "none",
        "hovertemplate": "weight %{text}: %{y:.1%} of the slates<extra></extra>",
    }


def _limits(whole: int) -> dict[str, int]:
    return {str(REFUSE_BELOW_ESS): REFUSE_BELOW_ESS, str(CAUTION_BELOW_ESS): CAUTION_BELOW_ESS, "log": whole}


def _limit(name: str, value: int) -> dict[str, Any]:
    place = {"x": math.log10(max(value, 1)), "yref": "paper", "y": 1, "yanchor": "bottom"}
    return {"text": name, "showarrow": False, "font": {"size": 12, "color": "@muted"}, **place}


def _across(height: float) -> dict[str, Any]:
    """A horizontal line."""
    return {**vertical(0.0, dash="dot"), "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": height, "y1": height}


def _across_limit(name: str, value: int) -> dict[str, Any]:
    place = {
        "xref": "paper",
        "x": 1,
        "xanchor": "left",
        "xshift": 4,
        "y": math.log10(max(value, 1)),
        "yanchor": "middle",
    }
    return {"text": name, "showarrow": False, "font": {"size": 12, "color": "@muted"}, **place}
