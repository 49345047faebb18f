"""How much `recsim bench learn` measures, and the config of each of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from recsim.agents.fusion.scorers import EVIDENCE, OWN
from recsim.experiments.config import CatalogConfig, EvaluationConfig, LaunchLog, RunConfig, UsersConfig
from recsim.experiments.config_problems import problems_of
from recsim.experiments.errors import UserError
from recsim.experiments.policy_settings import (
    FusionPolicy,
    MyopicOraclePolicy,
    PopularityPolicy,
    PPOPolicy,
    StaticFusionPolicy,
    UniformPolicy,
)
from recsim.spelling import did_you_mean
from recsim.users import BUILT_IN

CLAIMED = ("marketplace", "feed", "choc")  # the worlds that the project's claims are about

FUSIONS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "average": ("average", {"own": list(EVIDENCE), "target": "conversion"}),
    "vote": ("vote", {}),
    "reciprocal_rank": ("reciprocal_rank", {}),
    "reciprocal_rank_reward": ("reciprocal_rank", {"own": list(OWN), "target": "reward"}),
    **{
        method: (method, {})
        for method in (
            *("concat", "weighted_concat", "shared_bottom", "mmoe", "gated", "attention", "transformer"),
            *("als", "item_knn", "lightgcn"),
        )
    },
}
EXPLORING = {"start_temperature": 1.0, "ent_coef": 0.05}
PPO_IN: Mapping[str, Mapping[str, Any]] = {"choc": EXPLORING}  # its start is drawn to bait, which must be unlearned
QUICK = tuple(name for name in FUSIONS if name != "transformer")  # which takes longer to fit than all others


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        presets: the worlds; none: those of `CLAIMED`.
        catalog: a bundled catalogue or a folder.
        seeds: worlds of each preset, from seed 0; logs and training are drawn anew in each.
        n_users: fresh users of every policy.
        n_selecting: other users, on whom the best fusion, the best single modality and the best of PPO's checkpoints
            are chosen.
        n_planned: how many of the fresh users, from the first, the planning oracle serves; it is slow.
        budget: its rollouts a decision.
        n_launch: users of the launch log.
        timesteps: slates that PPO is trained on.
        ppo: other settings of PPO, beside and before those of `PPO_IN`.
        methods: keys of `FUSIONS`.
        slate_size: k.
        horizon: most slates in a session.
        recent: clicked and bought items that agents are told by number.
        rounds: updates of PPO that are timed.
    """

    presets: tuple[str, ...] = CLAIMED
    catalog: str = "openclipart"
    seeds: int = 5
    n_users: int = 4000
    n_selecting: int = 500
    n_planned: int = 100
    budget: int = 640
    n_launch: int = 2000
    timesteps: int = 800_000
    ppo: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = QUICK
    slate_size: int = 10
    horizon: int = 30
    recent: int = 20
    rounds: int = 8

    @property
    def compared(self) -> str:
        """Where in a run folder the sessions are on which the best fusion is chosen.

        What no config tells is in the names of files, so that it is measured anew where it changes.
        """
        return f"results/learn/compared-{self.n_selecting}.parquet"

    @property
    def served(self) -> str:
        """Where the sessions of the fresh users are."""
        return f"results/learn/served-{self.n_selecting}.parquet"

    @property
    def planned(self) -> str:
        """Where the planning oracle's sessions are."""
        return f"results/learn/planned-{self.n_planned}-{self.budget}.parquet"

    @property
    def speed(self) -> str:
        """Where the speed of training is."""
        return f"results/learn/speed-{self.rounds}-{self.timesteps}-{self.n_selecting}.json"

    def check(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UserError: if a preset or a method is unknown, or the planned users are not among the others.
        """
        for name in self.presets:
            if name not in BUILT_IN:
                raise UserError(f"there is no preset {name!r}; the presets are {', '.join(BUILT_IN)}.")
        for name in self.methods:
            if name not in FUSIONS:
                raise UserError(f"there is no fusion {name!r} to compare; {did_you_mean(name, FUSIONS)}")
        if not 2 <= self.n_planned <= self.n_users:
            raise UserError(f"{self.n_planned} users to plan for; 2 to {self.n_users} (all users) are possible.")

    def config(self, preset: str, seed: int) -> RunConfig:
        """The config of one run.

        Raises:
            UserError: if PPO has no such settings.
        """
        return RunConfig(
            name=f"{preset} {seed}",
            seed=seed,
            catalog=CatalogConfig(name=self.catalog),
            users=UsersConfig(model=preset),
            slate_size=self.slate_size,
            horizon=self.horizon,
            recent=self.recent,
            launch_log=LaunchLog(n_users=self.n_launch),
            evaluation=EvaluationConfig(n_users=self.n_users),
            policies=(
                UniformPolicy(kind="uniform"),
                PopularityPolicy(kind="popularity"),
                StaticFusionPolicy(kind="static_fusion"),
                *self.fusions(),
                self._trained(preset),
                MyopicOraclePolicy(kind="myopic_oracle"),
            ),
        )

    def fusions(self) -> list[FusionPolicy]:
        """The fusions to compare, beside the static fusion where PPO starts."""
        return [
            FusionPolicy(kind="fusion", name=name.replace("_", " "), method=method, options=options)
            for name, (method, options) in FUSIONS.items()
            if name in self.methods
        ]

    def _trained(self, preset: str) -> PPOPolicy:
        curve = {"keep": "best", "eval_every": max(1, self.timesteps // 16), "eval_users": self.n_selecting}
        given = {"kind": "ppo", "temperature": 0.0, "timesteps": self.timesteps, **curve}
        given |= {**PPO_IN.get(preset, {}), **self.ppo}
        try:
            return PPOPolicy.model_validate(given)
        except ValidationError as error:
            raise UserError(f"--ppo: {problems_of(error, given, PPOPolicy)[0].sentence}") from error
