"""How heavy the tail of importance weights is: the shape of a generalised Pareto distribution fitted to the largest."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_TIED = 1e-9  # a weight counts as above the cutoff if it exceeds it by more than this part
_PRIOR_SIZE, _PRIOR_SHAPE = 10, 0.5  # weakly informative: as ten more weights with a tail of shape 1/2


def pareto_k(weight: ArrayLike, fewest: int = 25, n: int | None = None) -> float | None:
    """The shape k of the tail of `weight` (n,): moments of order 1/k and above do not exist.

    Fitted to what the largest min(n / 5, 3 sqrt(n)) weights exceed the next one by. Below 0.5 the variance is finite;
    above 0.7 means of such weights converge too slowly to be of use; above 1 they have no mean. None with fewer than
    `fewest` weights in the tail, as where a few actions make many equal weights.

    Source: Vehtari, Simpson, Gelman, Yao and Gabry 2024, "Pareto smoothed importance sampling".

    Args:
        weight: weights.
        fewest: of the tail.
        n: how many weights there are, where `weight` has only the largest of them.

    >>> quantiles = (np.arange(4000) + 0.5) / 4000
    >>> round(pareto_k((1 - quantiles) ** -0.8), 1)  # Pareto weights with k = 0.8
    0.8
    """
    values = np.asarray(weight, np.float64)
    rows = len(values) if n is None else n
    in_tail = min(rows // 5, math.ceil(3 * math.sqrt(rows)), len(values) - 1)
    if in_tail < fewest:
        return None
    largest = np.sort(np.partition(values, len(values) - in_tail - 1)[-in_tail - 1 :])
    excess = largest[1:] - largest[0]
    excess = excess[excess > _TIED * abs(largest[0])]  # weights of the pseudo-inverse may be below 0
    if len(excess) < fewest or excess[-1] <= excess[0] * (1 + _TIED):
        return None
    k, size = generalised_pareto_shape(excess), len(excess)
    return (size * k + _PRIOR_SIZE * _PRIOR_SHAPE) / (size + _PRIOR_SIZE)


def generalised_pareto_shape(excess: Floats) -> float:
    """The shape k of a generalised Pareto distribution, from `excess` (n,) positive and in ascending order.

    With b = -k / sigma, the profile likelihood of b is n [ln(-b / k(b)) - k(b) - 1], k(b) = mean ln(1 - b x). The
    posterior mean of b under the authors' prior is a weighted mean over a grid of about 30 + sqrt(n) points.

    Source: Zhang and Stephens 2009, "A new and efficient estimation method for the generalized Pareto distribution"
    (there with the sign of k reversed).
    """
    n = len(excess)
    size = 30 + int(math.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    points = 1 / excess[-1] + (1 - np.sqrt(size / (np.arange(1, size + 1) - 0.5))) / (3 * quartile)  # (size,)
    shape = np.log1p(-points[:, None] * excess).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = n * (np.log(-points / shape) - shape - 1)
    likelihood = np.where(np.isfinite(likelihood), likelihood, -np.inf)
    chance = np.exp(likelihood - likelihood.max())
    point = float((points * chance).sum() / chance.sum())
    return float(np.log1p(-point * excess).mean())
