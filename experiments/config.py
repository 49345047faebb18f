"""What a run consists of, as data. `recsim.experiments.config_file` reads it from YAML."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from recsim.experiments.policy_settings import (
    BanditPolicy,
    CustomPolicy,
    FusionPolicy,
    LinUCBPolicy,
    LLMRerankerPolicy,
    MyopicOraclePolicy,
    OfflinePolicy,
    PopularityPolicy,
    PPOPolicy,
    SlateQPolicy,
    StaticFusionPolicy,
    StockPolicy,
    UniformPolicy,
)
from recsim.experiments.settings import Count, Name, Positive, Settings
from recsim.experiments.view import ViewConfig
from recsim.objectives import Objectives
from recsim.ope.evaluation.estimators import chosen

ORACLES = ("myopic_oracle",)  # they see the hidden state, so a log says nothing about them

LearnedPolicy = (
    StaticFusionPolicy
    | FusionPolicy
    | LLMRerankerPolicy
    | LinUCBPolicy
    | BanditPolicy
    | SlateQPolicy
    | OfflinePolicy
    | PPOPolicy
    | StockPolicy
    | CustomPolicy
)
PolicyConfig = Annotated[
    UniformPolicy | PopularityPolicy | LearnedPolicy | MyopicOraclePolicy, Field(discriminator="kind")
]


class SyntheticConfig(Settings):
    """A made-up catalogue, see `Catalog.synthetic`."""

    n_items: Count = 200
    n_categories: Count = 5
    seed: Annotated[int, Field(ge=0)] = 0
    missing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class CatalogConfig(Settings):
    """The items: `catalog: openclipart` (bundled, or a folder), or made up: `catalog: {synthetic: {n_items: 200}}`.

    Attributes:
        name: name or folder, or None.
        synthetic: the made-up catalogue, or None.
    """

    name: str | None = None
    synthetic: SyntheticConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of_both(self) -> CatalogConfig:
        if (self.name is None) == (self.synthetic is None):
            raise ValueError("needs either a name or synthetic, and not both")
        return self

    @model_serializer
    def _shortest(self) -> str | dict[str, Any]:
        return self.name if self.synthetic is None else {"synthetic": self.synthetic.model_dump()}  # type: ignore[return-value]


class UsersConfig(Settings):
    """The users.

    Attributes:
        model: a built-in name, or an import string "package.module:Class".
        options: keyword arguments of the class; for built-in users, fields of their config.
    """

    model: str = "marketplace"
    options: dict[str, Any] = Field(default_factory=dict)


class ObjectiveWeights(Settings):
    """Weights of the objectives in the reward, see `recsim.objectives.Objectives`."""

    click: float = Objectives.click
    conversion: float = Objectives.conversion
    novelty: float = Objectives.novelty


class LogSettings(Settings):
    """What every log has.

    Attributes:
        policy: kind of the policy that collects it.
        temperature: of that policy, which is softened so that it shows other slates now and then; uniform has none.
        n_users: users whom it serves.
    """

    policy: Literal["uniform", "popularity", "static_fusion"]
    temperature: Positive = 1.0
    n_users: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _no_temperature_of_uniform(self) -> Self:
        if self.policy == "uniform" and "temperature" in self.model_fields_set:
            raise ValueError("the policy uniform has no temperature, leave it out")
        return self

    @model_serializer(mode="wrap")
    def _what_applies(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in told(self).items() if (key, self.policy) != ("temperature", "uniform")}

    def collector(self, name: str) -> PolicyConfig:
        """The policy that collects the log, called `name`."""
        if self.policy == "uniform":
            return UniformPolicy(kind=self.policy, name=name)
        if self.policy == "popularity":
            return PopularityPolicy(kind=self.policy, name=name, temperature=self.temperature)
        return StaticFusionPolicy(kind=self.policy, name=name, temperature=self.temperature)


class LaunchLog(LogSettings):
    """The log from before anything was learned, on which the static fusion is fitted."""

    policy: Literal["uniform", "popularity"] = "popularity"
    n_users: Annotated[int, Field(ge=2)] = 500


class ProductionLog(LogSettings):
    """The log of the policy in production, from which the others are judged."""

    policy: Literal["uniform", "popularity", "static_fusion"] = "static_fusion"
    n_users: Annotated[int, Field(ge=2)] = 1000


class EvaluationConfig(Settings):
    """How policies are measured.

    Attributes:
        n_users: users on whom every policy is run.
        level: of all intervals.
        n_boot: bootstrap draws of the offline estimates.
        estimators: of the offline estimates, by name (`recsim.ope.ESTIMATORS`); by default those that are fast.
        batch: users simulated at once; results depend on it at most by the rounding of matrix products.
    """

    n_users: Annotated[int, Field(ge=2)] = 2000
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    n_boot: Annotated[int, Field(ge=2)] = 500
    estimators: tuple[str, ...] | None = None
    batch: Count = 512

    @field_validator("estimators")
    @classmethod
    def _known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None:
            chosen(names)
        return names


class FrontConfig(Settings):
    """The fronts of the policies that are told a preference, and of the static fusion.

    Attributes:
        parts: preferences are all those in multiples of 1 / parts.
        n_users: users on whom every policy is run under every preference.
        n_boot: bootstrap draws of the hypervolume.
    """

    parts: Count = 4
    n_users: Annotated[int, Field(ge=2)] = 500
    n_boot: Annotated[int, Field(ge=2)] = 500


class RunConfig(Settings):
    """A whole run.

    Attributes:
        name: of the run, in the report.
        seed: every draw of the run follows from it.
        catalog: the items.
        users: the users.
        view: what agents and reports see of the items, where that is not the truth.
        slate_size: k.
        horizon: most slates in a session.
        sessions: most sessions of a user; above 1, users come back if their model says so.
        recent: how many of the last clicked and bought items agents are told by number.
        objectives: their weights in the reward.
        launch_log: collected first, where anything builds on the static fusion.
        production_log: collected by the policy in production.
        evaluation: how policies are measured.
        front: whether, and on which grid, fronts are measured.
        policies: what is compared.
    """

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    catalog: CatalogConfig = CatalogConfig(name="openclipart")
    users: UsersConfig = UsersConfig()
    view: ViewConfig | None = None
    slate_size: Count = 10
    horizon: Count = 30
    sessions: Count = 1
    recent: Annotated[int, Field(ge=0)] = 0
    objectives: ObjectiveWeights = ObjectiveWeights()
    launch_log: LaunchLog = LaunchLog()
    production_log: ProductionLog = ProductionLog()
    evaluation: EvaluationConfig = EvaluationConfig()
    front: FrontConfig | None = None
    policies: Annotated[tuple[PolicyConfig, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def _distinct_policies(self) -> RunConfig:
        slugs = [policy.slug for policy in self.policies]
        for policy, slug in zip(self.policies, slugs, strict=True):
            if slugs.count(slug) > 1:
                raise ValueError(f"two policies are called {policy.title!r}; give each a name of its own")
            if slug == "static_fusion" and policy.kind != "static_fusion":
                raise ValueError(
                    f"a policy of kind {policy.kind} is called {policy.title!r}, the name of another kind; rename it"
                )
        return self

    @model_validator(mode="after")
    def _something_to_judge(self) -> RunConfig:
        if not any(policy.judged_by_log for policy in self.policies):
            what = "oracles" if all(policy.kind in ORACLES for policy in self.policies) else "oracles or recurrent"
            raise ValueError(f"all policies are {what}, on which a log says nothing; add another policy")
        return self

    @model_validator(mode="after")
    def _recent_items_told(self) -> RunConfig:
        for policy in self.policies:
            reads = isinstance(policy, LLMRerankerPolicy)
            reads |= isinstance(policy, PPOPolicy) and bool(policy.encoder or policy.mask_bought)
            if reads and not self.recent:
                raise ValueError(f"{policy.title!r} reads what was clicked or bought lately; set recent to 20 or so")
        return self

    @model_validator(mode="after")
    def _weights_to_prefer(self) -> RunConfig:
        for name, weight in self.objectives.model_dump().items():
            if weight <= 0 and (self.front or self.conditioned):
                raise ValueError(
                    f"the weight of objective {name} is {weight:g}; preferences multiply weights, which are above 0"
                )
        return self

    @property
    def conditioned(self) -> list[PPOPolicy]:
        """The policies that are told a preference."""
        return [policy for policy in self.policies if isinstance(policy, PPOPolicy) and policy.preference]

    @property
    def baseline(self) -> PolicyConfig:
        """The policy that the others are compared with: the first static fusion, or else the first policy."""
        fusions = (policy for policy in self.policies if policy.kind == "static_fusion")
        return next(fusions, self.policies[0])

    @property
    def needs_fusion(self) -> bool:
        """Whether any part of the run builds on the static fusion."""
        served = self.production_log.policy == "static_fusion"
        return served or self.front is not None or any(policy.builds_on_fusion for policy in self.policies)
