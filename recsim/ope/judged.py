"""All estimates of one policy: terms, intervals, overlap and verdicts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from recsim.ope.diagnostics import Overlap, Verdict, harmonic_ess, model_verdict, overlap_of, verdict_of, warnings_of
from recsim.ope.inputs import Inputs
from recsim.ope.intervals import Interval, Resamples, bootstrap
from recsim.ope.result import Estimate, estimates_of
from recsim.ope.slate import dm, dr, prefix_weight, rips, sips, snrips, snsips
from recsim.ope.terms import Terms

Floats = NDArray[np.float64]

WHOLE_SLATE = ("sips", "snsips")  # estimators that weight a slate as a whole; the others weight its positions


@dataclass(frozen=True, eq=False)
class Judged:
    """The estimates of one policy.

    Attributes:
        terms: by estimator, one row per session.
        intervals: by estimator.
        whole: overlap of whole slates.
        by_position: for each objective the overlap of its positions.
        verdicts: by estimator, one per objective.
    """

    terms: dict[str, Terms]
    intervals: dict[str, Interval]
    whole: Overlap
    by_position: list[Overlap]
    verdicts: dict[str, list[Verdict]]

    @classmethod
    def of(
        cls,
        inputs: Inputs,
        target: Floats,
        model_logged: Floats,
        model_target: Floats,
        resamples: Resamples,
        level: float,
    ) -> Judged:
        """All estimators on one target policy; arguments as in `recsim.ope.slate.dr`."""
        terms = _terms(inputs, target, model_logged, model_target)
        intervals = {key: bootstrap(part, resamples, level) for key, part in terms.items()}
        miss, miss_se = _miss(terms)
        intervals["dm"] = _widened(intervals["dm"], np.abs(miss) + float(ndtri((1 + level) / 2)) * miss_se)
        scale = np.where(terms["dm"].value == 0, 1.0, np.abs(terms["dm"].value))
        whole, by_position = _overlaps(inputs, prefix_weight(target, inputs.logged))
        verdicts = {}
        for key, interval in intervals.items():
            overlaps = [whole] * len(inputs.objectives) if key in WHOLE_SLATE else by_position
            rewarded = (terms["sips" if key in WHOLE_SLATE else "rips"].numerator[:, 0] != 0).sum(axis=0)
            if key == "dm":
                verdicts[key] = [
                    model_verdict(part, float(share), float(error))
                    for part, share, error in zip(overlaps, miss / scale, miss_se / scale, strict=True)
                ]
            else:
                verdicts[key] = [
                    verdict_of(
                        part,
                        undefined_draws=interval.undefined,
                        rewarded_sessions=int(count),
                        estimated=inputs.estimated,
                    )
                    for part, count in zip(overlaps, rewarded, strict=True)
                ]
        return cls(terms, intervals, whole, by_position, verdicts)

    def estimates(self, policy: str, objectives: tuple[str, ...]) -> list[Estimate]:
        """The records of this policy."""
        records = []
        for key, interval in self.intervals.items():
            overlaps = [self.whole] * len(objectives) if key in WHOLE_SLATE else self.by_position
            records += estimates_of(policy, key, objectives, interval, overlaps, self.verdicts[key])
        return records

    def warnings(self, policy: str) -> list[str]:
        """What a decision maker should know about this policy's overlap with the log."""
        whole = warnings_of(f"{policy}, whole slates", self.whole, self.intervals["snsips"].undefined)
        total = self.by_position[-1]
        return whole + warnings_of(f"{policy}, position by position", total, self.intervals["snrips"].undefined)


def _terms(inputs: Inputs, target: Floats, model_logged: Floats, model_target: Floats) -> dict[str, Terms]:
    reward, logged = inputs.reward, inputs.logged
    rows = {
        "sips": sips(reward, target, logged),
        "rips": rips(reward, target, logged),
        "snsips": snsips(reward, target, logged),
        "snrips": snrips(reward, target, logged),
        "dm": dm(model_target),
        "dr": dr(reward, target, logged, model_logged, model_target),
    }
    return {name: terms.grouped(inputs.cluster, inputs.n_clusters) for name, terms in rows.items()}


def _miss(terms: dict[str, Terms]) -> tuple[Floats, Floats]:
    """(o,) the model's weighted error on the log, DM minus DR, and its standard error clustered by session."""
    n = len(terms["dm"])
    influence = terms["dm"].influence - terms["dr"].influence
    return terms["dm"].value - terms["dr"].value, np.sqrt(n / (n - 1) * np.square(influence).sum(axis=0))


def _widened(interval: Interval, reach: Floats) -> Interval:
    """`interval` made to hold everything within `reach` (o,) of its value."""
    low, high = np.minimum(interval.low, interval.value - reach), np.maximum(interval.high, interval.value + reach)
    return replace(interval, low=low, high=high)


def _overlaps(inputs: Inputs, weight: Floats) -> tuple[Overlap, list[Overlap]]:
    """The overlap of whole slates, and for each objective that of its positions.

    Position-wise estimators weight position k by w_ik: the weights averaged by each position's share of the objective
    have their mean and their largest slates, and the effective sizes of the positions add up by `harmonic_ess`. A
    useless weight at a position that earns nothing does no harm.
    """
    n = inputs.n_clusters
    ess = np.array([overlap_of(column, inputs.cluster, n).ess for column in weight.T])  # (k,)
    averaged = np.einsum("nk,ko->on", weight, inputs.share)  # not a BLAS product: those depend on the threads
    by_position = [
        replace(overlap_of(column, inputs.cluster, n), ess=harmonic_ess(ess, share))
        for column, share in zip(averaged, inputs.share.T, strict=True)
    ]
    return overlap_of(weight[:, -1], inputs.cluster, n), by_position
