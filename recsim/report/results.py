"""What a finished run found, as typed data: the shape of `metrics.json`, `examples.json` and their companions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from recsim.report.measured import REWARD, Difference, Finite, Interval, Lead, Measured, Result
from recsim.report.offline import Estimate, OfflineParts

__all__ = ["REWARD", "Difference", "Estimate", "Interval", "Lead", "Metrics", "PolicyResult"]

LENGTH = "length"


class CatalogFact(Result):
    """Which catalogue was used."""

    name: str
    n_items: int


class LogFact(Result):
    """Which log the offline estimates come from."""

    policy: str
    temperature: Measured = None
    slates: int
    sessions: int


class JudgeFact(Result):
    """What a language model counts that re-ranks.

    Attributes:
        weight: logits of a click that a logit of its answer is worth.
        fitted: whether the log decided that, or somebody did.
    """

    weight: Finite
    fitted: bool


class PolicyResult(Result):
    """One policy on simulated users.

    Attributes:
        name: what tables call it.
        kind: such as `ppo` or `myopic_oracle`.
        temperature: of the ranking; None where the policy has none.
        truth: per session, for every objective, `reward` and `length`.
        metrics: click-through rate (`ctr`), conversion rate (`cvr`), `novelty_per_click`, `coverage`, `gini`.
        slate_truth: per slate at the contexts of the log, which offline estimates estimate; None for an oracle.
        judge: of a policy that a language model re-ranks.
    """

    name: str
    kind: str
    temperature: Measured = None
    truth: dict[str, Interval]
    metrics: dict[str, Measured] = Field(default_factory=dict)
    slate_truth: dict[str, Interval] | None = None
    judge: JudgeFact | None = None

    @property
    def is_oracle(self) -> bool:
        """Whether it sees hidden state, and so cannot be shipped."""
        return "oracle" in self.kind


class FrontPoint(Result):
    """What a policy brings under one preference.

    Attributes:
        preference: (o,) weights that multiply those of the run's objectives.
        truth: per session, for every objective.
        dominated: whether the same policy under another preference is as good in all objectives and better in one.
    """

    preference: tuple[Finite, ...]
    truth: dict[str, Interval]
    dominated: bool


class FrontFamily(Result):
    """One policy under every preference of a grid.

    Attributes:
        moves: by objective, how much more a preference for the last objective alone brings than one for the first.
        hypervolume: the volume of what the points dominate above 0.
    """

    family: str
    points: Annotated[tuple[FrontPoint, ...], Field(min_length=1)]
    moves: dict[str, Interval]
    hypervolume: Interval


class Front(Result):
    """The fronts of a run, all of the same users.

    Attributes:
        differences: of the hypervolume, against the static fusion.
    """

    n_users: int
    families: tuple[FrontFamily, ...]
    differences: tuple[Difference, ...] = ()


class Metrics(OfflineParts):
    """The whole of `metrics.json`; under the names of `OfflineParts`, what the log says.

    Attributes:
        differences: every policy against the baseline, each interval of the run's level.
        best: the policy with the highest return, oracles left out, against every other; together of the run's level.
        offline: estimates from the log.
        front: what policies bring under other preferences, None where that was not measured.
        offline_differences: the policy with the highest estimate against every other that can be compared with it;
            together of the run's level.
    """

    schema_version: Literal[1] = Field(alias="schema")
    name: str
    seed: int
    catalog: CatalogFact
    objectives: tuple[str, ...]
    weights: tuple[Finite, ...]
    slate_size: int
    horizon: int
    n_users: int
    level: Annotated[float, Field(gt=0, lt=1)]
    baseline: str | None = None
    log: LogFact
    policies: Annotated[tuple[PolicyResult, ...], Field(min_length=1)]
    differences: tuple[Difference, ...] = ()
    best: tuple[Difference, ...] = ()
    offline: tuple[Estimate, ...] = ()
    offline_differences: tuple[Lead, ...] = ()
    front: Front | None = None
    warnings: tuple[str, ...] = ()


class CurvePoint(Result):
    """How good a learning policy was after so many slates of training, and whether it is the policy that was kept."""

    policy: str
    timesteps: int
    reward: Finite
    low: Measured = None
    high: Measured = None
    kept: bool = False


class Manifest(Result):
    """What made the run.

    Attributes:
        recsim: version.
        versions: of Python and the packages.
    """

    recsim: str
    versions: dict[str, str] = Field(default_factory=dict)
