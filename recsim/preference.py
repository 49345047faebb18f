"""Preferences: how much each of the o objectives counts for one session, and agents that are told so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

from recsim.policy import DiverseScorer, Observation, Scorer
from recsim.streams import Streams

Floats = NDArray[np.float64]

LEAST_CONCENTRATION = 0.1  # below it, shares underflow


def drawn_preferences(streams: Streams, size: int, concentration: float = 1.0) -> Floats:
    """(n, size) float64, a preference for each session, from Dirichlet(concentration, …, concentration).

    Gamma variables by their quantile function, divided by their sum (Devroye 1986, "Non-uniform random variate
    generation", section XI.4). A session always has the same one, at whatever step.

    Raises:
        ValueError: if `concentration` is below 0.1 or not finite.
    """
    if not LEAST_CONCENTRATION <= concentration < np.inf:
        raise ValueError(
            f"concentration is {concentration}; it is a number from {LEAST_CONCENTRATION} up: 1 draws all preferences "
            "equally often, more draws even ones more often."
        )
    share = gammaincinv(concentration, streams.at(0).uniform("preference", size))
    drawn: Floats = share / share.sum(axis=1, keepdims=True)
    return drawn


def checked_preference(weights: ArrayLike, size: int) -> Floats:
    """(size,) float64, `weights` divided by their sum.

    Raises:
        ValueError: if these are not `size` finite numbers from 0 up, with one above 0.
    """
    given = np.asarray(weights, np.float64)
    if given.shape != (size,) or not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise ValueError(
            f"the preference is {given.tolist()}; it is a weight from 0 up for each of the {size} objectives, one of "
            "them above 0."
        )
    shares: Floats = given / given.sum()
    return shares


def preference_grid(size: int, parts: int) -> Floats:
    """(g, size) float64, all preferences in multiples of 1 / parts.

    Source: Das & Dennis 1998, "Normal-boundary intersection", section 3.

    >>> preference_grid(2, 2).tolist()
    [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    """
    from pymoo.util.ref_dirs import get_reference_directions

    grid: Floats = get_reference_directions("das-dennis", size, n_partitions=parts)
    return grid


@dataclass(frozen=True)
class Conditioned:
    """A scorer that knows preferences, held to one of them: an ordinary scorer of observations without.

    Attributes:
        scorer: scores observations with a preference at their end (`Layout.with_preference`).
        preference: (o,) float64, weights from 0 up; only their proportions count.
    """

    scorer: Scorer
    preference: Floats

    def __post_init__(self) -> None:
        size = np.size(self.preference)
        object.__setattr__(self, "preference", checked_preference(self.preference, size))

    def scores(self, observation: Observation) -> Floats:
        """(n, m) float64, those of the scorer under the preference."""
        return self.scorer.scores(self._told(observation))

    def _told(self, observation: Observation) -> Observation:
        shape = len(observation), len(self.preference)
        return with_preferences(observation, np.broadcast_to(self.preference, shape))


@dataclass(frozen=True)
class DiverseConditioned(Conditioned):
    """The same for a scorer that varies its slates."""

    scorer: DiverseScorer

    @property
    def category(self) -> NDArray[np.int64]:
        """(m,) int64."""
        return self.scorer.category

    def discount(self, observation: Observation) -> Floats:
        """(n,) float64."""
        return self.scorer.discount(self._told(observation))


def conditioned(scorer: Scorer, preference: ArrayLike) -> Conditioned:
    """`scorer`, which knows preferences, held to one of them.

    Raises:
        ValueError: if these are no weights from 0 up.
    """
    weights = np.asarray(preference, np.float64)
    if isinstance(scorer, DiverseScorer):
        return DiverseConditioned(scorer, weights)
    return Conditioned(scorer, weights)


def with_preferences(observation: Observation, preference: Floats) -> Observation:
    """(n, d + o) float32, observations (n, d) with preferences (n, o) at their end."""
    return np.concatenate([observation, preference.astype(np.float32)], axis=1)
