"""Hybrid fusion: collaborative filtering beside content, combined by fixed weights fitted on logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recsim.agents.folds import cross_fitted
from recsim.agents.fusion.collaborative import COLLABORATIVE, Collaborative
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

CONVERSION = 4.0  # clicks that a conversion is worth as an interaction


@dataclass(frozen=True)
class HybridFusion:
    """A myopic ranker that adds a collaborative model to the scorers (weighted hybrid, Burke 2002).

    score(u, i) = sum_s weight_s * scorer_s(u, i) + weight * collaborative(u, i). The users served are not those of the
    log: the model folds them in by the items they clicked and bought lately, which only worlds made with `recent` tell.
    Users who have clicked nothing have a collaborative score of 0 for every item; content serves them.

    Attributes:
        scorers: the s scorers.
        collaborative: the model of who clicked what.
        method: its name in `collaborative.COLLABORATIVE`.
        weights: (s + 1,) float64, in the order of `names`.
    """

    scorers: Scorers
    collaborative: Collaborative
    method: str
    weights: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """(s + 1,) names of the scorers and of the method."""
        return (*self.scorers.names, self.method)

    @classmethod
    def fit(
        cls,
        log: Log,
        catalog: Catalog,
        layout: Layout,
        *,
        method: str = "als",
        own: Sequence[str] = EVIDENCE,
        target: str = "conversion",
        seed: int = 0,
        progress: Progress = None,
        **options: Any,
    ) -> HybridFusion:
        """Fit the collaborative model, the scorers and, cross-fitted by user, the weights (`fitted_weights`).

        Args:
            log: what is learned from, in a world that tells `clicked`.
            catalog: the items.
            layout: where features stand in an observation.
            method: "als", "item_knn" or "lightgcn".
            own: which of `scorers.OWN` there are besides the modalities and the profile.
            target: what the weights explain: "click", "conversion" or "reward".
            seed: of what the model draws.
            progress: called with the number of slates explained so far.
            options: of the model's `fit`.

        Raises:
            ValueError: if there is no such method, scorer or target, the log has no contrast in the target, or the
                observations do not tell what was clicked.
        """
        if method not in COLLABORATIVE:
            raise ValueError(f"there is no method {method!r}; choose one of {', '.join(COLLABORATIVE)}.")
        _check_told(layout)
        model = COLLABORATIVE[method]

        def terms_of(others: Log, slates: Log) -> Floats:
            scorers = Scorers.count(others, catalog, layout, own)
            fitted = model.fit(interactions(others, len(catalog)), seed=seed, **options)
            found = [
                np.take_along_axis(fitted.scores(history(block.observation, layout, len(catalog))), block.slate, axis=1)
                for block in blocks(slates)
            ]
            content = scorers.at(slates.observation, slates.slate)
            return np.concatenate([content, np.concatenate(found)[..., None]], axis=2)

        weights = fitted_weights(cross_fitted(log, terms_of, progress), log, target)
        fitted = model.fit(interactions(log, len(catalog)), seed=seed, **options)
        return cls(Scorers.count(log, catalog, layout, own), fitted, method, weights)

    def scores(self, observation: Observation, items: Items | None = None) -> Floats:
        """(n, m) float64, fused scores of every item, or (n, c) of the items (n, c)."""
        layout, n_items = self.scorers.layout, len(self.scorers.catalog)
        together = self.collaborative.scores(history(observation, layout, n_items))
        if items is not None:
            together = np.take_along_axis(together, items, axis=1)
        fused: Floats = self.scorers.fused(observation, self.weights[:-1], items) + self.weights[-1] * together
        return fused

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        model = {f"model.{name}": values for name, values in self.collaborative.arrays().items()}
        options = {"method": self.method, "own": list(self.scorers.own)}
        arrays = {"weights": self.weights, **model, **self.scorers.arrays()}
        save_arrays(path, "HybridFusion", arrays, self.scorers.catalog, options)

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> HybridFusion:
        """What `save` wrote, for the same catalogue.

        Raises:
            ValueError: if the file holds something else or belongs to another catalogue, or observations do not tell
                what was clicked.
        """
        arrays, options = load_arrays(path, "HybridFusion", catalog), load_options(path)
        _check_told(layout)
        model = {name.removeprefix("model."): values for name, values in arrays.items() if name.startswith("model.")}
        collaborative = COLLABORATIVE[options["method"]].of_arrays(model)
        scorers = Scorers.of_arrays(arrays, catalog, layout, options["own"])
        return cls(scorers, collaborative, options["method"], arrays["weights"])


def interactions(log: Log, n_items: int) -> csr_matrix:
    """(users of the log, m) sparse float32: clicks plus `CONVERSION` times conversions."""
    user = np.unique(log.user, return_inverse=True)[1].reshape(-1, 1)
    worth = log.click + CONVERSION * log.conversion
    rows = np.broadcast_to(user, worth.shape)[log.click]
    return _matrix(rows, log.slate[log.click], worth[log.click], (int(user.max()) + 1, n_items))


def history(observation: Observation, layout: Layout, n_items: int) -> csr_matrix:
    """(n, m) sparse float32, the interactions of users as their observations tell them."""
    clicked, bought = (layout.read(observation, name).astype(np.int64) for name in ("clicked", "bought"))
    items = np.concatenate([clicked, bought], axis=1)
    worth = np.concatenate([np.ones(clicked.shape), np.full(bought.shape, CONVERSION)], axis=1)
    rows = np.broadcast_to(np.arange(len(items))[:, None], items.shape)
    known = items >= 0
    return _matrix(rows[known], items[known], worth[known], (len(items), n_items))


def _matrix(rows: Items, items: Items, worth: Floats, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((worth.astype(np.float32), (rows, items)), shape=shape)


def _check_told(layout: Layout) -> None:
    if "clicked" not in layout.columns:
        raise ValueError(
            "observations do not tell which items a user clicked, from which collaborative filtering starts; make the "
            "world, and collect the log, with recent above 0."
        )
