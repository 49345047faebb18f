"""Fewer columns for an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def reduce_embedding(
    embedding: npt.NDArray[np.floating[Any]],
    dim: int,
    present: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.float32]:
    """The first `dim` principal components of the unit-norm rows, scaled to length 1 again.

    Deterministic: an exact singular value decomposition, and each component is turned so that its loading of largest
    absolute value is positive.

    Args:
        embedding: (m, d) floating point.
        dim: columns to keep, at most min(number of present items, d).
        present: (m,) bool, which items have the embedding; by default all. Absent rows are not looked at.

    Returns:
        (m, dim) float32; the rows of absent items are 0.
    """
    from sklearn.decomposition import PCA

    present = np.ones(len(embedding), dtype=np.bool_) if present is None else present
    empty = np.flatnonzero(present & ~embedding.any(axis=1))
    if len(empty):
        raise ValueError(
            f"row {empty[0]} of the embedding is all zeros, so it has no direction: mark that item absent."
        )
    rows = _unit_rows(embedding[present].astype(np.float64))
    if not 1 <= dim <= min(rows.shape):
        raise ValueError(
            f"cannot reduce {rows.shape[0]} present rows of {rows.shape[1]} columns to {dim} columns: "
            f"ask for 1 to {min(rows.shape)}."
        )
    pca = PCA(n_components=dim, svd_solver="full").fit(rows)
    loadings = pca.components_  # (dim, d)
    largest = loadings[np.arange(dim), np.abs(loadings).argmax(axis=1)]
    reduced = np.zeros((len(embedding), dim), dtype=np.float32)
    reduced[present] = _unit_rows(pca.transform(rows) * np.sign(largest))
    return reduced


def _unit_rows(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
