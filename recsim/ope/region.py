"""Joint regions: all objectives at once. Separate 95 % intervals of three objectives miss one of them far more often.

All take `Terms` with one row per independent unit (session). The ellipsoid is the smaller region and knows how the
objectives move together; boxes are easier to read, one interval per objective that hold together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtri

from recsim.ope.bounds import normal
from recsim.ope.intervals import Interval, Resamples, check_resamples, draws_of
from recsim.ope.terms import Terms

Floats = NDArray[np.float64]

_DEPENDENT = 1e-9  # share of the largest variance below which a direction has none: an objective is a sum of others
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """All values that the log does not reject: (x - centre)' covariance^-1 (x - centre) <= radius^2.

    Attributes:
        centre: (o,) the estimates.
        covariance: (o, o) of their errors, clustered; singular where an objective is a sum of others.
        radius: in standard errors.
        level: probability that the region is meant to cover the truth.
    """

    centre: Floats
    covariance: Floats
    radius: float
    level: float

    def contains(self, point: ArrayLike) -> NDArray[np.bool_]:
        """Whether each of `point` (..., o) is in the region: (...,); never where it is off a plane without spread.

        Raises:
            ValueError: if the points have another number of objectives.
        """
        points = np.asarray(point, np.float64)
        if points.shape[-1:] != self.centre.shape:
            raise ValueError(
                f"the point has shape {points.shape} but the region has {len(self.centre)} objectives; "
                "give one number per objective."
            )
        scale, size, axes, kept = _axes(self.centre, self.covariance)
        along = ((points - self.centre) / scale) @ axes  # (..., o)
        distance = np.square(along[..., kept] / np.sqrt(size[kept])).sum(axis=-1)
        beside = np.abs(along[..., ~kept]) <= np.sqrt(_DEPENDENT)
        inside: NDArray[np.bool_] = (distance <= self.radius**2 * (1 + _ROUNDING)) & beside.all(axis=-1)
        return inside

    @property
    def box(self) -> tuple[Floats, Floats]:
        """(o,) the least and the largest value of each objective in the region."""
        reach = self.radius * np.sqrt(np.diag(self.covariance))
        return self.centre - reach, self.centre + reach


def ellipsoid(terms: Terms, level: float = 0.95) -> Ellipsoid:
    """The ellipsoid of Hotelling: radius^2 = o (n - 1) / (n - o) F(level; o, n - o), which tends to chi-square of o.

    o counts the objectives that are no sums of others, n the rows.

    Source: Hotelling 1931, "The generalization of Student's ratio".

    >>> terms = Terms(np.array([[[0.0, 0.0]], [[2.0, 0.0]], [[0.0, 2.0]], [[2.0, 2.0]]] * 500), np.ones((2000, 1)))
    >>> region = ellipsoid(terms)  # independent, each with standard error 1 / sqrt(2000); chi-square(0.95, 2) = 5.99
    >>> bool(region.contains([1 + 2.44 / 2000**0.5, 1.0])), bool(region.contains([1 + 2.46 / 2000**0.5, 1.0]))
    (True, False)

    Raises:
        ValueError: if the level is not between 0 and 1, or there are not more rows than objectives.
    """
    centre = normal(terms, level).value
    influence, n = terms.influence, len(terms)
    covariance = n / (n - 1) * np.einsum("no,np->op", influence, influence)
    if n <= len(centre):
        raise ValueError(
            f"the terms have {n} rows for {len(centre)} objectives; a joint region needs more sessions than objectives."
        )
    free = int(_axes(centre, covariance)[3].sum())
    square = free * (n - 1) / (n - free) * float(fdtri(free, n - free, level)) if free else 0.0
    return Ellipsoid(centre, covariance, float(np.sqrt(square)), level)


def bonferroni(terms: Terms, level: float = 0.95) -> Interval:
    """Normal intervals of every objective that hold together: each at 1 - (1 - level) / o.

    Raises:
        ValueError: as in `recsim.ope.bounds.normal`.
    """
    found = normal(terms, 1 - (1 - level) / terms.numerator.shape[2] if 0 < level < 1 else level)
    return Interval(found.value, found.se, found.low, found.high, level)


def simultaneous(terms: Terms, resamples: Resamples, level: float = 0.95) -> Interval:
    """Boxes value ± c se for all objectives at once, c the quantile of the largest error among them in the bootstrap.

    Narrower than `bonferroni` where objectives move together. A draw's errors are counted in standard errors of the
    draw itself (studentised), so that c also makes up for skewed rewards.

    Source: Romano and Wolf 2005, "Exact and approximate stepdown methods for multiple hypothesis testing" (max-t).

    Raises:
        ValueError: if the resamples are of other rows, or as in `recsim.ope.bounds.normal`.
    """
    check_resamples(terms, resamples, level)
    start = normal(terms, level)
    draws, errors = draws_of(terms, resamples), _errors_of(terms, resamples)
    varies = _varies(start.value, start.se)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(varies, np.abs(draws - start.value) / errors, 0.0)
    known = np.asarray(np.isfinite(ratio).all(axis=1))  # in the others nothing varies, or there is no overlap
    worst = ratio[known].max(axis=1)
    reach = float(np.quantile(worst, level, method="weibull")) * start.se if known.any() else start.se * np.nan
    return Interval(start.value, start.se, start.value - reach, start.value + reach, level, int((~known).sum()))


def _errors_of(terms: Terms, resamples: Resamples) -> Floats:
    """(b, o) the standard error in every draw, with the influence about the whole log's estimate."""
    influence, n = terms.influence, len(terms)
    squares, sums = resamples.totals(np.square(influence)), resamples.totals(influence)
    errors: Floats = np.sqrt(np.maximum(n / (n - 1) * (squares - np.square(sums) / n), 0.0))
    return errors


def _axes(centre: Floats, covariance: Floats) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Units, and in these the variances and directions of the errors and which of them have any spread."""
    error = np.sqrt(np.diag(covariance))
    scale = np.where(_varies(centre, error), error, np.maximum(np.abs(centre), 1.0))
    size, axes = np.linalg.eigh(covariance / scale[:, None] / scale)
    return scale, size, axes, size > _DEPENDENT


def _varies(value: Floats, error: Floats) -> NDArray[np.bool_]:
    """Which objectives are more than rounding errors away from a constant."""
    more: NDArray[np.bool_] = error > _ROUNDING * np.abs(value)
    return more
