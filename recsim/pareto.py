"""Fronts of policies that trade several objectives, all larger the better: which are dominated, and what they cover.

The policies of a front have served the same users. Intervals resample these users, the same in every draw for all
policies and all fronts, so that what they share cancels where two fronts are compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.metrics import Interval

Floats = NDArray[np.float64]


def non_dominated(points: Floats) -> NDArray[np.bool_]:
    """(p,) bool, which of points (p, o) no other is at least as good as in all objectives and better in one.

    Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II", section III.A; by pymoo.

    >>> non_dominated(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0]])).tolist()
    [True, True, False]
    """
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    best = np.zeros(len(points), bool)
    best[NonDominatedSorting().do(-points, only_non_dominated_front=True)] = True
    return best


def hypervolume(points: Floats, reference: ArrayLike) -> float:
    """Volume of what is better than the reference (o,) in all objectives and dominated by one of the points (p, o).

    Source: Zitzler & Thiele 1999, "Multiobjective evolutionary algorithms: a comparative case study"; by pymoo.

    >>> hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), [0.0, 0.0])  # 1 × 2 + 2 × 1 - 1 × 1
    3.0
    """
    from pymoo.indicators.hv import HV

    return float(HV(ref_point=-np.asarray(reference, np.float64))(-points))


def hypervolume_draws(totals: Floats, reference: ArrayLike, *, n_boot: int, seed: int) -> Floats:
    """Hypervolumes of the mean points of resampled users.

    Args:
        totals: (p, n, o) float64, what each of n users brought under each of p policies.
        reference: (o,) below all means.
        n_boot: number of draws b.
        seed: of the draws; equal seeds draw the same users of equally many.

    Returns:
        (b,) float64.
    """
    generator, (_, n, _) = np.random.Generator(np.random.Philox(seed)), totals.shape
    users, found = np.ascontiguousarray(totals.transpose(1, 0, 2)), np.empty(n_boot)
    for draw in range(n_boot):
        count = np.bincount(generator.integers(0, n, n), minlength=n)
        found[draw] = hypervolume(np.einsum("n,npo->po", count, users) / n, reference)
    return found


def percentile_interval(value: float, draws: Floats, level: float = 0.95) -> Interval:
    """The percentile interval of an estimate around its bootstrap draws (b,).

    The maximum of noisy means is on average too high, and so is the hypervolume of a front of many policies on few
    users; the interval does not correct that.

    Source: Efron & Tibshirani 1993, "An introduction to the bootstrap", chapter 13.

    >>> percentile_interval(2.0, np.array([1.0, 2.0, 3.0]), 0.5)
    Interval(mean=2.0, se=1.0, low=1.5, high=2.5)
    """
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(draws.std(ddof=1)), float(low), float(high))
