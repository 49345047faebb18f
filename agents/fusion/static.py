"""Fusion of scores: one scorer per source of evidence, combined by fixed weights fitted on logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsim.agents.folds import cross_fitted
from recsim.agents.fusion.scorers import Scorers
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
class StaticFusion:
    """A myopic ranker that combines scorers by weights fitted once (late fusion, Snoek et al. 2005).

    The fused score is the weighted sum of the scorers; it is the log-odds of a click (or of another target of the fit),
    up to a constant. By default an item's click rate is its only own scorer.

    Attributes:
        scorers: the s scorers.
        weights: (s,) float64, in the order of `names`.
    """

    scorers: Scorers
    weights: Floats

    @property
    def catalog(self) -> Catalog:
        """The items."""
        return self.scorers.catalog

    @property
    def names(self) -> tuple[str, ...]:
        """(s,) names of the scorers."""
        return self.scorers.names

    @property
    def click_rate(self) -> Floats:
        """(m,) float64, scores of the click-rate scorer."""
        return self.scorers.own["click rate"]

    @property
    def profile_rate(self) -> Floats:
        """(p, C) float64, scores of the profile scorer."""
        return self.scorers.profile_rate

    @classmethod
    def fit(
        cls,
        log: Log,
        catalog: Catalog,
        layout: Layout,
        *,
        own: Sequence[str] = ("click rate",),
        target: str = "click",
        seed: int = 0,
        progress: Progress = None,
    ) -> StaticFusion:
        """Fit the scorers by counting and their weights by regression (`fitted_weights`).

        The weights are fitted on scores counted from other users' sessions (cross-fitted by user), so that no score has
        seen the clicks it is to explain; the scorers that are kept count all sessions. Deterministic.

        Args:
            log: what is learned from.
            catalog: the items.
            layout: where features stand in an observation.
            own: which of `scorers.OWN` there are besides the modalities and the profile.
            target: what the weights explain: "click", "conversion" or "reward".
            seed: of no effect; nothing is drawn.
            progress: called with the number of slates explained so far.

        Raises:
            ValueError: if there is no such scorer or target, or the log has no contrast in the target.
        """

        def terms_of(others: Log, slates: Log) -> Floats:
            return Scorers.count(others, catalog, layout, own).at(slates.observation, slates.slate)

        weights = fitted_weights(cross_fitted(log, terms_of, progress), log, target)
        return cls(Scorers.count(log, catalog, layout, own), weights)

    def scores(self, observation: Observation, items: Items | None = None) -> Floats:
        """(n, m) float64, fused scores of every item, or (n, c) of the items (n, c)."""
        return self.scorers.fused(observation, self.weights, items)

    def modality_scores(self, observation: Observation) -> NDArray[np.float32]:
        """(n, s, m) float32, what each scorer says of every item, in the order of `weights`."""
        return self.scorers.of_all(observation)

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        arrays = {"weights": self.weights, **self.scorers.arrays()}
        save_arrays(path, "StaticFusion", arrays, self.scorers.catalog, {"own": list(self.scorers.own)})

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> StaticFusion:
        """What `save` wrote, for the same catalogue.

        Raises:
            ValueError: if the file holds something else, or belongs to another catalogue.
        """
        arrays = load_arrays(path, "StaticFusion", catalog)
        return cls(Scorers.of_arrays(arrays, catalog, layout, load_options(path)["own"]), arrays["weights"])
