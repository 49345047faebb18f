"""What users were shown and clicked, a row a user: the only thing that interests are predicted from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsim.logs import Log

Items = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Histories:
    """The positions that n users met, in the order in which they met them.

    Attributes:
        user: (n,) int64, user numbers, none twice.
        item: (n, p) int64, the item at each position, -1 where there was none.
        click: (n, p) bool, whether it was clicked.
    """

    user: Items
    item: Items
    click: Flags

    def __post_init__(self) -> None:
        if self.item.shape != self.click.shape or self.item.shape[:1] != self.user.shape:
            raise ValueError(
                f"user, item and click of the histories have shapes {self.user.shape}, {self.item.shape} and "
                f"{self.click.shape}; (n,), (n, p) and (n, p) are needed."
            )
        number, times = np.unique(self.user, return_counts=True)
        if (times > 1).any():
            raise ValueError(f"user {number[times > 1][0]} has two histories; put them into one row.")
        if (self.click & (self.item < 0)).any():
            row = int(np.argwhere(self.click & (self.item < 0))[0, 0])
            raise ValueError(f"user {self.user[row]} clicked an empty position, which nobody can; repair the history.")

    def __len__(self) -> int:
        """The number of users n."""
        return len(self.user)

    def __getitem__(self, rows: Any) -> Histories:
        """The histories of some of the users: a mask, a slice or an array of row numbers."""
        return Histories(self.user[rows], self.item[rows], self.click[rows])

    def clicked(self, n_items: int) -> csr_matrix:
        """(n, m) sparse float64, how often each user clicked each item."""
        return _counts(self.item, self.click, n_items)

    def passed(self, n_items: int) -> csr_matrix:
        """(n, m) sparse float64, how often each user was shown an item and did not click it."""
        return _counts(self.item, ~self.click & (self.item >= 0), n_items)

    def newest(self, row: int, most: int) -> list[int]:
        """The last items that a user clicked, newest first, none twice, at most `most`."""
        clicked = self.item[row][self.click[row]][::-1].tolist()
        return list(dict.fromkeys(clicked))[:most]


def histories_of(log: Log, n_slates: int | None = None) -> Histories:
    """The histories of a log's users: the first `n_slates` slates of each, or all.

    Raises:
        ValueError: if `n_slates` is below 1.
    """
    if n_slates is not None and n_slates < 1:
        raise ValueError(f"n_slates is {n_slates}; a history has at least 1 slate.")
    order = np.lexsort((log.step, log.session, log.user))
    user, first, count = np.unique(log.user[order], return_index=True, return_counts=True)
    most = int(count.max()) if n_slates is None else min(n_slates, int(count.max()))
    k = log.slate.shape[1]
    item, click = np.full((len(user), most, k), -1, np.int64), np.zeros((len(user), most, k), bool)
    for slate in range(most):
        there = count > slate
        rows = order[first[there] + slate]
        item[there, slate], click[there, slate] = log.slate[rows], log.click[rows]
    return Histories(user, item.reshape(len(user), -1), click.reshape(len(user), -1))


def check_apart(taught: Sequence[int] | Items, asked: Sequence[int] | Items) -> None:
    """Refuse to ask about users whose hidden interests were told.

    Raises:
        ValueError: if a user number is in both.
    """
    both = np.intersect1d(np.asarray(taught, np.int64), np.asarray(asked, np.int64))
    if both.size:
        raise ValueError(
            f"user {both[0]} is among those whose interests were told ({both.size} such users); predict and score the "
            "interests of other users."
        )


def _counts(item: Items, what: Flags, n_items: int) -> csr_matrix:
    rows = np.broadcast_to(np.arange(len(item))[:, None], item.shape)[what]
    return csr_matrix((np.ones(len(rows)), (rows, item[what])), shape=(len(item), n_items))
