"""The ledger: where kernels enter what a slate came to, one row after another."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.history import ItemFeatures, Sums, observe_row, record_row
from recsim.jit import inline_kernel, row_kernel
from recsim.objectives import add_up, weighted

Items = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Page(NamedTuple):
    """What one step of n sessions gives, to be filled, and what is needed for that."""

    profile: NDArray[np.float32]  # (n, p)
    horizon: int
    weights: NDArray[np.float64]  # (o,)
    objectives: NDArray[np.float64]  # (n, o), sums over positions
    reward: NDArray[np.float64]  # (n,)
    observation: NDArray[np.float32]  # (n, d), after the step


class Ledger(NamedTuple):
    """Where a step is entered.

    A fast user model (`UpdatesState`) enters a row as soon as it has answered it, while everything about the user is
    still in the processor's cache; for others the core enters all rows afterwards. Kernels take the three parts one by
    one: numba's threads know no tuples within tuples.
    """

    items: ItemFeatures
    sums: Sums
    page: Page


@inline_kernel
def enter(row: int, slate: Items, click: Flags, conversion: Flags, items: ItemFeatures, sums: Sums, page: Page) -> None:
    """Enter the answer to one row's slate: into the history, the objectives and the observation."""
    record_row(row, slate, click, conversion, items, sums)
    observe_row(row, sums, page.profile, page.horizon, page.observation)
    add_up(row, slate, click, conversion, items.novelty, page.objectives)
    page.reward[row] = weighted(page.objectives[row], page.weights)


@row_kernel
def enter_all(slate: Items, click: Flags, conversion: Flags, items: ItemFeatures, sums: Sums, page: Page) -> None:
    """Enter the answers to n slates (n, k)."""
    for row in numba.prange(len(slate)):
        enter(row, slate, click, conversion, items, sums, page)
