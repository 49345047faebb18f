"""Copies of users, with luck that is not theirs, on whom an oracle tries slates before it decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.policy import top_k
from recsim.simulator import Simulator, rows_of
from recsim.streams import Streams, sub_seed

Floats = NDArray[np.float64]
Items = NDArray[np.int64]

_TRIES = 8  # slates with each item before the worse half of the items is dropped


@dataclass(frozen=True)
class Rehearsal:
    """Users and the items that may be shown to them.

    Attributes:
        state: hidden state of n users.
        streams: (n,) the luck that is tried.
        left: (n,) int64, slates until the horizon.
        items: (n, c) int64, the items, -1 for none.
        base: (n, c) float64, what each is thought to be worth.
    """

    state: Any
    streams: Streams
    left: Items
    items: Items
    base: Floats

    def __getitem__(self, rows: Any) -> Rehearsal:
        """Some of the users; a row may be taken many times."""
        state, streams = rows_of(self.state, rows), self.streams[rows]
        return Rehearsal(state, streams, self.left[rows], self.items[rows], self.base[rows])

    def shortened(self, columns: Items) -> Rehearsal:
        """The same users with some of the items, `columns` (n, c') of each."""
        items = np.take_along_axis(self.items, columns, axis=1)
        return replace(self, items=items, base=np.take_along_axis(self.base, columns, axis=1))


def numbered(streams: Streams, number: ArrayLike) -> Streams:
    """Luck of its own for every number from 0 up, one for all or (n,)."""
    return replace(streams, session=streams.session + (np.asarray(number, np.uint64) << np.uint64(32)))


def tried(rehearsal: Rehearsal, length: int, simulator: Simulator) -> Rehearsal:
    """The `length` items that earn most in random slates, with what they earned on average; needs only `respond`.

    All items are shown `_TRIES` times, then the better half as often again, and so on (successive halving; Karnin,
    Koren & Somekh 2013).
    """
    luck = replace(rehearsal.streams, seed=np.uint64(sub_seed(int(rehearsal.streams.seed), "tries")))
    rehearsal, tries = replace(rehearsal, streams=luck), 0
    while True:
        for number in range(tries, tries + _TRIES):
            rehearsal = replace(rehearsal, base=rehearsal.base + _shown_once_each(rehearsal, number, simulator))
        tries += _TRIES
        count = max(length, rehearsal.items.shape[1] // 2)
        rehearsal = rehearsal.shortened(top_k(rehearsal.base, count))
        if count == length:
            return replace(rehearsal, base=rehearsal.base / tries)


def _shown_once_each(rehearsal: Rehearsal, number: int, simulator: Simulator) -> Floats:
    """(n, c) reward of each item, every one shown once, in slates of items drawn at random."""
    n, c = rehearsal.items.shape
    k = simulator.slate_size
    slates = -(-c // k)
    order = np.full((n, slates * k), -1)
    order[:, :c] = numbered(rehearsal.streams, number).uniform("try", c).argsort(axis=1, kind="stable")
    slate = np.where(order >= 0, np.take_along_axis(rehearsal.items, order, axis=1), -1).reshape(-1, k)
    who = np.repeat(np.arange(n), slates)
    luck = numbered(rehearsal.streams[who], number * len(simulator.catalog) + np.tile(np.arange(slates), n))
    response, _ = simulator.users.respond(rows_of(rehearsal.state, who), slate, luck)
    each = simulator.objectives.per_position(response.click, response.conversion, slate, simulator.catalog)
    reward = simulator.objectives.reward(each.reshape(-1, each.shape[2])).reshape(n, -1)
    earned = np.empty((n, c))
    np.put_along_axis(earned, order[:, :c], reward[:, :c], axis=1)
    return earned
