"""What the built-in worlds have to offer: returns of rankers that know less or more, with the same users and luck."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from recsim import logs
from recsim.agents.fusion.static import StaticFusion
from recsim.experiments.config import CatalogConfig, EvaluationConfig, LaunchLog, RunConfig, UsersConfig
from recsim.experiments.errors import UserError
from recsim.experiments.policies import build
from recsim.experiments.policy_settings import UniformPolicy
from recsim.experiments.progress import Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads
from recsim.experiments.world import World
from recsim.metrics import click_through_rate, mean_interval, novelty_per_click, paired_interval
from recsim.objectives import NAMES
from recsim.oracle import MyopicOracle
from recsim.planning import PlanningOracle
from recsim.policy import Policy, Ranking, only_there, popularity, uniform
from recsim.rollout import Sessions, rollout
from recsim.simulator import Simulator
from recsim.users import BUILT_IN

PLANNED_AT_ONCE = 16  # users between two moves of the progress bar while the planner thinks


@dataclass(frozen=True)
class Size:
    """How much is simulated.

    Attributes:
        n_users: fresh users of every policy.
        n_planned: how many of them, from the first, the planning oracle serves; it is slow.
        n_launch: users of the launch log, on which the static fusion is fitted.
        budget: rollouts a decision of the planning oracle.
        slate_size: k.
        horizon: most slates in a session.
    """

    n_users: int = 1000
    n_planned: int = 100
    n_launch: int = 2000
    budget: int = 640
    slate_size: int = 10
    horizon: int = 30


def measure(
    names: Sequence[str], catalog: str, seed: int, size: Size, *, n_threads: int, display: Display
) -> dict[str, Any]:
    """Returns of every policy in the worlds called `names`; all built-in ones where there are none.

    Raises:
        UserError: if there is no such world or catalogue, or the slate does not fit it.
    """
    unknown = [name for name in names if name not in BUILT_IN]
    if unknown:
        raise UserError(f"there is no preset {unknown[0]!r}; the presets are {', '.join(BUILT_IN)}.")
    if not 2 <= size.n_planned <= size.n_users:
        raise UserError(f"{size.n_planned} users to plan for; 2 to {size.n_users} (all users) are possible.")
    found = {}
    with threads(n_threads):
        for name in names or BUILT_IN:
            found[name] = _policies(World.of(_config(name, catalog, seed, size)), size, display)
    return {
        "presets": found,
        "catalog": catalog,
        "seed": seed,
        **vars(size),
        "versions": all_versions(),
    }


def _config(name: str, catalog: str, seed: int, size: Size) -> RunConfig:
    return RunConfig(
        name=name,
        seed=seed,
        catalog=CatalogConfig(name=catalog),
        users=UsersConfig(model=name),
        slate_size=size.slate_size,
        horizon=size.horizon,
        launch_log=LaunchLog(n_users=size.n_launch),
        evaluation=EvaluationConfig(n_users=size.n_users),
        policies=(UniformPolicy(kind="uniform"),),
    )


def _policies(world: World, size: Size, display: Display) -> list[dict[str, Any]]:
    """A row for each policy, in the order of what they know."""
    fusion = _fusion(world, display)
    simulator = world.simulator("evaluation")
    found: list[dict[str, Any]] = []
    before: Sessions | None = None
    for policy in _in_order(world, simulator, fusion, size):
        planned = isinstance(policy, PlanningOracle)
        n = size.n_planned if planned else size.n_users
        batch = PLANNED_AT_ONCE if planned else world.config.evaluation.batch
        with display.stage(f"{world.config.name}: {policy.name}", n) as progress:
            sessions = rollout(simulator, policy, n, batch=batch, progress=progress)
        found.append(_row(policy, sessions, before, world))
        before = sessions
    return found


def _fusion(world: World, display: Display) -> StaticFusion:
    settings = world.config.launch_log
    simulator = world.simulator("the launch log")
    collector = build(settings.collector("launch"), world, None, simulator)
    with display.stage(f"{world.config.name}: launch log", settings.n_users) as progress:
        log = logs.collect(simulator, collector, settings.n_users, progress=progress)
    return StaticFusion.fit(log, world.catalog, world.layout)


def alone(fusion: StaticFusion, slate_size: int) -> list[Ranking]:
    """Rankings by one modality each, whatever else the fusion knows."""
    weights = zip(fusion.catalog.modalities, np.eye(len(fusion.weights)), strict=False)
    return [Ranking(f"{name} alone", replace(fusion, weights=only), slate_size) for name, only in weights]


def _in_order(world: World, simulator: Simulator, fusion: StaticFusion, size: Size) -> Iterator[Policy]:
    rankings = [uniform(world.catalog, size.slate_size), popularity(world.catalog, size.slate_size)]
    for ranking in (*rankings, *alone(fusion, size.slate_size), Ranking("static fusion", fusion, size.slate_size)):
        yield only_there(ranking, simulator.born, simulator.layout)
    yield MyopicOracle(simulator)
    yield PlanningOracle(simulator, budget=size.budget)


def _row(policy: Policy, sessions: Sessions, before: Sessions | None, world: World) -> dict[str, Any]:
    level, n = world.config.evaluation.level, len(sessions.user)
    totals = dict(zip(NAMES, sessions.objectives.T, strict=True))
    row: dict[str, Any] = {
        "policy": policy.name,
        "n_users": n,
        "return": vars(mean_interval(sessions.reward, level)),
        "length": vars(mean_interval(sessions.length, level)),
        "click_through_rate": click_through_rate(totals["click"], sessions.length * world.config.slate_size),
        "conversions": float(totals["conversion"].mean()),
        "novelty_per_click": _known(novelty_per_click(totals["novelty"], totals["click"])),
    }
    if before is not None:
        row["more_than_before"] = vars(paired_interval(sessions.reward, before.reward[:n], level))
        row["times_before"] = ratio_interval(sessions.reward, before.reward[:n], level)
    return row


def ratio_interval(a: ArrayLike, b: ArrayLike, level: float) -> dict[str, float] | None:
    """The ratio r of the means of paired values, with the interval of mean(a - r b) / mean(b).

    Source: Cochran 1977, "Sampling techniques", section 6.4 (variance of a ratio by linearisation).

    Returns:
        ratio, se, low and high; None where `b` earns nothing.
    """
    above, below = np.asarray(a, np.float64), np.asarray(b, np.float64)
    earned = float(below.mean())
    if earned <= 0.0:
        return None
    ratio = float(above.mean()) / earned
    rest = paired_interval(above, ratio * below, level)
    return {
        "ratio": ratio,
        "se": rest.se / earned,
        "low": ratio + rest.low / earned,
        "high": ratio + rest.high / earned,
    }


def _known(value: float) -> float | None:
    """None in place of NaN, which JSON has not."""
    return None if np.isnan(value) else value
