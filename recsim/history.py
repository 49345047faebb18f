"""What was shown and answered: the only source of observations besides the profile."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.jit import frozen, inline_kernel, kernel, row_kernel, shrink
from recsim.observation import Layout

Floats = NDArray[np.float32]
Items = NDArray[np.int64]
Flags = NDArray[np.bool_]

LIKED_MEMORY = 0.95
EXPOSURE_MEMORY = 0.8


class ItemFeatures(NamedTuple):
    """Item features that agents may see."""

    taste: Floats  # (m, D)
    category: Items  # (m,)
    price: Floats  # (m,)
    novelty: Floats  # (m,)

    @classmethod
    def of(cls, catalog: Catalog) -> ItemFeatures:
        """The open features of a catalogue's items; price is the standardised log(1 + price)."""
        taste = np.ascontiguousarray(catalog.taste)
        return frozen(cls, taste, catalog.category, catalog.price_level, catalog.novelty)

    def __reduce__(self) -> tuple[Any, ...]:
        return frozen, (type(self), *self)


@dataclass(frozen=True)
class History:
    """Running summaries of n sessions, updated in place (`record_row`), and their last items (`remember`).

    Attributes:
        liked: (n, D + 3) float32, decayed sums over clicked items of taste, price, novelty and 1.
        passed: (n, D + 1) float32, decayed sums over items shown and not clicked of taste and 1.
        exposure: (n, C) float32, exponential average of the share of positions per category.
        category_clicks: (n, C) float32, the same for clicks.
        clicks: (n,) float32, clicks so far.
        last: (n, 2) float32, clicks on the last slate and conversions that came with it, over the slate size.
        step: (n,) int64, slates answered so far.
        clicked: (n, h) int64, the last h items clicked, newest first, -1 where there were fewer.
        bought: (n, h) int64, the same of conversions, which are bought when they arrive.
    """

    liked: Floats
    passed: Floats
    exposure: Floats
    category_clicks: Floats
    clicks: Floats
    last: Floats
    step: Items
    clicked: Items
    bought: Items

    @classmethod
    def empty(cls, n: int, catalog: Catalog, recent: int = 0) -> History:
        """Histories of n sessions before their first slate, to remember the last `recent` items."""
        taste, categories = int(catalog.offsets[-1]), len(catalog.categories)
        sizes: tuple[tuple[int, ...], ...] = ((taste + 3,), (taste + 1,), (categories,), (categories,), (), (2,))
        liked, passed, exposure, category_clicks, clicks, last = (np.zeros((n, *size), np.float32) for size in sizes)
        none = np.full((2, n, recent), -1, np.int64)
        return cls(liked, passed, exposure, category_clicks, clicks, last, np.zeros(n, np.int64), *none)

    def __getitem__(self, rows: Any) -> History:
        """A copy of some of the sessions."""
        return replace(self, **{f.name: getattr(self, f.name)[rows].copy() for f in fields(self)})

    def clear(self, rows: Items) -> None:
        """Forget the users in `rows` (row numbers)."""
        _clear(rows, self.sums)
        self.clicked[rows] = self.bought[rows] = -1

    def restart(self, rows: Items) -> None:
        """Begin another session of the users in `rows` (row numbers): likes are remembered, steps begin anew."""
        self.last[rows] = 0
        self.step[rows] = 0

    def observe(
        self, layout: Layout, profile: Floats, horizon: int, *, rows: Items | None = None, out: Floats | None = None
    ) -> Floats:
        """(n, d) float32, what `Layout` describes: a new array, or `out` with only `rows` written.

        The columns of the day and of recent items are left to the simulator.
        """
        if out is None:
            out = np.empty((len(self.step), layout.size), np.float32)
        rows = np.arange(len(out)) if rows is None else rows
        _observe(rows, self.sums, profile, horizon, out)
        return out

    @cached_property
    def sums(self) -> Sums:
        """The arrays, for kernels."""
        return Sums(self.liked, self.passed, self.exposure, self.category_clicks, self.clicks, self.last, self.step)


class Sums(NamedTuple):
    """The arrays of `History`, for kernels."""

    liked: Floats
    passed: Floats
    exposure: Floats
    category_clicks: Floats
    clicks: Floats
    last: Floats
    step: Items


@inline_kernel
def add(total: Floats, values: Floats) -> None:
    """Add `values` to as many first numbers of a vector, in place."""
    for j in range(len(values)):
        total[j] += values[j]


@inline_kernel
def add_both(total: Floats, first: Floats, second: Floats) -> None:
    """`add` one vector and then the other, which takes less time in one go: the total is loaded and stored once."""
    for j in range(len(first)):
        total[j] = total[j] + first[j] + second[j]


@inline_kernel
def clear_row(row: int, sums: Sums) -> None:
    """`History.clear` for one row."""
    sums.liked[row][:] = 0.0
    sums.passed[row][:] = 0.0
    sums.exposure[row][:] = 0.0
    sums.category_clicks[row][:] = 0.0
    sums.last[row][:] = 0.0
    sums.clicks[row] = 0.0
    sums.step[row] = 0


@kernel
def remember(row: Items, item: Items, recent: Items) -> None:
    """Put events, oldest first, of users `row` (e,) with items `item` (e,) at the front of their `recent` (n, h)."""
    for event in range(len(row)):
        for place in range(recent.shape[1] - 1, 0, -1):
            recent[row[event], place] = recent[row[event], place - 1]
        recent[row[event], 0] = item[event]


@row_kernel
def _clear(rows: Items, sums: Sums) -> None:
    for index in numba.prange(len(rows)):
        clear_row(rows[index], sums)


@inline_kernel
def put(row: Floats, start: int, values: Floats, scale: np.float32) -> int:
    """Write `values` times `scale` into a row from column `start` on; the column after them."""
    place = row[start : start + len(values)]
    for j in range(len(values)):
        place[j] = values[j] * scale
    return start + len(values)


@inline_kernel
def observe_row(row: int, sums: Sums, profile: Floats, horizon: int, out: Floats) -> None:
    """`History.observe` for one row."""
    d, one, seen = sums.passed.shape[1] - 1, np.float32(1.0), out[row]
    liked, passed, last = sums.liked[row], sums.passed[row], sums.last[row]
    few, less = one / (one + liked[d + 2]), one / (one + passed[d])
    column = put(seen, 0, liked[:d], few)
    column = put(seen, column, passed[:d], less)
    column = put(seen, column, sums.exposure[row], one)
    column = put(seen, column, sums.category_clicks[row], one)
    seen[column] = np.float32(sums.step[row] / horizon)
    seen[column + 1] = np.log(one + sums.clicks[row])
    seen[column + 2] = last[0]
    seen[column + 3] = last[1]
    seen[column + 4] = liked[d] * few
    seen[column + 5] = liked[d + 1] * few
    put(seen, column + 6, profile[row], one)


@row_kernel
def _observe(rows: Items, sums: Sums, profile: Floats, horizon: int, out: Floats) -> None:
    for index in numba.prange(len(rows)):
        observe_row(rows[index], sums, profile, horizon, out)


@inline_kernel
def record_row(row: int, slate: Items, click: Flags, conversion: Flags, items: ItemFeatures, sums: Sums) -> None:
    """Take one user's slate, and what was answered, into the sums."""
    k, d = slate.shape[1], items.taste.shape[1]
    one, keep, recent = np.float32(1.0), np.float32(LIKED_MEMORY), np.float32(EXPOSURE_MEMORY)
    share = np.float32((1.0 - EXPOSURE_MEMORY) / k)
    liked, passed = sums.liked[row], sums.passed[row]
    exposure, category_clicks = sums.exposure[row], sums.category_clicks[row]
    shrink(liked, keep)
    shrink(passed, keep)
    shrink(exposure, recent)
    shrink(category_clicks, recent)
    clicked, converted, waiting = 0, 0, -1
    for position in range(k):
        item = slate[row, position]
        if item < 0:
            continue
        category = items.category[item]
        exposure[category] += share
        if click[row, position]:
            clicked += 1
            converted += conversion[row, position]
            category_clicks[category] += share
            add(liked, items.taste[item])
            liked[d] += items.price[item]
            liked[d + 1] += items.novelty[item]
            liked[d + 2] += one
        else:
            passed[d] += one
            if waiting < 0:
                waiting = item
            else:
                add_both(passed, items.taste[waiting], items.taste[item])
                waiting = -1
    if waiting >= 0:
        add(passed, items.taste[waiting])
    sums.clicks[row] += np.float32(clicked)
    sums.last[row, 0] = np.float32(clicked / k)
    sums.last[row, 1] = np.float32(converted / k)
    sums.step[row] += 1
