"""All estimates of one policy: terms, intervals, overlap and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from recsim.ope.diagnostics import (
    Verdict,
    assuming_verdict,
    deciding,
    model_verdict,
    tamed_verdict,
    verdict_of,
    warnings_of,
)
from recsim.ope.evaluation.beyond import Bound, region
from recsim.ope.evaluation.case import Case, Unavailable
from recsim.ope.evaluation.estimator import Estimator
from recsim.ope.evaluation.estimators import ESTIMATORS, PREFERRED, PREFERRED_SESSION
from recsim.ope.evaluation.result import Estimate, estimates_of
from recsim.ope.evaluation.weights import Weighed, Weighting
from recsim.ope.intervals import Interval, Resamples, bootstrap
from recsim.ope.terms import Terms, standard_error

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judged:
    """The estimates of one policy.

    Attributes:
        case: the policy on the log.
        terms: by estimator, one row per session.
        intervals: by estimator.
        verdicts: by estimator, one per objective.
        weighed: by name of the weighting.
        left_out: by estimator, why it cannot be used here.
    """

    case: Case
    terms: dict[str, Terms]
    intervals: dict[str, Interval]
    verdicts: dict[str, list[Verdict]]
    weighed: dict[str, Weighed]
    left_out: dict[str, str]

    @classmethod
    def of(cls, case: Case, estimators: Sequence[Estimator], resamples: Resamples, level: float) -> Judged:
        """All estimators on one target policy; those that ask for what is not there are left out."""
        found = cls(case, {}, {}, {}, {}, {})
        for estimator in estimators:
            try:
                found._add(estimator, resamples, level)
            except Unavailable as missing:
                found.left_out[estimator.name] = str(missing)
        return found

    def estimates(self, policy: str) -> list[Estimate]:
        """The records of this policy."""
        objectives = self.case.inputs.objectives
        records = []
        for key, interval in self.intervals.items():
            estimator = ESTIMATORS[key]
            overlaps = None if estimator.weighting is None else self._weighed(estimator.weighting).overlaps
            records += estimates_of(policy, estimator, objectives, interval, overlaps, self.verdicts[key])
        return records

    def warnings(self, policy: str) -> list[str]:
        """What a decision maker should know about this policy's overlap with the log."""
        sentences = []
        for name, weighed in self.weighed.items():
            same = [key for key in self.intervals if getattr(ESTIMATORS[key].weighting, "name", "") == name]
            undefined = max((self.intervals[key].undefined for key in same), default=0)
            sentences += warnings_of(f"{policy}, {name}", weighed.overlaps[-1], undefined)
        return sentences

    def region(self, policy: str, resamples: Resamples, level: float) -> list[Bound]:
        """All objectives at once, by the preferred estimator that may be used for every one of them."""
        for name in (*PREFERRED, *PREFERRED_SESSION):
            fit = [verdict.level != "do not use" for verdict in self.verdicts.get(name, ())]
            if fit and all(fit) and not ESTIMATORS[name].corrected_by:
                return region(policy, name, self.terms[name], self.case.inputs.objectives, resamples, level)
        return []

    def _add(self, estimator: Estimator, resamples: Resamples, level: float) -> None:
        name, terms = estimator.name, self._clustered(estimator)
        interval = bootstrap(terms, resamples, level)
        if estimator.weighting is None:
            self.intervals[name], self.verdicts[name] = self._modelled(estimator, terms, interval)
        else:
            weighed = self._weighed(estimator.weighting)
            inputs, found = self.case.inputs, deciding(terms.influence)
            verdicts = verdicts_of(weighed, interval, found, estimated=inputs.estimated, refuted=inputs.refuted)
            if estimator.tames:
                interval, verdicts = self._tamed(estimator, interval, verdicts, resamples)
            if estimator.held_against:
                verdicts = self._held(estimator, terms, verdicts)
            self.intervals[name], self.verdicts[name] = interval, verdicts
        self.terms[name] = terms

    def _tamed(
        self, estimator: Estimator, interval: Interval, verdicts: list[Verdict], resamples: Resamples
    ) -> tuple[Interval, list[Verdict]]:
        """Tamed weights are no better than the plain ones, whose interval is made part of theirs."""
        plain = ESTIMATORS[estimator.tames]
        assert plain.weighting is not None
        other = bootstrap(self._clustered(plain), resamples, interval.level)
        known = verdicts_of(self._weighed(plain.weighting), other, None, estimated=self.case.inputs.estimated)
        hull = replace(interval, low=np.fmin(interval.low, other.low), high=np.fmax(interval.high, other.high))
        return hull, [tamed_verdict(own, one, plain.name) for own, one in zip(verdicts, known, strict=True)]

    def _held(self, estimator: Estimator, terms: Terms, verdicts: list[Verdict]) -> list[Verdict]:
        """An estimator that assumes more of users is held against one that assumes less, on the same sessions."""
        other = ESTIMATORS[estimator.held_against]
        assert other.weighting is not None
        differs, error = _miss(terms, self._clustered(other))
        overlaps = self._weighed(other.weighting).overlaps
        return [
            assuming_verdict(own, other.name, verdict_of(overlap).level != "do not use", float(by), float(se))
            for own, overlap, by, se in zip(verdicts, overlaps, differs, error, strict=True)
        ]

    def _modelled(self, estimator: Estimator, terms: Terms, interval: Interval) -> tuple[Interval, list[Verdict]]:
        """What a model alone says is no better than its weighted error on the log, by which the interval is widened."""
        corrected = ESTIMATORS[estimator.corrected_by]
        assert corrected.weighting is not None
        miss, miss_se = _miss(terms, self._clustered(corrected))
        return modelled(interval, miss, miss_se, self._weighed(corrected.weighting))

    def _clustered(self, estimator: Estimator) -> Terms:
        inputs = self.case.inputs
        if estimator.name not in self._rows:
            terms = estimator.terms(self.case)
            by_slate = estimator.estimand == "slate"
            self._rows[estimator.name] = terms.grouped(inputs.cluster, inputs.n_clusters) if by_slate else terms
        return self._rows[estimator.name]

    def _weighed(self, weighting: Weighting) -> Weighed:
        if weighting.name not in self.weighed:
            self.weighed[weighting.name] = Weighed.of(self.case, weighting)
        return self.weighed[weighting.name]

    @cached_property
    def _rows(self) -> dict[str, Terms]:
        return {}


def verdicts_of(
    weighed: Weighed, interval: Interval, sessions: Floats | None, *, estimated: bool, refuted: str = ""
) -> list[Verdict]:
    """The verdict on every objective of an estimate by weights; `sessions` (o,) that decide it, if they are known."""
    return [
        verdict_of(
            overlap,
            undefined_draws=interval.undefined,
            rewarded_sessions=int(count),
            deciding_sessions=None if sessions is None else float(sessions[place]),
            estimated=estimated,
            refuted=refuted,
        )
        for place, (overlap, count) in enumerate(zip(weighed.overlaps, weighed.rewarded, strict=True))
    ]


def modelled(interval: Interval, miss: Floats, miss_se: Floats, weighed: Weighed) -> tuple[Interval, list[Verdict]]:
    """The interval of a model alone, widened by its weighted error on the log, and the verdict on every objective.

    Args:
        interval: of the model's estimate.
        miss: (o,) the estimate less the one that weights correct.
        miss_se: (o,) its standard error.
        weighed: the weights of the corrected estimate.
    """
    scale = np.where(interval.value == 0, 1.0, np.abs(interval.value))
    verdicts = [
        model_verdict(overlap, float(share), float(error))
        for overlap, share, error in zip(weighed.overlaps, miss / scale, miss_se / scale, strict=True)
    ]
    return _widened(interval, np.abs(miss) + float(ndtri((1 + interval.level) / 2)) * miss_se), verdicts


def _miss(terms: Terms, corrected: Terms) -> tuple[Floats, Floats]:
    """(o,) the model's weighted error on the log, e.g. DM minus DR, and its standard error clustered by session."""
    return terms.value - corrected.value, standard_error(terms.influence - corrected.influence)


def _widened(interval: Interval, reach: Floats) -> Interval:
    """`interval` made to hold everything within `reach` (o,) of its value, with a standard error to match."""
    low, high = np.minimum(interval.low, interval.value - reach), np.maximum(interval.high, interval.value + reach)
    se = np.maximum(interval.se, (high - low) / (2 * float(ndtri((1 + interval.level) / 2))))
    return replace(interval, se=se, low=low, high=high)
