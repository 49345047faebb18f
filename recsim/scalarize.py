"""Utilities: what several objectives are worth together under a weight each, as pure functions.

They are applied to the totals of a session, and an agent maximises the expected utility of a session (Hayes et al.
2022, "A practical guide to multi-objective reinforcement learning and planning", section 3.2: the expected scalarised
return), not the utility of expected totals. A step's reward is then what it adds to the utility of the totals so far
(`gain`), so that the rewards of a session sum to the utility of its totals, less that of having nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Utility = Callable[[Floats, Floats], Floats]
"""(n,) utilities of objectives (n, o) under weights (n, o); `functools.partial` fills in what else one needs."""


def linear(objectives: Floats, weights: Floats) -> Floats:
    """The weighted sum: sum over j of w_j × z_j.

    It finds policies on the convex hull of the front only (Roijers et al. 2013, "A survey of multi-objective sequential
    decision-making", section 4.2).

    Args:
        objectives: (n, o) float64, z.
        weights: (n, o) or (o,) float64, w.

    Returns:
        (n,) float64.

    >>> linear(np.array([[2.0, 1.0]]), np.array([0.25, 0.75]))  # 0.5 + 0.75
    array([1.25])
    """
    total: Floats = (objectives * weights).sum(axis=1)
    return total


def chebyshev(objectives: Floats, weights: Floats, *, ideal: ArrayLike, augmentation: float = 0.0) -> Floats:
    """Minus the augmented weighted Chebyshev distance to an ideal point: the objective that falls shortest counts most.

    -(max over j of w_j × (ideal_j - z_j) + augmentation × sum over j of (ideal_j - z_j))

    Source: Miettinen 1999, "Nonlinear multiobjective optimization", sections 3.4.2 and 3.4.5; in reinforcement learning
    Van Moffaert, Drugan & Nowé 2013, "Scalarized multi-objective reinforcement learning". With augmentation above 0
    only points that are Pareto-optimal, and not merely weakly so, are best.

    Args:
        objectives: (n, o) float64, z.
        weights: (n, o) or (o,) float64, w.
        ideal: (o,) totals that no session exceeds.
        augmentation: from 0 up, small.

    Returns:
        (n,) float64, at most 0.

    Raises:
        ValueError: if objectives exceed the ideal, or the augmentation is negative.

    >>> chebyshev(np.array([[2.0, 1.0]]), np.array([0.25, 0.75]), ideal=[4.0, 2.0])  # max(0.25 × 2, 0.75 × 1)
    array([-0.75])
    >>> chebyshev(np.array([[2.0, 1.0]]), np.array([0.25, 0.75]), ideal=[4.0, 2.0], augmentation=0.1)  # + 0.1 × 3
    array([-1.05])
    """
    if not augmentation >= 0:
        raise ValueError(f"augmentation is {augmentation}; it is a number from 0 up, such as 0.01.")
    short = np.asarray(ideal, np.float64) - objectives
    if not (short >= 0).all():
        row, place = np.argwhere(~(short >= 0))[0]
        raise ValueError(
            f"objective {place} of row {row} is {objectives[row, place]:g}, above the ideal "
            f"{np.asarray(ideal)[place]:g}; choose an ideal that no session exceeds."
        )
    distance: Floats = (weights * short).max(axis=1) + augmentation * short.sum(axis=1)
    return -distance


def gain(utility: Utility, before: Floats, objectives: Floats, weights: Floats) -> Floats:
    """What a step adds to the utility of a session.

    Args:
        utility: of totals.
        before: (n, o) float64, totals of the steps before.
        objectives: (n, o) float64, of this step.
        weights: (n, o) float64.

    Returns:
        (n,) float64.

    >>> gain(linear, np.array([[5.0, 5.0]]), np.array([[2.0, 1.0]]), np.array([[0.25, 0.75]]))
    array([1.25])
    """
    return utility(before + objectives, weights) - utility(before, weights)
