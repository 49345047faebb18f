"""Canonical correlations: the directions of two modalities that vary together."""

from __future__ import annotations

import numpy as np

from recsim.modalities.preparing.pairs import Floats


def cca(first: Floats, second: Floats, dim: int) -> tuple[Floats, Floats]:
    """(d1, r) and (d2, r) float64 weights of regularised canonical correlation analysis.

    With S11 and S22 the covariances, shrunk toward a multiple of the identity, and S12 the cross-covariance, weights
    are S11^(-1/2) U and S22^(-1/2) V of the singular value decomposition U diag(rho) V' of S11^(-1/2) S12 S22^(-1/2)
    (Hotelling 1936, "Relations between two sets of variates"; ridge: Vinod 1976, "Canonical ridge"). How much is shrunk
    follows from the data (Ledoit & Wolf 2004, "A well-conditioned estimator"). Columns are multiplied by their
    correlation rho, so that the cosine listens to what both modalities know (Gong et al. 2014, "A multi-view embedding
    space for modeling internet images, tags, and their semantics", section 3.3, with power 1).

    Args:
        first: (p, d1) float64 with column means 0.
        second: (p, d2) float64 with column means 0.
        dim: columns r, at most min(d1, d2).
    """
    left, right = _inverse_root(first), _inverse_root(second)
    turned, correlation, back = np.linalg.svd(left @ (first.T @ second / len(first)) @ right, full_matrices=False)
    sign = np.sign(turned[np.abs(turned).argmax(axis=0), np.arange(turned.shape[1])])
    scale = (sign * correlation)[:dim]
    return left @ turned[:, :dim] * scale, right @ back.T[:, :dim] * scale


def _inverse_root(rows: Floats) -> Floats:
    """(d, d) float64, the symmetric inverse square root of the shrunk covariance."""
    from sklearn.covariance import ledoit_wolf

    variance, directions = np.linalg.eigh(ledoit_wolf(rows, assume_centered=True)[0])
    # Columns that never vary, and copies of columns, have no variance to divide by.
    usable = variance > variance[-1] * len(variance) * np.finfo(np.float64).eps
    roots = np.sqrt(np.where(usable, variance, 1.0))
    return np.asarray((directions * np.where(usable, 1.0 / roots, 0.0)) @ directions.T)
