"""Oracles: policies that see the hidden state. They bound what a policy can reach; nothing else may use them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.policy import Decision, top_k
from recsim.simulator import Simulator, declared
from recsim.streams import Streams

Floats = NDArray[np.float64]
Items = NDArray[np.int64]


class MyopicOracle:
    """Shows the slate with the highest expected reward of this one step, from the true state of `simulator`'s users.

    Under a position-based model the best slate sorts items by expected reward once examined, because examination falls
    from the top and does not depend on the items.
    """

    name = "myopic oracle"

    def __init__(self, simulator: Simulator) -> None:
        """An oracle for the sessions that `simulator` is running; it can rank for no others."""
        self.simulator = simulator
        self._users = declared(simulator.users)
        catalog = simulator.catalog
        every_item = np.arange(len(catalog))[None, :]
        self._worth = simulator.objectives.per_position(
            np.ones(every_item.shape), np.zeros(every_item.shape), every_item, catalog
        )

    def act(self, observation: NDArray[np.float32], streams: Streams) -> Decision:
        """The best slates of this step (n, k). Neither the observation nor the streams matter."""
        slate = top_k(self._reward(), self.simulator.slate_size)
        return Decision(slate, np.zeros(slate.shape))

    def step_log_prob(self, observation: NDArray[np.float32], slate: Items) -> Floats:
        """(n, k) float64: 0 as long as a slate agrees with the oracle's from the top, -inf from there on."""
        best = top_k(self._reward(), self.simulator.slate_size)
        return np.where(np.logical_and.accumulate(best == slate, axis=1), 0.0, -np.inf)

    def log_prob(self, observation: NDArray[np.float32], slate: Items) -> Floats:
        """(n,) float64."""
        total: Floats = self.step_log_prob(observation, slate).sum(axis=1)
        return total

    def _reward(self) -> Floats:
        """(n, m) float64, expected reward of each item once examined."""
        appeal = self._users.appeal(self.simulator.state)
        weights = self.simulator.objectives.weights
        per_click = self._worth[0] @ weights  # (m,) click and novelty
        reward: Floats = appeal.click * (per_click + weights[1] * appeal.conversion)
        return reward
