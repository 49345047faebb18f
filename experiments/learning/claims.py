"""The claims that are held against the measured returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.experiments.learning.outcome import BEST_ALONE, BEST_FUSION, PLANNER, PPO, Outcome
from recsim.experiments.learning.size import CLAIMED
from recsim.experiments.presets import ratio_interval
from recsim.metrics import mean_interval

Floats = NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True)
class Claim:
    """Something that a measure must be above.

    Attributes:
        text: the measure in words.
        above: the role whose return is measured, or two whose difference is.
        below: what it is divided by, likewise; nothing: the difference itself is measured.
        asked: what it must be above.
        worlds: where this is claimed; in others it is only measured.
    """

    text: str
    above: tuple[str, ...]
    below: tuple[str, ...] = ()
    asked: float = 0.0
    worlds: tuple[str, ...] = CLAIMED


CLAIMS = (
    Claim("best fusion − popularity", (BEST_FUSION, "popularity")),
    Claim("best fusion − best modality", (BEST_FUSION, BEST_ALONE), worlds=("marketplace",)),
    Claim("PPO − best fusion", (PPO, BEST_FUSION)),
    Claim("PPO / best fusion", (PPO,), (BEST_FUSION,), 1.2, ("marketplace",)),
    Claim("PPO − myopic oracle", (PPO, "myopic oracle"), worlds=("feed", "choc")),
    Claim("gap uniform to planner closed by PPO", (PPO, "uniform"), (PLANNER, "uniform"), 0.6, ("marketplace",)),
)


def judged(claim: Claim, preset: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """A claim in one world: over seeds, and in each seed over its users.

    Over seeds, the unit is a seed: the mean over its users of what is paired, with Student's t interval of the seeds'
    means (ratios by `ratio_interval` of the means). `met` says whether the whole interval is above what is asked,
    `met_on_average` whether the measure is; both are None where nothing is claimed.
    """
    by_seed, above, below = [], [], []
    for outcome in outcomes:
        a, b = _paired(claim, outcome)
        by_seed.append({"seed": outcome.seed, "n_users": len(a), **_interval(a, b)})
        above.append(a.mean())
        below.append(1.0 if b is None else b.mean())
    found = _interval(np.array(above), np.array(below) if claim.below else None)
    asked = claim.asked if preset in claim.worlds else None
    return {
        "claim": claim.text,
        "preset": preset,
        "asked": asked,
        **found,
        "met": _above(found["low"], asked),
        "met_on_average": _above(found["measured"], asked),
        "by_seed": by_seed,
    }


def _paired(claim: Claim, outcome: Outcome) -> tuple[Floats, Floats | None]:
    """(n,) what is measured, and (n,) what it is divided by, of the users that all its roles have served."""
    returns = {role: outcome.returns(role) for role in (*claim.above, *claim.below)}
    n = min(map(len, returns.values()))

    def less(roles: tuple[str, ...]) -> Floats:
        first, *second = (returns[role][:n] for role in roles)
        return first - second[0] if second else first

    return less(claim.above), less(claim.below) if claim.below else None


def verdict(found: dict[str, Any]) -> str:
    """Whether a judged claim is met, in words; nothing where nothing is claimed.

    >>> verdict({"met": False, "met_on_average": True})
    'only on average'
    """
    if found["met"] is None:
        return ""
    return "yes" if found["met"] else "only on average" if found["met_on_average"] else "no"


def chosen(row: dict[str, Any]) -> str:
    """In how many worlds a row's role went to which policy; nothing where it is a policy's own.

    >>> chosen({"chosen": ["gated", "attention", "gated"]})
    'gated 2, attention 1'
    """
    return ", ".join(f"{name} {count}" for name, count in Counter(row.get("chosen", ())).most_common())


def _interval(above: Floats, below: Floats | None) -> dict[str, float | None]:
    """The mean or the ratio of means with its interval; all None where the ratio has no positive denominator."""
    if below is None:
        interval = mean_interval(above, LEVEL)
        return {"measured": interval.mean, "low": interval.low, "high": interval.high}
    ratio = ratio_interval(above, below, LEVEL)
    if ratio is None:
        return dict.fromkeys(("measured", "low", "high"))
    return {"measured": ratio["ratio"], "low": ratio["low"], "high": ratio["high"]}


def _above(value: float | None, asked: float | None) -> bool | None:
    return None if asked is None else value is not None and value > asked
