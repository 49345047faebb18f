"""How much a second opinion counts beside scores that are log-odds of clicks already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize
from scipy.special import expit
from scipy.stats import chi2

from recsim.agents.fusion.weights import check_contrast
from recsim.logs import Log

Floats = NDArray[np.float64]

LEVEL = 0.05  # chance with which an opinion that is worth nothing is kept


def mixing_weight(first: Floats, second: Floats, log: Log) -> float:
    """The weight w >= 0 of the most likely clicks under log-odds first + w second + b_j, with an intercept a position.

    Logistic regression with the first scores as an offset (McCullagh and Nelder 1989, "Generalized linear models") and
    a ridge of 1/2 (v^2 + |b|^2), as in `recsim.agents.fusion.weights`, v being the weight of an opinion whose standard
    deviation is 1. Only what tells the items of a slate apart counts: its mean in the slate is taken from the second
    scores, so that an opinion of users, who differ in how much they click, is none of items. A second opinion that the
    log contradicts counts 0, and so does one that it does not bear out: w is kept where a one-sided likelihood-ratio
    test finds it above 0, which happens to one that is worth nothing at most about 5 % of the time.

    Args:
        first: (n, k) float64, scores at each position of the log.
        second: (n, k) float64, what is to be added.
        log: n slates.

    Raises:
        ValueError: if the log has no contrast in clicks.
    """
    check_contrast(log.click, "click")
    shown, positions = log.slate >= 0, log.slate.shape[1]
    opinion = second - second.mean(axis=1, where=shown, keepdims=True)
    if (spread := opinion[shown].std()) == 0.0:
        return 0.0
    position = np.broadcast_to(np.eye(positions), (*log.slate.shape, positions))
    design = np.concatenate([opinion[..., None] / spread, position], axis=2)[shown]  # (shown positions, 1 + k)
    offset, clicked = first[shown], log.click[shown]

    def loss(x: Floats) -> tuple[float, Floats]:
        odds = offset + design @ x
        value = np.logaddexp(0.0, odds).sum() - odds[clicked].sum() + 0.5 * x @ x
        return float(value), design.T @ (expit(odds) - clicked) + x

    def fitted(most: float | None) -> OptimizeResult:
        bounds = [(0.0, most), *[(None, None)] * positions]
        return minimize(loss, np.zeros(1 + positions), jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-10)

    free, without = fitted(None), fitted(0.0)
    gained = 2.0 * (without.fun - free.fun)
    return float(free.x[0] / spread) if gained > chi2.ppf(1.0 - 2.0 * LEVEL, df=1) else 0.0
