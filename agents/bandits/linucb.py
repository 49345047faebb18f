"""LinUCB: a linear bandit on observable features, exploring where its estimate is uncertain."""

from __future__ import annotations

import numpy as np

from recsim.agents.bandits.bandit import Floats, Items, Observation, from_zero
from recsim.agents.bandits.linear import LinearBandit, PairFeatures
from recsim.catalog import Catalog
from recsim.observation import Layout


class LinUCB(LinearBandit):
    """Linear upper confidence bounds, with weights shared over items and intercepts of items (hybrid: Li et al. 2010).

    score(u, i) = <theta, x(u, i)> + beta_i + alpha * sqrt(1 / D_i + (x - c_i)' S^-1 (x - c_i)), where c_i = M_i / D_i
    is what x was, on the whole, when the item was shown (see `Ridge`, `ItemGaussian`, `Looks`): the root is the
    standard deviation of <theta, x> + beta_i under the posterior.
    """

    features: PairFeatures

    def __init__(
        self, catalog: Catalog, layout: Layout, *, alpha: float = 0.5, ridge: float = 1.0, item_ridge: float = 10.0
    ) -> None:
        """An untrained bandit.

        Args:
            catalog: the items.
            layout: where features stand in an observation.
            alpha: width of the confidence bound; 0 does not explore.
            ridge: prior precision of theta.
            item_ridge: prior precision of the items' intercepts.

        Raises:
            ValueError: if alpha is negative, or ridge or item_ridge not positive.
        """
        from_zero(alpha=alpha)
        super().__init__(catalog, layout, ridge=ridge, item_ridge=item_ridge, alpha=alpha)
        self.alpha = alpha

    def scores(self, observation: Observation, items: Items | None = None) -> Floats:
        """(n, m) or (n, c) float64, upper confidence bounds of rewards at a position that everybody looks at."""
        mean = super().scores(observation, items)
        if self.alpha == 0.0:
            return mean
        return mean + self.alpha * self._deviation(observation, items)

    def _deviation(self, observation: Observation, items: Items | None) -> Floats:
        covariance, precision = self.posterior.covariance, self.posterior.item
        centre = self.posterior.met / precision[:, None]
        if items is None:
            variance: Floats = 1.0 / precision + self.features.spread(observation, covariance, centre)
        else:
            off = self.features.at(observation, items) - centre[items]
            variance = 1.0 / precision[items] + np.einsum("ncf,ncf->nc", off @ covariance, off)
        deviation: Floats = np.sqrt(variance)
        return deviation
