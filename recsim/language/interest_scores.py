"""How well predicted interests agree with hidden ones, user by user, and intervals over worlds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recsim.language.interest_heads import Predicted
from recsim.metrics import mean_interval

Floats = NDArray[np.float64]

TOP = 3
METRICS = ("ndcg", "recall", "correlation", "personal correlation", "log loss")
_NO_SPREAD = 1e-9  # of the largest value: below, differences are rounding


def scores_of(predicted: Predicted, affinity: Floats) -> dict[str, Floats]:
    """Name of a metric to (n,) float64, for predictions about users of hidden affinities (n, C).

    ndcg: of the ranking of all categories; gains are a user's affinities scaled to [0, 1], discounts 1 / log2(1 + rank)
    (Järvelin and Kekäläinen 2002).
    recall: share of the `TOP` best liked categories among the `TOP` predicted.
    correlation: of predicted and hidden affinities over the categories.
    personal correlation: the same after each category's mean over the users is taken off, so that only what tells users
    apart counts; 0 for a prediction that is the same for all.
    log loss: -log of the probability given to the favourite category.

    Raises:
        ValueError: if a user likes all categories alike, or the shapes differ.
    """
    if predicted.affinity.shape != affinity.shape or predicted.top.shape != affinity.shape:
        raise ValueError(
            f"predictions have shapes {predicted.affinity.shape} and {predicted.top.shape} for affinities of shape "
            f"{affinity.shape}; a row a user, a column a category."
        )
    flat = np.flatnonzero(np.ptp(affinity, axis=1) == 0.0)
    if flat.size:
        raise ValueError(f"user in row {flat[0]} likes all categories alike, so there is nothing to predict.")
    said, favourite = predicted.affinity, affinity.argmax(axis=1)[:, None]
    return {
        "ndcg": _ndcg(said, affinity),
        "recall": _recall(said, affinity),
        "correlation": _correlation(said, affinity),
        "personal correlation": _correlation(_personal(said), _personal(affinity)),
        "log loss": -np.log(np.take_along_axis(predicted.top, favourite, axis=1)[:, 0]),
    }


def intervals(worlds: Sequence[Mapping[str, Floats]], level: float) -> dict[str, dict[str, float]]:
    """Metric to its mean over worlds with the ends of its interval (`recsim.metrics.mean_interval`).

    Users of a world share who was told of, so worlds are the unit: each counts by its mean over users. Pass differences
    (`less`) for an interval that is paired.

    Args:
        worlds: for each of at least 2 worlds, metric to (n,) float64.
        level: of the interval.
    """
    means = {name: mean_interval([world[name].mean() for world in worlds], level) for name in worlds[0]}
    return {name: {"mean": found.mean, "low": found.low, "high": found.high} for name, found in means.items()}


def less(first: Mapping[str, Floats], second: Mapping[str, Floats]) -> dict[str, Floats]:
    """Metric to (n,) float64, the first predictor's scores of the same users minus the second's."""
    return {name: first[name] - second[name] for name in first}


def _ndcg(said: Floats, affinity: Floats) -> Floats:
    least, most = affinity.min(axis=1, keepdims=True), affinity.max(axis=1, keepdims=True)
    gain = (affinity - least) / (most - least)
    discount = 1.0 / np.log2(2.0 + np.arange(affinity.shape[1]))
    ranked = np.take_along_axis(gain, np.argsort(-said, axis=1, kind="stable"), axis=1)
    ratio: Floats = (ranked @ discount) / (-np.sort(-gain, axis=1) @ discount)
    return ratio


def _recall(said: Floats, affinity: Floats) -> Floats:
    top, told = (np.argsort(-values, axis=1, kind="stable")[:, :TOP] for values in (affinity, said))
    share: Floats = (top[:, :, None] == told[:, None, :]).any(axis=2).mean(axis=1)
    return share


def _correlation(a: Floats, b: Floats) -> Floats:
    """(n,), Pearson's correlation of rows; 0 where one of them is constant but for rounding."""
    x, y = (values - values.mean(axis=1, keepdims=True) for values in (a, b))
    norms = [np.linalg.norm(values, axis=1) for values in (x, y)]
    spread = [norm > _NO_SPREAD * np.abs(values).max() for norm, values in zip(norms, (a, b), strict=True)]
    product = np.where(spread[0] & spread[1], norms[0] * norms[1], np.inf)
    found: Floats = (x * y).sum(axis=1) / product
    return found


def _personal(values: Floats) -> Floats:
    """The values (n, C) without each column's mean; 0 where what is left is rounding."""
    rest = values - values.mean(axis=0)
    return np.where(np.abs(rest).max() > _NO_SPREAD * np.abs(values).max(), rest, 0.0)
