"""Sums over sessions from which estimates, intervals and diagnostics follow: logs in parts, summed apart and merged.

Everything here adds up (or is a maximum), so that one pass over a log of any length is enough, and parts may be summed
by different processes. Merged in the same order, the same parts give the same bits; cut differently, a log gives the
same numbers up to rounding.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from recsim.jit import dot, kernel
from recsim.ope.intervals import Interval, Resamples, percentile_interval, refuse_level
from recsim.ope.terms import Terms, value_of_columns

Floats = NDArray[np.float64]

_ROWS_AT_ONCE = 512  # so many values of all columns stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums of the terms of several estimates, one row per session, side by side.

    Attributes:
        shapes: by estimate the number of its groups g and of its objectives o; `Terms.columns` of all stand side by
            side in this order, c in total.
        n_sessions: sessions summed.
        sums: (c,) float64.
        products: (c, c) float64, sums of the products of two columns.
        draws: (b, c) float64, sums over the sessions of each bootstrap draw; no rows without a bootstrap.
    """

    shapes: dict[Hashable, tuple[int, int]]
    n_sessions: int
    sums: Floats
    products: Floats
    draws: Floats

    @classmethod
    def of(cls, terms: Mapping[Any, Terms], resamples: Resamples | None = None) -> Totals:
        """The totals of estimates on the same sessions.

        Args:
            terms: by any name, one row per session.
            resamples: of these sessions, `Resamples.poisson` where parts are to be merged.
        """
        columns = np.concatenate([part.columns for part in terms.values()], axis=1)
        shapes: dict[Hashable, tuple[int, int]] = {name: part.numerator.shape[1:] for name, part in terms.items()}
        draws = np.zeros((0, columns.shape[1])) if resamples is None else resamples.totals(columns)
        return cls(shapes, len(columns), columns.sum(axis=0), products_of(columns), draws)

    def merge(self, other: Totals) -> Totals:
        """The totals of both parts, which have no session in common; associative up to rounding.

        Raises:
            ValueError: if the two are not of the same estimates and number of draws.
        """
        if self.shapes != other.shapes or len(self.draws) != len(other.draws):
            raise ValueError(
                f"totals of {list(self.shapes)} with {len(self.draws)} draws cannot be merged with totals of "
                f"{list(other.shapes)} with {len(other.draws)}; sum all parts of a log in the same way."
            )
        return Totals(
            self.shapes,
            self.n_sessions + other.n_sessions,
            self.sums + other.sums,
            self.products + other.products,
            self.draws + other.draws,
        )

    def interval(self, name: Hashable, level: float = 0.95) -> Interval:
        """The estimate: between percentiles of the draws, without draws by its standard error and the normal quantile.

        The standard error is that of the delta method. It comes from sums of squares, so that a spread of less than
        about 1e-8 of the size of the terms is lost in rounding.

        Raises:
            KeyError: if there is no such estimate.
            ValueError: if `level` is not between 0 and 1, or there are fewer than 2 sessions.
        """
        return self._interval(self._value(self.sums, name), self._slope(name), self._value(self.draws, name), level)

    def difference(self, name: Hashable, baseline: Hashable, level: float = 0.95) -> Interval:
        """How much more `name` promises than `baseline`, paired session by session; raises what `interval` does."""
        value, draws = (self._value(sums, name) - self._value(sums, baseline) for sums in (self.sums, self.draws))
        return self._interval(value, self._slope(name) - self._slope(baseline), draws, level)

    def _interval(self, value: Floats, slope: Floats, draws: Floats, level: float) -> Interval:
        refuse_level(level)
        if self.n_sessions < 2:
            raise ValueError(f"the log has {self.n_sessions} session(s); an interval needs at least 2. Collect more.")
        se = spread(self.products, slope, self.n_sessions)
        if len(draws):
            return percentile_interval(value, se, draws, level)
        reach = float(ndtri((1 + level) / 2)) * se
        return Interval(value, se, value - reach, value + reach, level)

    def _value(self, sums: Floats, name: Hashable) -> Floats:
        return value_of_columns(sums[..., self._place(name)], *self.shapes[name])

    def _slope(self, name: Hashable) -> Floats:
        """(c, o) how fast the estimate moves with each sum: a session's columns times this are its influence."""
        g, o = self.shapes[name]
        sums = self.sums[self._place(name)]
        numerator, denominator = sums[: g * o].reshape(g, o), sums[g * o :]
        slope = np.zeros((g * o + g, o))
        with np.errstate(divide="ignore", invalid="ignore"):
            slope[: g * o] = (np.eye(o) / denominator[:, None, None]).reshape(g * o, o)
            slope[g * o :] = -numerator / np.square(denominator)[:, None]
        out = np.zeros((len(self.sums), o))
        out[self._place(name)] = slope
        return out

    def _place(self, name: Hashable) -> slice:
        start = 0
        for known, (g, o) in self.shapes.items():
            if known == name:
                return slice(start, start + g * o + g)
            start += g * o + g
        raise KeyError(f"there are no totals of {name!r}; choose from {list(self.shapes)}.")


def spread(products: Floats, slope: Floats, n: int) -> Floats:
    """(o,) root of n / (n - 1) times the sum over n sessions of the squares of their columns times `slope` (c, o).

    >>> columns = np.array([[1.0, 1.0], [3.0, 1.0]])  # deviations from 2: -1 and 1
    >>> spread(columns.T @ columns, np.array([[1.0], [-2.0]]), 2).tolist()
    [2.0]
    """
    squares = np.einsum("ao,ab,bo->o", slope, products, slope)
    correction = n / (n - 1) if n > 1 else np.nan
    root: Floats = np.sqrt(correction * np.maximum(squares, 0.0))
    return root


def products_of(columns: Floats) -> Floats:
    """(c, c) sums over rows of the products of two columns of (n, c); a BLAS product depends on the threads."""
    out = np.zeros((columns.shape[1], columns.shape[1]))
    _add_products(np.ascontiguousarray(columns.T), out)
    both: Floats = np.triu(out) + np.triu(out, 1).T
    return both


@kernel
def _add_products(columns: Floats, out: Floats) -> None:
    """Add the upper half of columns @ columns.T to out, columns (c, n)."""
    n = columns.shape[1]
    for start in range(0, n, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, n)
        for a in range(len(columns)):
            for b in range(a, len(columns)):
                out[a, b] += dot(columns[a], columns[b], start, stop)
