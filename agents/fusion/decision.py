"""Fusion of rankings: every scorer ranks the items, and points for the ranks are summed with fixed weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recsim.agents.folds import cross_fitted
from recsim.agents.fusion.ranks import shared_points, shared_points_at
from recsim.agents.fusion.scorers import EVIDENCE, Scorers, blocks
from recsim.agents.fusion.weights import fitted_weights
from recsim.agents.storage import load_arrays, load_options, save_arrays
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.rollout import Progress

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]


@dataclass(frozen=True)
class RankFusion:
    """A myopic ranker: score(u, i) = sum_s weight_s * points[rank_s(u, i)], ranks from 0 at the top.

    Items that a scorer scores equally share the mean of the points of their places, as in Borda's count with ties: a
    scorer with nothing to say, such as a modality before the first click, favours nobody. An item that lacks a modality
    has no place in its ranking, and no points from it.

    Attributes:
        scorers: the s scorers.
        weights: (s,) float64, in the order of `names`.
        points: (m,) float64, of each place, the best first.
    """

    scorers: Scorers
    weights: Floats
    points: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """(s,) names of the scorers."""
        return self.scorers.names

    @classmethod
    def fitted(
        cls,
        log: Log,
        catalog: Catalog,
        layout: Layout,
        points: Floats,
        *,
        own: Sequence[str] = EVIDENCE,
        target: str = "conversion",
        progress: Progress = None,
    ) -> Self:
        """The fusion by `points` (m,) whose weights explain a log (`fitted_weights`), cross-fitted by user.

        Deterministic.

        Args:
            log: what is learned from.
            catalog: the items.
            layout: where features stand in an observation.
            points: of each place, the best first.
            own: which of `scorers.OWN` there are besides the modalities and the profile.
            target: what the weights explain: "click", "conversion" or "reward".
            progress: called with the number of slates explained so far.

        Raises:
            ValueError: if there is no such scorer or target, or the log has no contrast in the target.
        """

        def terms_of(others: Log, slates: Log) -> Floats:
            counted = Scorers.count(others, catalog, layout, own)
            fusion = cls(counted, np.ones(len(counted.names)), points)
            return np.concatenate([fusion._points_at(block) for block in blocks(slates)])

        weights = fitted_weights(cross_fitted(log, terms_of, progress), log, target)
        return cls(Scorers.count(log, catalog, layout, own), weights, points)

    def scores(self, observation: Observation, items: Items | None = None) -> Floats:
        """(n, m) float64, fused points of every item, or (n, c) of the items (n, c), ranked among all."""
        content, told = self._content_points(observation), self._told_points(observation)
        fused = (self.weights[-1] * told)[:, self.scorers.catalog.category] + self._alike
        for modality, weight in enumerate(self.weights[: content.shape[1]]):
            fused += weight * content[:, modality]
        return fused if items is None else np.take_along_axis(fused, items, axis=1)

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        arrays = {"weights": self.weights, "points": self.points, **self.scorers.arrays()}
        save_arrays(path, type(self).__name__, arrays, self.scorers.catalog, {"own": list(self.scorers.own)})

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> Self:
        """What `save` wrote, for the same catalogue.

        Raises:
            ValueError: if the file holds something else, or belongs to another catalogue.
        """
        arrays = load_arrays(path, cls.__name__, catalog)
        scorers = Scorers.of_arrays(arrays, catalog, layout, load_options(path)["own"])
        return cls(scorers, arrays["weights"], arrays["points"])

    @cached_property
    def _above(self) -> Floats:
        """(m + 1,) float64, sum of the points of the places above each place."""
        return np.concatenate([[0.0], np.cumsum(self.points)])

    @cached_property
    def _own_points(self) -> Floats:
        """(o, m) float64, points from the scorers that say the same to everybody."""
        own = np.array([*self.scorers.own.values()]).reshape(len(self.scorers.own), len(self.points))
        return shared_points(own, np.ones(len(self.points), bool), self._above)

    @cached_property
    def _alike(self) -> Floats:
        """(m,) float64, what of the fused points is the same for everybody."""
        alike: Floats = self.weights[len(self.scorers.catalog.modalities) : -1] @ self._own_points
        return alike

    def _content_points(self, observation: Observation) -> Floats:
        """(n, M, m) float64."""
        modalities = self.scorers.catalog.modalities.values()
        content = self.scorers.content(observation)
        parts = [shared_points(content[:, j], part.present, self._above) for j, part in enumerate(modalities)]
        return np.stack(parts, axis=1)

    def _told_points(self, observation: Observation) -> Floats:
        """(n, C) float64, points of the items of each category, all of which the profile scorer scores equally."""
        told, catalog = self.scorers.told(observation), self.scorers.catalog
        size = np.bincount(catalog.category, minlength=told.shape[1]).astype(np.float64)
        higher = np.einsum("nbc,b->nc", told[:, :, None] > told[:, None], size).astype(np.int64)
        level = np.einsum("nbc,b->nc", told[:, :, None] == told[:, None], size).astype(np.int64)
        mean: Floats = (self._above[higher + level] - self._above[higher]) / np.maximum(level, 1)  # empty categories: 0
        return mean

    def _points_at(self, log: Log) -> Floats:
        """(n, k, s) float64, points of the items of logged slates; of no meaning at an empty position (-1)."""
        catalog, content = self.scorers.catalog, self.scorers.content(log.observation)
        by_modality = [
            shared_points_at(content[:, j], part.present, log.slate, self._above)
            for j, part in enumerate(catalog.modalities.values())
        ]
        told = np.take_along_axis(self._told_points(log.observation), catalog.category[log.slate], axis=1)
        return np.stack([*by_modality, *(points[log.slate] for points in self._own_points), told], axis=2)


class VoteFusion(RankFusion):
    """Scorers vote for their best items (Borda 1781 and approval voting, Brams and Fishburn 1978), weighted by a fit.

    With the rule "borda" the place r of a ballot of b has 1 - r / b points, and with "approval" 1; places below have 0.
    """

    @classmethod
    def fit(
        cls,
        log: Log,
        catalog: Catalog,
        layout: Layout,
        *,
        rule: str = "borda",
        ballot: int = 100,
        own: Sequence[str] = EVIDENCE,
        target: str = "conversion",
        seed: int = 0,
        progress: Progress = None,
    ) -> Self:
        """A vote with the weights that explain a log: see `RankFusion.fitted`.

        Args:
            log: see there, as for all that is not named here.
            catalog: see there.
            layout: see there.
            rule: "borda" or "approval".
            ballot: how many items each scorer votes for.
            own: see there.
            target: see there.
            seed: of no effect; nothing is drawn.
            progress: see there.

        Raises:
            ValueError: also if there is no such rule, or the ballot is below 1.
        """
        if rule not in ("borda", "approval") or ballot < 1:
            raise ValueError(f"the rule is {rule!r} and the ballot {ballot}; choose borda or approval, and 1 or more.")
        place = np.arange(len(catalog))
        points = np.maximum(1.0 - place / ballot, 0.0) if rule == "borda" else (place < ballot).astype(np.float64)
        return cls.fitted(log, catalog, layout, points, own=own, target=target, progress=progress)


class ReciprocalRankFusion(RankFusion):
    """Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009), weighted by a fit: points 1 / (c + r), r from 1 up.

    They are given relative to the top place's, so that weights are of the size of other fusions'.
    """

    @classmethod
    def fit(
        cls,
        log: Log,
        catalog: Catalog,
        layout: Layout,
        *,
        constant: float = 60.0,
        own: Sequence[str] = EVIDENCE,
        target: str = "conversion",
        seed: int = 0,
        progress: Progress = None,
    ) -> Self:
        """A fusion with the weights that explain a log: see `RankFusion.fitted`.

        Args:
            log: see there, as for all that is not named here.
            catalog: see there.
            layout: see there.
            constant: c, how little the top places stand out.
            own: see there.
            target: see there.
            seed: of no effect; nothing is drawn.
            progress: see there.

        Raises:
            ValueError: also if the constant is negative or no number.
        """
        if not (np.isfinite(constant) and constant >= 0.0):
            raise ValueError(f"the constant is {constant}; it is a finite number from 0 up.")
        points: Floats = (constant + 1.0) / (constant + np.arange(1.0, len(catalog) + 1.0))
        return cls.fitted(log, catalog, layout, points, own=own, target=target, progress=progress)
