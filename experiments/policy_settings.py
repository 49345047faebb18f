"""The policies of a config, a class for each kind or for kinds that are set alike (see `kinds`)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from recsim.experiments.settings import Count, Name, NotNegative, Positive, Settings, Share
from recsim.preference import LEAST_CONCENTRATION

_UNSET: tuple[tuple[str, Any], ...] = (
    ("name", None),
    ("options", {}),
    ("preference", None),
    ("constraint", None),
)


class PolicySettings(Settings):
    """What every policy has; without a name it is called like its kind.

    Attributes:
        name: what tables and files call it.
    """

    name: Name | None = None

    @model_serializer(mode="wrap")
    def _without_the_unset(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in told(self).items() if (key, value) not in _UNSET}

    @property
    def title(self) -> str:
        """The name, or the kind in words."""
        return self.name or self._untold_name

    @property
    def slug(self) -> str:
        """The title as a file name."""
        return re.sub(r"[^a-z0-9.-]+", "_", self.title.lower())

    @property
    def builds_on_fusion(self) -> bool:
        """Whether it is, or starts from, the static fusion."""
        return False

    @property
    def judged_by_log(self) -> bool:
        """Whether a log says anything about it: it tells how likely any slate is from what agents see."""
        return True

    @property
    def _untold_name(self) -> str:
        return str(getattr(self, "kind")).replace("_", " ")  # noqa: B009 (each subclass has its kind)


class UniformPolicy(PolicySettings):
    """Any slate."""

    kind: Literal["uniform"]


class PopularityPolicy(PolicySettings):
    """The most popular items, or items drawn by popularity."""

    kind: Literal["popularity"]
    temperature: NotNegative = 0.0


class StaticFusionPolicy(PolicySettings):
    """Fixed modality weights fitted on the launch log, once for all policies that build on them."""

    kind: Literal["static_fusion"]
    temperature: NotNegative = 0.0

    @property
    def builds_on_fusion(self) -> bool:
        """It is the static fusion."""
        return True


class AgentSettings(PolicySettings):
    """What the policies around an agent class have.

    Attributes:
        temperature: 0 shows the highest scores; above 0 slates are drawn from Plackett-Luce.
        options: keyword arguments of the class, or of its `fit` where that makes the agent.
    """

    temperature: NotNegative = 0.0
    options: dict[str, Any] = Field(default_factory=dict)


class LoggedSettings(AgentSettings):
    """What agents that learn from a log have.

    Attributes:
        log: `launch`: the log from before anything was learned; `production`: one of the policy in production, as
            large as the production log but of other users, so that no policy is judged by what it was fitted on.
    """

    log: Literal["launch", "production"] = "launch"


class OnlineSettings(AgentSettings):
    """What agents that learn while they serve have.

    Attributes:
        n_users: users whom it serves while it learns.
    """

    n_users: Count = 500


class FusionPolicy(LoggedSettings):
    """Fusion of the modalities, fitted on a log.

    Attributes:
        method: one of `recsim.agents.fusion.METHODS`.
    """

    kind: Literal["fusion"]
    method: str

    @property
    def _untold_name(self) -> str:
        return f"{self.method.replace('_', ' ')} fusion"


class LLMRerankerPolicy(LoggedSettings):
    """A language model re-ranks the first of the static fusion, see `recsim.agents.language.reranker`.

    Attributes:
        model: folder of a causal language model.
    """

    kind: Literal["llm_reranker"]
    model: str


class LinUCBPolicy(OnlineSettings):
    """A linear bandit, see `recsim.agents.bandits.linucb`.

    Attributes:
        alpha: width of its confidence bound.
    """

    kind: Literal["linucb"]
    alpha: NotNegative = 0.5


class BanditPolicy(OnlineSettings):
    """The other bandits of `recsim.agents.bandits`.

    Attributes:
        explore: whether it is the policy that explores which is evaluated, not the ranking by what was learned.
    """

    kind: Literal["linear_thompson", "logistic_thompson", "neural_linear", "cascade_linucb", "epsilon_greedy"]
    explore: bool = False

    @model_validator(mode="after")
    def _one_chance(self) -> BanditPolicy:
        if self.explore and self.temperature:
            raise ValueError("a bandit explores in its own way, without a temperature; leave one of them out")
        return self


class WarmStarted(PolicySettings):
    """What agents have that may start from the static fusion.

    Attributes:
        warm_start: whether they do.
    """

    warm_start: bool = True

    @property
    def builds_on_fusion(self) -> bool:
        """Where it starts from it."""
        return self.warm_start


class SlateQPolicy(WarmStarted, OnlineSettings):
    """Values of slates by decomposition, see `recsim.agents.slateq`."""

    kind: Literal["slateq"]


class OfflinePolicy(WarmStarted, LoggedSettings):
    """Reinforcement learning from a log alone, see `recsim.agents.offline`.

    Attributes:
        temperature: 1 is what was trained.
    """

    kind: Literal["offpolicy_reinforce", "conservative", "counterfactual"]
    temperature: NotNegative = 1.0
    log: Literal["launch", "production"] = "production"


class TrainedPolicy(PolicySettings):
    """What every policy has that stable-baselines3 trains.

    Attributes:
        timesteps: slates to train on, over all environments.
        n_envs: users served side by side.
        eval_every: slates between two points of the learning curve.
        eval_users: users of the learning curve, always the same.
        patience: training stops after so many points in a row that are no improvement over the last one that was: the
            interval of the paired difference is not above 0. None: never.
        keep: the `last` policy, or the one with the `best` point of the learning curve.
        checkpoint_every: slates between two checkpoints, from which an interrupted training goes on; 0: none.
    """

    timesteps: Count = 200_000
    n_envs: Count = 256
    eval_every: Count = 20_000
    eval_users: Annotated[int, Field(ge=2)] = 200
    patience: Count | None = None
    keep: Literal["last", "best"] = "last"
    checkpoint_every: Annotated[int, Field(ge=0)] = 50_000

    @property
    def is_resumed(self) -> bool:
        """Whether its training can go on from a checkpoint."""
        return True


class PreferenceSettings(Settings):
    """Sessions of training in which the weights of the objectives differ, see `recsim.envs.Preference`.

    A preference multiplies the run's own weights, so that an even one stands for the run's reward.

    Attributes:
        concentration: of the Dirichlet distribution of preferences; below 1 one-sided ones come more often.
    """

    concentration: Annotated[float, Field(ge=LEAST_CONCENTRATION)] = 1.0


class ConstraintSettings(Settings):
    """An objective that is held at a least value in training, see `recsim.agents.training.constraint.AtLeast`.

    Attributes:
        objective: its name.
        least: what its mean per session must reach.
        rate: of dual ascent.
        damping: 0 is plain dual ascent.
    """

    objective: Literal["click", "conversion", "novelty"]
    least: float
    rate: Positive = 0.05
    damping: NotNegative = 1.0


class PPOPolicy(WarmStarted, TrainedPolicy):
    """Proximal policy optimisation of stable-baselines3; its names of settings are kept.

    The defaults differ from SB3's where slates call for it. The critic knows how much of a session is left, so that
    short traces (a low gae_lambda) cost little bias and spare the luck of all later slates. A position's probability
    may change by a third in an update: less learns slowly, more settles early.

    Attributes:
        temperature: of the trained policy when it is evaluated; 1 is what was trained.
        n_steps: slates a user between two updates.
        credit: whether each `position` is credited with what it earned, or the whole `slate` with all.
        teacher: a method of fusion, fitted on the launch log, whose ranking is imitated before training.
        start_temperature: of the policy around the warm start.
        hidden: width of the policy's small networks.
        tower: size of its two-tower embedding.
        fusion: how its item tower fuses modalities, a key of `recsim.agents.fusion.module.KINDS`.
        encoder: how it reads the items clicked lately, in worlds with `recent` above 0.
        mask_bought: whether it leaves out what was bought lately, in worlds with `recent` above 0.
        modalities: those of the catalogue that it sees; None: all. Without any it has behaviour, category and price.
        value_scale: order of magnitude of returns.
        preference: how the preferences that it is told in training are drawn; None: it is told none. Beside other
            policies and in its learning curve, it acts under an even one.
        constraint: what it must bring at least; None: nothing.
    """

    kind: Literal["ppo"]
    temperature: NotNegative = 1.0
    n_steps: Count = 16
    batch_size: Annotated[int, Field(ge=2)] = 1024  # advantages are normalised within a batch
    n_epochs: Count = 4
    learning_rate: Positive = 3e-3
    ent_coef: NotNegative = 0.0
    vf_coef: NotNegative = 0.5
    max_grad_norm: Positive = 0.5
    gamma: Share = 0.98
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.4
    clip_range: Positive = 0.35
    target_kl: Positive | None = None
    credit: Literal["position", "slate"] = "position"
    teacher: str | None = None
    start_temperature: Positive = 0.25
    hidden: Count = 64
    tower: Count = 32
    fusion: Literal["concat", "weighted_concat", "gated", "attention", "transformer"] | None = None
    encoder: Literal["gru", "transformer"] | None = None
    mask_bought: bool = False
    modalities: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    value_scale: Positive = 10.0
    preference: PreferenceSettings | None = None
    constraint: ConstraintSettings | None = None

    @model_validator(mode="after")
    def _whole_batches(self) -> PPOPolicy:
        if self.n_envs * self.n_steps % self.batch_size:
            slates = self.n_envs * self.n_steps
            raise ValueError(f"n_envs times n_steps is {slates}, which batch_size {self.batch_size} does not divide")
        return self

    @model_validator(mode="after")
    def _teacher_of_a_start(self) -> PPOPolicy:
        if self.teacher is not None and not self.warm_start:
            raise ValueError("a teacher is for a warm start, which is off; leave one of them out")
        return self

    @model_validator(mode="after")
    def _one_way_to_weigh(self) -> PPOPolicy:
        if self.preference and self.constraint:
            raise ValueError("a preference and a constraint both change what counts; leave one of them out")
        if self.preference and self.credit == "position":
            raise ValueError("a preference weighs sessions, not positions; set credit: slate and clip_range: 1.0")
        return self


class StockPolicy(TrainedPolicy):
    """An algorithm of stable-baselines3 or sb3-contrib with its stock networks.

    Attributes:
        algorithm: sac only for actions that are numbers, and without checkpoints, which hold no replay buffer: an
            interrupted training begins anew.
        action: what it decides, see `recsim.agents.sb3.policy.SB3Policy`: the items, a point of the taste space, or
            the weights with which modalities are fused.
        model: a file of a model that was trained elsewhere; without it, one is trained.
        options: keyword arguments of the algorithm's class, such as `learning_rate` and `policy_kwargs`; for a model
            from elsewhere, `policy_kwargs` and `deterministic` of `recsim.agents.sb3.policy.SB3Policy.load`.
    """

    kind: Literal["sb3"]
    algorithm: Literal["ppo", "sac", "recurrent_ppo"]
    action: Literal["slate", "proto", "fusion_weights"] = "fusion_weights"
    n_envs: Count = 32
    model: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _numbers_for_sac(self) -> StockPolicy:
        if (self.algorithm, self.action) == ("sac", "slate"):
            raise ValueError("sac decides numbers, not items; choose the action proto or fusion_weights")
        return self

    @property
    def judged_by_log(self) -> bool:
        """Not where its slates depend on what it saw before."""
        return self.algorithm != "recurrent_ppo"

    @property
    def is_resumed(self) -> bool:
        """Whether it is on-policy."""
        return self.algorithm != "sac"


class CustomPolicy(LoggedSettings, OnlineSettings):
    """An agent of one's own, see `recsim.agents.contract`.

    Attributes:
        agent: "package.module:Class".
        temperature: of an agent that has `scores`.
        log: what it learns from, where it has `fit`.
        n_users: users whom it serves while it learns, where it has `train`.
    """

    kind: Literal["custom"]
    agent: str

    @field_validator("agent")
    @classmethod
    def _names_a_class(cls, value: str) -> str:
        if not re.fullmatch(r"\w+(\.\w+)*:\w+", value):
            raise ValueError(f"{value!r} names no class; write 'package.module:Class'")
        return value

    @property
    def _untold_name(self) -> str:
        return self.agent.rpartition(":")[2]


class MyopicOraclePolicy(PolicySettings):
    """The best slate of each step, from the hidden state."""

    kind: Literal["myopic_oracle"]

    @property
    def judged_by_log(self) -> bool:
        """It sees more than agents."""
        return False
