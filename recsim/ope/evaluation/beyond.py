"""What an evaluation says beyond estimate by estimate: guaranteed intervals, joint regions, and the policy in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.ope.diagnostics import SIGNIFICANT, overlap_of
from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.estimator import Estimand
from recsim.ope.evaluation.inputs import Inputs
from recsim.ope.intervals import Interval, Resamples, bootstrap
from recsim.ope.region import simultaneous
from recsim.ope.sequences import off_policy
from recsim.ope.terms import Terms, mean_terms

Floats = NDArray[np.float64]

SEQUENCE = "off-policy sequence"
REGION = "all objectives at once"


@dataclass(frozen=True)
class Bound:
    """An interval of one objective of one policy.

    Attributes:
        policy: its name.
        estimator: whose value it goes with.
        method: where it comes from.
        objective: which one.
        low: lower end.
        high: upper end.
    """

    policy: str
    estimator: str
    method: str
    objective: str
    low: float
    high: float


def guaranteed(policy: str, case: Case, level: float) -> list[Bound]:
    """Intervals that hold at any number of rows and however heavy weights can be, where every row is a session.

    They need the range of a reward: 0 to 1 at every position is taken where all logged rewards are 0 or 1, and an
    objective with others has no such interval. Rows count in their order (`Inputs.order`). There is none where
    propensities are estimates, by which weights need not have the mean 1, or where several policies wrote the log: by
    their mixture weights have the mean 1 over the log, not given who wrote a row; nor where the mean weight is
    above 1 beyond chance, so that the propensities are not those that were in force.

    Source: `recsim.ope.sequences.off_policy`.
    """
    inputs = case.inputs
    if inputs.n_clusters < len(inputs.reward) or inputs.estimated or "loggers" in case.makers or inputs.refuted:
        return []
    if overlap_of(case.prefix[:, -1], inputs.cluster, inputs.n_clusters).z > SIGNIFICANT:
        return []
    most = _most(inputs)
    found = []
    for place, objective in enumerate(inputs.objectives):
        if most[place] > 0:
            rows, reward = inputs.order, inputs.reward[:, :, place].sum(axis=1)
            low, high = off_policy(case.prefix[rows, -1], reward[rows], 0.0, most[place], level).last
            found.append(Bound(policy, "sips", SEQUENCE, objective, float(low[0]), float(high[0])))
    return found


def region(
    policy: str, estimator: str, terms: Terms, objectives: Sequence[str], resamples: Resamples, level: float
) -> list[Bound]:
    """A box that holds all objectives of a policy at once with the probability `level` (`recsim.ope.region`)."""
    box = simultaneous(terms, resamples, level)
    return [
        Bound(policy, estimator, REGION, objective, float(box.low[place]), float(box.high[place]))
        for place, objective in enumerate(objectives)
    ]


def in_force(inputs: Inputs, resamples: Resamples, level: float) -> dict[Estimand, Interval]:
    """What the policy of the log earned itself, a slate and, where sessions have several, a session."""
    slates = mean_terms(inputs.reward.sum(axis=1)).grouped(inputs.cluster, inputs.n_clusters)
    found: dict[Estimand, Interval] = {"slate": bootstrap(slates, resamples, level)}
    if inputs.n_clusters < len(inputs.reward):
        found["session"] = bootstrap(mean_terms(inputs.by_step.sum(axis=1)), resamples, level)
    return found


def _most(inputs: Inputs) -> Floats:
    """(o + 1,) the most that a row can earn of each objective, 0 where that is not known."""
    own = inputs.reward[:, :, : len(inputs.weights)]
    binary = np.isin(own, (0.0, 1.0)).all(axis=(0, 1))
    most = np.where(binary, float(own.shape[1]), 0.0)
    weights = np.asarray(inputs.weights)
    total = float(most @ weights) if binary.all() and (weights >= 0).all() else 0.0
    return np.append(most, total)[: inputs.reward.shape[2]]
