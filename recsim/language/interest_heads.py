"""The regressions at the end of a predictor of interests, and how users are dealt into folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Regression = Callable[[Floats], Floats]

FOLDS = 5
RIDGES = tuple(float(10.0**power) for power in range(-1, 6))  # tried on standardised features
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # inverse ridges of the logistic regression, tried likewise


@dataclass(frozen=True, eq=False)
class Predicted:
    """What is said of n users.

    Attributes:
        affinity: (n, C) float64, higher where the category is liked more; of any scale.
        top: (n, C) float64, the probability that a category is the user's favourite; rows sum to 1.
    """

    affinity: Floats
    top: Floats


def by_fold(n: int, out_of_fold: Callable[[NDArray[np.bool_]], Floats]) -> Floats:
    """(n, d) float64, each row from a call that was given the rows of its fold to leave out; rows are dealt in turn."""
    fold, parts = np.arange(n) % FOLDS, []
    for number in range(FOLDS):
        parts.append(out_of_fold(fold == number))
    found = np.empty((n, parts[0].shape[1]))
    found[np.argsort(fold, kind="stable")] = np.concatenate(parts)
    return found


def regression(features: Floats, affinity: Floats) -> Regression:
    """Ridge regression of affinities (n, C) on standardised features (n, d).

    The ridge is that of the least leave-one-out error.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(RIDGES)).fit(features, affinity)
    return lambda others: np.asarray(model.predict(others), np.float64)


def favourite(predicted: Floats, affinity: Floats) -> Regression:
    """Multinomial logistic regression of the category liked best on predicted affinities (n, C).

    Its strength is that of the least log loss over folds. Its probabilities are mixed with equal ones as if every
    category had been one more user's favourite, so that none is impossible.
    """
    best = affinity.argmax(axis=1)
    losses = [_log_loss(predicted, best, strength, affinity.shape[1]) for strength in STRENGTHS]
    return _logistic(predicted, best, STRENGTHS[int(np.argmin(losses))], affinity.shape[1])


def _log_loss(predicted: Floats, best: NDArray[np.int64], strength: float, categories: int) -> float:
    def out_of_fold(rows: NDArray[np.bool_]) -> Floats:
        return _logistic(predicted[~rows], best[~rows], strength, categories)(predicted[rows])

    chance = by_fold(len(best), out_of_fold)
    return -float(np.log(chance[np.arange(len(best)), best]).mean())


def _logistic(predicted: Floats, best: NDArray[np.int64], strength: float, categories: int) -> Regression:
    """(n, C) probabilities; a fold in which only one category is anybody's favourite knows no other."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, equal = np.unique(best), categories / (len(best) + categories)
    several = len(known) > 1
    logistic = LogisticRegression(C=strength, max_iter=1000)
    model = make_pipeline(StandardScaler(), logistic).fit(predicted, best) if several else None

    def probabilities(others: Floats) -> Floats:
        chance = np.zeros((len(others), categories))
        chance[:, known] = 1.0 if model is None else model.predict_proba(others)
        return (1.0 - equal) * chance + equal / categories

    return probabilities
