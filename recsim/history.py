"""What was shown and answered: the only source of observations besides the profile."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.jit import frozen, inline_kernel, row_kernel
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
    """Running summaries of n sessions, updated in place by `record`.

    Attributes:
        liked: (n, D + 3) float32, decayed sums over clicked items of taste, price, novelty and 1.
        passed: (n, D + 1) float32, decayed sums over items shown and not clicked of taste and 1.
        exposure: (n, C) float32, exponential average of the share of positions per category.
        category_clicks: (n, C) float32, the same for clicks.
        clicks: (n,) float32, clicks so far.
        last: (n, 2) float32, share of positions clicked and converted in the last slate.
        step: (n,) int64, slates answered so far.
    """

    liked: Floats
    passed: Floats
    exposure: Floats
    category_clicks: Floats
    clicks: Floats
    last: Floats
    step: Items

    @classmethod
    def empty(cls, n: int, catalog: Catalog) -> History:
        """Histories of n sessions before their first slate."""
        taste, categories = int(catalog.offsets[-1]), len(catalog.categories)
        sizes: tuple[tuple[int, ...], ...] = ((taste + 3,), (taste + 1,), (categories,), (categories,), (), (2,))
        liked, passed, exposure, category_clicks, clicks, last = (np.zeros((n, *size), np.float32) for size in sizes)
        return cls(liked, passed, exposure, category_clicks, clicks, last, np.zeros(n, np.int64))

    def __getitem__(self, rows: Any) -> History:
        """A copy of some of the sessions."""
        return replace(self, **{f.name: getattr(self, f.name)[rows].copy() for f in fields(self)})

    def clear(self, rows: Flags) -> None:
        """Forget the sessions where `rows` (n,) is true."""
        for f in fields(self):
            getattr(self, f.name)[rows] = 0

    def record(self, slate: Items, click: Flags, conversion: Flags, items: ItemFeatures) -> None:
        """Take in n slates ((n, k) int64, -1 an empty position) and what was answered ((n, k) bool)."""
        _record(
            slate,
            click,
            conversion,
            items,
            self.liked,
            self.passed,
            self.exposure,
            self.category_clicks,
            self.clicks,
            self.last,
            self.step,
        )

    def observe(self, layout: Layout, profile: Floats, horizon: int) -> Floats:
        """(n, d) float32, the observation rows described in `Layout`; a new array."""
        out = np.empty((len(self.step), layout.size), np.float32)
        _observe(
            self.liked,
            self.passed,
            self.exposure,
            self.category_clicks,
            self.clicks,
            self.last,
            self.step,
            profile,
            horizon,
            out,
        )
        return out


@inline_kernel
def shrink(total: Floats, keep: np.float32) -> None:
    """Multiply a vector by `keep`, in place."""
    for j in range(len(total)):
        total[j] *= keep


@inline_kernel
def add(total: Floats, values: Floats) -> None:
    """Add `values` to as many first numbers of a vector, in place."""
    for j in range(len(values)):
        total[j] += values[j]


@row_kernel
def _record(
    slate: Items,
    click: Flags,
    conversion: Flags,
    items: ItemFeatures,
    liked: Floats,
    passed: Floats,
    exposure: Floats,
    category_clicks: Floats,
    clicks: Floats,
    last: Floats,
    step: Items,
) -> None:
    n, k = slate.shape
    d = items.taste.shape[1]
    one, keep, recent = np.float32(1.0), np.float32(LIKED_MEMORY), np.float32(EXPOSURE_MEMORY)
    share = np.float32((1.0 - EXPOSURE_MEMORY) / k)
    for row in numba.prange(n):
        shrink(liked[row], keep)
        shrink(passed[row], keep)
        shrink(exposure[row], recent)
        shrink(category_clicks[row], recent)
        clicked = converted = 0
        for position in range(k):
            item = slate[row, position]
            if item < 0:
                continue
            category = items.category[item]
            exposure[row, category] += share
            if click[row, position]:
                clicked += 1
                converted += conversion[row, position]
                category_clicks[row, category] += share
                add(liked[row], items.taste[item])
                liked[row, d] += items.price[item]
                liked[row, d + 1] += items.novelty[item]
                liked[row, d + 2] += one
            else:
                add(passed[row], items.taste[item])
                passed[row, d] += one
        clicks[row] += np.float32(clicked)
        last[row, 0] = np.float32(clicked / k)
        last[row, 1] = np.float32(converted / k)
        step[row] += 1


@row_kernel
def _observe(
    liked: Floats,
    passed: Floats,
    exposure: Floats,
    category_clicks: Floats,
    clicks: Floats,
    last: Floats,
    step: Items,
    profile: Floats,
    horizon: int,
    out: Floats,
) -> None:
    n = len(liked)
    d, c, p = passed.shape[1] - 1, exposure.shape[1], profile.shape[1]
    one = np.float32(1.0)
    for row in numba.prange(n):
        few = one / (one + liked[row, d + 2])
        for j in range(d):
            out[row, j] = liked[row, j] * few
        less = one / (one + passed[row, d])
        for j in range(d):
            out[row, d + j] = passed[row, j] * less
        for j in range(c):
            out[row, 2 * d + j] = exposure[row, j]
            out[row, 2 * d + c + j] = category_clicks[row, j]
        start = 2 * d + 2 * c
        out[row, start] = np.float32(step[row] / horizon)
        out[row, start + 1] = np.log(one + clicks[row])
        out[row, start + 2] = last[row, 0]
        out[row, start + 3] = last[row, 1]
        out[row, start + 4] = liked[row, d] * few
        out[row, start + 5] = liked[row, d + 1] * few
        for j in range(p):
            out[row, start + 6 + j] = profile[row, j]
