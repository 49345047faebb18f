"""Paired differences in words: who is ahead, of whom it cannot be told, and at which weights that would change."""

from __future__ import annotations

from collections.abc import Sequence

from recsim.report.format import compact, ends, listed, percent
from recsim.report.measured import REWARD, Difference, Lead


def tied(leads: Sequence[Lead]) -> list[str]:
    """The policies from which the first cannot be told: the interval of their difference reaches 0."""
    return [lead.against for lead in sorted(leads, key=lambda lead: lead.low) if lead.low <= 0]


def closest_of(leads: Sequence[Lead]) -> Lead:
    """The difference to the rival that is least clearly behind."""
    return min(leads, key=lambda lead: lead.low)


def paired(level: float, difference: Difference, comparisons: int, places: int) -> str:
    """The interval of a paired difference that is one of several, in words."""
    adjusted = f", adjusted for {comparisons} comparisons," if comparisons > 1 else ""
    return f"paired {percent(level, 0)} interval{adjusted} {ends(difference, places)}"


def tipping_words(names: list[str], values: list[dict[str, float]], weights: dict[str, float]) -> str:
    """At which weights another policy than the first would have the highest reward, going by `values`."""
    found = []
    for objective, weight in weights.items():
        for side in (-1, 1):
            tip = _tip(names, values, objective, weight, side)
            if tip:
                way = "falls below" if side < 0 else "rises above"
                found.append(f"{tip[1]} leads once the weight of {objective} {way} {compact(tip[0])} (now {weight:g})")
    if not found:
        return f"No weight of a single objective, 0 or more, would put another policy above {names[0]}."
    return f"Going by the means alone, {listed(found)}."


def _tip(
    names: list[str], values: list[dict[str, float]], objective: str, weight: float, side: int
) -> tuple[float, str] | None:
    """The nearest weight of `objective`, 0 or more, below (-1) or above (+1) `weight`, at which a rival draws level."""
    best, found = values[0], []
    for name, rival in zip(names[1:], values[1:], strict=True):
        lead, slope = best[REWARD] - rival[REWARD], best[objective] - rival[objective]
        if lead > 0 and slope * side < 0:
            tip = weight - lead / slope
            if tip >= 0:
                found.append((tip, name))
    return min(found, key=lambda pair: abs(pair[0] - weight), default=None)
