"""Objectives: the vector reward of a slate, and the weighted sum that a single-objective agent learns from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.jit import inline_kernel, kernel

Floats = NDArray[np.float64]

NAMES = ("click", "conversion", "novelty")
CONVERSION = NAMES.index("conversion")


@dataclass(frozen=True)
class Objectives:
    """Weights of the objectives, in the order of `NAMES`.

    Per position: *click* is 1 for a click; *conversion* is 1 for a conversion; *novelty* is the clicked item's novelty
    (its self-information under the popularity prior, scaled to [0, 1]; Castells, Hurley & Vargas 2015, section
    26.3.2), so that only new things that were wanted count. A slate's objectives are the sums over its positions; the
    reward is their weighted sum. The defaults value a conversion at four clicks, and a click on the least popular item
    at one and a half.

    Attributes:
        click: reward of a click.
        conversion: reward of a conversion, on top of its click.
        novelty: reward of a click on the least popular item, on top of the click.
    """

    click: float = 1.0
    conversion: float = 4.0
    novelty: float = 0.5

    def __post_init__(self) -> None:
        for name, weight in zip(NAMES, self.weights, strict=True):
            if not np.isfinite(weight):
                raise ValueError(f"weight of objective {name!r} is {weight}; it is a finite number.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the o objectives."""
        return NAMES

    @cached_property
    def weights(self) -> Floats:
        """(o,) float64, the weights."""
        weights = np.array([getattr(self, name) for name in NAMES], dtype=np.float64)
        weights.flags.writeable = False
        return weights

    def per_position(
        self, click: NDArray[Any], conversion: NDArray[Any], slate: NDArray[np.int64], catalog: Catalog
    ) -> Floats:
        """Objectives of every position.

        Args:
            click: (n, k) bool, or the probability of a click: the objectives are linear, so expectations pass through.
            conversion: (n, k) bool, or the probability of a conversion.
            slate: (n, k) int64 item numbers, -1 an empty position.
            catalog: where the items' novelty comes from.

        Returns:
            (n, k, o) float64.
        """
        out = np.empty((*slate.shape, len(NAMES)))
        out[..., 0] = click
        out[..., 1] = conversion
        out[..., 2] = click * catalog.novelty[slate]  # an empty position has no click
        return out

    def reward(self, objectives: Floats) -> Floats:
        """(n,) float64, the weighted sums of objectives (n, o); a row's does not depend on how many there are."""
        out = np.empty(len(objectives))
        _weigh(objectives, self.weights, out)
        return out


@kernel
def _weigh(objectives: Floats, weights: Floats, out: Floats) -> None:
    for row in range(len(out)):
        out[row] = weighted(objectives[row], weights)


@inline_kernel
def weighted(objectives: Floats, weights: Floats) -> float:
    """The weighted sum of one row's objectives."""
    total = 0.0
    for number in range(len(weights)):
        total += weights[number] * objectives[number]
    return total


@inline_kernel
def add_up(
    row: int,
    slate: NDArray[np.int64],
    click: NDArray[np.bool_],
    conversion: NDArray[np.bool_],
    novelty: NDArray[np.float32],
    objectives: Floats,
) -> None:
    """`Objectives.per_position`, summed over the positions of one row."""
    objectives[row][:] = 0.0
    for position in range(slate.shape[1]):
        if click[row, position]:
            objectives[row, 0] += 1.0
            objectives[row, 1] += conversion[row, position]
            objectives[row, 2] += novelty[slate[row, position]]
