"""Conversions that come some steps after their click."""

from __future__ import annotations

import numpy as np

from recsim.users.contract import Flags, Items, Response

_LONGEST = np.uint64(2**62)  # longer than any session, and no sum with a step passes int64


class LateConversions:
    """What is under way in n sessions: conversions, in the order of their clicks."""

    def __init__(self, n: int, under_way: Items | None = None) -> None:
        """Nothing is under way yet, or what another object's `under_way` says."""
        self._n = n
        self._row, self._item, self._due = np.zeros((3, 0), np.int64) if under_way is None else under_way.copy()

    @property
    def under_way(self) -> Items:
        """(3, c) int64, row, item and the step in which it is due, of the conversions in the order of their clicks."""
        return np.stack([self._row, self._item, self._due])

    def arrived(self, response: Response, shown: Items, step: Items, ended: Flags) -> tuple[Items, Items]:
        """The conversions that arrive with the answer to step number `step` (n,); all, where `ended` (n,).

        Returns:
            Their rows and their items, in the order of their clicks.
        """
        row, position = np.nonzero(response.conversion)
        wait = np.zeros(len(row), np.int64)
        if response.delay is not None:
            wait = np.minimum(response.delay[row, position].astype(np.uint64), _LONGEST).astype(np.int64)
        self._row, self._item, self._due = (
            np.concatenate(parts)
            for parts in ((self._row, row), (self._item, shown[row, position]), (self._due, step[row] + wait))
        )
        here = (self._due <= step[self._row]) | ended[self._row]
        arrived = self._row[here], self._item[here]
        self._only(~here)
        return arrived

    def clear(self, rows: Items) -> None:
        """Nothing is under way in the sessions that begin in `rows` (row numbers)."""
        begins = np.zeros(self._n, bool)
        begins[rows] = True
        self._only(~begins[self._row])

    def keep(self, rows: Flags | Items) -> None:
        """Go on with some of the sessions only (a mask or row numbers)."""
        kept = np.arange(self._n)[rows]
        place = np.full(self._n, -1)
        place[kept] = np.arange(len(kept))
        self._n, self._row = len(kept), place[self._row]
        self._only(self._row >= 0)

    def _only(self, mask: Flags) -> None:
        self._row, self._item, self._due = self._row[mask], self._item[mask], self._due[mask]
