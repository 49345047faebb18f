"""What a log says about policies, as typed data: the shape of what `recsim evaluate` finds, alone or within a run."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import Field

from recsim.ope import PREFERRED, PREFERRED_SESSION
from recsim.report.coverage import Coverage
from recsim.report.examples import Example
from recsim.report.measured import (
    REWARD,
    VERDICTS,
    Estimand,
    Finite,
    Interval,
    Lead,
    Level,
    Measured,
    Result,
)
from recsim.report.offline_details import Calibration, Guaranteed, PolicyOverlap, Power, Source


class Estimate(Result):
    """An offline estimate of one objective of one policy; `truth` is what it should have found."""

    policy: str
    estimator: str
    estimand: Estimand = "slate"
    objective: str
    value: Measured
    se: Measured = None
    low: Measured = None
    high: Measured = None
    ess: Measured = None
    max_weight: Measured = None
    mean_weight: Measured = None
    verdict: Level
    reason: str
    truth: Measured = None

    @property
    def usable(self) -> bool:
        """Whether there is a number to act on."""
        return self.value is not None and self.verdict != "do not use"


class OfflineParts(Result):
    """What a run and an evaluation of a log alone have under the same names.

    Attributes:
        session_differences: as `Offline.differences`, of whole sessions.
        left_out: estimators that could not be used, with what they need.
        overlap: by policy.
        power: what it takes to tell policies apart.
        guaranteed: intervals that hold at any sample size.
        region: edges of regions that hold for all objectives of a policy at once.
        calibration: of estimated propensities.
        assessment: how good a guide each estimator is, in named numbers; only where the truth is known.
        coverage: what `recsim bench coverage` measured.
        in_force: by estimand and objective, what the policy of the log itself earned.
    """

    session_differences: tuple[Lead, ...] = ()
    left_out: dict[str, str] = Field(default_factory=dict)
    overlap: dict[str, PolicyOverlap] = Field(default_factory=dict)
    power: tuple[Power, ...] = ()
    guaranteed: tuple[Guaranteed, ...] = ()
    region: tuple[Guaranteed, ...] = ()
    calibration: Calibration | None = None
    assessment: tuple[dict[str, Measured | str], ...] = ()
    coverage: Coverage | None = None
    in_force: dict[Estimand, dict[str, Interval]] = Field(default_factory=dict)


class Offline(OfflineParts):
    """Estimates of policies from one log.

    Attributes:
        level: of the intervals.
        n_slates: rows of the log.
        n_sessions: sessions of the log.
        objectives: the last is `reward`.
        weights: of the objectives but `reward` in it; empty where unknown.
        differences: the policy of the highest usable estimate against every other; together of the level.
        warnings: by policy.
        examples: slates of the log.
        source: where the log is from.
        ranked: names of the policies, the best first; by default as their estimates rank them.
    """

    level: Annotated[float, Field(gt=0, lt=1)]
    n_slates: int
    n_sessions: int
    n_boot: int | None = None
    seed: int | None = None
    objectives: Annotated[tuple[str, ...], Field(min_length=1)]
    weights: tuple[Finite, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    differences: tuple[Lead, ...] = ()
    warnings: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    source: Source = Source()
    ranked: tuple[str, ...] = ()

    @property
    def logging_policy(self) -> str:
        """The policy of the log, as it reads within a sentence."""
        name = self.source.policy
        return "the policy in production" if name in ("", "production") else name

    @property
    def estimands(self) -> list[Estimand]:
        """What is estimated."""
        known: tuple[Estimand, ...] = ("slate", "session")
        return [one for one in known if any(e.estimand == one for e in self.estimates)]

    @cached_property
    def policies(self) -> list[str]:
        """Names of the policies that have estimates, the best first; those without a usable one last."""
        names = list(dict.fromkeys(estimate.policy for estimate in self.estimates))
        if self.ranked:
            return [name for name in self.ranked if name in names]
        return sorted(names, key=lambda name: self._promise(name), reverse=True)

    def of(self, policy: str, objective: str = REWARD, estimand: Estimand = "slate") -> list[Estimate]:
        """The estimates of one objective of one policy."""
        return self._by_kind.get((policy, objective, estimand), [])

    def by(self, policy: str, estimator: str, objective: str = REWARD) -> Estimate | None:
        """The estimate of one objective of one policy by one estimator."""
        return next(
            (e for one in ("slate", "session") for e in self.of(policy, objective, one) if e.estimator == estimator),
            None,
        )

    def speaker(self, policy: str, objective: str = REWARD, estimand: Estimand = "slate") -> Estimate | None:
        """The estimate that speaks for a policy: the best verdict, then the first of `preferred`."""
        rank = {name: place for place, name in enumerate(self.preferred(estimand))}
        return min(
            (e for e in self.of(policy, objective, estimand) if e.value is not None),
            key=lambda e: (VERDICTS.index(e.verdict), rank.get(e.estimator, len(rank)), e.estimator),
            default=None,
        )

    @property
    def first(self) -> str:
        """The policy that comes first: by the ranking if there is one, else as far as the log can tell; "" if not."""
        leads = [lead for estimand in self.estimands[:1] for lead in self.leads(estimand)]
        if self.ranked and self.policies:
            return self.policies[0]
        return leads[0].policy if leads else ""

    def preferred(self, estimand: Estimand) -> list[str]:
        """The estimators of this evaluation, the one that speaks first at the front; those that are not known last."""
        order = PREFERRED if estimand == "slate" else PREFERRED_SESSION
        used = dict.fromkeys(e.estimator for e in self.estimates if e.estimand == estimand)
        return [*(name for name in order if name in used), *sorted(name for name in used if name not in order)]

    def leads(self, estimand: Estimand) -> list[Lead]:
        """How far the first policy is ahead of the others in the reward."""
        found = self.differences if estimand == "slate" else self.session_differences
        return [lead for lead in found if lead.objective == REWARD]

    @cached_property
    def _by_kind(self) -> dict[tuple[str, str, Estimand], list[Estimate]]:
        found: dict[tuple[str, str, Estimand], list[Estimate]] = {}
        for estimate in self.estimates:
            found.setdefault((estimate.policy, estimate.objective, estimate.estimand), []).append(estimate)
        return found

    def _promise(self, policy: str) -> tuple[bool, bool, float]:
        """By what a policy is ranked: whether it leads, whether its estimate is usable, and its value."""
        estimand = self.estimands[0]
        leads, spoken = self.leads(estimand), self.speaker(policy, estimand=estimand)
        first = bool(leads) and leads[0].policy == policy
        if spoken is None or spoken.value is None:
            return first, False, float("-inf")
        return first, spoken.usable, spoken.value
