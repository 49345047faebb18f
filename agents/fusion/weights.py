"""Weights of a fusion, fitted on a log: how much of what came of a slate each scorer's terms explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, PoissonRegressor

from recsim.logs import Log

Floats = NDArray[np.float64]

TARGETS = ("click", "conversion", "reward")


def fitted_weights(terms: Floats, log: Log, target: str) -> Floats:
    """Weights w of terms x that make b_j + <w, x> explain the outcome at position j, with an intercept b_j a position.

    Clicks and conversions have these log-odds (logistic regression); a reward has this log-mean, by Poisson
    quasi-likelihood, which needs nothing else of its distribution (Gourieroux, Monfort and Trognon 1984, "Pseudo
    maximum likelihood methods: applications to Poisson models"). The intercepts keep the order of the logging policy
    out of the weights. All have a ridge of 1/2 |w|^2 against the log-likelihood. Deterministic.

    Args:
        terms: (n, k, s) float64, numbers at each position of the log.
        log: n slates.
        target: which outcome is explained, one of `TARGETS`.

    Returns:
        (s,) float64.

    Raises:
        ValueError: if there is no such target, or the log has no contrast in it.
    """
    outcome, shown = _outcome(log, target), log.slate >= 0
    position = np.broadcast_to(np.eye(log.slate.shape[1]), (*log.slate.shape, log.slate.shape[1]))
    design = np.concatenate([terms, position], axis=2)[shown]
    if target == "reward":
        model = PoissonRegressor(alpha=1.0 / len(design), fit_intercept=False, solver="newton-cholesky", tol=1e-8)
    else:
        model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=500, tol=1e-8)
    coefficients = np.ravel(model.fit(design, outcome[shown]).coef_)
    weights: Floats = coefficients[: terms.shape[2]].astype(np.float64)
    return weights


def _outcome(log: Log, target: str) -> Floats | NDArray[np.bool_]:
    """(n, k) bool or float64, what is to be explained."""
    if target not in TARGETS:
        raise ValueError(f"target is {target!r}; a fusion is fitted to explain one of {', '.join(TARGETS)}.")
    if target == "reward":
        reward: Floats = log.objectives @ np.array(log.info.weights)
        if reward.min() < 0.0 or not reward.any():
            raise ValueError(
                f"rewards of positions in the log are from {reward.min():g} to {reward.max():g}; weights are fitted to "
                "rewards from 0 up of which some are above. Fit them to clicks or conversions."
            )
        return reward
    came = log.click if target == "click" else log.conversion
    check_contrast(came, target)
    return came


def check_contrast(came: NDArray[np.bool_], what: str) -> None:
    """Refuse an outcome (n, k) bool of which nothing can be learned.

    Raises:
        ValueError: if it came nowhere, or everywhere.
    """
    if came.all() or not came.any():
        raise ValueError(
            f"the log has {int(came.sum())} {what}s on {came.size:,} positions; positions with and without are both "
            "needed."
        )
