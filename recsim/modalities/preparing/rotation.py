"""Orthogonal Procrustes: turn one modality onto the other."""

from __future__ import annotations

import numpy as np

from recsim.modalities.preparing.pairs import Floats


def procrustes(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """(d1, r) and (d2, r) float64 weights, r = max(d1, d2): the rotation of `first` nearest to `second`, and none.

    argmin over orthogonal R of |first R - second| (Schönemann 1966, "A generalized solution of the orthogonal
    Procrustes problem"), by `scipy.linalg.orthogonal_procrustes`. The modality with fewer columns is filled up with 0.

    Args:
        first: (p, d1) float64 with column means 0.
        second: (p, d2) float64 with column means 0.
    """
    from scipy.linalg import orthogonal_procrustes

    wide = max(first.shape[1], second.shape[1])
    rotation, _ = orthogonal_procrustes(_filled(first, wide), _filled(second, wide))
    return np.asarray(rotation[: first.shape[1]]), np.eye(second.shape[1], wide)


def _filled(rows: Floats, columns: int) -> Floats:
    return np.pad(rows, ((0, 0), (0, columns - rows.shape[1])))
