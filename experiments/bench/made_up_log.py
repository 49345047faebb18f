"""A log of any length made up file by file, with a policy to evaluate whose value is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsim.logs import SCHEMA_VERSION, LogInfo
from recsim.logs_parquet import objective_column, to_lists, write_columns
from recsim.ope.folders.plan import TargetColumns
from recsim.streams import sub_seed

Floats = NDArray[np.float64]

SESSION = 10  # slates of a session
ROWS = 250_000  # of a file, so that two processes have work to the end
OBJECTIVE = "click"
TARGET = TargetColumns("target", "target_step_log_prob", "model_logged", "model_target")
BYTES = 400  # of a row of slates of 10 on disk, at most: random numbers do not shrink


@dataclass(frozen=True)
class Slates:
    """Slates of k positions; at each, one of two kinds of items is shown, and the second is clicked more often.

    Attributes:
        reward: (n, k) 0 or 1.
        target: (n, k) step-wise log-propensities of the policy to evaluate.
        logged: (n, k) of the policy in force.
        model_logged: (n, k) chance of a click as a crude model has it.
        model_target: (n, k) its expectation under the policy to evaluate.
        value: the true mean value of the policy to evaluate in these situations.
    """

    reward: Floats
    target: Floats
    logged: Floats
    model_logged: Floats
    model_target: Floats
    value: float


def make_slates(n: int, k: int, seed: int) -> Slates:
    """Made-up slates, a pure function of the three numbers."""
    generator = np.random.Generator(np.random.Philox(sub_seed(seed, "made-up slates")))
    in_force = generator.uniform(0.3, 0.7, (n, k))  # chance of the second kind
    wanted = np.clip(in_force + generator.normal(0.05, 0.05, (n, k)), 0.05, 0.95)
    second = generator.random((n, k)) < in_force
    look = 1.0 / (1.0 + np.arange(k))
    clicked = generator.random((n, k)) < np.where(second, 0.3, 0.2) * look
    return Slates(
        reward=clicked.astype(np.float64),
        target=np.log(np.where(second, wanted, 1.0 - wanted)),
        logged=np.log(np.where(second, in_force, 1.0 - in_force)),
        model_logged=np.where(second, 0.25, 0.2) * look,
        model_target=(0.2 + 0.05 * wanted) * look,
        value=float(((0.2 + 0.1 * wanted) * look).sum(axis=1).mean()),
    )


def write_file(job: tuple[Path, int, int, int, int]) -> tuple[int, float]:
    """Write file `number` of a log of n slates of k, and return its rows and the policy's true value there.

    Args:
        job: the folder, `number`, n, k and the seed.
    """
    folder, number, n, k, seed = job
    start = number * ROWS
    rows = np.arange(start, min(start + ROWS, n))
    found = make_slates(len(rows), k, sub_seed(seed, f"file {number}"))
    columns = {
        "user": pa.array(rows // SESSION),
        "session": pa.array(np.zeros(len(rows), np.int64)),
        "step_log_prob": to_lists(found.logged),
        objective_column(OBJECTIVE): to_lists(found.reward),
        TARGET.log_prob: to_lists(found.target),
        f"{TARGET.model_logged}_{OBJECTIVE}": to_lists(found.model_logged),
        f"{TARGET.model_target}_{OBJECTIVE}": to_lists(found.model_target),
    }
    write_columns(columns, _info(k, seed), folder / f"part-{number:05}.parquet")
    return len(rows), found.value


def _info(k: int, seed: int) -> LogInfo:
    return LogInfo(
        schema_version=SCHEMA_VERSION,
        seed=seed,
        policy="in force",
        catalog="two kinds",
        fingerprint="",
        users="made up",
        slate_size=k,
        horizon=SESSION,
        objectives=(OBJECTIVE,),
        weights=(1.0,),
    )
