"""Collecting a log outside of a run."""

from __future__ import annotations

from pathlib import Path

from recsim import logs
from recsim.experiments.config import PolicyConfig, RunConfig
from recsim.experiments.errors import input_errors
from recsim.experiments.policies import build
from recsim.experiments.progress import Display
from recsim.experiments.threads import threads
from recsim.experiments.world import World


def collect_log(
    config: RunConfig,
    policy: PolicyConfig,
    out: Path,
    *,
    run: Path | None,
    users: int | None,
    n_threads: int,
    display: Display,
) -> int:
    """Write the log of `policy` to `out`; returns the number of slates.

    Its users are none of those of a run of the same config; every policy meets the same ones.

    Raises:
        UserError: if the policy must be trained first, or the file cannot be written.
    """
    world = World.of(config)
    simulator, n_users = world.simulator("a collected log"), users or config.production_log.n_users
    with threads(n_threads):
        with input_errors():
            acting = build(policy, world, run, simulator)
        with display.stage(f"collect {policy.title}", n_users) as progress:
            log = logs.collect(simulator, acting, n_users, batch=config.evaluation.batch, progress=progress)
    with input_errors():
        logs.write_log(log, out)
    return len(log)
