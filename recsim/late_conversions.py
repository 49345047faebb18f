"""Conversions that come some steps after their click."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.users.contract import Flags, Response


class LateConversions:
    """What is under way in n sessions: conversions by the step in which they arrive, the last one at the latest."""

    def __init__(self, n: int, horizon: int) -> None:
        """Nothing is under way yet."""
        self._arriving = np.zeros((n, horizon), np.float32)

    def arrived(self, response: Response, step: NDArray[np.int64], ended: Flags) -> NDArray[np.float32]:
        """(n,) float32, conversions that arrive with the answer to step number `step` (n,); all, where `ended` (n,)."""
        last, everybody = self._arriving.shape[1] - 1, np.arange(len(step))
        row, position = np.nonzero(response.conversion)
        arrival = step[row]
        if response.delay is not None:
            arrival += np.minimum(response.delay[row, position], last + 1).astype(np.int64)
        np.add.at(self._arriving, (row, np.minimum(arrival, last)), 1)
        arrived = self._arriving[everybody, step]
        self._arriving[everybody, step] = 0
        arrived[ended] += self._arriving[ended].sum(axis=1)
        return arrived

    def clear(self, rows: NDArray[Any]) -> None:
        """Nothing is under way in the sessions that begin in `rows`."""
        self._arriving[rows] = 0

    def keep(self, rows: NDArray[Any]) -> None:
        """Go on with some of the sessions only."""
        self._arriving = self._arriving[rows]
