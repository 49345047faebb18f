"""Running a policy on simulated users until their sessions end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.policy import Decision, Policy
from recsim.simulator import Simulator, Step
from recsim.streams import Streams, user_numbers

__all__ = ["Sessions", "Visit", "batches", "rollout", "user_numbers", "visits"]

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
Progress = Callable[[int], None] | None


@dataclass(frozen=True)
class Visit:
    """One step of the sessions that are still going on.

    Attributes:
        row: (n',) int64, which of the users these are (positions in the array of users).
        streams: at the session and the step at which the policy decided.
        observation: (n', d) float32, what the policy saw.
        decision: what it showed.
        step: what came of it.
    """

    row: Items
    streams: Streams
    observation: NDArray[np.float32]
    decision: Decision
    step: Step


@dataclass(frozen=True)
class Sessions:
    """What the sessions of n users came to.

    Attributes:
        user: (n,) int64, user numbers.
        objectives: (n, o) float64, totals over the user's sessions (one, unless users come back).
        reward: (n,) float64, total reward (the return, undiscounted).
        length: (n,) int64, slates shown.
        exposure: (m,) int64, how often each item was shown.
        clicks: (m,) int64, how often each item was clicked.
    """

    user: Items
    objectives: Floats
    reward: Floats
    length: Items
    exposure: Items
    clicks: Items


def visits(simulator: Simulator, policy: Policy, users: Items) -> Iterator[Visit]:
    """Step through the sessions of `users` in lockstep under `policy`; users who do not come back are dropped."""
    observation = simulator.reset(users)
    row = np.arange(len(users))
    while row.size:
        streams = simulator.streams
        decision = policy.act(observation, streams)
        step = simulator.step(decision.slate)
        yield Visit(row, streams, observation, decision, step)
        simulator.revisit()
        going_on = ~simulator.ended
        observation, row = simulator.keep(going_on), row[going_on]


def rollout(
    simulator: Simulator, policy: Policy, users: int | ArrayLike, *, batch: int = 512, progress: Progress = None
) -> Sessions:
    """Session totals of `policy` on `users`.

    Args:
        simulator: its running sessions are replaced.
        policy: what ranks.
        users: a count n for users 0..n-1, or (n,) user numbers.
        batch: users simulated at once; the result does not depend on it beyond the rounding of a scorer's matrix
            products.
        progress: called with the number of users finished so far.
    """
    numbers = user_numbers(users)
    m = len(simulator.catalog)
    objectives = np.zeros((len(numbers), len(simulator.objectives.names)))
    length = np.zeros(len(numbers), np.int64)
    exposure, clicks = np.zeros((2, m), np.int64)
    for start, part in batches(numbers, batch):
        for visit in visits(simulator, policy, part):
            rows = start + visit.row
            objectives[rows] += visit.step.objectives
            length[rows] += 1
            exposure += np.bincount(visit.step.slate[visit.step.slate >= 0], minlength=m)
            clicks += np.bincount(visit.step.slate[visit.step.response.click], minlength=m)
        if progress:
            progress(start + len(part))
    return Sessions(numbers, objectives, simulator.objectives.reward(objectives), length, exposure, clicks)


def batches(numbers: Items, batch: int) -> Iterator[tuple[int, Items]]:
    """The start and the content of consecutive parts of at most `batch` numbers.

    Raises:
        ValueError: if `batch` is below 1.
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}; at least 1 user must be simulated at once.")
    for start in range(0, len(numbers), batch):
        yield start, numbers[start : start + batch]
