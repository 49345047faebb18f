"""Linear Thompson sampling: a linear bandit that ranks by weights drawn from their posterior."""

from __future__ import annotations

from recsim.agents.bandits.bandit import Floats, Observation, above_zero, from_zero
from recsim.agents.bandits.linear import LinearBandit, predicted
from recsim.agents.bandits.thompson import ThompsonBandit
from recsim.catalog import Catalog
from recsim.observation import Layout


class LinearThompson(LinearBandit, ThompsonBandit):
    """score(u, i) = <theta, x(u, i)> + beta_i with weights drawn from N(mean, scale^2 precision^-1).

    Agrawal & Goyal 2013, algorithm 1; mean and precision are LinUCB's (see `Ridge`, `Looks`). `scores` are those of the
    mean.
    """

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        *,
        scale: float = 0.3,
        ridge: float = 1.0,
        item_ridge: float = 10.0,
        draws: int = 16,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> None:
        """An untrained bandit.

        Args:
            catalog: the items.
            layout: where features stand in an observation.
            scale: v of the paper, how widely theta is drawn; 0 does not explore.
            ridge: prior precision of theta.
            item_ridge: prior precision of the items' intercepts.
            draws: see `ThompsonBandit`.
            temperature: see `ThompsonBandit`.
            seed: see `ThompsonBandit`.

        Raises:
            ValueError: if scale or temperature is negative, or ridge, item_ridge or draws not positive.
        """
        from_zero(scale=scale, temperature=temperature)
        above_zero(draws=draws)
        options = {"scale": scale, "draws": draws, "temperature": temperature, "seed": seed}
        super().__init__(catalog, layout, ridge=ridge, item_ridge=item_ridge, **options)
        self.scale, self.draws, self.temperature, self.seed = scale, draws, temperature, seed

    def sampled_scores(self, observation: Observation) -> Floats:
        """(n, s, m) float64 (see `ThompsonBandit`)."""
        weights = self.posterior.draws(self.normal(len(self.posterior.response)), self.scale)
        return predicted(self.features, observation, weights)
