"""What is to be summed in every file of a log, and the extent of each file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recsim.logs_parquet import info_of, objective_column
from recsim.ope.checks import reward_array
from recsim.ope.evaluation.estimators import ESTIMATORS
from recsim.ope.evaluation.inputs import with_total
from recsim.ope.folders.parts import Batch, Key, batches, open_part

if TYPE_CHECKING:
    from recsim.logs import LogInfo
    from recsim.policy import Policy

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TargetColumns:
    """A policy known by what it says of every logged slate, in columns of the log.

    Attributes:
        name: of the policy.
        log_prob: the column (lists of k) of its step-wise log-propensities of the logged slates.
        model_logged: together with the name of an objective, the column PREFIX_OBJECTIVE (lists of k) of a reward
            model's values of the logged slates; the model must not have been fitted on the slates that it values.
        model_target: the same for its expectation under the policy's own slates.
    """

    name: str
    log_prob: str
    model_logged: str = ""
    model_target: str = ""

    def __post_init__(self) -> None:
        """Refuse one model column without the other."""
        if bool(self.model_logged) != bool(self.model_target):
            raise ValueError(
                f"policy {self.name!r} has model_logged {self.model_logged!r} and model_target {self.model_target!r}; "
                "dm and dr need both, the other estimators neither."
            )


@dataclass(frozen=True)
class Survey:
    """The extent of one file.

    Attributes:
        path: the file.
        info: what it says of its log.
        n_slates: its rows.
        first: user and session of its first row; None without rows.
        last: user and session of its last row.
        size: (k, o + 1) float64, sums of the sizes of the rewards.
    """

    path: Path
    info: LogInfo
    n_slates: int
    first: Key | None
    last: Key | None
    size: Floats


@dataclass(frozen=True)
class Plan:
    """What is to be summed in every file.

    Attributes:
        info: what holds for the whole log.
        targets: the policies.
        estimators: by name of a policy, names of estimators.
        share: (k, o + 1) float64, the part of each objective that accrues at each position.
        n_boot: bootstrap draws, 0 for none.
        seed: of the bootstrap.
        batch: rows read at once.
    """

    info: LogInfo
    targets: tuple[Policy | TargetColumns, ...]
    estimators: dict[str, tuple[str, ...]]
    share: Floats
    n_boot: int
    seed: int
    batch: int

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        names = ["step_log_prob", *map(objective_column, self.info.objectives)]
        for target in self.targets:
            if isinstance(target, TargetColumns):
                stems = [stem for stem in (target.model_logged, target.model_target) if stem]
                names += [target.log_prob, *(f"{stem}_{name}" for stem in stems for name in self.info.objectives)]
            else:
                names += ["observation", "slate"]
        return list(dict.fromkeys(names))

    def summed(self, policy: str) -> list[str]:
        """The estimators of a policy, and those by which they are corrected."""
        wanted = self.estimators[policy]
        more = [ESTIMATORS[key].corrected_by for key in wanted if ESTIMATORS[key].corrected_by]
        return list(dict.fromkeys([*wanted, *more]))


def survey(job: tuple[Path, int]) -> Survey:
    """The extent of the file job[0], read job[1] rows at a time.

    Raises:
        ValueError: if it is no log, or rows are out of order.
    """
    path, batch = job
    with open_part(path) as file:
        info = info_of(file.schema_arrow, path)
    size = np.zeros((info.slate_size, len(info.objectives) + 1))
    n, first, last = 0, None, None
    for found in batches(path, list(map(objective_column, info.objectives)), batch):
        with placed(found):
            size += np.abs(reward_of(found, info)).sum(axis=0)
        n += len(found.user)
        first = first or (int(found.user[0]), int(found.session[0]))
        last = (int(found.user[-1]), int(found.session[-1]))
    return Survey(path, info, n, first, last, size)


@contextmanager
def placed(batch: Batch) -> Iterator[None]:
    """Name the file where an error counts rows from the batch's first one."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if str(batch.path) in str(error):
            raise
        raise type(error)(f"{batch.path}, counting from row {batch.start:,}: {error}") from error


def reward_of(batch: Batch, info: LogInfo) -> Floats:
    """(n, k, o + 1) the rewards, with their weighted sum."""
    return with_total(by_objective(batch, [*map(objective_column, info.objectives)], info), info.weights)


def by_objective(batch: Batch, names: Sequence[str], info: LogInfo) -> Floats:
    """(n, k, o) columns of rewards or of a model of them."""
    values = np.stack([batch.lists(name, info.slate_size) for name in names], axis=2)
    return reward_array(values, f"objectives ({', '.join(names)})")
