"""The stages of a run of the bench: training, the choice among fusions, and the sessions that claims are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from recsim.agents.fusion.static import StaticFusion
from recsim.experiments.config import PolicyConfig, RunConfig
from recsim.experiments.evaluation import session_table
from recsim.experiments.learning.size import Size
from recsim.experiments.policies import build, model_file
from recsim.experiments.policy_settings import FusionPolicy, StaticFusionPolicy
from recsim.experiments.presets import PLANNED_AT_ONCE, alone
from recsim.experiments.progress import Advance
from recsim.experiments.stages import Stage, training_stages
from recsim.experiments.world import World
from recsim.files import write_table
from recsim.planning import PlanningOracle
from recsim.policy import Policy, Ranking, only_there
from recsim.rollout import rollout
from recsim.simulator import Simulator

FUSION, ALONE = "fusion", "alone"
TICKS = 100  # of the progress of serving


def stages_of(config: RunConfig, size: Size) -> list[Stage]:
    """All stages of a run; the names of the last ones tell what the config does not."""
    return [
        *choosing(config, config.policies, size),
        Stage(f"serve, chosen on {size.n_selecting} users", TICKS, (size.served,), partial(_serve, size)),
        Stage(f"plan for {size.n_planned} by {size.budget}", size.n_planned, (size.planned,), partial(_plan, size)),
    ]


def choosing(config: RunConfig, policies: Sequence[PolicyConfig], size: Size) -> list[Stage]:
    """The stages that train `policies` of a run, and then serve users with its fusions, to choose the best one."""
    every = [stage for policy in policies for stage in training_stages(config, policy)]
    compare = Stage(f"fusions chosen on {size.n_selecting} users", TICKS, (size.compared,), partial(_compare, size))
    return [*{stage.name: stage for stage in every}.values(), compare]


def best_of(compared: pd.DataFrame, kind: str) -> str:
    """The policy of a kind that earned most on the users it was chosen on."""
    return str(compared[compared["kind"] == kind].groupby("policy", sort=False)["reward"].mean().idxmax())


def best_fusion(size: Size, world: World, run: Path) -> PolicyConfig:
    """The fusion of a run that was chosen."""
    name = best_of(pd.read_parquet(run / size.compared), FUSION)
    return next(policy for policy in world.config.policies if policy.title == name)


def _compare(size: Size, world: World, run: Path, into: Path, progress: Advance) -> None:
    """Sessions of every fusion and of every modality alone, with users of their own."""
    simulator = world.simulator("choosing a fusion")
    fusions = [build(policy, world, run, simulator) for policy in world.config.policies if _is_fusion(policy)]
    found = _sessions([*fusions, *_alone(world, run, simulator)], simulator, size.n_selecting, world, progress)
    is_fusion = found["policy"].isin([policy.name for policy in fusions])
    write_table(into / size.compared, found.assign(kind=np.where(is_fusion, FUSION, ALONE)))


def _serve(size: Size, world: World, run: Path, into: Path, progress: Advance) -> None:
    """Sessions of the fresh users with every policy, of the fusions with the best one only."""
    simulator, best = world.simulator("evaluation"), best_fusion(size, world, run)
    chosen = [policy for policy in world.config.policies if not _is_fusion(policy) or policy == best]
    policies = [build(policy, world, run, simulator) for policy in chosen]
    policies += _alone(world, run, simulator)
    write_table(into / size.served, _sessions(policies, simulator, world.config.evaluation.n_users, world, progress))


def _plan(size: Size, world: World, run: Path, into: Path, progress: Advance) -> None:
    simulator = world.simulator("evaluation")
    oracle = PlanningOracle(simulator, budget=size.budget)
    found = rollout(simulator, oracle, size.n_planned, batch=PLANNED_AT_ONCE, progress=progress)
    write_table(into / size.planned, session_table(oracle.name, found, simulator.objectives.names))


def _sessions(
    policies: Sequence[Policy], simulator: Simulator, n_users: int, world: World, progress: Advance
) -> pd.DataFrame:
    names, batch, tables = simulator.objectives.names, world.config.evaluation.batch, []
    for policy in policies:
        tables.append(session_table(policy.name, rollout(simulator, policy, n_users, batch=batch), names))
        progress(TICKS * len(tables) // len(policies))
    return pd.concat(tables, ignore_index=True)


def _alone(world: World, run: Path, simulator: Simulator) -> list[Policy]:
    """Rankings by one modality of the last average among the fusions.

    Behaviour is what people clicked and bought: the average's scorers that say the same to everybody, with its weights.
    """
    average = [policy for policy in world.config.policies if _is_average(policy)][-1]
    fusion = StaticFusion.load(run / str(model_file(average)), world.catalog, world.layout)
    own = np.isin(fusion.names, list(fusion.scorers.own))
    behaviour = replace(fusion, weights=np.where(own, fusion.weights, 0.0))
    k = world.config.slate_size
    rankings = [*alone(fusion, k), Ranking("behaviour alone", behaviour, k)]
    return [only_there(ranking, simulator.born, simulator.layout) for ranking in rankings]


def _is_fusion(policy: PolicyConfig) -> bool:
    return isinstance(policy, StaticFusionPolicy | FusionPolicy)


def _is_average(policy: PolicyConfig) -> bool:
    return isinstance(policy, StaticFusionPolicy) or (isinstance(policy, FusionPolicy) and policy.method == "average")
