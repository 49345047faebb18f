"""Oracles: policies that see the hidden state, and show what knowing it would be worth. Nothing else may use it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.objectives import Objectives
from recsim.policy import Decision, certain_log_prob
from recsim.simulator import Simulator, declared
from recsim.streams import Streams

Floats = NDArray[np.float64]
Items = NDArray[np.int64]


class Oracle(ABC):
    """A policy that ranks by the true state of `simulator`'s users, and is certain of its slates.

    Attributes:
        simulator: whose sessions it ranks for; it can rank for no others.
        name: what logs and reports call it.
    """

    simulator: Simulator
    name: str

    @abstractmethod
    def slates(self) -> Items:
        """(n, k) int64, what it shows to the simulator's users now."""

    def act(self, observation: NDArray[np.float32], streams: Streams) -> Decision:
        """The slates of this step (n, k). Neither the observation nor the streams matter."""
        slate = self.slates()
        return Decision(slate, np.zeros(slate.shape))

    def step_log_prob(self, observation: NDArray[np.float32], slate: Items) -> Floats:
        """(n, k) float64: 0 as long as a slate agrees with the oracle's from the top, -inf from there on."""
        return certain_log_prob(self.slates(), slate)

    def log_prob(self, observation: NDArray[np.float32], slate: Items) -> Floats:
        """(n,) float64."""
        total: Floats = self.step_log_prob(observation, slate).sum(axis=1)
        return total

    def items_there(self) -> Items:
        """(n, m) int64, the catalogue for each user, -1 where an item has not appeared yet; large for many items."""
        simulator = self.simulator
        items = np.tile(np.arange(len(simulator.catalog), dtype=np.int64), (simulator.n, 1))
        if simulator.born is not None:
            items[simulator.users.now(simulator.state)[:, None] < simulator.born] = -1  # type: ignore[attr-defined]
        return items


class MyopicOracle(Oracle):
    """Shows the slate with the highest expected reward of this one step.

    It bounds what one slate can earn, not a session: a policy that thinks of later slates can earn more
    (`recsim.planning`).

    Which slate earns most, given what every item is worth and how likely it is clicked, the users' choice model knows
    (`best_slate`).
    """

    def __init__(self, simulator: Simulator, *, name: str = "myopic oracle") -> None:
        """An oracle for the sessions that `simulator` is running.

        Raises:
            TypeError: if its users declare no probabilities.
        """
        self.simulator, self.name = simulator, name
        self._users = declared(simulator.users)

    def slates(self) -> Items:
        """(n, k) int64, the best slates of this step."""
        catalog, objectives = self.simulator.catalog, self.simulator.objectives
        items = self.items_there()
        appeal = self._users.appeal(self.simulator.state, items)
        worth = click_worth(appeal.conversion, items, objectives, catalog)
        columns = self._users.choice.best_slate(appeal, worth, self.simulator.slate_size)
        return np.take_along_axis(items, columns, axis=1)


def click_worth(conversion: Floats, items: Items, objectives: Objectives, catalog: Catalog) -> Floats:
    """(n, c) float64, expected reward of a click on `items` (n, c) that convert with probability `conversion`."""
    worth = objectives.per_position(np.ones(items.shape), conversion, items, catalog)  # (n, c, o)
    return objectives.reward(worth.reshape(-1, worth.shape[2])).reshape(items.shape)
