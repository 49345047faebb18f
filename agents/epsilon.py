"""Slates of an agent that is certain of them, with some positions left to chance, and exact propensities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.policy import Decision, Ranking
from recsim.streams import Streams

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]


@dataclass(frozen=True)
class EpsilonSlates:
    """Position by position, an item by chance with probability epsilon, else the best item that is not above it.

    P(item at j | above) = epsilon * P_chance(item | above) + (1 - epsilon) * [item is the best that is not above],
    exactly. Where all m items are there, P_chance is 1 / (m - j).

    Attributes:
        name: what logs and reports call it.
        best: from observations (n, d) to slates (n, k), best first, without repeats.
        chance: the random items, uniform over those that are there.
        epsilon: the probability of chance; 0 is deterministic.
    """

    name: str
    best: Callable[[Observation], Items]
    chance: Ranking
    epsilon: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.epsilon <= 1.0:
            raise ValueError(f"epsilon of {self.name!r} is {self.epsilon}; it is a probability from 0 to 1.")

    def act(self, observation: Observation, streams: Streams) -> Decision:
        """Slates (n, k) and their exact step-wise log-propensities."""
        best, random = self.best(observation), self.chance.act(observation, streams).slate
        by_chance = streams.uniform("epsilon", best.shape[1]) < self.epsilon
        slate = np.full_like(best, -1)
        for position in range(best.shape[1]):
            order = np.where(by_chance[:, position, None], random, best)
            slate[:, position] = next_of(order, slate[:, :position])
        return Decision(slate, self._log_prob(observation, best, slate))

    def step_log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n, k) float64, exact; -inf for what cannot be shown.

        Raises:
            ValueError: if a slate has an item twice, an empty position or an item that does not exist.
        """
        return self._log_prob(observation, self.best(observation), slate)

    def log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n,) float64, exact."""
        total: Floats = self.step_log_prob(observation, slate).sum(axis=1)
        return total

    def _log_prob(self, observation: Observation, best: Items, slate: Items) -> Floats:
        chance = np.exp(self.chance.step_log_prob(observation, slate))
        above = [slate[:, :position] for position in range(slate.shape[1])]
        greedy = np.stack([next_of(best, shown) for shown in above], axis=1) == slate
        with np.errstate(divide="ignore"):
            log_prob: Floats = np.log(self.epsilon * chance + (1.0 - self.epsilon) * greedy)
        return log_prob


def next_of(order: Items, above: Items) -> Items:
    """(n,) int64, the first item of each row of `order` (n, k) that is not in `above` (n, j), j < k.

    >>> next_of(np.array([[4, 2, 7]]), np.array([[2, 4]])).tolist()
    [7]
    """
    used = (order[:, :, None] == above[:, None, :]).any(axis=2)
    first: Items = np.take_along_axis(order, used.argmin(axis=1)[:, None], axis=1)[:, 0]
    return first
