"""Linear models of a position's reward: features of pairs, and how much each position is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from recsim.agents.bandits.bandit import Bandit, Feedback, Floats, Items, Observation, above_zero
from recsim.agents.bandits.posterior import Ridge
from recsim.agents.features import CrossFeatures
from recsim.catalog import Catalog
from recsim.observation import Layout

PRIOR_REWARD = 10.0  # earned and predicted at every position before any data: positions start equal
LEAST_REWARD = 0.01  # no item is predicted to earn less, so that looks stay finite


class Features(Protocol):
    """Features x(u, i) of pairs of a user and an item.

    Attributes:
        size: F, how many there are.
    """

    size: int

    def at(self, observation: Observation, items: Items) -> Floats:
        """(n, c, F) float64, the features of `items` (n, c)."""
        ...

    def dot(self, observation: Observation, weights: Floats, items: Items | None = None) -> Floats:
        """(n, s, m) float64, inner products of every item's features and `weights` (s, F); (n, s, c) of `items`."""
        ...


def dot_at(features: Features, observation: Observation, weights: Floats, items: Items) -> Floats:
    """(n, s, c) float64, `Features.dot` of few items, by writing their features down."""
    product: Floats = weights @ features.at(observation, items).swapaxes(1, 2)
    return product


class PairFeatures:
    """x(u, i): personal features (f), what users of a profile think of a category (p * C), the item's own features (G).

    Personal are those of `CrossFeatures` that depend on the user. Then comes, for each category, the profile p(u) if
    the item is of that category, else 0 (an outer product, as in section 5 of Li et al. 2010). The item's own are
    price, novelty, 1 and its category. Products with all items are computed without writing the features down.

    Attributes:
        size: F = f + p * C + G.
        n_personal: f.
        own: (m, G) float64, the item's own features.
        constant: (F,) float64, the weights under which every pair is worth 1.
    """

    def __init__(self, catalog: Catalog, layout: Layout) -> None:
        """Features for observations laid out as `layout`."""
        self.cross = CrossFeatures(catalog, layout)
        self._personal = [feature for feature in self.cross.features if feature.query is not None]
        ordinary = self.cross.keys[:, self.cross.category_key.stop :]
        one, category = np.ones((len(catalog), 1)), self.cross.keys[:, self.cross.category_key]
        self.own: Floats = np.concatenate([ordinary, one, category], axis=1)  # (m, G)
        self._category, self._profile = catalog.category, layout["profile"]
        told = category.shape[1], self._profile.stop - self._profile.start
        self.n_personal = len(self._personal)
        self._first_own = self.n_personal + told[0] * told[1]
        self._told = np.arange(self.n_personal, self._first_own).reshape(told)  # (C, p), columns of x
        self.size = self._first_own + self.own.shape[1]
        self.constant: Floats = np.eye(self.size)[self._first_own + ordinary.shape[1]]

    def at(self, observation: Observation, items: Items) -> Floats:
        """(n, c, F) float64 (see `Features`)."""
        x = np.zeros((*items.shape, self.size))
        x[:, :, : self.n_personal] = self.personal_at(observation, items)
        columns = self._told[self._category[items]]  # (n, c, p)
        np.put_along_axis(x, columns, np.broadcast_to(self._profiles(observation)[:, None], columns.shape), axis=2)
        x[:, :, self._first_own :] = self.own[items]
        return x

    def personal_at(self, observation: Observation, items: Items) -> Observation:
        """(n, c, f) float32, the personal features of `items` (n, c)."""
        keys = self.cross.keys[items]  # (n, c, P)
        each = [np.einsum("np,ncp->nc", f.of_users(observation), keys[:, :, f.key]) for f in self._personal]
        return np.stack(each, axis=2)

    def personal(self, observation: Observation) -> Observation:
        """(f, n, m) float32, the personal features of every item."""
        keys = self.cross.keys
        out = np.empty((self.n_personal, len(observation), len(keys)), np.float32)
        for values, feature in zip(out, self._personal, strict=True):
            np.matmul(feature.of_users(observation), keys[:, feature.key].T, out=values)
        return out

    def dot(self, observation: Observation, weights: Floats, items: Items | None = None) -> Floats:
        """(n, s, m) or (n, s, c) float64 (see `Features`)."""
        if items is not None:
            return dot_at(self, observation, weights, items)
        keys, (n, s) = self.cross.keys, (len(observation), len(weights))
        query = np.zeros((n, s, keys.shape[1]), np.float32)
        query[:, :, self.cross.category_key] = np.einsum(
            "np,scp->nsc", self._profiles(observation), weights[:, self._told], optimize=True
        )
        for number, feature in enumerate(self._personal):
            weight = weights[:, number, None].astype(np.float32)
            query[:, :, feature.key] += weight * feature.of_users(observation)[:, None]
        product = (query.reshape(n * s, -1) @ keys.T).reshape(n, s, -1)
        out: Floats = product + weights[:, self._first_own :] @ self.own.T
        return out

    def spread(self, observation: Observation, covariance: Floats, centre: Floats) -> Floats:
        """(n, m) float64, (x - c)' S (x - c) for `covariance` S (F, F) and each item's `centre` c (m, F).

        x - c is the sum of a personal part z, a part t of profile and category, and a part e of the item alone.
        """
        f, told, category = self.n_personal, self._told, self._category
        alone = -centre
        alone[:, self._first_own :] += self.own
        met, profile = alone @ covariance, self._profiles(observation)  # (m, F), (n, p)
        out = 2.0 * profile @ met[np.arange(len(met))[:, None], told[category]].T  # 2 t'Se
        out += np.einsum("mf,mf->m", met, alone)  # e'Se
        within = covariance[told[:, :, None], told[:, None, :]]  # (C, p, p)
        out += np.einsum("np,cpq,nq->nc", profile, within, profile, optimize=True)[:, category]  # t'St
        across = np.einsum("fcp,np->fnc", covariance[:f, told], profile, optimize=True).astype(np.float32)
        personal = self.personal(observation)
        each = (covariance[:f, :f].astype(np.float32) @ personal.reshape(f, -1)).reshape(personal.shape)  # Sz
        each += 2.0 * (across[:, :, category] + met[:, None, :f].T.astype(np.float32).reshape(f, 1, -1))  # 2S(t + e)
        out += np.einsum("fnm,fnm->nm", personal, each)
        return np.maximum(out, 0.0)

    def _profiles(self, observation: Observation) -> Floats:
        return observation[:, self._profile].astype(np.float64)


@dataclass
class Looks:
    """The share of users who look at each position, estimated as reward earned over reward predicted.

    The estimate is relative to the best position. Reward by position alone would take the ranker's own order for
    position bias. Rewards are from 0 up: a share of sums in which gains and losses cancel would be no probability.

    Attributes:
        earned: (k,) float64, reward by position.
        predicted: (k,) float64, reward by position if everybody looked.
    """

    earned: Floats = field(default_factory=lambda: np.zeros(0))
    predicted: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def share(self) -> Floats:
        """(k,) float64, 1 at the best position."""
        ratio = self.earned / self.predicted
        share: Floats = ratio / ratio.max()
        return share

    def add(self, earned: Floats, predicted: Floats) -> None:
        """Count (n, k) rewards, 0 at empty positions.

        Raises:
            ValueError: if a position earned less than 0; nothing is counted then.
        """
        if earned.min(initial=0.0) < 0.0:
            row, position = np.argwhere(earned < 0.0)[0]
            raise ValueError(
                f"row {row}, position {position} earned {earned[row, position]:g}, but how much a position is looked "
                "at is told from rewards from 0 up: weigh objectives from 0 up, or use CascadeLinUCB, which tells it "
                "from clicks."
            )
        if not self.earned.size:
            self.earned, self.predicted = np.full((2, earned.shape[1]), PRIOR_REWARD)
        self.earned = self.earned + earned.sum(axis=0)
        self.predicted = self.predicted + predicted.sum(axis=0)


def predicted(features: Features, observation: Observation, weights: Floats, items: Items | None = None) -> Floats:
    """(n, s, m) float64, <theta, x(u, i)> + beta_i for `weights` (s, F + m) and every item; (n, s, c) of `items`."""
    theta, beta = np.split(weights, [features.size], axis=1)
    out = features.dot(observation, theta, items)
    out += beta if items is None else beta[:, items].swapaxes(0, 1)
    return out


def predicted_at(x: Floats, items: Items, weights: Floats) -> Floats:
    """(...) float64, the same for one row of `weights` (F + m,), of items (...) with features x (..., F)."""
    out: Floats = x @ weights[: x.shape[-1]] + weights[x.shape[-1] + items]
    return out


class LinearBandit(Bandit):
    """Ridge regression of a position's reward on x(u, i) and the item, weighing positions by how much they are seen.

    Attributes:
        features: x(u, i).
        posterior: what is known of the weights of x and the intercepts of items.
        looks: how much each position is looked at.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("posterior", "looks")
    features: Features

    def __init__(self, catalog: Catalog, layout: Layout, *, ridge: float, item_ridge: float, **options: float) -> None:
        """An untrained bandit whose weights have the prior precision `ridge`, intercepts of items `item_ridge`.

        Raises:
            ValueError: if one of them is not above 0.
        """
        above_zero(ridge=ridge, item_ridge=item_ridge)
        super().__init__(catalog, layout, ridge=ridge, item_ridge=item_ridge, **options)
        self.features, self.ridge, self.item_ridge = self.features_of(catalog, layout), ridge, item_ridge
        self.posterior, self.looks = self.prior(), Looks()

    def features_of(self, catalog: Catalog, layout: Layout) -> Features:
        """The features that the reward is linear in."""
        return PairFeatures(catalog, layout)

    def prior(self) -> Ridge:
        """What is believed before any data."""
        return Ridge.of(self.features.size, len(self.catalog), self.ridge, self.item_ridge)

    def scores(self, observation: Observation, items: Items | None = None) -> Floats:
        """(n, m) or (n, c) float64, estimated rewards at a position that everybody looks at."""
        return predicted(self.features, observation, self.posterior.mean[None], items)[:, 0]

    def learn(self, feedback: Feedback) -> None:
        """Learn from n slates."""
        x, slate, shown = self.features.at(feedback.observation, feedback.slate), feedback.slate, feedback.slate >= 0
        weight = self.weights(feedback, x)
        self.posterior = self.posterior.after(x[shown], slate[shown], feedback.reward[shown], weight[shown])

    def weights(self, feedback: Feedback, x: Floats) -> Floats:
        """(n, k) float64, how much each position, with features x (n, k, F), counts as looked at."""
        shown = feedback.slate >= 0
        expected = np.maximum(predicted_at(x, feedback.slate, self.posterior.mean), LEAST_REWARD)
        self.looks.add(feedback.reward * shown, expected * shown)
        return np.broadcast_to(self.looks.share, shown.shape)
