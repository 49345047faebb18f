"""Policies of a config as objects that act; trained ones are loaded from the models of a run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recsim.experiments.config import (
    LinUCBPolicy,
    MyopicOraclePolicy,
    PolicyConfig,
    PopularityPolicy,
    PPOPolicy,
    StaticFusionPolicy,
    UniformPolicy,
)
from recsim.experiments.errors import UserError
from recsim.experiments.world import World
from recsim.oracle import MyopicOracle
from recsim.policy import Policy, Ranking, Scorer, only_there, popularity, uniform
from recsim.simulator import Simulator

if TYPE_CHECKING:
    from recsim.agents.fusion.static import StaticFusion

FUSION_FILE = "models/static_fusion.safetensors"


def model_file(policy: PolicyConfig) -> str | None:
    """Where in a run folder the trained model of a policy is, or None where nothing is trained."""
    if isinstance(policy, StaticFusionPolicy):
        return FUSION_FILE
    if isinstance(policy, LinUCBPolicy):
        return f"models/{policy.slug}.safetensors"
    return f"models/{policy.slug}.zip" if isinstance(policy, PPOPolicy) else None


def build(policy: PolicyConfig, world: World, run: Path | None, simulator: Simulator) -> Policy:
    """The policy that a config describes.

    Args:
        policy: its config.
        world: whose items it ranks.
        run: the run folder with its model; None will do for policies that are not trained.
        simulator: where it will act; only oracles look at it.

    Raises:
        UserError: if it must be trained first.
    """
    catalog, k = world.catalog, world.config.slate_size
    if isinstance(policy, MyopicOraclePolicy):
        return MyopicOracle(simulator, name=policy.title)
    if isinstance(policy, UniformPolicy):
        ranking = replace(uniform(catalog, k), name=policy.title)
    elif isinstance(policy, PopularityPolicy):
        ranking = replace(popularity(catalog, k, policy.temperature), name=policy.title)
    else:
        ranking = Ranking(policy.title, _trained(policy, world, run), k, policy.temperature)
    return only_there(ranking, simulator.born, simulator.layout)


def load_fusion(world: World, run: Path) -> StaticFusion:
    """The static fusion of a run."""
    from recsim.agents.fusion.static import StaticFusion

    return StaticFusion.load(run / FUSION_FILE, world.catalog, world.layout)


def _trained(policy: StaticFusionPolicy | LinUCBPolicy | PPOPolicy, world: World, run: Path | None) -> Scorer:
    file = model_file(policy)
    path = run / str(file) if run else None
    if path is None or not path.is_file():
        where = f"{run} has no {file}" if run else "no run folder was given"
        raise UserError(
            f"{policy.title!r} must be trained first and {where}: `recsim train CONFIG {policy.slug} --out RUN`."
        )
    if isinstance(policy, StaticFusionPolicy):
        return load_fusion(world, path.parent.parent)
    if isinstance(policy, LinUCBPolicy):
        from recsim.agents.linucb import LinUCB

        return LinUCB.load(path, world.catalog, world.layout)
    from recsim.agents.ppo.scorer import PPOScorer

    return PPOScorer.load(path, world.catalog, world.layout)
