"""What an evaluation returns: one estimate per policy, estimator and objective, and the means to compare policies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

import pandas as pd

from recsim.ope.diagnostics import Level, Overlap, Verdict
from recsim.ope.evaluation.beyond import Bound
from recsim.ope.evaluation.estimator import Estimand, Estimator
from recsim.ope.evaluation.estimators import ESTIMATORS, PREFERRED, PREFERRED_SESSION
from recsim.ope.intervals import Interval, Resamples, difference
from recsim.ope.power import Power, power_of
from recsim.ope.power import sentence as power_sentence
from recsim.ope.tables.calibration import Calibration
from recsim.ope.terms import Terms


@dataclass(frozen=True)
class Estimate:
    """The value of one objective under one policy, by one estimator.

    Attributes:
        policy: name of the target policy.
        estimator: a name of `recsim.ope.ESTIMATORS`.
        estimand: whether the value is of a `slate` in the situations of the log or of a whole `session`.
        objective: name of the objective; `reward` is the weighted sum of all.
        value: the estimate; NaN only where the verdict is `do not use`.
        se: standard error, clustered by session; for models such as `dm` with the weighted error of the model.
        low: lower end of the interval, which for models reaches as far as their weighted error on the log.
        high: upper end of the interval.
        ess: effective sample size in slates (sessions, where these are valued); NaN for models, which use no weights.
        max_weight: largest importance weight; NaN for models.
        mean_weight: mean importance weight, which should be 1; NaN for models.
        verdict: `trust`, `caution` or `do not use`.
        reason: one sentence.
    """

    policy: str
    estimator: str
    estimand: Estimand
    objective: str
    value: float
    se: float
    low: float
    high: float
    ess: float
    max_weight: float
    mean_weight: float
    verdict: Level
    reason: str


@dataclass(frozen=True)
class Lead:
    """How much more `policy` promises than `against`, both judged by one estimator from the same log.

    Attributes:
        policy: the policy with the highest estimate.
        against: another one.
        estimator: of both.
        objective: of the difference.
        mean: the difference of the estimates.
        se: its standard error, paired and clustered by session.
        low: lower end of its interval.
        high: upper end.
    """

    policy: str
    against: str
    estimator: str
    objective: str
    mean: float
    se: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Estimates of several policies from one log.

    Attributes:
        estimates: one per policy, estimator and objective, in this order.
        warnings: for every policy, plain sentences for a decision maker.
        left_out: estimators that could not be used, with what they need.
        overlap: for every policy, overlap by position and a histogram of weights (`recsim.ope.evaluation.weights`).
        guaranteed: intervals that hold at any number of rows (`recsim.ope.evaluation.beyond`).
        region: for every policy with a usable estimate, intervals of all objectives that hold together.
        in_force: by estimand, what the policy of the log earned itself.
        objectives: names of the objectives, the last being `reward`.
        weights: of the objectives but the last in it.
        level: level of the intervals.
        n_slates: rows of the log.
        n_sessions: sessions of the log, the clusters of the bootstrap.
        n_boot: bootstrap draws.
        seed: seed of the bootstrap, of the reward model and of the target policies' draws.
        calibration: how far propensities that were estimated here agree with the log.
    """

    estimates: tuple[Estimate, ...]
    warnings: dict[str, list[str]]
    left_out: dict[str, str]
    overlap: dict[str, dict[str, Any]]
    guaranteed: tuple[Bound, ...]
    region: tuple[Bound, ...]
    in_force: dict[Estimand, Interval]
    objectives: tuple[str, ...]
    weights: tuple[float, ...]
    level: float
    n_slates: int
    n_sessions: int
    n_boot: int
    seed: int
    terms: dict[tuple[str, str], Terms] = field(repr=False)
    resamples: Resamples = field(repr=False)
    calibration: Calibration | None = field(default=None, kw_only=True)

    def to_frame(self) -> pd.DataFrame:
        """A long table with the columns of `Estimate`, one row per policy, estimator and objective."""
        return pd.DataFrame(
            [asdict(estimate) for estimate in self.estimates], columns=[f.name for f in fields(Estimate)]
        )

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON, with `leads`: plain numbers, None for NaN."""
        return {
            "level": self.level,
            "n_slates": self.n_slates,
            "n_sessions": self.n_sessions,
            "n_boot": self.n_boot,
            "seed": self.seed,
            "objectives": list(self.objectives),
            "weights": list(self.weights),
            "estimates": [_without_nan(asdict(estimate)) for estimate in self.estimates],
            "differences": [_without_nan(asdict(lead)) for lead in self.leads()],
            "session_differences": [_without_nan(asdict(lead)) for lead in self.leads("session")],
            "power": [_without_nan(record) for record in self.power()],
            "warnings": {policy: list(sentences) for policy, sentences in self.warnings.items()},
            "left_out": dict(self.left_out),
            "overlap": self.overlap,
            "guaranteed": [_without_nan(asdict(bound)) for bound in self.guaranteed],
            "region": [_without_nan(asdict(bound)) for bound in self.region],
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "in_force": {estimand: self._by_objective(found) for estimand, found in self.in_force.items()},
        }

    def difference(self, policy: str, baseline: str, estimator: str = "dr", level: float | None = None) -> Interval:
        """How much more `policy` promises than `baseline`, paired on the same log, for every objective.

        Args:
            policy: name of a policy.
            baseline: name of another.
            estimator: of both; not `dm`, whose model may err differently on the two.
            level: of the interval, that of the evaluation by default.

        Raises:
            ValueError: if a policy or the estimator was not evaluated, or it is `dm`.
        """
        for name in (policy, baseline):
            self._refuse_unknown(name, estimator)
        corrected = ESTIMATORS[estimator].corrected_by
        if corrected:
            raise ValueError(
                f"the difference of two {estimator} estimates has no honest interval: the model may err differently on "
                f"the two policies. Choose {corrected}."
            )
        keys = (policy, estimator), (baseline, estimator)
        return self._difference(*keys, self.level if level is None else level)

    def leads(self, estimand: Estimand = "slate") -> list[Lead]:
        """How far the policy of the highest usable reward is ahead of each other usable one; empty with fewer than 2.

        All by one estimator, that with the most usable policies, then the first of those preferred; models alone are
        left out. The intervals hold together: as the first is the one that came out first, each has the level of a
        comparison of all pairs, 1 - (1 - level) / pairs (Bonferroni).
        """
        return self._leads[estimand]

    @cached_property
    def _leads(self) -> dict[Estimand, list[Lead]]:
        return {"slate": self._leads_of(PREFERRED), "session": self._leads_of(PREFERRED_SESSION)}

    def _leads_of(self, order: Sequence[str]) -> list[Lead]:
        total = self.objectives[-1]
        usable = {name: self._usable(name, total) for name in order if not ESTIMATORS[name].corrected_by}
        estimator = max(usable, key=lambda name: len(usable[name]))  # the first of the largest
        first, *others = usable[estimator] or [""]
        level = self._level_of_pairs(1 + len(others))
        found = []
        for other in others:
            interval = self.difference(first, other, estimator, level)
            mean, se, low, high = (float(x[-1]) for x in (interval.value, interval.se, interval.low, interval.high))
            found.append(Lead(first, other, estimator, total, mean, se, low, high))
        return found

    def power(self) -> list[dict[str, Any]]:
        """For each of `leads`, how many sessions like those of the log tell the two apart (`recsim.ope.power`).

        Records with policy, against, estimator, the sessions `now`, those `needed` (infinite where there is no
        difference), the smallest difference `detectable` now, and a `sentence`.
        """
        return [
            self._power_of(lead, self._level_of_pairs(1 + len(leads)))
            for leads in self._leads.values()
            for lead in leads
        ]

    def _by_objective(self, interval: Interval) -> dict[str, dict[str, Any]]:
        parts = {"mean": interval.value, "se": interval.se, "low": interval.low, "high": interval.high}
        return {
            objective: {name: float(values[place]) for name, values in parts.items()}
            for place, objective in enumerate(self.objectives)
        }

    def _power_of(self, lead: Lead, level: float) -> dict[str, Any]:
        names = (lead.policy, lead.against)
        verdicts = {
            e.policy: Verdict(e.verdict, e.reason)
            for e in self.estimates
            if e.policy in names and (e.estimator, e.objective) == (lead.estimator, lead.objective)
        }
        found = self._power(lead, level, verdicts)
        return {
            "policy": lead.policy,
            "against": lead.against,
            "estimator": lead.estimator,
            "now": found.n_sessions,
            "needed": found.needed,
            "detectable": found.detectable,
            "sentence": power_sentence(found, *names),
        }

    def _level_of_pairs(self, policies: int) -> float:
        return 1 - (1 - self.level) / max(1, policies * (policies - 1) // 2)

    def _power(self, lead: Lead, level: float, verdicts: dict[str, Verdict]) -> Power:
        terms = (self.terms[name, lead.estimator] for name in (lead.policy, lead.against))
        return power_of(*terms, level=level, verdicts=verdicts)

    def _usable(self, estimator: str, objective: str) -> list[str]:
        """Policies with a usable estimate, the highest first."""
        own = [e for e in self.estimates if (e.estimator, e.objective) == (estimator, objective)]
        return [e.policy for e in sorted(own, key=lambda e: -e.value) if e.verdict != "do not use"]

    def _difference(self, key: tuple[str, str], baseline: tuple[str, str], level: float) -> Interval:
        return difference(self.terms[key], self.terms[baseline], self.resamples, level)

    def _refuse_unknown(self, policy: str, estimator: str) -> None:
        known = {(estimate.policy, estimate.estimator) for estimate in self.estimates}
        if (policy, estimator) not in known:
            policies, estimators = (sorted({key[part] for key in known}) for part in (0, 1))
            raise ValueError(
                f"policy {policy!r} with estimator {estimator!r} was not evaluated; "
                f"choose from policies {', '.join(policies)} and estimators {', '.join(estimators)}."
            )


def estimates_of(
    policy: str,
    estimator: Estimator,
    objectives: Iterable[str],
    interval: Interval,
    overlaps: list[Overlap] | None,
    verdicts: list[Verdict],
) -> list[Estimate]:
    """The records of one policy and estimator, one per objective; `overlaps` of the weights, if it uses any."""
    return [
        Estimate(
            policy=policy,
            estimator=estimator.name,
            estimand=estimator.estimand,
            objective=objective,
            value=float(interval.value[i]),
            se=float(interval.se[i]),
            low=float(interval.low[i]),
            high=float(interval.high[i]),
            ess=math.nan if overlaps is None else overlaps[i].ess,
            max_weight=math.nan if overlaps is None else overlaps[i].largest,
            mean_weight=math.nan if overlaps is None else overlaps[i].mean,
            verdict=verdicts[i].level,
            reason=verdicts[i].reason,
        )
        for i, objective in enumerate(objectives)
    ]


def _without_nan(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in record.items()
    }
