"""What policies earn over several seeds, each of which draws the world, its users, logs and training anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from recsim.metrics import mean_interval
from recsim.objectives import NAMES


def earned(policy: str, seeds: Sequence[int], sessions: Sequence[pd.DataFrame], level: float) -> dict[str, Any]:
    """A row of what a policy earns: the mean of the seeds' means with its interval, and each seed's over its users.

    Args:
        policy: what the row is called.
        seeds: two or more.
        sessions: of each seed, a row a session (`evaluation.session_table`), as many in each.
        level: of the intervals (Student's t).
    """
    by_seed = [mean_interval(own["reward"], level) for own in sessions]
    return {
        "policy": policy,
        "n_users": len(sessions[0]),
        "return": vars(mean_interval([own.mean for own in by_seed], level)),
        "by_seed": [{"seed": seed, **vars(own)} for seed, own in zip(seeds, by_seed, strict=True)],
        "objectives": {name: mean([float(own[name].mean()) for own in sessions]) for name in NAMES},
        "length": mean([float(own["length"].mean()) for own in sessions]),
    }


def training_seconds(timings: Mapping[str, float], policy: str) -> float | None:
    """What training or fitting a policy took in a run, by the clock; None where there was none.

    Evaluations of its learning curve are included, and attempts that were interrupted.
    """
    return timings.get("fit static fusion" if policy == "static fusion" else f"train {policy}")


def mean(values: Sequence[float | None]) -> float | None:
    """The mean, or None where a value is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
