"""Counts as bars that a page draws without a script: prices on a logarithmic axis, and years."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from recsim.report.format import compact

MOST_COLUMNS = 40
MOST_TICKS = 6
STEPS = (1, 2, 5)  # round widths are these times a power of ten


@dataclass(frozen=True)
class Bar:
    """A column: what it counts, how many, and its height as a share of the highest."""

    label: str
    count: int
    height: float


@dataclass(frozen=True)
class Tick:
    """A label of the axis, and where it stands as a share of the width."""

    label: str
    place: float


@dataclass(frozen=True)
class Columns:
    """Columns beside each other over an axis."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


def price_columns(prices: npt.NDArray[np.float64]) -> Columns | None:
    """How many items cost how much, in bins of equal ratio; None where no two prices above 0 differ."""
    logs = np.log10(prices[prices > 0])
    if len(logs) == 0 or np.ptp(logs) < 1e-9:
        return None
    low, high = float(logs.min()), float(logs.max())
    edges = np.linspace(low, high, min(30, max(8, round(2 * len(logs) ** (1 / 3)))) + 1)  # Rice's rule
    counts = np.histogram(logs, edges)[0]
    names = [f"{compact(10**a)} to {compact(10**b)}" for a, b in pairwise(edges)]
    marks = _round_prices(low, high)
    return Columns(
        _bars(names, counts),
        tuple(Tick(compact(mark), (math.log10(mark) - low) / (high - low)) for mark in marks),
    )


def year_columns(years: npt.NDArray[np.int64]) -> Columns | None:
    """How many items are of which year, in steps of several years where there are many; None without any."""
    if len(years) == 0:
        return None
    span = int(years.max() - years.min()) + 1
    width = next(w for w in _round_widths() if span / w <= MOST_COLUMNS)
    first = int(years.min()) // width * width
    starts = np.arange(first, int(years.max()) + 1, width)
    counts = np.bincount((years - first) // width, minlength=len(starts))
    names = [str(year) if width == 1 else f"{year} to {year + width - 1}" for year in starts.tolist()]
    every = math.ceil(len(starts) / MOST_TICKS)
    ticks = [Tick(str(starts[at]), (at + 0.5) / len(starts)) for at in range(0, len(starts), every)]
    return Columns(_bars(names, counts), tuple(ticks))


def _bars(names: Sequence[str], counts: npt.NDArray[np.int64]) -> tuple[Bar, ...]:
    most = int(counts.max())
    return tuple(Bar(name, int(count), int(count) / most) for name, count in zip(names, counts, strict=True))


def _round_prices(low: float, high: float) -> list[float]:
    """Round prices between two logarithms, at most `MOST_TICKS`: 1, 2, 5, 10 or powers of ten only."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    fine = [step * 10.0**power for power in powers for step in STEPS]
    inside = [mark for mark in fine if low <= math.log10(mark) <= high]
    if len(inside) > MOST_TICKS:
        inside = [mark for mark in inside if math.log10(mark).is_integer()]
    every = math.ceil(len(inside) / MOST_TICKS)
    return inside[::every] if len(inside) > 1 else [10**low, 10**high]


def _round_widths() -> list[int]:
    return [step * 10**power for power in range(4) for step in STEPS]
