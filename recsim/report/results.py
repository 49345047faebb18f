"""What a finished run found, as typed data: the shape of `metrics.json`, `examples.json` and their companions."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

REWARD = "reward"
LENGTH = "length"


def _number_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Measured = Annotated[float | None, BeforeValidator(_number_or_none)]
"""A number, or None where it is undefined."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Level = Literal["trust", "caution", "do not use"]


class Result(BaseModel):
    """Base of all parts: unchangeable; keys of later versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Interval(Result):
    """A mean with standard error and the ends of its interval."""

    mean: Finite
    se: Finite
    low: Finite
    high: Finite


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


class PolicyResult(Result):
    """One policy on simulated users.

    Attributes:
        name: what tables call it.
        kind: such as `ppo` or `myopic_oracle`.
        temperature: of the ranking; None where the policy has none.
        truth: per session, for every objective, `reward` and `length`.
        metrics: click-through rate (`ctr`), conversion rate (`cvr`), `novelty_per_click`, `coverage`, `gini`.
        slate_truth: per slate at the contexts of the log, which offline estimates estimate; None for an oracle.
    """

    name: str
    kind: str
    temperature: Measured = None
    truth: dict[str, Interval]
    metrics: dict[str, Measured] = {}
    slate_truth: dict[str, Interval] | None = None

    @property
    def is_oracle(self) -> bool:
        """Whether it sees hidden state, and so cannot be shipped."""
        return "oracle" in self.kind


class Difference(Interval):
    """How much more `policy` brings per session than `against`, on the same users with the same luck."""

    policy: str
    against: str
    objective: str


class Lead(Difference):
    """How much more a slate of `policy` promises than one of `against`, both by one estimator from the same log."""

    estimator: str


class Estimate(Result):
    """An offline estimate of one objective of one policy; `truth` is what it should have found."""

    policy: str
    estimator: str
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


class Metrics(Result):
    """The whole of `metrics.json`.

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


class ShownItem(Result):
    """An item of an example slate; `item` is -1 for an empty position."""

    item: int
    item_id: str = ""
    title: str = ""
    category: str = ""
    price: Measured = None


class Example(Result):
    """One slate that a policy showed, and what its user did.

    Attributes:
        examined: whether each position was looked at; None where the choice model does not tell.
    """

    policy: str
    user: int
    step: int
    items: tuple[ShownItem, ...]
    examined: tuple[bool, ...] | None = None
    click: tuple[bool, ...]
    conversion: tuple[bool, ...]

    @model_validator(mode="after")
    def _one_answer_a_position(self) -> Example:
        for name in ("examined", "click", "conversion"):
            answers = getattr(self, name)
            if answers is not None and len(answers) != len(self.items):
                raise ValueError(f"{name} has {len(answers)} entries for {len(self.items)} items")
        return self


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
    versions: dict[str, str] = {}
