"""The figure of learning curves."""

from __future__ import annotations

from collections.abc import Sequence

from recsim.report.chart import NOTES_MARGIN, Figure, Trace, axis, figure, label, off_the_scale, vertical
from recsim.report.format import compact
from recsim.report.read import Run
from recsim.report.results import REWARD, CurvePoint, PolicyResult

COLORS = ("@accent", "@trust", "@caution", "@refuse")
DASHES = ("solid", "dash", "dot", "dashdot")
FAR = 1.6  # a reference further up than this many times the curves is named at the edge, not drawn


def learning_curve(run: Run) -> Figure | None:
    """Return on fixed users while learning, beside the baseline and the oracles; None where nothing was recorded."""
    if not run.curve:
        return None
    learners = list(dict.fromkeys(point.policy for point in run.curve))
    data: list[Trace] = []
    for place, name in enumerate(learners):
        points = sorted((p for p in run.curve if p.policy == name), key=lambda p: p.timesteps)
        data += _curve(name, points, COLORS[place % 4], DASHES[place // 4 % 4])
    ends = [end for p in run.curve for end in (p.low, p.reward, p.high) if end is not None]
    references = [p for p in run.metrics.policies if p.name == run.baseline or p.is_oracle]
    near = [p for p in references if p.truth[REWARD].mean <= FAR * max(ends)]
    heights = ends + [policy.truth[REWARD].mean for policy in near]
    pad = 0.12 * ((max(heights) - min(heights)) or abs(max(heights)) or 1.0)
    steps = [p.timesteps for p in run.curve]
    notes = [_name(p) for p in near] + _far_names([p for p in references if p not in near])
    return figure(
        data,
        360,
        axis("slates of training", range=[min(steps), max(max(steps), min(steps) + 1)]),
        axis("return per session", range=[min(heights) - pad, max(heights) + pad]),
        shapes=[_line(policy) for policy in near],
        annotations=notes,
        showlegend=len(learners) > 1,
        margin=NOTES_MARGIN,
    )


def _curve(name: str, points: Sequence[CurvePoint], color: str, dash: str) -> list[Trace]:
    known = [p for p in points if p.low is not None and p.high is not None]
    band = {
        "type": "scatter",
        "mode": "lines",
        "x": [p.timesteps for p in known] + [p.timesteps for p in reversed(known)],
        "y": [p.low for p in known] + [p.high for p in reversed(known)],
        "fill": "toself",
        "fillcolor": color,
        "opacity": 0.18,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": label(name),
        "x": [p.timesteps for p in points],
        "y": [p.reward for p in points],
        "line": {"color": color, "width": 2, "dash": dash},
        "marker": {"color": color, "size": 6},
        "cliponaxis": False,
        "hovertemplate": f"{label(name)}<br>after %{{x:,}} slates: %{{y:,.2f}}<extra></extra>",
    }
    return [band, line]


def _line(policy: PolicyResult) -> dict[str, object]:
    """A reference across the whole width."""
    height = policy.truth[REWARD].mean
    style = vertical(0.0, width=1.4, dash="dash" if policy.is_oracle else "dot")
    return {**style, "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": height, "y1": height}


def _name(policy: PolicyResult) -> dict[str, object]:
    place = {"xref": "paper", "x": 1, "xanchor": "right", "y": policy.truth[REWARD].mean, "yanchor": "top"}
    return {"text": label(policy.name), "showarrow": False, "font": {"size": 12, "color": "@muted"}, **place}


def _far_names(policies: Sequence[PolicyResult]) -> list[dict[str, object]]:
    return off_the_scale([f"{label(policy.name)} {compact(policy.truth[REWARD].mean)}" for policy in policies])
