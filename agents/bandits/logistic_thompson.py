"""Logistic Thompson sampling: clicks as logistic, what a click is worth as linear, both drawn from their posteriors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit

from recsim.agents.bandits.bandit import Feedback, Floats, Items, Observation, above_zero, from_zero
from recsim.agents.bandits.linear import LEAST_REWARD, Looks, PairFeatures, predicted, predicted_at
from recsim.agents.bandits.posterior import ItemGaussian, Ridge, block_solve, schur
from recsim.agents.bandits.thompson import ThompsonBandit
from recsim.catalog import Catalog
from recsim.observation import Layout

_NEWTON_STEPS = 50
_TOLERANCE = 1e-9


@dataclass
class Laplace(ItemGaussian):
    """Bayesian logistic regression with an intercept for each item, by Laplace's approximation after every update.

    Attributes:
        mean: (F + m,) float64, the most likely weights.
    """

    mean: Floats

    @classmethod
    def of(cls, size: int, n_items: int, ridge: float, item_ridge: float) -> Laplace:
        """The prior N(0, I / ridge) of `size` weights and N(0, I / item_ridge) of the intercepts."""
        blocks = ridge * np.eye(size), np.zeros((n_items, size)), np.full(n_items, item_ridge)
        return cls(*blocks, np.zeros(size + n_items))

    def after(self, x: Floats, item: Items, label: Floats, weight: Floats) -> Laplace:
        """What is known after N labels (N,) in {0, 1} of items (N,) that count `weight` (N,), at features x (N, F).

        With what was believed as the prior, the mean moves to the most likely weights, by Newton's method, and the
        precision grows by the curvature there: sum weight * p (1 - p) x x' (Chapelle & Li 2011, algorithm 3, with the
        whole matrix instead of its diagonal).
        """
        w, loss = self.mean, self._loss(self.mean, x, item, label, weight)
        for _ in range(_NEWTON_STEPS):
            p = expit(predicted_at(x, item, w))
            wrong = weight * (p - label)
            gradient = self._times(w - self.mean) + np.append(x.T @ wrong, np.bincount(item, wrong, len(self.item)))
            shared, met, precision = self.with_data(x, item, weight * p * (1.0 - p))
            root = np.linalg.cholesky(schur(shared, met, precision)).astype(np.float64)
            step = block_solve(root, met, precision, gradient)
            size, decrease = 1.0, float(gradient @ step)
            while (lower := self._loss(w - size * step, x, item, label, weight)) > loss and size > _TOLERANCE:
                size /= 2.0
            w, loss = w - size * step, lower
            if decrease < _TOLERANCE:
                break
        p = expit(predicted_at(x, item, w))
        return Laplace(*self.with_data(x, item, weight * p * (1.0 - p)), w)

    def _loss(self, w: Floats, x: Floats, item: Items, label: Floats, weight: Floats) -> float:
        """The negative log-posterior of w (F + m,), up to a constant."""
        logit, moved = predicted_at(x, item, w), w - self.mean
        return float(0.5 * moved @ self._times(moved) + weight @ (np.logaddexp(0.0, logit) - label * logit))

    def _times(self, w: Floats) -> Floats:
        """(F + m,) float64, the precision times w."""
        theta, beta = np.split(w, [len(self.shared)])
        return np.concatenate([self.shared @ theta + self.met.T @ beta, self.met @ theta + self.item * beta])


class LogisticThompson(ThompsonBandit):
    """score(u, i) = P(click | examined) * E[reward | click], both of features x(u, i) (`PairFeatures`).

    P(click | examined) = logistic(<theta, x> + beta_i) with weights drawn from N(mean, scale^2 precision^-1), see
    Chapelle & Li 2011. The reward of a click is linear in the same, by ridge regression on the clicked positions, drawn
    with the same scale; since clicked positions were looked at, nothing is to be corrected there. It makes conversions
    and novelty count, which clicks alone do not. Before any data a click is worth 1.

    A position without a click may not have been looked at: it counts as a 0 with the probability that it was, look
    (1 - p) / (1 - look p) (the position-based model's E-step: Wang et al. 2018, regression-based EM). `Looks` compares
    clicks with predicted clicks.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("click", "worth", "looks")

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        *,
        scale: float = 0.5,
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
            scale: how widely weights are drawn, 1 as widely as the posterior says; 0 does not explore.
            ridge: prior precision of the weights.
            item_ridge: prior precision of the items' intercepts.
            draws: see `ThompsonBandit`.
            temperature: see `ThompsonBandit`.
            seed: see `ThompsonBandit`.

        Raises:
            ValueError: if scale or temperature is negative, or ridge, item_ridge or draws not positive.
        """
        from_zero(scale=scale, temperature=temperature)
        above_zero(ridge=ridge, item_ridge=item_ridge, draws=draws)
        options = {"scale": scale, "draws": draws, "temperature": temperature, "seed": seed}
        super().__init__(catalog, layout, ridge=ridge, item_ridge=item_ridge, **options)
        self.scale, self.draws, self.temperature, self.seed = scale, draws, temperature, seed
        self.features = PairFeatures(catalog, layout)
        prior = self.features.size, len(catalog), ridge, item_ridge
        self.click, self.worth, self.looks = Laplace.of(*prior), Ridge.of(*prior), Looks()
        self.worth.response[: self.features.size] = ridge * self.features.constant

    def scores(self, observation: Observation, items: Items | None = None) -> Floats:
        """(n, m) or (n, c) float64, estimated rewards at a position that everybody looks at."""
        return self._rewards(observation, self.click.mean[None], self.worth.mean[None], items)[:, 0]

    def sampled_scores(self, observation: Observation) -> Floats:
        """(n, s, m) float64 (see `ThompsonBandit`)."""
        size = len(self.click.mean)
        click = self.click.draws_around(self.click.mean, self.normal(size), self.scale)
        worth = self.worth.draws(self.normal(size, 1), self.scale)
        return self._rewards(observation, click, worth)

    def learn(self, feedback: Feedback) -> None:
        """Learn from n slates."""
        slate, click = feedback.slate, feedback.click
        x, shown = self.features.at(feedback.observation, slate), slate >= 0
        logit = predicted_at(x, slate, self.click.mean)
        p, none = expit(logit), expit(-logit)
        self.looks.add((click & shown).astype(np.float64), p * shown)
        look = self.looks.share
        weight = np.where(click, 1.0, look * none / (none + (1.0 - look) * p))
        self.click = self.click.after(x[shown], slate[shown], click[shown].astype(np.float64), weight[shown])
        self.worth = self.worth.after(x[click], slate[click], feedback.reward[click], np.ones(int(click.sum())))

    def _rewards(self, observation: Observation, click: Floats, worth: Floats, items: Items | None = None) -> Floats:
        """(n, s, m) or (n, s, c) float64, for weights (s, F + m) of the click and of its worth."""
        value = np.maximum(predicted(self.features, observation, worth, items), LEAST_REWARD)
        rewards: Floats = expit(predicted(self.features, observation, click, items)) * value
        return rewards
