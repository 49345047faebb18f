"""Figures that hold estimates against the truth, intervals against their level, and propensities against outcomes."""

from __future__ import annotations

from recsim.report.chart import Figure, Trace, axis, figure
from recsim.report.measured import REWARD, Estimand
from recsim.report.offline import Estimate, Offline
from recsim.report.offline_details import Calibration
from recsim.report.offline_figures import clipped, scale

PANEL = 230


def against_truth(found: Offline, estimand: Estimand = "slate") -> dict[str, Figure]:
    """By estimator: the estimate of each policy over its true value, all with the same axes; on the line it is right.

    Empty where the truth is not known.
    """
    known = [e for e in found.estimates if e.objective == REWARD and e.estimand == estimand and e.truth is not None]
    if not known:
        return {}
    low, high = scale(known, ())
    truths = [e.truth for e in known if e.truth is not None]
    pad = 0.1 * ((max(truths) - min(truths)) or abs(max(truths)) or 1.0)
    ends = (min(truths) - pad, max(truths) + pad)
    return {
        name: _panel([e for e in known if e.estimator == name], ends, low, high)
        for name in dict.fromkeys(e.estimator for e in known)
    }


def against_truth_words(found: Offline, estimator: str, estimand: Estimand = "slate") -> str:
    """How many intervals of an estimator hold the truth, for those who do not see the figure."""
    own = [e for e in found.estimates if (e.estimator, e.objective, e.estimand) == (estimator, REWARD, estimand)]
    judged = [e for e in own if e.usable and e.truth is not None and e.low is not None and e.high is not None]
    held = sum(1 for e in judged if (e.low or 0.0) <= (e.truth or 0.0) <= (e.high or 0.0))
    rest = len(own) - len(judged)
    useless = f"; {rest} estimate{'s are' if rest > 1 else ' is'} not usable" if rest else ""
    return f"{held} of {len(judged)} usable intervals of {estimator} hold the true value{useless}."


def calibration(found: Calibration) -> Figure | None:
    """How often what was predicted happened, over the prediction; None without numbers."""
    if not found.bins:
        return None
    most = max(max(one.predicted, one.observed) for one in found.bins)
    dots = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [one.predicted for one in found.bins],
        "y": [one.observed for one in found.bins],
        "text": [f"{one.count:,} rows" for one in found.bins],
        "line": {"color": "@accent", "width": 1.5},
        "marker": {"color": "@accent", "size": 8},
        "hovertemplate": "predicted %{x:.3g}, observed %{y:.3g}, %{text}<extra></extra>",
    }
    x, y = axis("predicted", rangemode="tozero"), axis("observed", rangemode="tozero")
    return figure([_diagonal(0.0, most), dots], 320, x, y)


def _panel(own: list[Estimate], ends: tuple[float, float], low: float, high: float) -> Figure:
    rows = [(e.truth, e) for e in own if e.truth is not None and e.value is not None]
    data: list[Trace] = [_diagonal(max(ends[0], low), min(ends[1], high)), *clipped(rows, low, high)]
    return figure(data, PANEL, axis("true", range=list(ends), nticks=4), axis("estimate", range=[low, high], nticks=5))


def _diagonal(low: float, high: float) -> Trace:
    """Where both are equal."""
    line = {"color": "@muted", "width": 1, "dash": "dot"}
    return {"type": "scatter", "mode": "lines", "x": [low, high], "y": [low, high], "line": line, "hoverinfo": "skip"}
