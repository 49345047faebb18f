"""The weights that estimators use, to be looked at: overlap by objective and by position, and a histogram."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recsim.ope.diagnostics import Overlap, harmonic_ess, overlap_of
from recsim.ope.evaluation.case import Case
from recsim.ope.support import largest_weight, unsupported_mass
from recsim.ope.terms import sum_by

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

WHOLE_SLATES = "whole slates"
EDGES = np.linspace(-4.0, 4.0, 33)  # of the histogram, in powers of ten


@dataclass(frozen=True)
class Weighting:
    """What a family of estimators multiplies rewards with.

    Attributes:
        name: in warnings and tables.
        unit: whose weights these are.
        of: (rows, g) float64; rows are those of the log or its sessions, g is 1 where a slate or session is weighted
            as a whole, else the number of positions or steps.
        one: (rows,) float64, what should have a mean of 1 if the log supports the policy, where that is not `of`
            itself, because it tames weights or moves them between positions.
        earned: (rows, g, o + 1) what the weights of a session multiply, where g are not its steps.
    """

    name: str
    unit: Literal["slate", "session"]
    of: Callable[[Case], Floats]
    one: Callable[[Case], Floats] | None = None
    earned: Callable[[Case], Floats] | None = None


@dataclass(frozen=True, eq=False)
class Weighed:
    """One weighting of one policy.

    Attributes:
        overlaps: for each objective.
        rewarded: (o,) sessions with any of an objective where the weight is not 0.
    """

    overlaps: list[Overlap]
    rewarded: Integers

    @classmethod
    def of(cls, case: Case, weighting: Weighting) -> Weighed:
        """The overlap for every objective.

        Where parts of a reward (positions, steps) have weights of their own, the weights averaged by each part's share
        of the objective have their mean and their largest rows, and the effective sizes of the parts add up by
        `harmonic_ess`. A useless weight at a position that earns nothing does no harm.
        """
        weight = weighting.of(case)
        if weighting.unit == "session":
            earned = case.inputs.by_step if weighting.earned is None else weighting.earned(case)
            cluster = np.arange(case.inputs.n_clusters)
        else:
            earned, cluster = case.reward, case.inputs.cluster
        if weight.shape[1] == 1:
            known = _of_tables(case) if weighting.name == WHOLE_SLATES else {}
            whole = overlap_of(weight[:, 0], cluster, case.inputs.n_clusters, **known)
            overlaps = [whole] * earned.shape[2]
        else:
            overlaps = _by_part(weight, shares(earned), cluster, case.inputs.n_clusters)
        if case.unsupported is not None:
            never = case.unsupported  # tables of all actions may tell of more: what was logged, but never in such a row
            overlaps = [replace(overlap, unsupported=max(never, overlap.unsupported or 0.0)) for overlap in overlaps]
        if weighting.unit == "session":
            overlaps = [replace(overlap, unit="session") for overlap in overlaps]
        if weighting.one is not None:
            one = overlap_of(weighting.one(case), cluster, case.inputs.n_clusters)
            overlaps = [replace(overlap, mean=one.mean, mean_se=one.mean_se) for overlap in overlaps]
        counts = ((weight != 0)[:, :, None] & (earned != 0)).any(axis=1)  # (rows, o)
        rewarded = (sum_by(counts.astype(np.float64), cluster, case.inputs.n_clusters) > 0).sum(axis=0)
        return cls(overlaps, rewarded)


def _of_tables(case: Case) -> dict[str, float]:
    """The largest possible weight, and what could never be logged, where both policies are known for all actions."""
    if "table" not in case.makers:
        return {}
    target, logged = case.table
    return {
        "possible": largest_weight(target, logged),
        "unsupported": float(unsupported_mass(target, logged).mean()),
    }


def shares(earned: Floats) -> Floats:
    """(g, o) the part of each objective that accrues at each position or step, of `earned` (rows, g, o)."""
    return shares_of(np.abs(earned).mean(axis=0))


def shares_of(size: Floats) -> Floats:
    """(g, o) the same from the mean size, or the sum of the sizes, of each objective at each part."""
    total = size.sum(axis=0)
    return np.where(total > 0, size / np.where(total > 0, total, 1.0), 1.0 / len(size))


def detail(case: Case) -> dict[str, Any]:
    """For tables and figures: overlap of each position, and the histogram of the slates' weights on a log scale."""
    cluster, n = case.inputs.cluster, case.inputs.n_clusters
    positions = [overlap_of(column, cluster, n) for column in case.prefix.T]
    return detail_of(positions, histogram(case.prefix[:, -1]), int((case.prefix[:, -1] == 0).sum()))


def histogram(weight: Floats) -> Integers:
    """How many weights lie between two neighbours of `EDGES`, those beyond the ends at the ends; zeros do not count."""
    seen = np.log10(weight[weight > 0])
    counts: Integers = np.histogram(np.clip(seen, EDGES[0], EDGES[-1]), EDGES)[0]
    return counts


def detail_of(positions: list[Overlap], counts: Integers, zero: int) -> dict[str, Any]:
    """`detail` from the overlap of each position, the histogram of the slates' weights and how many of them are 0."""
    return {
        "positions": [
            {"position": place, "ess": o.ess, "mean": o.mean, "largest": o.largest, "zero_share": o.zero_share}
            for place, o in enumerate(positions)
        ],
        "histogram": {"low": float(EDGES[0]), "high": float(EDGES[-1]), "counts": counts.tolist()},
        "zero": zero,
    }


def _by_part(weight: Floats, share: Floats, cluster: Integers, n_clusters: int) -> list[Overlap]:
    ess = np.array([overlap_of(column, cluster, n_clusters).ess for column in weight.T])  # (g,)
    averaged = np.einsum("ng,go->on", weight, share)  # not a BLAS product: those depend on the threads
    return [
        replace(overlap_of(column, cluster, n_clusters), ess=harmonic_ess(ess, part))
        for column, part in zip(averaged, share.T, strict=True)
    ]
