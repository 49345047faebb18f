"""How far the log bears on each policy: importance weights, grouped by the estimators that share them."""

from __future__ import annotations

from dataclasses import dataclass

from recsim.report.measured import Estimand
from recsim.report.offline import Offline

Weights = tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class OverlapRow:
    """The weights of one policy under some estimators.

    Attributes:
        policy: its name.
        estimators: names of the estimators that use these weights.
        ess: effective sample size in slates, or in sessions where these are valued.
        max_weight: the largest weight.
        mean_weight: the mean weight, 1 in expectation where the log can show all that the policy shows.
    """

    policy: str
    estimators: str
    ess: float | None
    max_weight: float | None
    mean_weight: float | None


def overlap_rows(found: Offline, estimand: Estimand = "slate") -> list[OverlapRow]:
    """The weights behind the estimates of the reward; estimators without weights are left out."""
    rows = []
    for policy in found.policies:
        groups: dict[Weights, list[str]] = {}
        for estimate in found.of(policy, estimand=estimand):
            weights = (estimate.ess, estimate.max_weight, estimate.mean_weight)
            if any(weight is not None for weight in weights):
                groups.setdefault(weights, []).append(estimate.estimator)
        rows += [OverlapRow(policy, ", ".join(names), *weights) for weights, names in groups.items()]
    return rows
