"""Epsilon-greedy: what the linear estimate likes, with some positions left to chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.agents.bandits.bandit import Items, Observation
from recsim.agents.bandits.linear import LinearBandit
from recsim.agents.epsilon import EpsilonSlates
from recsim.catalog import Catalog
from recsim.observation import Layout
from recsim.policy import Policy, Ranking, finite_scores, only_there, top_k, uniform


class EpsilonGreedy(LinearBandit):
    """Shows the highest estimated rewards; each position is random with probability epsilon (Sutton & Barto 2018, 2.2).

    The estimate is that of LinUCB without its bound.
    """

    def __init__(
        self, catalog: Catalog, layout: Layout, *, epsilon: float = 0.1, ridge: float = 1.0, item_ridge: float = 10.0
    ) -> None:
        """An untrained bandit.

        Args:
            catalog: the items.
            layout: where features stand in an observation.
            epsilon: probability that a position is random.
            ridge: prior precision of the weights.
            item_ridge: prior precision of the items' intercepts.

        Raises:
            ValueError: if epsilon is no probability, or ridge or item_ridge not positive.
        """
        if not 0.0 <= epsilon <= 1.0:
            raise ValueError(f"epsilon is {epsilon}; it is a probability from 0 to 1.")
        super().__init__(catalog, layout, ridge=ridge, item_ridge=item_ridge, epsilon=epsilon)
        self.epsilon = epsilon

    def policy(self, name: str, slate_size: int, *, born: NDArray[np.float32] | None = None) -> Policy:
        """The highest estimates with random positions among them (see `Bandit.policy`)."""
        greedy = only_there(Ranking(name, self, slate_size), born, self.layout)
        chance = only_there(uniform(self.catalog, slate_size), born, self.layout)

        def best(observation: Observation) -> Items:
            return top_k(finite_scores(name, greedy.scorer.scores(observation)), slate_size)

        return EpsilonSlates(name, best, chance, self.epsilon)
