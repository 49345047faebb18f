"""Items that are unlike all others in a modality."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.modalities.preparing.pairs import Floats

TREES = 300


def outliers(rows: Floats, share: float, seed: int) -> tuple[NDArray[np.bool_], Floats]:
    """Which rows are outliers, (n,) bool, and how easily each is told from the rest, (n,) float64 in (0, 1].

    An isolation forest cuts at random until a row stands alone; 2^(-mean number of cuts / expected number) is near 1
    for rows that few cuts isolate, and about 1/2 for others (Liu, Ting & Zhou 2008, "Isolation forest", equation 2).
    The round(share × n) rows with the highest scores are outliers, as no threshold holds for every modality: look at
    the scores before something is thrown away.

    Args:
        rows: (n, d) float64.
        share: of the rows, in (0, 1/2].
        seed: of the trees.
    """
    from sklearn.ensemble import IsolationForest

    model = IsolationForest(n_estimators=TREES, random_state=seed % 2**32).fit(rows)
    score = -np.asarray(model.score_samples(rows), np.float64)
    found = np.zeros(len(rows), np.bool_)
    found[np.argsort(-score, kind="stable")[: round(share * len(rows))]] = True
    return found, score


def clipped(rows: Floats, found: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """The rows with outliers drawn toward the centre, (n, d) float64, and which of them moved, (n,) bool.

    The centre is the median of the others, column by column. An outlier farther from it than all others is put, along
    the same line, as far away as the farthest of them. One that is not farther stays: it is odd in direction, not size.
    """
    centre = np.median(rows[~found], axis=0)
    distance = np.linalg.norm(rows - centre, axis=1)
    farthest = distance[~found].max()
    moved = found & (distance > farthest)
    scale = np.where(moved, farthest / np.where(moved, distance, 1.0), 1.0)
    return np.where(moved[:, None], centre + (rows - centre) * scale[:, None], rows), moved
