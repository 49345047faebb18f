"""Standardised columns, and rows of which only some components are kept."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from recsim.modalities.preparing.pairs import Floats

ITERATIONS, TOLERANCE = 1000, 1e-3  # of FastICA


def standardised_columns(rows: Floats) -> Floats:
    """(n, d) float64 with column means 0 and standard deviations 1; a column that never varies becomes 0."""
    from sklearn.preprocessing import StandardScaler

    return np.asarray(StandardScaler().fit_transform(rows), np.float64)


def by_principal_components(rows: Floats, components: int) -> tuple[Floats, float]:
    """(n, d) float64 rows made again from their first principal components, and the share of variance kept.

    Source: Pearson 1901, "On lines and planes of closest fit"; by `sklearn.decomposition.PCA`.
    """
    from sklearn.decomposition import PCA

    _check(rows, components)
    model: Any = PCA(n_components=components, svd_solver="full").fit(rows)
    again = model.inverse_transform(model.transform(rows))
    return np.asarray(again, np.float64), float(model.explained_variance_ratio_.sum())


def by_independent_components(rows: Floats, components: int, seed: int) -> tuple[Floats, float]:
    """(n, d) float64 rows made again from their least Gaussian independent components, and the share of variance kept.

    Independent components have no order of their own. A sum of many small influences is nearly Gaussian, so the
    components with the largest absolute excess kurtosis are kept, and the rest is taken for noise (Hyvärinen & Oja
    2000, "Independent component analysis: algorithms and applications", section 4; the algorithm is their FastICA).

    Args:
        rows: (n, d) float64.
        components: to keep; as many are looked for as the rows have directions.
        seed: of where the search begins.

    Raises:
        ValueError: if so many cannot be kept, or the search does not settle.
    """
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    _check(rows, components)
    rank = int(np.linalg.matrix_rank(rows - rows.mean(axis=0)))
    model: Any = FastICA(
        n_components=rank, whiten="unit-variance", random_state=seed % 2**32, max_iter=ITERATIONS, tol=TOLERANCE
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            sources = model.fit_transform(rows)
        except ConvergenceWarning as error:
            raise ValueError(
                f"independent components of {rows.shape[0]} rows and {rows.shape[1]} columns were not found in "
                f"{ITERATIONS} iterations: take method pca, or reduce the modality first."
            ) from error
    kurtosis = np.abs((sources**4).mean(axis=0) / np.square((sources**2).mean(axis=0)) - 3)
    kept = np.argsort(-kurtosis, kind="stable")[:components]
    again = sources[:, kept] @ model.mixing_[:, kept].T + model.mean_
    return np.asarray(again, np.float64), float(again.var(axis=0).sum() / rows.var(axis=0).sum())


def _check(rows: Floats, components: int) -> None:
    rank = int(np.linalg.matrix_rank(rows - rows.mean(axis=0)))
    if components > rank:
        raise ValueError(f"{components} components cannot be kept of rows that vary in {rank} directions only.")
