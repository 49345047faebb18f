"""Percentile bootstrap over clusters (sessions), with numerators and denominators resampled together.

Slates of one session share a user, so they are no independent draws: whole sessions are resampled. Self-normalised
estimators are ratios, so every resample has its own denominator (keeping the denominator of the whole log, as is
sometimes done, gives intervals of the wrong width).

Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", chapter 13 (percentiles); Field and Welsh 2007,
"Bootstrapping clustered data" (whole clusters).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from recsim.jit import dot, inline_kernel, kernel
from recsim.ope.terms import Terms, standard_error, value_of_columns
from recsim.streams import Moments, Streams, block_of, purpose_key, word_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST_BEYOND = 2.5  # bootstrap draws: 100 tell the ends of a 95 % interval, and 500 those of a 99 % one

# Chances of at most 0, 1, 2, ... events of a Poisson variable of mean 1, as 64-bit fractions.
_POISSON = tuple(
    np.uint64(min(round(2.0**64 * math.exp(-1) * sum(1 / math.factorial(j) for j in range(most + 1))), 2**64 - 1))
    for most in range(18)
)
_USUAL = 4
_CLUSTERS_AT_ONCE = 2048  # so many values of a column stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Interval:
    """An estimate with its uncertainty, for every objective.

    Attributes:
        value: (o,) the estimate itself (not the mean of the bootstrap).
        se: (o,) standard error by the delta method over clusters.
        low: (o,) lower end.
        high: (o,) upper end.
        level: probability that the interval is meant to cover the truth.
        undefined: bootstrap draws without any overlap (a denominator of 0), which the ends leave out.
    """

    value: Floats
    se: Floats
    low: Floats
    high: Floats
    level: float
    undefined: int = 0


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each cluster is drawn in each bootstrap draw; shared by all estimates that are to be compared.

    Attributes:
        counts: (b, clusters) unsigned integers.
    """

    counts: NDArray[np.uint32]

    @classmethod
    def draw(cls, n_clusters: int, n_boot: int, seed: int) -> Resamples:
        """`n_boot` resamples of `n_clusters` clusters with replacement, a pure function of the three numbers.

        Raises:
            ValueError: with fewer than 2 clusters or 2 draws.
        """
        if n_clusters < 2:
            raise ValueError(
                f"the log has {n_clusters} session(s); a bootstrap needs at least 2, and 50 to be of use. "
                "Collect more sessions."
            )
        _refuse_few_draws(n_boot)
        generator = np.random.Generator(np.random.Philox(seed))
        counts = np.zeros((n_boot, n_clusters), np.uint32)
        for row in counts:
            _count(generator.integers(0, n_clusters, n_clusters), row)
        return cls(counts)

    @classmethod
    def poisson(cls, user: ArrayLike, session: ArrayLike, n_boot: int, seed: int) -> Resamples:
        """Every session drawn as often as a Poisson variable of mean 1 says, independently of all others.

        A session's counts are a pure function of (seed, user, session, draw): parts of a log, however it was cut and
        wherever they are counted, add up to what the whole log gives. The draws differ in size, about the number of
        sessions; estimates, which are ratios, take that into account.

        Source: Chamandy, Muralidharan, Najmi and Naidu 2012, "Estimating uncertainty for massive data streams",
        section 4; Hanley and MacGibbon 2006.

        Raises:
            ValueError: with fewer than 2 draws, or if a number is below 0.

        >>> whole, part = Resamples.poisson([0, 1, 2], 0, 3, seed=1), Resamples.poisson([1], 0, 3, seed=1)
        >>> bool((whole.counts[:, 1:2] == part.counts).all())
        True
        """
        _refuse_few_draws(n_boot)
        streams = Streams.of(seed, user, session)
        counts = np.empty((n_boot, len(streams)), np.uint32)
        _draw_poisson(streams.moments, purpose_key("bootstrap"), counts)
        return cls(counts)

    @classmethod
    def of_indices(cls, indices: ArrayLike, n_clusters: int) -> Resamples:
        """Resamples given as the cluster numbers drawn: `indices` (b, draws) int in 0..n_clusters-1."""
        rows = [np.bincount(row, minlength=n_clusters) for row in np.asarray(indices, np.int64)]
        return cls(np.array(rows, np.uint32))

    def totals(self, values: Floats) -> Floats:
        """Sums over the drawn clusters of `values` (clusters, ...): (b, ...)."""
        columns = np.ascontiguousarray(values.reshape(len(values), -1).T)
        out = np.zeros((len(self.counts), len(columns)))
        _add_drawn(self.counts, columns, np.empty(_CLUSTERS_AT_ONCE), out)
        return out.reshape(-1, *values.shape[1:])


def clusters_of(user: ArrayLike, session: ArrayLike) -> tuple[Integers, int]:
    """Numbers 0..clusters-1 of the sessions, in the order of (user, session), and how many there are.

    >>> clusters_of([7, 7, 3], [0, 1, 0])[0].tolist()
    [1, 2, 0]
    """
    _, user_code = np.unique(np.asarray(user), return_inverse=True)
    sessions, session_code = np.unique(np.asarray(session), return_inverse=True)
    pairs, cluster = np.unique(user_code * len(sessions) + session_code, return_inverse=True)
    return cluster.astype(np.int64), len(pairs)


def bootstrap(terms: Terms, resamples: Resamples, level: float = 0.95) -> Interval:
    """The estimate of `terms` (one row per cluster) with its percentile interval.

    Raises:
        ValueError: if `level` is not between 0 and 1, or the resamples are of another number of clusters.
    """
    check_resamples(terms, resamples, level)
    return _interval(terms.value, terms.influence, draws_of(terms, resamples), level)


def difference(terms: Terms, baseline: Terms, resamples: Resamples, level: float = 0.95) -> Interval:
    """How much more `terms` promises than `baseline` on the same log, with the interval of the paired difference.

    Both are resampled together, so that what both share, above all the users, cancels.

    Raises:
        ValueError: as in `bootstrap`, or if the two are not of the same clusters.
    """
    check_resamples(terms, resamples, level)
    check_resamples(baseline, resamples, level)
    draws = draws_of(terms, resamples) - draws_of(baseline, resamples)
    return _interval(terms.value - baseline.value, terms.influence - baseline.influence, draws, level)


def draws_of(terms: Terms, resamples: Resamples) -> Floats:
    """(b, o) the estimate in every bootstrap draw, NaN where the draw has no overlap."""
    _, g, o = terms.numerator.shape
    return value_of_columns(resamples.totals(terms.columns), g, o)


@kernel
def _draw_poisson(moments: Moments, purpose: np.uint64, counts: NDArray[np.uint32]) -> None:
    """Fill counts (b, sessions): draw j of a session is lane j of its stream."""
    for block in range((len(counts) + 3) // 4):
        for row in range(counts.shape[1]):
            words = block_of(moments, row, purpose, block)
            for lane in range(min(4, len(counts) - 4 * block)):
                counts[4 * block + lane, row] = _poisson(word_of(words, np.uint64(lane)))


@inline_kernel
def _poisson(word: np.uint64) -> np.uint32:
    """How many of the ascending bounds `word` reaches; the first few without a branch, as almost always suffices."""
    count = np.uint32(0)
    for bound in range(_USUAL):
        count += np.uint32(word >= _POISSON[bound])
    if count == _USUAL:
        while count < len(_POISSON) and word >= _POISSON[count]:
            count += np.uint32(1)
    return count


@kernel
def _count(drawn: Integers, counts: NDArray[np.uint32]) -> None:
    """Add to counts how often each cluster is in drawn."""
    for cluster in drawn:
        counts[cluster] += np.uint32(1)


@kernel
def _add_drawn(counts: NDArray[np.uint32], columns: Floats, block: Floats, out: Floats) -> None:
    """Add counts @ columns.T to out; a BLAS product differs in its last bits from one number of threads to another.

    A block of counts is made floating-point once for all columns.
    """
    for start in range(0, counts.shape[1], len(block)):
        size = min(len(block), counts.shape[1] - start)
        for draw in range(len(counts)):
            row = counts[draw]
            for cluster in range(size):
                block[cluster] = row[start + cluster]
            for column in range(len(columns)):
                out[draw, column] += dot(block, columns[column][start : start + size], 0, size)


def percentile_interval(value: Floats, se: Floats, draws: Floats, level: float) -> Interval:
    """An estimate (o,) with the percentiles of its draws (b, o), of which those that are not finite are left out.

    Fewer than `FEWEST_BEYOND` draws beyond an end cannot tell where it is; the ends are those of a normal
    interval then.
    """
    defined = np.isfinite(draws).all(axis=1)
    low = high = np.full(value.shape, np.nan)
    if len(draws) * (1 - level) / 2 < FEWEST_BEYOND and defined.any():
        reach = float(ndtri((1 + level) / 2)) * se
        low, high = value - reach, value + reach
    elif defined.any():
        # The j-th smallest of b draws lies above j / (b + 1) of all; numpy's default makes 94.1 % of 95 % at b = 200.
        low, high = np.quantile(draws[defined], [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
    return Interval(value, se, low, high, level, int((~defined).sum()))


def refuse_level(level: float) -> None:
    """Raise ValueError if `level` is no probability."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; an interval's level is a probability between 0 and 1, such as 0.95.")


def _interval(value: Floats, influence: Floats, draws: Floats, level: float) -> Interval:
    return percentile_interval(value, standard_error(influence), draws, level)


def _refuse_few_draws(n_boot: int) -> None:
    if n_boot < 2:
        raise ValueError(f"n_boot is {n_boot}; a bootstrap needs at least 2 draws. Use 200 or more.")


def check_resamples(terms: Terms, resamples: Resamples, level: float) -> None:
    """Raise ValueError if `level` is no probability, or the resamples are of another number of clusters."""
    refuse_level(level)
    if len(terms) != resamples.counts.shape[1]:
        raise ValueError(
            f"the terms have {len(terms):,} rows but the resamples are of {resamples.counts.shape[1]:,} clusters; "
            "group the terms by the same clusters first (Terms.grouped)."
        )
