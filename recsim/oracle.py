"""Oracles: policies that see the hidden state, and show what knowing it would be worth. Nothing else may use it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.policy import Decision, certain_log_prob, top_k
from recsim.simulator import Simulator, declared
from recsim.streams import Streams

Floats = NDArray[np.float64]
Items = NDArray[np.int64]


class MyopicOracle:
    """Shows the slate with the highest expected reward of this one step, from the true state of `simulator`'s users.

    It bounds what one slate can earn, not a session: a policy that thinks of later slates can earn more.

    The slate sorts items by expected reward once examined. That is the best one where examination falls from the top
    (or stays) and does not depend on the items, as under a position-based model.

    Attributes:
        simulator: whose sessions it ranks for; it can rank for no others.
        name: what logs and reports call it.
    """

    def __init__(self, simulator: Simulator, *, name: str = "myopic oracle") -> None:
        """An oracle for the sessions that `simulator` is running.

        Raises:
            TypeError: if its users declare no probabilities.
        """
        self.simulator, self.name = simulator, name
        self._users = declared(simulator.users)

    def act(self, observation: NDArray[np.float32], streams: Streams) -> Decision:
        """The best slates of this step (n, k). Neither the observation nor the streams matter."""
        slate = top_k(self._reward(), self.simulator.slate_size)
        return Decision(slate, np.zeros(slate.shape))

    def step_log_prob(self, observation: NDArray[np.float32], slate: Items) -> Floats:
        """(n, k) float64: 0 as long as a slate agrees with the oracle's from the top, -inf from there on."""
        return certain_log_prob(top_k(self._reward(), self.simulator.slate_size), slate)

    def log_prob(self, observation: NDArray[np.float32], slate: Items) -> Floats:
        """(n,) float64."""
        total: Floats = self.step_log_prob(observation, slate).sum(axis=1)
        return total

    def _reward(self) -> Floats:
        """(n, m) float64, expected reward of each item once examined."""
        catalog, objectives = self.simulator.catalog, self.simulator.objectives
        items = np.tile(np.arange(len(catalog), dtype=np.int64), (self.simulator.n, 1))  # (n, m)
        appeal = self._users.appeal(self.simulator.state, items)
        worth = objectives.per_position(appeal.click, appeal.click * appeal.conversion, items, catalog)  # (n, m, o)
        return objectives.reward(worth.reshape(-1, worth.shape[2])).reshape(items.shape)
