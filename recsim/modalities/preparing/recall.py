"""How well one modality of an item finds the other: ranks of true partners, and recall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.modalities.preparing.pairs import Floats, Items

_BLOCK = 1024  # queries whose cosines with all answers are held at a time


def partner_ranks(queries: Floats, answers: Floats, groups: Items) -> Items:
    """(n,) int64, how many other answers are at least as close to a query as its own; 0 is the best.

    Ties count against the query, so that a space into which everything falls as one point finds nothing. Copies of the
    partner do not count, as whoever finds one of them has found what was asked for.

    Args:
        queries: (n, r) float64 rows of length 1.
        answers: (n, r) float64 rows of length 1, row i the partner of query i.
        groups: (n,) int64, groups of copies.

    >>> apart, together = np.eye(2), np.ones((2, 2)) / np.sqrt(2)
    >>> [partner_ranks(apart, answers, np.arange(2)).tolist() for answers in (apart, together)]
    [[0, 0], [1, 1]]
    """
    own = (queries * answers).sum(axis=1)
    ranks = [np.zeros(0, np.int64)]
    for start in range(0, len(own), _BLOCK):
        rows = slice(start, start + _BLOCK)
        # Half a unit in the last of ten digits keeps ties ties, in whatever order products are added.
        closer = queries[rows] @ answers.T >= own[rows, None] - 5e-11
        ranks.append((closer & (groups[rows, None] != groups)).sum(axis=1))
    return np.concatenate(ranks)


def recall_at(k: int, ranks: Items) -> float:
    """Share of the queries whose partner is among the first k answers.

    >>> recall_at(10, np.array([0, 9, 10, 50]))  # the first two
    0.5
    """
    found: NDArray[np.bool_] = ranks < k
    return float(found.mean())
