"""Fewer columns for an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from recsim.encoding import unit_rows


class PrincipalComponents:
    """Principal components of rows of length 1 that come in blocks.

    Exact up to rounding: eigenvectors of the covariance matrix (Pearson, 1901; Jolliffe, 2002, section 1.1), which is
    added up in float64. Deterministic: each component is turned so that its loading of largest absolute value is
    positive.
    """

    def __init__(self, columns: int) -> None:
        """Of no rows yet.

        Args:
            columns: d, of a row.
        """
        self.count = 0
        self._sum = np.zeros(columns)
        self._products = np.zeros((columns, columns))

    def add(self, embedding: npt.NDArray[np.floating[Any]]) -> None:
        """More rows, (b, d) floating point, none of them 0; each is scaled to length 1."""
        rows = unit_rows(embedding.astype(np.float64))
        self.count += len(rows)
        self._sum += rows.sum(axis=0)
        self._products += rows.T @ rows

    def fit(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int]:
        """The mean row, (d,); all components by falling variance, (d, d), of length 1; and how many mean something.

        Beyond that many components the rows differ by rounding only, and the components are arbitrary.
        """
        mean = self._sum / self.count
        variances, vectors = np.linalg.eigh(self._products / self.count - np.outer(mean, mean))  # they rise
        components = vectors.T[::-1]
        largest = components[np.arange(len(mean)), np.abs(components).argmax(axis=1)]
        noise = len(mean) * np.finfo(np.float64).eps  # second moments of rows of length 1 have trace 1
        return mean, components * np.sign(largest)[:, None], int((variances > noise).sum())


def reduce_embedding(
    embedding: npt.NDArray[np.floating[Any]],
    dim: int,
    present: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.float32]:
    """The first `dim` principal components of the unit-norm rows, scaled to length 1 again.

    Args:
        embedding: (m, d) floating point.
        dim: columns to keep, at most min(number of present items, d).
        present: (m,) bool, which items have the embedding; by default all. Absent rows are not looked at.

    Returns:
        (m, dim) float32; the rows of absent items are 0.
    """
    present = np.ones(len(embedding), dtype=np.bool_) if present is None else present
    empty = np.flatnonzero(present & ~embedding.any(axis=1))
    if len(empty):
        raise ValueError(
            f"row {empty[0]} of the embedding is all zeros, so it has no direction: mark that item absent."
        )
    rows = unit_rows(embedding[present].astype(np.float64))
    if not 1 <= dim <= min(rows.shape):
        raise ValueError(
            f"cannot reduce {rows.shape[0]} present rows of {rows.shape[1]} columns to {dim} columns: "
            f"ask for 1 to {min(rows.shape)}."
        )
    fitted = PrincipalComponents(rows.shape[1])
    fitted.add(rows)
    centre, components, _ = fitted.fit()
    reduced = np.zeros((len(embedding), dim), dtype=np.float32)
    reduced[present] = unit_rows((rows - centre) @ components[:dim].T)
    return reduced
