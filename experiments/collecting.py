"""Collecting a log outside of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsim import logs
from recsim.experiments.config import PolicyConfig, RunConfig
from recsim.experiments.errors import input_errors
from recsim.experiments.policies import build
from recsim.experiments.progress import Display
from recsim.experiments.threads import threads
from recsim.experiments.world import World
from recsim.files import whole_folder
from recsim.ope.folders.parts import write_parts


def collect_log(
    config: RunConfig,
    policy: PolicyConfig,
    out: Path,
    *,
    run: Path | None,
    users: int | None,
    per_file: int | None,
    n_threads: int,
    display: Display,
) -> int:
    """Write the log of `policy` to `out`; returns the number of slates.

    Its users are none of those of a run of the same config; every policy meets the same ones. With `per_file`, `out` is
    a folder with a file for every so many users, and memory does not grow with the log.

    Raises:
        UserError: if the policy must be trained first, or the file cannot be written.
    """
    world = World.of(config)
    simulator, n_users = world.simulator("a collected log"), users or config.production_log.n_users
    with threads(n_threads):
        with input_errors():
            acting = build(policy, world, run, simulator)
        with display.stage(f"collect {policy.title}", n_users) as progress, input_errors():
            batch = config.evaluation.batch
            if per_file is None:
                log = logs.collect(simulator, acting, n_users, batch=batch, progress=progress)
                logs.write_log(log, out)
                return len(log)
            n_slates = 0
            with whole_folder(out) as scratch:
                for number, first in enumerate(range(0, n_users, per_file)):
                    some = np.arange(first, min(first + per_file, n_users))
                    log = logs.collect(simulator, acting, some, batch=batch)
                    logs.check_log(log, str(out))
                    write_parts(log, scratch, len(log), first=number)
                    n_slates += len(log)
                    progress(int(some[-1]) + 1)
            return n_slates
