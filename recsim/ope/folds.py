"""Folds of whole sessions, for models that must not have seen the rows they score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]


def session_folds(session: ArrayLike, n_folds: int) -> Iterator[tuple[Integers, Integers]]:
    """Row numbers (train, score) of every fold; the rows of a session are scored together, and by one fold.

    Which sessions share a fold depends on their numbers and lengths, not on the order of the rows.

    Args:
        session: (n,) the session of each row.
        n_folds: number of folds.

    Raises:
        ValueError: if there are fewer sessions than folds, or fewer than 2 folds.

    >>> [score.tolist() for _, score in session_folds([7, 7, 3, 5], 2)]
    [[0, 1], [2, 3]]
    """
    from sklearn.model_selection import GroupKFold

    groups = np.asarray(session)
    n_sessions = len(np.unique(groups))
    if not 2 <= n_folds <= n_sessions:
        raise ValueError(
            f"n_folds is {n_folds} and the log has {n_sessions} session(s); a model needs at least 2 folds and no more "
            "folds than sessions. Collect more sessions or ask for fewer folds."
        )
    return iter(GroupKFold(n_folds).split(groups, groups=groups))
