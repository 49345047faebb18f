"""The one form in which every estimator hands over its result: sums of ratios, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.jit import kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Terms:
    """What each row (a slate, or later a session) adds to an estimate for every objective at once.

    The estimate is a sum of g ratios, sum_g [sum_i numerator_igo / sum_i denominator_ig]. A plain average has g = 1
    and a denominator of ones; a self-normalised estimator has its weights there, one group per position where each
    position is normalised on its own. Numerators and denominators add up over rows, so that intervals can resample
    both together and parts of a log can be summed apart and merged.

    Attributes:
        numerator: (n, g, o) float64.
        denominator: (n, g) float64.
    """

    numerator: Floats
    denominator: Floats

    def __len__(self) -> int:
        """The number of rows n."""
        return len(self.numerator)

    @property
    def value(self) -> Floats:
        """(o,) the estimate; NaN where a denominator adds up to zero, which means that nothing in the log bears on it.

        >>> terms = Terms(numerator=np.array([[[1.0]], [[3.0]]]), denominator=np.array([[1.0], [4.0]]))
        >>> float(terms.value[0])  # (1 + 3) / (1 + 4)
        0.8
        """
        return sum_of_ratios(self.numerator.sum(axis=0), self.denominator.sum(axis=0))

    @property
    def influence(self) -> Floats:
        """(n, o) what each row adds to the estimate's error, to first order (the delta method for ratios)."""
        numerator, denominator = self.numerator.sum(axis=0), self.denominator.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = numerator / denominator[:, None]  # (g, o)
            scaled = self.numerator / denominator[:, None] - ratio * (self.denominator / denominator)[:, :, None]
        total: Floats = scaled.sum(axis=1)
        return total

    @property
    def columns(self) -> Floats:
        """(n, g * o + g) the numerators of every group, then the denominators."""
        return np.concatenate([self.numerator.reshape(len(self), -1), self.denominator], axis=1)

    def grouped(self, cluster: Integers, n_clusters: int) -> Terms:
        """The same estimate with one row per cluster: `cluster` (n,) gives each row's number in 0..n_clusters-1."""
        return Terms(sum_by(self.numerator, cluster, n_clusters), sum_by(self.denominator, cluster, n_clusters))


def mean_terms(contribution: Floats) -> Terms:
    """The terms of a plain average of `contribution` (n, o) over rows: one group with a denominator of ones."""
    return Terms(contribution[:, None, :], np.ones((len(contribution), 1)))


def standard_error(influence: Floats) -> Floats:
    """(o,) of an estimate with the influence (n, o) of independent rows."""
    n = len(influence)
    error: Floats = np.sqrt(n / (n - 1) * np.square(influence).sum(axis=0))
    return error


def sum_of_ratios(numerator: Floats, denominator: Floats) -> Floats:
    """Sum over the groups of numerator (..., g, o) / denominator (..., g): (..., o), NaN where a denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        total: Floats = (numerator / denominator[..., None]).sum(axis=-2)
    return np.where((denominator == 0).any(axis=-1, keepdims=True), np.nan, total)


def value_of_columns(sums: Floats, g: int, o: int) -> Floats:
    """The estimate (..., o) of sums over rows of `Terms.columns` (..., g * o + g)."""
    numerator = sums[..., : g * o].reshape(*sums.shape[:-1], g, o)
    return sum_of_ratios(numerator, sums[..., g * o :])


def sum_by(values: Floats, cluster: Integers, n_clusters: int) -> Floats:
    """Sums of the rows of `values` (n, ...) that share a cluster: (n_clusters, ...).

    Raises:
        ValueError: if `cluster` is not one number in 0..n_clusters-1 for each row.
    """
    if cluster.shape != values.shape[:1]:
        raise ValueError(f"cluster has shape {cluster.shape} for {len(values):,} rows; pass one number per row.")
    if len(cluster) and not 0 <= cluster.min() <= cluster.max() < n_clusters:
        raise ValueError(
            f"clusters are numbered {cluster.min()} to {cluster.max()} but there are {n_clusters:,} of them; "
            "number them from 0 up (recsim.ope.clusters_of)."
        )
    out = np.zeros((n_clusters, *values.shape[1:]))
    _add_rows(values.reshape(len(values), -1), cluster, out.reshape(n_clusters, -1))
    return out


@kernel
def _add_rows(values: Floats, cluster: Integers, out: Floats) -> None:
    for row in range(len(values)):
        total = out[cluster[row]]
        for column in range(values.shape[1]):
            total[column] += values[row, column]
