"""An absent modality foretold by another one."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from recsim.encoding import unit_rows
from recsim.modalities.preparing.pairs import Floats, Items, folds, splits

ALPHAS = np.logspace(-3, 3, 13)  # penalties that ridge chooses from
FOLDS = 5  # by whose held-out error it chooses

Method = Literal["ridge", "knn"]


def foretold(
    method: Method, source: Floats, target: Floats, asked: Floats, *, groups: Items, neighbours: int = 10
) -> Floats:
    """(q, d2) float64 rows of length 1: what `target` may be where `source` is as asked.

    Args:
        method: ridge regression (Hoerl & Kennard 1970), its penalty chosen by cross-validation that keeps copies
            together; or the mean of the targets of the nearest sources by cosine.
        source: (p, d1) float64 rows of length 1.
        target: (p, d2) float64 rows of length 1 of the same items.
        asked: (q, d1) float64 rows of length 1.
        groups: (p,) int64, groups of copies.
        neighbours: of knn.

    Raises:
        ValueError: if there are fewer sources than neighbours, or fewer groups than folds.
    """
    if method == "knn" and len(source) < neighbours:
        raise ValueError(f"{len(source)} items have both modalities: that is fewer than {neighbours} neighbours.")
    model = _model(method, source, target, groups, neighbours).fit(source, target)
    return unit_rows(np.asarray(model.predict(asked), np.float64))


def held_out_cosines(
    method: Method, source: Floats, target: Floats, fold: Items, *, groups: Items, neighbours: int = 10
) -> Floats:
    """(p,) float64 cosines of held-out targets with what is foretold of them; 0 on average if that is any other item.

    That is so of centred rows, such as principal components; elsewhere, compare with shuffled targets.
    """
    cosine = np.zeros(len(source))
    for others, own in splits(fold):
        guessed = foretold(
            method, source[others], target[others], source[own], groups=groups[others], neighbours=neighbours
        )
        cosine[own] = (guessed * target[own]).sum(axis=1)
    return cosine


def _model(method: Method, source: Floats, target: Floats, groups: Items, neighbours: int) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor

    if method == "ridge":
        return Ridge(alpha=chosen_penalty(source, target, groups))
    return KNeighborsRegressor(n_neighbors=neighbours, metric="cosine")


def chosen_penalty(source: Floats, target: Floats, groups: Items) -> float:
    """The one of `ALPHAS` with the smallest squared error on held-out groups of copies.

    What `RidgeCV` of scikit-learn chooses with the same folds, but each fold is decomposed once for all penalties.
    """
    error = np.zeros(len(ALPHAS))
    for others, own in splits(folds(groups, FOLDS, 0)):
        centre, mean = source[others].mean(axis=0), target[others].mean(axis=0)
        rows = source[others] - centre
        squares, turn = np.linalg.eigh(rows.T @ rows)
        shared, asked = turn.T @ (rows.T @ (target[others] - mean)), (source[own] - centre) @ turn
        for number, alpha in enumerate(ALPHAS):
            error[number] += np.square(target[own] - mean - asked @ (shared / (squares + alpha)[:, None])).sum()
    return float(ALPHAS[error.argmin()])
