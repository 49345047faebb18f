"""Confidence sequences: intervals that hold at every moment at once, so that a log may be looked at as it grows.

An ordinary 95 % interval that is looked at every day misses sooner or later. A confidence sequence misses at any time
at all in at most 5 % of the logs, so an experiment may be stopped as soon as it tells.

The rows must stand in the order of time, one row per independent unit (a session: the mean over its slates, or the sum
over the horizon): every bet on row t is made of the rows before it. The truth may not change over time; the intervals
are intersected as they come. Shapes: contributions (n,) or (n, o), for every objective at once; all return `Sequence`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaln

from recsim.jit import kernel
from recsim.ope.intervals import refuse_level

Floats = NDArray[np.float64]

_TRUNCATED = 0.5  # c: no bet risks more than this part of the wealth on one row
_GRID = 2000  # values of the mean that bets are made against
_NEWTON = 40  # more than enough: about six steps reach the last digit
_RHO = 1.0  # of the gamma mixture: tight where the summed squares are about this much
_LARGE, _SMALL = 1e4, 1e-3  # beyond these, series are exact to 1e-12
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Sequence:
    """Intervals after every row.

    Attributes:
        value: (n, o) the estimate so far.
        low: (n, o) lower ends, never falling.
        high: (n, o) upper ends, never rising.
        level: probability that every interval covers the truth.
    """

    value: Floats
    low: Floats
    high: Floats
    level: float

    @property
    def last(self) -> tuple[Floats, Floats]:
        """(o,) the ends after the last row, valid whenever that is."""
        return self.low[-1], self.high[-1]


def empirical_bernstein(
    contribution: ArrayLike, largest: float, smallest: float = 0.0, level: float = 0.95
) -> Sequence:
    """Predictable plug-in empirical Bernstein: needs the range of the contributions, adapts to their spread.

    With y in [0, 1], sums over the rows up to t, C_t = sum lambda y / sum lambda ± [ln(2 / alpha) + sum (y -
    mu)^2 (-ln(1 - lambda) - lambda)] / sum lambda, where mu and lambda = min(1/2, sqrt(2 ln(2 / alpha) / (sigma^2 t
    ln(1 + t)))) are made of the rows before.

    Args:
        contribution: of every row, in the order of time.
        largest: the most that a row can contribute, from the policies (`recsim.ope.support`).
        smallest: the least.
        level: of the whole sequence.

    Source: Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting", theorem 2.

    >>> sequence = empirical_bernstein([1.0], largest=1.0)  # lambda = 1/2, mu = 1/2: 1 - [ln 40 + (ln 2 - 1/2) / 4] * 2
    >>> float(sequence.low[0, 0])  # below 0, and held there
    0.0

    Raises:
        ValueError: if a contribution is outside of the range or no number, the range is infinite or empty, or the level
            is not between 0 and 1.
    """
    unit = _scaled(contribution, largest, smallest, level)
    centre, reach = np.empty_like(unit), np.empty_like(unit)
    _plug_in(unit, math.log(2 / (1 - level)), centre, reach)
    return _sequence(unit, centre - reach, centre + reach, smallest, largest, level)


def betting(contribution: ArrayLike, largest: float, smallest: float = 0.0, level: float = 0.95) -> Sequence:
    """Hedged betting: narrower than `empirical_bernstein`, at the price of a grid of means.

    Against every mean m two gamblers bet, K+ = prod [1 + min(lambda, c / m) (y - m)] and K- = prod [1 - min(lambda,
    c / (1 - m)) (y - m)]; m is rejected for good once max(K+, K-) / 2 >= 1 / alpha. K+ falls in m and K- rises, so that
    what is left is an interval; its ends are rejected values of the grid, which makes it a little too wide.

    Args:
        contribution: as in `empirical_bernstein`.
        largest: as in `empirical_bernstein`.
        smallest: as in `empirical_bernstein`.
        level: as in `empirical_bernstein`.

    Source: Waudby-Smith and Ramdas 2024, theorem 3.

    >>> sequence = betting(np.ones(50), largest=1.0)
    >>> bool(sequence.low[-1, 0] > 0.8), float(sequence.high[-1, 0])
    (True, 1.0)

    Raises:
        ValueError: as in `empirical_bernstein`.
    """
    unit = _scaled(contribution, largest, smallest, level)
    grid = (1 - np.cos(np.linspace(0, np.pi, _GRID + 1))) / 2  # as fine as standard errors, which shrink at both ends
    low, high = np.empty_like(unit), np.empty_like(unit)
    wealth = np.empty((2, len(grid)))
    _bet(unit, grid, math.log(2 / (1 - level)), low, high, wealth)
    return _sequence(unit, low, high, smallest, largest, level)


def off_policy(
    weight: ArrayLike, reward: ArrayLike, smallest: float = 0.0, largest: float = 1.0, level: float = 0.95
) -> Sequence:
    """For importance-weighted rewards whose weights have no known bound: only the rewards need one.

    The lower end is of X = w (r - r_min) / (r_max - r_min) >= 0, with S = sum (X - m), V = sum (X - Xhat)^2 and Xhat <=
    1 made of the rows before: exp(lambda S + [ln(1 - lambda) + lambda] V) is a supermartingale for every lambda in [0,
    1), and their mixture over a gamma distribution of 1 - lambda has the closed form

        e^(S+V) (S+V+rho)^-(V+rho) gamma(V+rho, S+V+rho) rho^rho / gamma(rho, rho),

    gamma the lower incomplete function. The upper end is 1 minus that of w (r_max - r) / (r_max - r_min), as weights
    have mean 1. Each side has alpha / 2.

    Args:
        weight: (n,), in the order of time.
        reward: (n,) or (n, o).
        smallest: r_min.
        largest: r_max.
        level: of the whole sequence.

    Source: Karampatziakis, Mineiro and Ramdas 2021, "Off-policy confidence sequences"; Howard et al. 2021, "Time-
    uniform, nonparametric, nonasymptotic confidence sequences", proposition 9, for the mixture. Xhat is held below 1,
    without which the inequality of Fan et al. (X - Xhat >= -1) does not hold under heavy weights.

    >>> sequence = off_policy(np.ones(400), np.ones(400))  # every reward is 1 and the policies are the same
    >>> bool(sequence.low[-1, 0] > 0.95), float(sequence.high[-1, 0])
    (True, 1.0)

    Raises:
        ValueError: as in `empirical_bernstein`, or if a weight is negative or no number.
    """
    unit = _scaled(reward, largest, smallest, level)
    weights = np.asarray(weight, np.float64)
    if weights.shape != unit.shape[:1]:
        raise ValueError(f"weight has shape {weights.shape} for {len(unit):,} rewards; pass one weight per row.")
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"row {row:,} of weight is {weights[row]}; weights are finite and at least 0. Drop the row.")
    worth, missed = weights[:, None] * unit, weights[:, None] * (1 - unit)
    low, high = _mixture_low(worth, level), 1 - _mixture_low(missed, level)
    sequence = _sequence(np.clip(worth, 0, None), low, high, smallest, largest, level)
    return sequence


def _mixture_low(worth: Floats, level: float) -> Floats:
    """(n, o) lower ends for the mean of `worth` (n, o), not negative."""
    rows = np.arange(1, len(worth) + 1)[:, None]
    total = worth.cumsum(axis=0)
    before = np.minimum(1.0, (total - worth + 0.5) / rows)
    squares = np.square(worth - before).cumsum(axis=0)
    low: Floats = (total - _mixture_reach(squares, math.log(2 / (1 - level)))) / rows
    return low


def _mixture_reach(squares: Floats, threshold: float) -> Floats:
    """The sum S at which the log-wealth of the gamma mixture reaches `threshold`, given V, never too small.

    The log-wealth is convex and increases in S, so that Newton's steps end above the root wherever they start. With a =
    V + rho and x = S / a it is a [x - ln(1 + x)] + ln P(a, a + S) + what does not depend on S, P being the regularised
    incomplete gamma function: in this form nothing cancels, however heavy the weights.
    """
    shape = squares + _RHO
    fixed = _stirling_error(shape) + 0.5 * np.log(2 * math.pi / shape)
    fixed -= _RHO + threshold + math.log(float(gammainc(_RHO, _RHO))) + float(gammaln(_RHO)) - _RHO * math.log(_RHO)
    above = np.sqrt(2 * shape * (threshold + np.log1p(shape))) + 2 * (threshold + np.log1p(shape)) + _RHO
    for _ in range(_NEWTON):
        gain, tail = shape * _less_log(above / shape), gammainc(shape, shape + above)
        density = np.sqrt(shape) * np.exp(-gain - _stirling_error(shape)) / math.sqrt(2 * math.pi)
        slope = (above + density / tail) / (shape + above)
        step = (gain + np.log(tail) + fixed) / slope
        above = above - step
        if (np.abs(step) <= _ROUNDING * above).all():
            break
    return above * (1 + _ROUNDING)


def _stirling_error(shape: Floats) -> Floats:
    """The logarithm of the gamma function less Stirling's formula, (a - 1/2) ln a - a + ln(2 pi) / 2."""
    near = np.minimum(shape, _LARGE)
    exact = gammaln(near) - (near - 0.5) * np.log(near) + near - 0.5 * math.log(2 * math.pi)
    return np.where(shape < _LARGE, exact, 1 / (12 * shape))


def _less_log(x: Floats) -> Floats:
    """Stable x - ln(1 + x), by its series where x is small."""
    small = np.minimum(x, _SMALL)
    series = small * small * (1 / 2 - small * (1 / 3 - small * (1 / 4 - small / 5)))
    return np.where(x < _SMALL, series, x - np.log1p(x))


@kernel
def _plug_in(unit: Floats, threshold: float, centre: Floats, reach: Floats) -> None:
    n, columns = unit.shape
    for column in range(columns):
        total, squares = 0.5, 0.25
        bets, won, risk = 0.0, 0.0, 0.0
        for row in range(n):
            mean, variance = total / (row + 1), squares / (row + 1)
            bet = min(math.sqrt(2 * threshold / (variance * (row + 1) * math.log(row + 2.0))), _TRUNCATED)
            value = unit[row, column]
            bets += bet
            won += bet * value
            risk += (value - mean) ** 2 * (-math.log1p(-bet) - bet)
            centre[row, column] = won / bets
            reach[row, column] = (threshold + risk) / bets
            total += value
            squares += (value - total / (row + 2)) ** 2


@kernel
def _bet(unit: Floats, grid: Floats, threshold: float, low: Floats, high: Floats, wealth: Floats) -> None:
    n, columns = unit.shape
    last = len(grid) - 1
    for column in range(columns):
        total, squares = 0.5, 0.25
        first, final = 1, last - 1  # the outermost means that are not rejected; 0 and 1 bound all
        wealth[:] = 0.0
        for row in range(n):
            variance = squares / (row + 1)
            bet = math.sqrt(2 * threshold / (variance * (row + 1) * math.log(row + 2.0)))
            value = unit[row, column]
            for place in range(first, final + 1):
                mean = grid[place]
                wealth[0, place] += math.log1p(min(bet, _TRUNCATED / mean) * (value - mean))
                wealth[1, place] += math.log1p(-min(bet, _TRUNCATED / (1 - mean)) * (value - mean))
            while first <= final and wealth[0, first] >= threshold:
                first += 1
            while final >= first and wealth[1, final] >= threshold:
                final -= 1
            low[row, column], high[row, column] = grid[min(first - 1, final)], grid[max(final + 1, first)]
            total += value
            squares += (value - total / (row + 2)) ** 2


def _sequence(unit: Floats, low: Floats, high: Floats, smallest: float, largest: float, level: float) -> Sequence:
    """Intersected and in the units of the contributions."""
    width = largest - smallest
    lower = np.maximum.accumulate(np.clip(low, 0.0, 1.0), axis=0)
    upper = np.minimum.accumulate(np.clip(high, 0.0, 1.0), axis=0)
    value = unit.cumsum(axis=0) / np.arange(1, len(unit) + 1)[:, None]
    return Sequence(smallest + width * value, smallest + width * lower, smallest + width * upper, level)


def _scaled(contribution: ArrayLike, largest: float, smallest: float, level: float) -> Floats:
    """(n, o) contributions on a scale from 0 to 1."""
    refuse_level(level)
    if not (math.isfinite(smallest) and math.isfinite(largest) and smallest < largest):
        raise ValueError(
            f"rows are said to lie between {smallest} and {largest}; a sequence needs finite bounds, the smaller "
            "first. Where weights have none, use off_policy, which needs those of the reward alone."
        )
    values = np.asarray(contribution, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.size == 0:
        raise ValueError(
            f"contributions have shape {values.shape}; they must be (rows,) or (rows, objectives), in the order of "
            "time."
        )
    unit = (values - smallest) / (largest - smallest)
    wrong = ~((unit >= -_ROUNDING) & (unit <= 1 + _ROUNDING))
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"row {row:,}, objective {column} is {values[row, column]}, not between {smallest:g} and {largest:g}; "
            "bounds must hold for every row that can occur. Take them from the policies and the range of the rewards."
        )
    return np.clip(unit, 0.0, 1.0)
