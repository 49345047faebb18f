"""What an evaluation returns: one estimate per policy, estimator and objective, and the means to compare policies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import pandas as pd

from recsim.ope.diagnostics import Level, Overlap, Verdict
from recsim.ope.intervals import Interval, Resamples, difference
from recsim.ope.terms import Terms


@dataclass(frozen=True)
class Estimate:
    """The value of one objective under one policy, by one estimator.

    Attributes:
        policy: name of the target policy.
        estimator: `sips`, `rips`, `snsips`, `snrips`, `dm` or `dr`.
        objective: name of the objective; `reward` is the weighted sum of all.
        value: mean value of a slate; NaN only where the verdict is `do not use`.
        se: standard error, clustered by session.
        low: lower end of the interval.
        high: upper end of the interval.
        ess: effective sample size in slates; NaN for `dm`, which uses no weights.
        max_weight: largest importance weight; NaN for `dm`.
        mean_weight: mean importance weight, which should be 1; NaN for `dm`.
        verdict: `trust`, `caution` or `do not use`.
        reason: one sentence.
    """

    policy: str
    estimator: str
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


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Estimates of several policies from one log.

    Attributes:
        estimates: one per policy, estimator and objective, in this order.
        warnings: for every policy, plain sentences for a decision maker.
        objectives: names of the objectives, the last being `reward`.
        level: level of the intervals.
        n_slates: rows of the log.
        n_sessions: sessions of the log, the clusters of the bootstrap.
        n_boot: bootstrap draws.
        seed: seed of the bootstrap, of the reward model and of the target policies' draws.
    """

    estimates: tuple[Estimate, ...]
    warnings: dict[str, list[str]]
    objectives: tuple[str, ...]
    level: float
    n_slates: int
    n_sessions: int
    n_boot: int
    seed: int
    terms: dict[tuple[str, str], Terms] = field(repr=False)
    resamples: Resamples = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """A long table with the columns of `Estimate`, one row per policy, estimator and objective."""
        return pd.DataFrame(
            [asdict(estimate) for estimate in self.estimates], columns=[f.name for f in fields(Estimate)]
        )

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON: plain numbers, None for NaN."""
        return {
            "level": self.level,
            "n_slates": self.n_slates,
            "n_sessions": self.n_sessions,
            "n_boot": self.n_boot,
            "seed": self.seed,
            "objectives": list(self.objectives),
            "estimates": [_without_nan(asdict(estimate)) for estimate in self.estimates],
            "warnings": {policy: list(sentences) for policy, sentences in self.warnings.items()},
        }

    def difference(self, policy: str, baseline: str, estimator: str = "dr") -> Interval:
        """How much more `policy` promises than `baseline`, paired on the same log, for every objective.

        Raises:
            ValueError: if a policy or the estimator was not evaluated.
        """
        parts = [self._terms_of(name, estimator) for name in (policy, baseline)]
        return difference(parts[0], parts[1], self.resamples, self.level)

    def _terms_of(self, policy: str, estimator: str) -> Terms:
        if (policy, estimator) not in self.terms:
            known = [sorted({key[part] for key in self.terms}) for part in (0, 1)]
            raise ValueError(
                f"policy {policy!r} with estimator {estimator!r} was not evaluated; "
                f"choose from policies {', '.join(known[0])} and estimators {', '.join(known[1])}."
            )
        return self.terms[policy, estimator]


def estimates_of(
    policy: str,
    estimator: str,
    objectives: Iterable[str],
    interval: Interval,
    overlaps: list[Overlap],
    verdicts: list[Verdict],
) -> list[Estimate]:
    """The records of one policy and estimator, one per objective."""
    weighted = estimator != "dm"
    return [
        Estimate(
            policy=policy,
            estimator=estimator,
            objective=objective,
            value=float(interval.value[i]),
            se=float(interval.se[i]),
            low=float(interval.low[i]),
            high=float(interval.high[i]),
            ess=overlaps[i].ess if weighted else math.nan,
            max_weight=overlaps[i].largest if weighted else math.nan,
            mean_weight=overlaps[i].mean if weighted else math.nan,
            verdict=verdicts[i].level,
            reason=verdicts[i].reason,
        )
        for i, objective in enumerate(objectives)
    ]


def _without_nan(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in record.items()
    }
