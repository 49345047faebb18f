"""Logs: what a policy showed, how likely that was, and what came of it. Collected here, kept as Parquet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.policy import Policy
from recsim.rollout import Progress, batches, user_numbers, visits
from recsim.simulator import Simulator

SCHEMA_VERSION = 2  # 1 had no `propensities`; they were exact

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class LogInfo:
    """What holds for a whole log.

    Attributes:
        schema_version: version of the file's columns.
        seed: seed of the users' draws.
        policy: name of the logging policy.
        catalog: name of the catalogue.
        fingerprint: `Catalog.fingerprint` of its items.
        users: name of the user model's class.
        slate_size: k.
        horizon: most slates in a session.
        objectives: names of the o objectives.
        weights: their weights in the reward.
        propensities: whether the policy knew its propensities exactly or estimated them (`Decision.exact`).
    """

    schema_version: int
    seed: int
    policy: str
    catalog: str
    fingerprint: str
    users: str
    slate_size: int
    horizon: int
    objectives: tuple[str, ...]
    weights: tuple[float, ...]
    propensities: Literal["exact", "estimated"] = "exact"


@dataclass(frozen=True)
class Log:
    """n logged slates, one row each, ordered by (user, session, step).

    Attributes:
        info: what holds for all rows.
        user: (n,) int64.
        session: (n,) int64; (user, session) identifies a session, the unit that is independent of the others.
        step: (n,) int64, from 0 up within a session.
        observation: (n, d) float32, what the policy saw.
        slate: (n, k) int64 item numbers as the policy decided, -1 an empty position.
        click: (n, k) bool.
        conversion: (n, k) bool, only where clicked.
        objectives: (n, k, o) float64, per position.
        step_log_prob: (n, k) float64, log-propensity of each item given the items above it.
    """

    info: LogInfo
    user: Items
    session: Items
    step: Items
    observation: NDArray[np.float32]
    slate: Items
    click: Flags
    conversion: Flags
    objectives: Floats
    step_log_prob: Floats

    def __len__(self) -> int:
        """The number of slates n."""
        return len(self.user)

    def __getitem__(self, rows: Any) -> Log:
        """The log of some of the rows: a mask, a slice or an array of row numbers."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    @property
    def log_prob(self) -> Floats:
        """(n,) float64, joint log-propensity of each slate."""
        total: Floats = self.step_log_prob.sum(axis=1)
        return total

    @property
    def reward(self) -> Floats:
        """(n,) float64, weighted sum of each slate's objectives."""
        total: Floats = self.objectives.sum(axis=1) @ np.array(self.info.weights)
        return total


COLUMNS = tuple(f.name for f in fields(Log) if f.name != "info")


def collect(
    simulator: Simulator, policy: Policy, users: int | ArrayLike, *, batch: int = 512, progress: Progress = None
) -> Log:
    """The log of `policy` serving `users` (a count n for users 0..n-1, or (n,) user numbers).

    Conversions stand in the row of the slate that earned them, whenever they arrived.

    Args:
        simulator: its running sessions are replaced.
        policy: the logging policy; its propensities go into the log.
        users: who is served.
        batch: users simulated at once; the log does not depend on it beyond the rounding of a scorer's matrix products.
        progress: called with the number of users finished so far.
    """
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in COLUMNS}
    exact = True
    for start, part in batches(user_numbers(users), batch):
        for visit in visits(simulator, policy, part):
            response, shown = visit.step.response, visit.decision.slate
            exact &= visit.decision.exact
            parts["user"].append(part[visit.row])
            parts["session"].append(visit.streams.session.astype(np.int64))
            parts["step"].append(visit.streams.step.astype(np.int64))
            parts["observation"].append(visit.observation)
            parts["slate"].append(shown)
            parts["click"].append(response.click)
            parts["conversion"].append(response.conversion)
            parts["objectives"].append(
                simulator.objectives.per_position(response.click, response.conversion, shown, simulator.catalog)
            )
            parts["step_log_prob"].append(visit.decision.step_log_prob)
        if progress:
            progress(start + len(part))
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    log = Log(info_of(simulator, policy.name, exact=exact), **columns)
    return log[np.lexsort((log.step, log.session, log.user))]


def info_of(simulator: Simulator, policy: str, *, exact: bool = True) -> LogInfo:
    """What a log of `policy` collected in `simulator`, with `exact` propensities or not, says of itself."""
    return LogInfo(
        schema_version=SCHEMA_VERSION,
        seed=simulator.seed,
        policy=policy,
        catalog=simulator.catalog.name,
        fingerprint=simulator.catalog.fingerprint,
        users=type(simulator.users).__name__,
        slate_size=simulator.slate_size,
        horizon=simulator.horizon,
        objectives=simulator.objectives.names,
        weights=tuple(simulator.objectives.weights.tolist()),
        propensities="exact" if exact else "estimated",
    )


def check_log(log: Log, where: str = "log") -> None:
    """Refuse a log that cannot be true.

    Raises:
        ValueError: naming the row, the column, the value and the remedy.
    """
    if not len(log):
        raise ValueError(f"{where} has no rows; collect at least one session.")
    rules: tuple[tuple[str, str, Callable[[Log], Flags], str], ...] = (
        ("user", "user", lambda x: x.user < 0, "user numbers are from 0 up"),
        ("session", "session", lambda x: x.session < 0, "session numbers are from 0 up"),
        ("step", "step", lambda x: (x.step < 0) | (x.step >= x.info.horizon), f"steps are 0 to {log.info.horizon - 1}"),
        ("step", "step", _repeated_row, "a row above has the same user, session and step; drop one of the two"),
        ("observation", "observation", lambda x: ~np.isfinite(x.observation), "observations are finite numbers"),
        ("slate", "slate", lambda x: x.slate < -1, "items are from 0 up, -1 is an empty position"),
        ("slate", "slate", lambda x: _repeated_item(x.slate), "a slate shows an item once; write its repeats as -1"),
        ("click", "click", lambda x: x.click & (x.slate < 0), "an empty position cannot be clicked"),
        ("conversion", "conversion", lambda x: x.conversion & ~x.click, "only what was clicked can convert"),
        ("objectives", "objectives", lambda x: ~np.isfinite(x.objectives), "objectives are finite numbers"),
        (
            "step_log_prob",
            "step_log_prob",
            lambda x: ~np.isfinite(x.step_log_prob) | (x.step_log_prob > 1e-9),
            "a logged item has a probability above 0 and at most 1, so its logarithm is finite and at most 0; "
            "pass the propensities that were in force, or drop the row",
        ),
    )
    for column, name, broken, remedy in rules:
        rows = np.argwhere(broken(log))
        if rows.size:
            value = getattr(log, column)[tuple(rows[0])]
            place = "".join(f", position {p}" for p in rows[0][1:2])
            raise ValueError(f"row {rows[0][0]:,}{place} of {where}: {name} is {value}; {remedy}.")


def _repeated_item(slate: Items) -> Flags:
    """(n, k) bool, items that stand further up in the same slate."""
    repeated = np.zeros(slate.shape, bool)
    for position in range(1, slate.shape[1]):
        item = slate[:, position : position + 1]
        repeated[:, position] = ((slate[:, :position] == item) & (item >= 0)).any(axis=1)
    return repeated


def _repeated_row(log: Log) -> Flags:
    """(n,) bool, rows of a user, session and step that a row above has."""
    order = np.lexsort((log.step, log.session, log.user))
    same = [np.diff(getattr(log, name)[order]) == 0 for name in ("user", "session", "step")]
    repeated = np.zeros(len(log), bool)
    repeated[order[1:]] = np.logical_and.reduce(same)
    return repeated


def write_log(log: Log, path: str | Path) -> None:
    """Write a log as one Parquet file, whole or not at all. See `recsim.logs_parquet` for the columns."""
    from recsim.logs_parquet import write

    check_log(log, str(path))
    write(log, Path(path))


def read_log(path: str | Path) -> Log:
    """The log in a Parquet file written by `write_log`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no log, has another schema version, lacks a column, or a value cannot be true: row and
            column are named.
    """
    from recsim.logs_parquet import read

    log = read(Path(path))
    check_log(log, str(path))
    return log
