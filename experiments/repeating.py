"""A whole experiment on several seeds: `recsim repeat`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsim.experiments.bench.machine import machine
from recsim.experiments.config import RunConfig
from recsim.experiments.evaluation import SESSIONS
from recsim.experiments.over_seeds import earned, mean, training_seconds
from recsim.experiments.progress import Display
from recsim.experiments.run_folder import TIMINGS, all_versions
from recsim.experiments.runner import run
from recsim.files import read_json
from recsim.metrics import mean_interval


def repeat(config: RunConfig, n_seeds: int, out: Path, *, n_threads: int, display: Display) -> dict[str, Any]:
    """Run a config with the seeds from its own on, each in a folder of its own; what is finished there is kept.

    The unit is a seed: intervals are Student's t of the seeds' means. A policy's `difference` is its return less that
    of the config's first policy, on the same users of the same seeds.

    Raises:
        UserError: if the config cannot be run, or a folder holds a run of another config.
    """
    seeds = range(config.seed, config.seed + n_seeds)
    sessions, timings = [], []
    for seed in seeds:
        display.note(f"seed {seed}")
        one = config.model_copy(update={"seed": seed})
        folder = run(one, out / f"seed-{seed}", resume=True, n_threads=n_threads, display=display)
        sessions.append(pd.read_parquet(folder.path / SESSIONS))
        timings.append(read_json(folder.path / TIMINGS))
    level, rows, first = config.evaluation.level, [], None
    for name in (policy.title for policy in config.policies):
        own = [found[found["policy"] == name] for found in sessions]
        row = earned(name, seeds, own, level) | {"training_seconds": mean([training_seconds(t, name) for t in timings])}
        returns = np.array([one["mean"] for one in row["by_seed"]])
        if first is None:
            first = returns
        else:
            row["difference"] = vars(mean_interval(returns - first, level))
        rows.append(row)
    return {
        "name": config.name,
        "seeds": list(seeds),
        "level": level,
        "policies": rows,
        "machine": machine(),
        "versions": all_versions(),
    }
