"""Intervals without resampling: asymptotic ones (normal, Student t) and ones that hold at any sample size.

All take `Terms` with one row per independent unit, which is a session where slates of one session share a user
(`Terms.grouped`). The guaranteed ones (`hoeffding`, `maurer_pontil`) need to know how large a row can become, and that
is a property of the two policies, never of the sample: with rare heavy weights the largest weight seen is far below
the largest possible one, and an interval made of it covers as badly as an asymptotic one. `recsim.ope.support` takes it
from the policies.

Sums of ratios. Where rows differ in how much they count (sessions of any length: V = E[sum of values] / E[number of
slates]; self-normalised estimators: V = E[W r] / E[W]), the mean of Z_i(v) = numerator_i - v denominator_i is 0 at v =
V alone. If a <= numerator / denominator <= b and 0 <= denominator <= d in every row, then Z_i(v) lies in a range of
width d (b - a) for every v in [a, b], so a bound on the mean of Z_i(v) that is valid at v = V gives a valid interval:
all v that it does not reject (Fieller's method). With denominators of 1 that is the usual interval of a mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from recsim.jit import kernel
from recsim.ope.intervals import Interval, refuse_level
from recsim.ope.terms import Terms, standard_error

Floats = NDArray[np.float64]

_HALVINGS = 60  # of the range that holds an end; more change nothing in float64
_ROUNDING = 1e-9


def normal(terms: Terms, level: float = 0.95) -> Interval:
    """The interval value ± z se: the central limit theorem, with the delta method for ratios.

    Asymptotic: with few effective rows, or rare heavy weights, it covers less than it says.

    Source: Owen 2013, "Monte Carlo theory, methods and examples".

    >>> interval = normal(Terms(np.array([[[0.0]], [[2.0]]]), np.ones((2, 1))))  # se = sqrt(2) / sqrt(2)
    >>> round(float(interval.high[0]), 4)  # 1 + 1.96
    2.96

    Raises:
        ValueError: with fewer than 2 rows or a level outside (0, 1).
    """
    return _symmetric(terms, level, lambda rows: float(ndtri((1 + level) / 2)))


def student_t(terms: Terms, level: float = 0.95) -> Interval:
    """The interval value ± t((1 + level) / 2, n - 1) se: as `normal`, a little wider where there are few rows.

    Source: Student 1908, "The probable error of a mean".

    >>> interval = student_t(Terms(np.array([[[0.0]], [[2.0]]]), np.ones((2, 1))))
    >>> round(float(interval.high[0]), 3)  # 1 + 12.706
    13.706

    Raises:
        ValueError: as in `normal`.
    """
    return _symmetric(terms, level, lambda rows: float(stdtrit(rows - 1, (1 + level) / 2)))


def normal_difference(terms: Terms, baseline: Terms, level: float = 0.95) -> Interval:
    """How much more `terms` promises than `baseline` on the same log, paired: what both share cancels.

    Raises:
        ValueError: as in `normal`, or if the two have not the same rows.
    """
    if len(terms) != len(baseline):
        raise ValueError(
            f"the terms have {len(terms):,} rows but those of the baseline {len(baseline):,}; a paired difference "
            "needs both of the same sessions. Group both by the same clusters."
        )
    _check(terms, level)
    se = standard_error(terms.influence - baseline.influence)
    value, reach = terms.value - baseline.value, float(ndtri((1 + level) / 2)) * se
    return Interval(value, se, value - reach, value + reach, level)


def hoeffding(
    terms: Terms,
    largest: ArrayLike,
    smallest: ArrayLike = 0.0,
    level: float = 0.95,
    *,
    most: float = 1.0,
    within: tuple[float, float] | None = None,
) -> Interval:
    """Valid at any sample size, whatever the spread: value ± d (b - a) sqrt(ln(2 / alpha) / (2 n)).

    For a ratio the half-width is divided by the mean denominator.

    Args:
        terms: one row per independent unit and one group (g = 1).
        largest: b, the most that a row can contribute per unit of its denominator; a number or (o,).
        smallest: a, the least.
        level: of the interval.
        most: d, the largest denominator that a row can have: 1 for a plain average, the horizon for sessions of any
            length, the largest weight for self-normalised estimators.
        within: where the value itself must lie, such as the range of the reward; the ends are held there.

    Source: Hoeffding 1963, "Probability inequalities for sums of bounded random variables", theorem 2.

    >>> terms = Terms(np.array([[[0.0]], [[1.0]]] * 4), np.ones((8, 1)))
    >>> interval = hoeffding(terms, largest=1.0)  # 0.5 + sqrt(ln(40) / 16)
    >>> round(float(interval.high[0]), 4)
    0.9802

    Raises:
        ValueError: if a row is outside of the bounds, they are infinite or in the wrong order, there are several
            groups, fewer than 2 rows, or a level outside (0, 1).
    """
    least, top = _bounds(terms, largest, smallest, most, level)
    reach = most * (top - least) * np.sqrt(np.log(2 / (1 - level)) / (2 * len(terms)))
    return _not_rejected(terms, least, top, level, within, 0.0, reach)


def maurer_pontil(
    terms: Terms,
    largest: ArrayLike,
    smallest: ArrayLike = 0.0,
    level: float = 0.95,
    *,
    most: float = 1.0,
    within: tuple[float, float] | None = None,
) -> Interval:
    """Empirical Bernstein, valid at any sample size: value ± [sqrt(2 s^2 L / n) + 7 d (b - a) L / (3 (n - 1))].

    L = ln(4 / alpha), s^2 with n - 1 in its denominator. Much narrower than `hoeffding` where the spread is small
    beside the range, as that of weighted rewards is. The rows must be independent, not of one distribution; the bounds
    must hold for all contexts that can occur, or else the interval is of the mean over the contexts that did. For a
    doubly robust estimator the reward model must have been fitted on other data (cross-fitting ties the rows of one
    fold to those of another, so it makes the guarantee an approximation).

    Args:
        terms: as in `hoeffding`.
        largest: as in `hoeffding`; of the policies, not of the sample.
        smallest: as in `hoeffding`.
        level: of the interval.
        most: as in `hoeffding`.
        within: as in `hoeffding`.

    Source: Maurer and Pontil 2009, "Empirical Bernstein bounds and sample-variance penalization", theorem 11, at
    alpha / 2 for each side; Fieller 1954 for ratios.

    >>> terms = Terms(np.array([[[0.0]], [[1.0]]] * 200), np.ones((400, 1)))
    >>> interval = maurer_pontil(terms, largest=1.0)
    >>> spread, length = 100 / 399, np.log(4 / 0.05)
    >>> by_hand = 0.5 + np.sqrt(2 * spread * length / 400) + 7 * length / (3 * 399)
    >>> round(float(interval.high[0]), 6) == round(float(by_hand), 6)
    True

    Raises:
        ValueError: as in `hoeffding`.
    """
    least, top = _bounds(terms, largest, smallest, most, level)
    n, length = len(terms), float(np.log(4 / (1 - level)))
    fixed = 7 * most * (top - least) * length / (3 * (n - 1))
    return _not_rejected(terms, least, top, level, within, float(np.sqrt(2 * length / n)), fixed)


def _symmetric(terms: Terms, level: float, quantile: Callable[[int], float]) -> Interval:
    _check(terms, level)
    value, se = terms.value, standard_error(terms.influence)
    reach = quantile(len(terms)) * se
    return Interval(value, se, value - reach, value + reach, level)


def _not_rejected(
    terms: Terms,
    least: Floats,
    top: Floats,
    level: float,
    within: tuple[float, float] | None,
    factor: float,
    fixed: Floats,
) -> Interval:
    """All v with |mean of Z(v)| <= factor x standard deviation of Z(v) + fixed, or the least interval that holds them.

    The right-hand side is convex in v, so that what is rejected on one side of the estimate is an interval: if the
    outermost v is rejected, then all between it and a single root are; if not, the end is the outermost.
    """
    if within is not None:
        least, top = np.maximum(least, within[0]), np.minimum(top, within[1])
    numerator, denominator = terms.numerator[:, 0], terms.denominator[:, :1]  # (n, o), (n, 1)
    mean, size = numerator.mean(axis=0), float(denominator.mean())
    if size == 0:
        return Interval(terms.value, np.full(mean.shape, np.nan), least, top, level)
    away, beside, free = numerator - mean, denominator - size, len(terms) - 1
    spread = [np.square(away).sum(axis=0), (away * beside).sum(axis=0), np.square(beside).sum() + np.zeros(mean.shape)]
    moments = np.stack([mean, *(part / free for part in spread), fixed + np.zeros(mean.shape)])  # (5, o)
    interval = normal(terms, level)
    middle = np.clip(interval.value, least, top)
    low, high = np.array(least), np.array(top)
    _move_in(low, middle, size, moments, factor)
    _move_in(high, middle, size, moments, factor)
    return replace(interval, low=low, high=high)


@kernel
def _move_in(end: Floats, middle: Floats, size: float, moments: Floats, factor: float) -> None:
    """Move each end that is rejected to the outermost value that is not, rounded outwards."""
    for objective in range(len(end)):
        mean, numerator, both, denominator, fixed = moments[:, objective]
        out, kept = end[objective], middle[objective]
        for halving in range(_HALVINGS):
            value = out if halving == 0 else (out + kept) / 2
            spread = math.sqrt(max(numerator - 2 * value * both + value * value * denominator, 0.0))
            if abs(mean - value * size) > factor * spread + fixed:
                out = value
            elif halving == 0:
                break
            else:
                kept = value
        end[objective] = out


def _bounds(terms: Terms, largest: ArrayLike, smallest: ArrayLike, most: float, level: float) -> tuple[Floats, Floats]:
    """(o,) the checked least and largest contribution per unit of the denominator."""
    _check(terms, level)
    if terms.denominator.shape[1] != 1:
        raise ValueError(
            f"the terms are a sum of {terms.denominator.shape[1]} ratios, for which no interval is guaranteed. "
            "Pass those of an estimator that divides once, such as rips or snsips."
        )
    shape = terms.numerator.shape[2:]
    least = np.broadcast_to(np.asarray(smallest, np.float64), shape)
    top = np.broadcast_to(np.asarray(largest, np.float64), shape)
    wrong = ~(np.isfinite(least) & np.isfinite(top) & (least < top) & (0 < most < np.inf))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"objective {place}: rows are said to lie between {least[place]:g} and {top[place]:g} per unit and to have "
            f"at most {most:g} units; a guarantee needs finite bounds, the smaller first. If the target policy shows "
            "what could not be logged, the largest weight is infinite and nothing can be guaranteed."
        )
    _refuse_beyond(terms, least, top, most)
    return least, top


def _refuse_beyond(terms: Terms, least: Floats, top: Floats, most: float) -> None:
    value, size = terms.numerator[:, 0], terms.denominator[:, :1]
    slack = _ROUNDING * most * np.maximum(np.abs(least), np.abs(top))
    wrong = (value < least * size - slack) | (value > top * size + slack) | (size > most * (1 + _ROUNDING)) | (size < 0)
    if wrong.any():
        row, objective = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"row {row:,}, objective {objective}: {value[row, objective]:g} over {size[row, 0]:g} is outside of the "
            f"bounds, {least[objective]:g} to {top[objective]:g} per unit and at most {most:g} units; bounds must hold "
            "for every row that can occur. Take them from the policies and the range of the rewards."
        )


def _check(terms: Terms, level: float) -> None:
    refuse_level(level)
    if len(terms) < 2:
        raise ValueError(
            f"the terms have {len(terms)} row(s); a spread needs at least 2 sessions, and 50 to be of use. "
            "Collect more sessions."
        )
