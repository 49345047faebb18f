"""LinUCB: a linear bandit on observable features, exploring where its estimate is uncertain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsim.agents.features import CrossFeatures
from recsim.agents.storage import load_arrays, save_arrays
from recsim.catalog import Catalog
from recsim.observation import Layout
from recsim.policy import Ranking, only_there
from recsim.rollout import Progress, batches, user_numbers, visits
from recsim.simulator import Simulator

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]

PRIOR_REWARD = 10.0  # earned and predicted at every position before any data: positions start equal
LEAST_REWARD = 0.01  # no item is predicted to earn less, so that looks stay finite


class LinUCB:
    """Linear upper-confidence-bound scores with weights shared over items (Li et al. 2010, with features of pairs).

    score(u, i) = <theta, x(u, i)> + alpha * sqrt(x' A^-1 x), theta = A^-1 b, over the positions that were shown:
    A = ridge * I + sum look * x x', b = sum reward * x. The reward of a position is the weighted sum of its objectives;
    look is the share of users who look at it. Under a position-based model E[reward] = look * <theta, x>, so that theta
    is the reward at a position everybody looks at (Lagrée et al. 2016). The looks are not known; they are estimated as
    reward earned over reward predicted, by position, relative to the best position.

    x(u, i) holds a constant, the features of `CrossFeatures`, and the item's category as a one-hot row.
    """

    def __init__(self, catalog: Catalog, layout: Layout, *, alpha: float = 0.5, ridge: float = 1.0) -> None:
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
        self._category = self.features.keys[:, self.features.category_key]
        size = 1 + len(self.features.names) + len(catalog.categories)
        self.precision = ridge * np.eye(size)
        self.response = np.zeros(size)
        self.earned, self.predicted = np.zeros(0), np.zeros(0)  # (k,) each, reward by position

    @property
    def theta(self) -> Floats:
        """(f,) float64, estimated weights of the features."""
        return np.linalg.solve(self.precision, self.response).astype(np.float64)

    @property
    def look(self) -> Floats:
        """(k,) float64, estimated share of users who look at each position, 1 at the best."""
        ratio = self.earned / self.predicted
        look: Floats = ratio / ratio.max()
        return look

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

    def update(self, observation: Observation, slate: Items, reward: Floats) -> None:
        """Learn from n slates.

        Args:
            observation: (n, d) float32, what was seen before the slates.
            slate: (n, k) int64, -1 an empty position.
            reward: (n, k) float64, reward of each position.
        """
        shown = slate >= 0
        x = np.concatenate(
            [np.ones((*slate.shape, 1)), self.features.at(observation, slate), self._category[slate]], axis=2
        )  # (n, k, f)
        if not self.earned.size:
            self.earned, self.predicted = np.full((2, slate.shape[1]), PRIOR_REWARD)
        expected = np.maximum(x @ self.theta, LEAST_REWARD)
        self.earned = self.earned + (reward * shown).sum(axis=0)
        self.predicted = self.predicted + (expected * shown).sum(axis=0)
        weight = np.broadcast_to(self.look, slate.shape)[shown]
        self.precision += (x[shown] * weight[:, None]).T @ x[shown]
        self.response += x[shown].T @ reward[shown]

    def train(
        self, simulator: Simulator, users: int | NDArray[np.int64], *, batch: int = 100, progress: Progress = None
    ) -> LinUCB:
        """Learn online from sessions with `users`, `batch` of them at once, updating after every step.

        Where conversions come late, a slate's worth is known, and learned from, after the sessions of its batch.

        Args:
            simulator: its running sessions are replaced.
            users: a count n for users 0..n-1, or (n,) user numbers.
            batch: users served between two updates.
            progress: called with the number of users served so far.
        """
        policy = only_there(Ranking("linucb", self, simulator.slate_size), simulator.born, simulator.layout)
        for start, part in batches(user_numbers(users), batch):
            late = []
            for visit in visits(simulator, policy, part):
                response, shown = visit.step.response, visit.step.slate
                worth = simulator.objectives.per_position(response.click, response.conversion, shown, simulator.catalog)
                known = visit.observation, shown, worth @ simulator.objectives.weights
                if response.delay is None:
                    self.update(*known)
                else:
                    late.append(known)
            for known in late:
                self.update(*known)
            if progress:
                progress(start + len(part))
        return self

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        arrays = {
            "precision": self.precision,
            "response": self.response,
            "earned": self.earned,
            "predicted": self.predicted,
            "alpha": np.array([self.alpha]),
        }
        save_arrays(path, "LinUCB", arrays, self.catalog)

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> LinUCB:
        """What `save` wrote, for the same catalogue.

        Raises:
            ValueError: if the file holds something else, or belongs to another catalogue.
        """
        arrays = load_arrays(path, "LinUCB", catalog)
        bandit = cls(catalog, layout, alpha=float(arrays["alpha"][0]))
        bandit.precision, bandit.response = arrays["precision"], arrays["response"]
        bandit.earned, bandit.predicted = arrays["earned"], arrays["predicted"]
        return bandit
