"""Figures of what is true in the simulation: returns, paired differences and trade-offs."""

from __future__ import annotations

from recsim.report.chart import (
    WORDS_MARGIN,
    Figure,
    axis,
    figure,
    forest,
    label,
    names_axis,
    off_the_scale,
    vertical,
)
from recsim.report.format import compact, decimals, number, signed
from recsim.report.measured import REWARD
from recsim.report.read import Run
from recsim.report.results import PolicyResult
from recsim.report.spots import Spot, spots_figure

ROW = 32
FRAME = 64
FAR = 1.6  # an oracle further out than this many times the others is named at the edge, not drawn


def returns(run: Run) -> Figure:
    """True returns of all policies with their intervals, the highest on top."""
    policies = run.ranked
    places = decimals(policy.truth[REWARD].se for policy in policies)
    data, notes = forest(
        [policy.name for policy in policies],
        [policy.truth[REWARD] for policy in policies],
        [_color(run, policy) for policy in policies],
        [_symbol(policy) for policy in policies],
        [number(policy.truth[REWARD].mean, places) for policy in policies],
    )
    x = axis("return per session", rangemode="tozero")
    return figure(data, FRAME + ROW * len(policies), x, names_axis(), annotations=notes, margin=WORDS_MARGIN)


def differences(run: Run) -> Figure | None:
    """Paired differences of the return against the baseline, without oracles; None where there are none."""
    shippable = [policy.name for policy in run.shippable]
    found = [
        d for d in run.metrics.differences if d.objective == REWARD and d.policy in shippable and d.policy != d.against
    ]
    if not found:
        return None
    found.sort(key=lambda d: -d.mean)
    places = decimals(d.se for d in found)
    colors = ["@muted" if d.low <= 0 <= d.high else "@accent" for d in found]
    words = [signed(d.mean, places) for d in found]
    data, notes = forest([d.policy for d in found], found, colors, ["circle"] * len(found), words)
    x = axis(f"return per session minus that of {label(str(run.baseline))}")
    shapes = [vertical(0.0, color="@ink", width=1.2)]
    return figure(
        data, FRAME + ROW * len(found), x, names_axis(), shapes=shapes, annotations=notes, margin=WORDS_MARGIN
    )


def trade_off(run: Run, across: str, up: str) -> Figure:
    """Every policy as a point of two objectives, and the front of those that no other policy beats in both."""
    near = [policy for policy in run.ranked if not _is_far(run, policy, across, up)]
    spots = [
        Spot(p.name, p.truth[across], p.truth[up], _color(run, p), _symbol(p), counts=not p.is_oracle) for p in near
    ]
    return spots_figure(spots, f"{across} per session", f"{up} per session", _far_notes(run, across, up))


def _is_far(run: Run, policy: PolicyResult, across: str, up: str) -> bool:
    """Whether an oracle is so far out that drawing it would press all others together."""
    if not policy.is_oracle or not run.shippable:
        return False
    tops = [max(p.truth[name].mean for p in run.shippable) for name in (across, up)]
    return any(policy.truth[name].mean > FAR * top for name, top in zip((across, up), tops, strict=True))


def _far_notes(run: Run, across: str, up: str) -> list[dict[str, object]]:
    far = [policy for policy in run.ranked if _is_far(run, policy, across, up)]
    return off_the_scale(
        [
            f"{label(policy.name)}, {label(across)} {compact(policy.truth[across].mean)}, "
            f"{label(up)} {compact(policy.truth[up].mean)}"
            for policy in far
        ]
    )


def _color(run: Run, policy: PolicyResult) -> str:
    if policy.is_oracle:
        return "@muted"
    return "@accent" if policy.name == run.shippable[0].name else "@ink"


def _symbol(policy: PolicyResult) -> str:
    return "diamond-open" if policy.is_oracle else "circle"
