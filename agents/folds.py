"""Folds of the users of a log: what is learned of some is tried on others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsim.logs import Log
from recsim.rollout import Progress

FOLDS = 5


def user_folds(log: Log) -> NDArray[np.int64]:
    """(n,) int64 from 0 to `FOLDS` - 1, the fold of each row: users by their numbers, dealt out in turn."""
    number: NDArray[np.int64] = np.unique(log.user, return_inverse=True)[1]
    return number % FOLDS


def cross_fitted(
    log: Log, terms_of: Callable[[Log, Log], NDArray[np.float64]], progress: Progress = None
) -> NDArray[np.float64]:
    """(n, k, s) float64, terms of every slate of a log that have not seen its user's clicks.

    Args:
        log: n slates of two users or more.
        terms_of: (sessions to count, slates to explain) to terms (n', k, s) of these slates. It is called for each of
            `FOLDS` folds of users, with the sessions of all others to count.
        progress: called with the number of slates whose terms are known so far.

    Raises:
        ValueError: if the log has a single user.
    """
    fold, parts, done = user_folds(log), [], 0
    if not fold.any():
        raise ValueError("the log has 1 user, whose clicks nobody else's can explain; collect more.")
    for number in np.unique(fold):
        parts.append(terms_of(log[fold != number], log[fold == number]))
        done += len(parts[-1])
        if progress:
            progress(done)
    terms = np.empty((*log.slate.shape, parts[0].shape[2]))
    terms[np.argsort(fold, kind="stable")] = np.concatenate(parts)
    return terms
