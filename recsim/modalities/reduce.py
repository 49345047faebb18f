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
