"""Fronts: what policies that are told a preference bring under each of a grid of them, beside the static fusion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.experiments.config import FrontConfig, RunConfig
from recsim.experiments.policies import FUSION_FILE, build
from recsim.experiments.policy_settings import PPOPolicy
from recsim.experiments.progress import Advance
from recsim.experiments.training import LAUNCH_LOG
from recsim.experiments.world import World
from recsim.files import write_table
from recsim.logs import read_log
from recsim.metrics import mean_interval, paired_interval
from recsim.pareto import hypervolume, hypervolume_draws, non_dominated, percentile_interval
from recsim.policy import Policy, Ranking, only_there
from recsim.preference import preference_grid
from recsim.rollout import rollout
from recsim.simulator import Simulator
from recsim.streams import sub_seed

Floats = NDArray[np.float64]
Family = Callable[[Floats], Policy]

FRONT = "results/front.parquet"
STATIC = "weighed static fusion"


def n_rollouts(config: RunConfig, front: FrontConfig) -> int:
    """How many policies are run: every family under every preference."""
    return (1 + len(config.conditioned)) * len(_grid(config, front))


def run_front(world: World, run: Path, into: Path, progress: Advance) -> None:
    """Sessions of every family of policies under every preference, with the same users and the same luck.

    The table has a row for each session: family, number and weights of the preference, user, totals by objective.
    """
    front, simulator, parts, done = world.config.front, world.simulator("the front"), [], 0
    assert front is not None
    names, grid = simulator.objectives.names, _grid(world.config, front)
    for family, policy_under in _families(world, run, simulator):
        for number, preference in enumerate(grid):
            found = rollout(simulator, policy_under(preference), front.n_users, batch=world.config.evaluation.batch)
            told = {"family": family, "point": number}
            told |= {f"weight_{name}": share for name, share in zip(names, preference.tolist(), strict=True)}
            totals = dict(zip(names, found.objectives.T, strict=True))
            parts.append(pd.DataFrame(told | {"user": found.user} | totals))
            done += 1
            progress(done)
    write_table(into / FRONT, pd.concat(parts, ignore_index=True))


def front_results(config: RunConfig, front: FrontConfig, table: pd.DataFrame, names: tuple[str, ...]) -> dict[str, Any]:
    """What metrics.json says of the fronts: points with intervals, hypervolumes, and their paired differences."""
    level, reference = config.evaluation.level, np.zeros(len(names))
    families, hypervolumes = [], {}
    for family, rows in table.groupby("family", sort=False):
        points = [own for _, own in rows.groupby("point")]
        totals = np.stack([own[list(names)].to_numpy(np.float64) for own in points])  # (p, n, o)
        means = totals.mean(axis=1)
        value = hypervolume(means, reference)
        draws = hypervolume_draws(totals, reference, n_boot=front.n_boot, seed=sub_seed(config.seed, "front"))
        hypervolumes[str(family)] = value, draws
        families.append(
            {
                "family": family,
                "points": [
                    {
                        "preference": [float(own[f"weight_{name}"].iloc[0]) for name in names],
                        "truth": {name: asdict(mean_interval(own[name], level)) for name in names},
                        "dominated": not best,
                    }
                    for own, best in zip(points, non_dominated(means), strict=True)
                ],
                "moves": _moves(totals, _grid(config, front), names, level),
                "hypervolume": asdict(percentile_interval(value, draws, level)),
            }
        )
    base, base_draws = hypervolumes[STATIC]
    differences = [
        {"policy": family, "against": STATIC, "objective": "hypervolume"}
        | asdict(percentile_interval(value - base, draws - base_draws, level))
        for family, (value, draws) in hypervolumes.items()
        if family != STATIC
    ]
    return {"n_users": front.n_users, "families": families, "differences": differences}


def _moves(totals: Floats, grid: Floats, names: tuple[str, ...], level: float) -> dict[str, Any]:
    """For each objective, the paired difference of a preference for the last objective alone to one for the first."""
    first, last = (totals[int(grid[:, place].argmax())] for place in (0, -1))  # (n, o)
    return {name: asdict(paired_interval(last[:, j], first[:, j], level)) for j, name in enumerate(names)}


def _grid(config: RunConfig, front: FrontConfig) -> Floats:
    return preference_grid(len(type(config.objectives).model_fields), front.parts)


def _families(world: World, run: Path, simulator: Simulator) -> Iterator[tuple[str, Family]]:
    """Names of families, and what makes a policy of each under a preference."""
    from recsim.agents.fusion.static import StaticFusion
    from recsim.agents.fusion.weighed import WeighedFusion, conversion_rates

    fusion = StaticFusion.load(run / FUSION_FILE, world.catalog, world.layout)
    rates = conversion_rates(read_log(run / LAUNCH_LOG), world.catalog)

    def static(preference: Floats) -> Policy:
        scorer = WeighedFusion(fusion, rates, preference * world.objectives.weights)
        return only_there(Ranking(STATIC, scorer, world.config.slate_size), simulator.born, simulator.layout)

    yield STATIC, static
    for policy in world.config.conditioned:
        yield policy.title, _conditioned(policy, world, run, simulator)


def _conditioned(policy: PPOPolicy, world: World, run: Path, simulator: Simulator) -> Family:
    return lambda preference: build(policy, world, run, simulator, preference)
