"""LinUCB: a linear bandit on observable features, exploring where its estimate is uncertain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsim.agents.features import CrossFeatures
from recsim.agents.storage import load_arrays, save_arrays
from recsim.catalog import Catalog
from recsim.observation import Layout
from recsim.policy import Ranking
from recsim.rollout import Progress, batches, user_numbers, visits
from recsim.simulator import Simulator

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]


class LinUCB:
    """Linear upper-confidence-bound scores with weights shared over items (Li et al. 2010, with features of pairs).

    score(u, i) = <theta, x(u, i)> + alpha * sqrt(x' A^-1 x), theta = A^-1 b, over the positions that were shown:
    A = ridge * I + sum look * x x', b = sum reward * x. The reward of a position is the weighted sum of its objectives;
    look is the share of users who look at it, estimated from the clicks by position. Under a position-based model
    E[reward] = look * <theta, x>, so that theta is the reward at a position everybody looks at (Lagrée et al. 2016).

    x(u, i) holds a constant, the features of `CrossFeatures`, and the item's category as a one-hot row.
    """

    def __init__(self, catalog: Catalog, layout: Layout, *, alpha: float = 0.3, ridge: float = 1.0) -> None:
        """An untrained bandit.

        Args:
            catalog: the items.
            layout: where features stand in an observation.
            alpha: width of the confidence bound; 0 does not explore.
            ridge: prior precision of theta.

        Raises:
            ValueError: if alpha is negative or ridge is not positive.
        """
        if alpha < 0 or ridge <= 0:
            raise ValueError(f"alpha is {alpha} and ridge {ridge}; alpha is from 0 up and ridge above 0.")
        self.catalog, self.layout, self.alpha = catalog, layout, alpha
        self.features = CrossFeatures(catalog, layout)
        self._category = np.eye(len(catalog.categories), dtype=np.float32)[catalog.category]
        size = 1 + len(self.features.names) + len(catalog.categories)
        self.precision = ridge * np.eye(size)
        self.response = np.zeros(size)
        self.clicks_by_position: Floats = np.zeros(0)

    @property
    def theta(self) -> Floats:
        """(f,) float64, estimated weights of the features."""
        return np.linalg.solve(self.precision, self.response).astype(np.float64)

    def scores(self, observation: Observation) -> Floats:
        """(n, m) float64, upper confidence bounds of every item's reward at the top position."""
        cross = self.features.all(observation)  # (n, m, f)
        theta, root = self.theta, np.linalg.cholesky(np.linalg.inv(self.precision))
        split = 1 + len(self.features.names)
        own = self._category @ root[split:].astype(np.float32) + root[0].astype(np.float32)  # (m, F)
        mean = cross @ theta[1:split].astype(np.float32) + (self._category @ theta[split:] + theta[0])
        if self.alpha == 0.0:
            unexplored: Floats = mean.astype(np.float64)
            return unexplored
        spread = cross @ root[1:split].astype(np.float32) + own  # (n, m, F): its squared length is x' A^-1 x
        bound: Floats = (mean + self.alpha * np.sqrt(np.einsum("nmf,nmf->nm", spread, spread))).astype(np.float64)
        return bound

    def update(self, observation: Observation, slate: Items, click: NDArray[np.bool_], reward: Floats) -> None:
        """Learn from n slates.

        Args:
            observation: (n, d) float32, what was seen before the slates.
            slate: (n, k) int64, -1 an empty position.
            click: (n, k) bool.
            reward: (n, k) float64, reward of each position.
        """
        if not self.clicks_by_position.size:
            self.clicks_by_position = np.ones(slate.shape[1])
        self.clicks_by_position = self.clicks_by_position + click.sum(axis=0)
        look = self.clicks_by_position / self.clicks_by_position.max()
        shown = slate >= 0
        x = np.concatenate(
            [np.ones((*slate.shape, 1)), self.features.at(observation, slate), self._category[slate]], axis=2
        )[shown].astype(np.float64)
        weight = np.broadcast_to(look, slate.shape)[shown]
        self.precision += (x * weight[:, None]).T @ x
        self.response += x.T @ reward[shown]

    def train(
        self, simulator: Simulator, users: int | NDArray[np.int64], *, batch: int = 100, progress: Progress = None
    ) -> LinUCB:
        """Learn online from sessions with `users`, `batch` of them at once, updating after every step.

        Args:
            simulator: its running sessions are replaced.
            users: a count n for users 0..n-1, or (n,) user numbers.
            batch: users served between two updates.
            progress: called with the number of users served so far.
        """
        policy = Ranking("linucb", self, simulator.slate_size)
        for start, part in batches(user_numbers(users), batch):
            for visit in visits(simulator, policy, part):
                response, shown = visit.step.response, visit.step.slate
                worth = simulator.objectives.per_position(response.click, response.conversion, shown, simulator.catalog)
                self.update(visit.observation, shown, response.click, worth @ simulator.objectives.weights)
            if progress:
                progress(start + len(part))
        return self

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        arrays = {
            "precision": self.precision,
            "response": self.response,
            "clicks_by_position": self.clicks_by_position,
            "alpha": np.array([self.alpha]),
        }
        save_arrays(path, "LinUCB", arrays, {"catalog": self.catalog.name})

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> LinUCB:
        """What `save` wrote, for the same catalogue.

        Raises:
            ValueError: if the file holds something else, or belongs to another catalogue.
        """
        arrays, _ = load_arrays(path, "LinUCB", {"catalog": catalog.name})
        bandit = cls(catalog, layout, alpha=float(arrays["alpha"][0]))
        bandit.precision, bandit.response = arrays["precision"], arrays["response"]
        bandit.clicks_by_position = arrays["clicks_by_position"]
        return bandit
