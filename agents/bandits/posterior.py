"""What is known of the weights of a linear model with an intercept for each item: Gaussians, and ridge regression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve
from scipy.sparse import csr_matrix

from recsim.agents.bandits.bandit import Floats, Items


@dataclass
class ItemGaussian:
    """What is known of weights theta (F,) of features and of an intercept beta_i of each item: N(mean, precision^-1).

    Intercepts meet each other through theta only, so that their part of the precision is diagonal: theta alone has the
    precision S = A - sum_i M_i M_i' / D_i, and given theta each beta_i has the precision D_i (hybrid LinUCB: Li et al.
    2010, algorithm 2, with a constant as the features that are an item's own). Weights are kept as one row, theta and
    then beta, of F + m numbers.

    Attributes:
        shared: (F, F) float64, A, theta's block of the precision: ridge * I + sum weight * x x'.
        met: (m, F) float64, M, the block between: sum weight * x over the showings of an item.
        item: (m,) float64, D, the diagonal of the items: item_ridge + sum weight over the showings.
    """

    shared: Floats
    met: Floats
    item: Floats

    @cached_property
    def root(self) -> Floats:
        """(F, F) float64, L with L L' = S."""
        return np.linalg.cholesky(schur(self.shared, self.met, self.item)).astype(np.float64)

    def with_data(self, x: Floats, item: Items, weight: Floats) -> tuple[Floats, Floats, Floats]:
        """The three blocks after N pairs with features x (N, F) and items (N,), which count `weight` (N,)."""
        weighted = x * weight[:, None]
        met = self.met + of_items(item, weighted, len(self.item))
        return self.shared + weighted.T @ x, met, self.item + np.bincount(item, weight, len(self.item))

    def draws_around(self, mean: Floats, normal: Floats, scale: float) -> Floats:
        """(s, F + m) float64, draws from N(mean, scale^2 precision^-1), made of standard `normal` draws (s, F + m)."""
        theta, beta = np.split(normal, [len(self.shared)], axis=1)
        theta = np.linalg.solve(self.root.T, theta.T).T.astype(np.float64)  # the covariance of L'^-1 z is S^-1
        beta = beta / np.sqrt(self.item) - theta @ (self.met / self.item[:, None]).T
        moved: Floats = mean + scale * np.concatenate([theta, beta], axis=1)
        return moved


def of_items(item: Items, values: Floats, m: int) -> Floats:
    """(m, F) float64, sums of the rows of `values` (N, F) that belong to each item (N,)."""
    rows = csr_matrix((np.ones(len(item)), (item, np.arange(len(item)))), shape=(m, len(item)))
    sums: Floats = rows @ values
    return sums


def schur(shared: Floats, met: Floats, item: Floats) -> Floats:
    """(F, F) float64, S, the precision of theta when the intercepts are unknown (see `ItemGaussian`)."""
    scaled = met / np.sqrt(item)[:, None]
    return shared - scaled.T @ scaled


def block_solve(root: Floats, met: Floats, item: Floats, right: Floats) -> Floats:
    """(F + m,) float64, precision^-1 times `right` (F + m,), where S = root root' (see `ItemGaussian`)."""
    top, bottom = np.split(right, [len(root)])
    theta = cho_solve((root, True), top - met.T @ (bottom / item))
    return np.concatenate([theta, (bottom - met @ theta) / item])


@dataclass
class Ridge(ItemGaussian):
    """Bayesian linear regression with an intercept for each item: what is known up to the noise's variance.

    Attributes:
        response: (F + m,) float64, sum reward * x, then the sums of each item's rewards.
    """

    response: Floats

    @classmethod
    def of(cls, size: int, n_items: int, ridge: float, item_ridge: float) -> Ridge:
        """The prior N(0, I / ridge) of `size` weights and N(0, I / item_ridge) of the intercepts."""
        blocks = ridge * np.eye(size), np.zeros((n_items, size)), np.full(n_items, item_ridge)
        return cls(*blocks, np.zeros(size + n_items))

    @cached_property
    def mean(self) -> Floats:
        """(F + m,) float64."""
        return block_solve(self.root, self.met, self.item, self.response)

    @cached_property
    def covariance(self) -> Floats:
        """(F, F) float64, of theta."""
        inverse = np.linalg.inv(self.root)
        covariance: Floats = inverse.T @ inverse
        return covariance

    def after(self, x: Floats, item: Items, reward: Floats, weight: Floats) -> Ridge:
        """What is known after N rewards (N,) of items (N,) at features (N, F).

        Under E[reward] = weight * (<theta, x> + beta_i), the prediction is the reward at weight 1 (Lagrée et al. 2016).
        """
        earned = np.concatenate([x.T @ reward, np.bincount(item, reward, len(self.item))])
        return Ridge(*self.with_data(x, item, weight), self.response + earned)

    def draws(self, normal: Floats, scale: float) -> Floats:
        """(s, F + m) float64, draws from N(mean, scale^2 precision^-1), made of `normal` draws (s, F + m)."""
        return self.draws_around(self.mean, normal, scale)
