"""Judging policies: by their sessions, by their slates in the situations of a log, and from the log alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.agents.features import CrossFeatures
from recsim.experiments.choice import judged_policies
from recsim.experiments.policies import build
from recsim.experiments.progress import Advance
from recsim.experiments.world import World
from recsim.files import write_json, write_table
from recsim.logs import Log, read_log
from recsim.ope import Evaluation, Resamples, bootstrap, clusters_of, dm, evaluate
from recsim.policy import Policy
from recsim.report.examples import shown_item
from recsim.rollout import Sessions, rollout, visits
from recsim.streams import sub_seed
from recsim.truth import value_on_log

SESSIONS, EXPOSURE = "results/sessions.parquet", "results/exposure.parquet"
SLATE_TRUTH, OFFLINE, EXAMPLES = "results/slate_truth.json", "results/offline.json", "examples.json"
PRODUCTION_LOG = "logs/production.parquet"
EXAMPLE_USERS, EXAMPLE_SLATES = 2, 6
OFFLINE_TICKS = 100


def run_sessions(world: World, run: Path, into: Path, progress: Advance) -> None:
    """Sessions of every policy with the same fresh users and the same luck."""
    simulator, settings = world.simulator("evaluation"), world.config.evaluation
    sessions, exposure = [], []
    for number, config in enumerate(world.config.policies):
        policy = build(config, world, run, simulator)
        advance = _from(number * settings.n_users, progress)
        found = rollout(simulator, policy, settings.n_users, batch=settings.batch, progress=advance)
        sessions.append(session_table(policy.name, found, simulator.objectives.names))
        exposure.append(_exposure_table(policy.name, found))
    write_table(into / SESSIONS, pd.concat(sessions, ignore_index=True))
    write_table(into / EXPOSURE, pd.concat(exposure, ignore_index=True))


def measure_slate_truth(world: World, run: Path, into: Path, progress: Advance) -> None:
    """The true value of each policy's slates, one drawn per situation of the production log: what estimators estimate.

    Users who declare no probabilities have no such value; the file is empty then.
    """
    simulator, log = world.simulator("the production log"), read_log(run / PRODUCTION_LOG)
    n_sessions = clusters_of(log.user, log.session)[1]
    found = {}
    for number, config in enumerate(judged_policies(world.config) if world.declares_appeal else ()):
        policy = build(config, world, run, simulator)
        advance = _from(number * n_sessions, progress)
        values = value_on_log(simulator, log, policy, batch=world.config.evaluation.batch, progress=advance)
        found[policy.name] = _clustered(values, log, world)
    write_json(into / SLATE_TRUTH, found)


def estimate_offline(world: World, run: Path, into: Path, progress: Advance) -> None:
    """Off-policy estimates of every policy from the production log."""
    log, simulator = read_log(run / PRODUCTION_LOG), world.simulator("nobody")
    policies = [build(config, world, run, simulator) for config in judged_policies(world.config)]
    found = off_policy(
        world,
        log,
        policies,
        progress,
        estimators=world.config.evaluation.estimators,
        logging=build(world.config.production_log.collector("production"), world, run, simulator),
    )
    write_json(into / OFFLINE, found.to_dict())


def off_policy(
    world: World,
    log: Log,
    policies: list[Policy],
    progress: Advance,
    *,
    estimators: tuple[str, ...] | None,
    logging: Policy | None,
) -> Evaluation:
    """Estimates of `policies` from `log` with the settings of the run; `progress` counts up to `OFFLINE_TICKS`.

    Args:
        world: the run's.
        log: of the policy `logging`, where that is known.
        policies: to be judged.
        progress: takes the part of the work that is done.
        estimators: their names; None for those that are fast.
        logging: the policy that was in force.
    """
    settings = world.config.evaluation
    return evaluate(
        log,
        policies,
        features=CrossFeatures(world.catalog, world.layout).at,
        seed=sub_seed(world.config.seed, "offline evaluation"),
        estimators=estimators,
        logging=logging,
        groups=world.catalog.category,
        n_boot=settings.n_boot,
        level=settings.level,
        progress=lambda done, total, what: progress(OFFLINE_TICKS * done // total),
    )


def show_examples(world: World, run: Path, into: Path, progress: Advance) -> None:
    """The first slates of the sessions of a few users of the evaluation."""
    simulator = world.simulator("evaluation")
    users = np.arange(min(EXAMPLE_USERS, world.config.evaluation.n_users))
    found = []
    for number, config in enumerate(world.config.policies, start=1):
        found += list(_examples(world, build(config, world, run, simulator), simulator, users))
        progress(number)
    write_json(into / EXAMPLES, found)


def _examples(world: World, policy: Policy, simulator: Any, users: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    rows = []
    for visit in visits(simulator, policy, users):
        response, moment = visit.step.response, visit.streams
        for row in np.flatnonzero((moment.step < EXAMPLE_SLATES) & (moment.session == 0)):
            examined = None if response.examined is None else response.examined[row].tolist()
            rows.append(
                {
                    "policy": policy.name,
                    "user": int(users[visit.row[row]]),
                    "step": int(moment.step[row]),
                    "items": [shown_item(world.catalog, int(item)) for item in visit.step.slate[row]],
                    "examined": examined,
                    "click": response.click[row].tolist(),
                    "conversion": response.conversion[row].tolist(),
                }
            )
    yield from sorted(rows, key=lambda example: (example["user"], example["step"]))


def session_table(policy: str, sessions: Sessions, objectives: tuple[str, ...]) -> pd.DataFrame:
    columns = {name: sessions.objectives[:, column] for column, name in enumerate(objectives)}
    own = {"policy": policy, "user": sessions.user, "length": sessions.length, "reward": sessions.reward}
    return pd.DataFrame(own | columns)


def _exposure_table(policy: str, sessions: Sessions) -> pd.DataFrame:
    items = np.arange(len(sessions.exposure))
    return pd.DataFrame({"policy": policy, "item": items, "shown": sessions.exposure, "clicked": sessions.clicks})


def _clustered(values: NDArray[np.float64], log: Log, world: World) -> dict[str, dict[str, float]]:
    """Mean of each objective and of the reward over the log's slates, with intervals that resample whole sessions."""
    settings = world.config.evaluation
    cluster, n_clusters = clusters_of(log.user, log.session)
    whole = np.column_stack([values @ np.array(log.info.weights), values])[:, None, :]  # (n, 1, 1 + o)
    resamples = Resamples.draw(n_clusters, settings.n_boot, sub_seed(world.config.seed, "slate truth"))
    interval = bootstrap(dm(whole).grouped(cluster, n_clusters), resamples, settings.level)
    return {
        name: {
            "mean": float(interval.value[column]),
            "se": float(interval.se[column]),
            "low": float(interval.low[column]),
            "high": float(interval.high[column]),
        }
        for column, name in enumerate(("reward", *log.info.objectives))
    }


def _from(start: int, progress: Advance) -> Callable[[int], None]:
    return lambda done: progress(start + done)
