"""What a run consists of, as data. `recsim.experiments.config_file` reads it from YAML."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from recsim.objectives import Objectives

ORACLES = ("myopic_oracle",)  # they see the hidden state, so a log says nothing about them

NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$", max_length=60)]


class Settings(BaseModel):
    """Base of all parts of a config: no unknown keys, no change, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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
        batch: users simulated at once; results depend on it at most by the rounding of matrix products.
    """

    n_users: Annotated[int, Field(ge=2)] = 2000
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    n_boot: Annotated[int, Field(ge=2)] = 500
    batch: Count = 512


class PolicySettings(Settings):
    """What every policy has; without a name it is called like its kind.

    Attributes:
        name: what tables and files call it.
    """

    name: Name | None = None

    @model_serializer(mode="wrap")
    def _without_unset_name(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in told(self).items() if key != "name" or value is not None}

    @property
    def title(self) -> str:
        """The name, or the kind in words."""
        return self.name or str(getattr(self, "kind")).replace("_", " ")  # noqa: B009 (each subclass has its kind)

    @property
    def slug(self) -> str:
        """The title as a file name."""
        return re.sub(r"[^a-z0-9.-]+", "_", self.title.lower())


class UniformPolicy(PolicySettings):
    """Any slate."""

    kind: Literal["uniform"]


class PopularityPolicy(PolicySettings):
    """The most popular items, or items drawn by popularity."""

    kind: Literal["popularity"]
    temperature: NotNegative = 0.0


class StaticFusionPolicy(PolicySettings):
    """Fixed modality weights fitted on the launch log."""

    kind: Literal["static_fusion"]
    temperature: NotNegative = 0.0


class LinUCBPolicy(PolicySettings):
    """A linear bandit that learns while it serves `n_users` users."""

    kind: Literal["linucb"]
    temperature: NotNegative = 0.0
    alpha: NotNegative = 0.5
    n_users: Count = 500


class PPOPolicy(PolicySettings):
    """Proximal policy optimisation of stable-baselines3; its names of settings are kept.

    The defaults differ from SB3's where slates call for it: a slate's probability ratio is a product over its
    positions, so that a clip range of 0.2 would stop every update at once; the critic's weight keeps its gradient
    from filling max_grad_norm.

    Attributes:
        temperature: of the trained policy when it is evaluated; 1 is what was trained.
        timesteps: slates to train on, over all environments.
        n_envs: users served side by side.
        n_steps: slates a user between two updates.
        warm_start: whether to start from the static fusion.
        start_temperature: of the policy around the warm start.
        hidden: width of the policy's small networks.
        tower: size of its two-tower embedding.
        value_scale: order of magnitude of returns.
        eval_every: slates between two points of the learning curve.
        eval_users: users of the learning curve, always the same.
    """

    kind: Literal["ppo"]
    temperature: NotNegative = 1.0
    timesteps: Count = 200_000
    n_envs: Count = 256
    n_steps: Count = 32
    batch_size: Annotated[int, Field(ge=2)] = 4096  # advantages are normalised within a batch
    n_epochs: Count = 4
    learning_rate: Positive = 3e-3
    ent_coef: NotNegative = 0.0
    vf_coef: NotNegative = 0.05
    max_grad_norm: Positive = 0.5
    gamma: Share = 0.95
    gae_lambda: Share = 0.8
    clip_range: Positive = 1.0
    target_kl: Positive | None = None
    warm_start: bool = True
    start_temperature: Positive = 0.25
    hidden: Count = 64
    tower: Count = 16
    value_scale: Positive = 10.0
    eval_every: Count = 20_000
    eval_users: Annotated[int, Field(ge=2)] = 200

    @model_validator(mode="after")
    def _whole_batches(self) -> PPOPolicy:
        if self.n_envs * self.n_steps % self.batch_size:
            slates = self.n_envs * self.n_steps
            raise ValueError(f"n_envs times n_steps is {slates}, which batch_size {self.batch_size} does not divide")
        return self


class MyopicOraclePolicy(PolicySettings):
    """The best slate of each step, from the hidden state."""

    kind: Literal["myopic_oracle"]


PolicyConfig = Annotated[
    UniformPolicy | PopularityPolicy | StaticFusionPolicy | LinUCBPolicy | PPOPolicy | MyopicOraclePolicy,
    Field(discriminator="kind"),
]


class RunConfig(Settings):
    """A whole run.

    Attributes:
        name: of the run, in the report.
        seed: every draw of the run follows from it.
        catalog: the items.
        users: the users.
        slate_size: k.
        horizon: most slates in a session.
        sessions: most sessions of a user; above 1, users come back if their model says so.
        objectives: their weights in the reward.
        launch_log: collected first, where anything builds on the static fusion.
        production_log: collected by the policy in production.
        evaluation: how policies are measured.
        policies: what is compared.
    """

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    catalog: CatalogConfig = CatalogConfig(name="openclipart")
    users: UsersConfig = UsersConfig()
    slate_size: Count = 10
    horizon: Count = 30
    sessions: Count = 1
    objectives: ObjectiveWeights = ObjectiveWeights()
    launch_log: LaunchLog = LaunchLog()
    production_log: ProductionLog = ProductionLog()
    evaluation: EvaluationConfig = EvaluationConfig()
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
        if all(policy.kind in ORACLES for policy in self.policies):
            raise ValueError("all policies are oracles, on which a log says nothing; add another policy")
        return self

    @property
    def baseline(self) -> PolicyConfig:
        """The policy that the others are compared with: the first static fusion, or else the first policy."""
        fusions = (policy for policy in self.policies if policy.kind == "static_fusion")
        return next(fusions, self.policies[0])

    @property
    def needs_fusion(self) -> bool:
        """Whether any part of the run builds on the static fusion."""
        return self.production_log.policy == "static_fusion" or any(needs_fusion(policy) for policy in self.policies)


def needs_fusion(policy: PolicyConfig) -> bool:
    """Whether a policy is, or starts from, the static fusion."""
    return policy.kind == "static_fusion" or (isinstance(policy, PPOPolicy) and policy.warm_start)
