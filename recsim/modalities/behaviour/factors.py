"""Item vectors by factorising the matrix of users and items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsim.modalities.behaviour.clicks import Clicks
from recsim.streams import sub_seed

REGULARIZATION, ALPHA, ITERATIONS = 1.0, 5.0, 15


def als(clicks: Clicks, dim: int, seed: int, progress: Callable[[int], None]) -> NDArray[np.float32]:
    """(m, dim) float32, item factors of implicit feedback (Hu, Koren and Volinsky 2008), by `implicit`'s ALS.

    They minimise sum_ui c_ui (p_ui - <x_u, y_i>)^2 + 1.0 (|X|^2 + |Y|^2), their equation (3), with p_ui = 1 where user
    u clicked item i and 0 elsewhere, and confidence c_ui = 5 times the clicks, 1 where there are none. Items without a
    click get 0.
    """
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    def told(iteration: int, *_: float) -> None:
        progress(100 * (iteration + 1) // ITERATIONS)

    with threadpool_limits(1):  # implicit asks for it, and sums must not depend on the number of threads
        model = AlternatingLeastSquares(
            dim, REGULARIZATION, ALPHA, iterations=ITERATIONS, num_threads=1, random_state=sub_seed(seed, "behaviour")
        )
        model.fit(clicks.matrix(), show_progress=False, callback=told)
    return np.asarray(model.item_factors, dtype=np.float32)


def svd(clicks: Clicks, dim: int, seed: int, progress: Callable[[int], None]) -> NDArray[np.float32]:
    """(m, dim) float32, latent semantic analysis (Deerwester et al. 1990) of items as documents and users as words.

    Clicks are weighted by tf-idf: 1 + ln(clicks) of a user u times 1 + ln((1 + items) / (1 + items that u clicked)), so
    that users who click everything say little, and an item's row has length 1, so that popular items do not lead. With
    the singular value decomposition U S V' of this matrix, an item's vector is its row of U S: cosines of items are
    those of their rows in the best approximation of rank `dim`. `seed` only starts the iteration (ARPACK).
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer
    from threadpoolctl import threadpool_limits

    clicked = clicks.clicked
    rows = clicks.matrix().T.tocsr()[clicked].astype(np.float64)  # (items with a click, users)
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(rows)
    with threadpool_limits(1):
        found = TruncatedSVD(dim, algorithm="arpack", random_state=sub_seed(seed, "behaviour")).fit_transform(weighted)
    vectors = np.zeros((clicks.n_items, dim), np.float32)
    vectors[clicked] = found
    progress(100)
    return vectors
