"""The truth beside an offline estimate: replay the users of a log and ask what another policy's slates were worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.logs import Log
from recsim.policy import Policy
from recsim.rollout import Progress, batches
from recsim.simulator import Simulator

Floats = NDArray[np.float64]


def value_on_log(
    simulator: Simulator, log: Log, policy: Policy, *, batch: int = 512, progress: Progress = None
) -> Floats:
    """Expected objectives of one slate that `policy` draws in each situation of the log.

    Every session of the log is replayed: keyed streams bring back the same user with the same luck, so after the
    logged slates the hidden state is the very one in which each slate was logged. There, `policy` draws a slate from
    the logged observation, and the users' declared probabilities say what it is worth: the expectation of the slate
    drawn is exact, but of a stochastic policy only one slate is drawn per situation. The mean over rows is what
    slate-wise off-policy estimators estimate.

    Args:
        simulator: as the one that collected the log (same seed, catalogue, users); its running sessions are replaced.
        log: rows ordered by (user, session, step), whole sessions.
        policy: any policy that looks at observations only.
        batch: sessions replayed at once; the result does not depend on it beyond the rounding of a scorer's matrix
            products.
        progress: called with the number of sessions (of users, where they come back) finished so far.

    Returns:
        (n, o) float64, a row for each row of the log.

    Raises:
        ValueError: if sessions are not whole, or replaying does not give back the logged clicks: the log comes from
            another world.
        TypeError: if the simulator's users do not declare their probabilities (`appeal` and `choice`).
    """
    start = np.flatnonzero(log.step == 0)
    length = np.diff(np.append(start, len(log)))
    first = np.repeat(np.append(0, start), np.diff(np.concatenate([[0], start, [len(log)]])))
    gap = np.flatnonzero(log.step != np.arange(len(log)) - first)
    if gap.size:
        row = int(gap[0])
        raise ValueError(
            f"row {row:,} of the log is step {log.step[row]}, which does not follow the row above; replaying needs "
            "whole sessions in the order of their steps."
        )
    if simulator.sessions > 1:  # later sessions depend on the ones before
        start = np.flatnonzero(np.diff(log.user, prepend=-1))
        length = np.diff(np.append(start, len(log)))
    out = np.empty((len(log), len(simulator.objectives.names)))
    done = 0
    for _, part in batches(np.arange(len(start)), batch):
        _replay(simulator, log, policy, start[part], length[part], out)
        done += len(part)
        if progress:
            progress(done)
    return out


def _replay(
    simulator: Simulator,
    log: Log,
    policy: Policy,
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    out: Floats,
) -> None:
    simulator.reset(log.user[start], session=log.session[start])
    for step in range(int(length.max())):
        rows = start + step
        here = simulator.streams
        lost = simulator.ended | (here.session != log.session[rows]) | (here.step != log.step[rows])
        if lost.any():
            raise ValueError(_mismatch(log, int(rows[lost][0]), "was not there any more"))
        decision = policy.act(log.observation[rows], simulator.streams)
        out[rows] = simulator.expected(decision.slate).sum(axis=1)
        response = simulator.step(log.slate[rows]).response
        different = np.flatnonzero((response.click != log.click[rows]).any(axis=1))
        if different.size:
            raise ValueError(_mismatch(log, int(rows[different[0]]), "clicked otherwise"))
        simulator.revisit()
        going_on = length > step + 1
        simulator.keep(going_on)
        start, length = start[going_on], length[going_on]


def _mismatch(log: Log, row: int, what: str) -> str:
    """Why a row of the log cannot have come from the simulator."""
    info = log.info
    return (
        f"row {row:,} of the log: user {log.user[row]} {what} when replayed. The simulator needs the seed "
        f"({info.seed}), catalogue ({info.catalog!r}), users, horizon ({info.horizon}) and number of sessions "
        "that collected the log."
    )
