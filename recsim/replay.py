"""Counterfactuals: the very same user meets other slates."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.slates import as_array, shown_once

if TYPE_CHECKING:
    from recsim.simulator import Simulator

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Replay:
    """What one user would have done with each of c series of t slates.

    After the session ends, slates are empty (-1) and everything else is false or 0.

    Attributes:
        slate: (c, t, k) int64, what was shown.
        click: (c, t, k) bool.
        conversion: (c, t, k) bool, credited to its slate, whenever it arrived.
        objectives: (c, t, o) float64, when they came; conversions still under way when the series is over are missing.
        reward: (c, t) float64.
        length: (c,) int64, slates until the user left, the horizon, or the series was over.
    """

    slate: Items
    click: Flags
    conversion: Flags
    objectives: Floats
    reward: Floats
    length: Items


def replay(simulator: Simulator, session: int | tuple[int, int], slates: ArrayLike) -> Replay:
    """See `Simulator.counterfactual`."""
    named = session if isinstance(session, tuple) else (session, 0)
    if len(named) != 2:
        raise ValueError(f"session is {session}; a user number or a pair (user number, session number) is needed.")
    user, number = named
    if number and simulator.sessions > 1:
        raise ValueError(
            f"session {number} of user {user} depends on the ones before, as users come back here; replay session 0."
        )
    given = as_array(slates)
    given = given[None] if given.ndim == 2 else given
    size, horizon = simulator.slate_size, simulator.horizon
    if given.ndim != 3 or given.shape[2] != size or not given.size or given.shape[1] > horizon:
        raise ValueError(
            f"slates have shape {as_array(slates).shape}; (t, {size}) or (c, t, {size}) is needed, "
            f"with t from 1 to the horizon, {horizon}."
        )
    count, steps = given.shape[:2]
    shown_once(given.reshape(-1, size), count * steps, size, simulator.catalog)  # also those after the session's end
    twin = copy.copy(simulator)
    twin.reset(np.full(count, user), session=number)
    shown = np.full(given.shape, -1, np.int64)
    click, conversion = np.zeros((2, *given.shape), bool)
    objectives, reward = np.zeros((count, steps, len(simulator.objectives.names))), np.zeros((count, steps))
    length, row = np.zeros(count, np.int64), np.arange(count)
    for moment in range(steps):
        step = twin.step(given[row, moment])
        shown[row, moment], click[row, moment] = step.slate, step.response.click
        conversion[row, moment] = step.response.conversion
        objectives[row, moment], reward[row, moment] = step.objectives, step.reward
        length[row] += 1
        row = row[~twin.ended]
        if not row.size:
            break
        twin.keep(~twin.ended)
    return Replay(shown, click, conversion, objectives, reward, length)
