"""Decision-level fusion: one scorer per source of evidence, combined by fixed weights fitted on logs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from recsim.agents.storage import load_arrays, save_arrays
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.retrieval import similarity

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]

FOLDS = 5
SMOOTHING = 5.0  # clicks of an average item that every click-rate estimate starts from


@dataclass(frozen=True)
class StaticFusion:
    """A myopic ranker that combines one scorer per modality with weights fitted once (late fusion, Snoek et al. 2005).

    Scorers, in the order of `weights`: for each modality of the catalogue, similarity of an item to what the user
    clicked; `click rate`, the log of an item's click rate against an average item's at the same positions; `profile
    rate`, the same per (profile column, category), which serves users who have clicked nothing yet. The fused score is
    their weighted sum; it is the log-odds of a click, up to a constant.

    Attributes:
        catalog: the items.
        layout: where features stand in an observation.
        weights: (M + 2,) float64, of the M modalities, the click rate and the profile rate.
        click_rate: (m,) float64, scores of the click-rate scorer.
        profile_rate: (p, C) float64, scores of the profile scorer.
    """

    catalog: Catalog
    layout: Layout
    weights: Floats
    click_rate: Floats
    profile_rate: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """(M + 2,) names of the scorers."""
        return (*self.catalog.modalities, "click rate", "profile rate")

    @classmethod
    def fit(cls, log: Log, catalog: Catalog, layout: Layout) -> StaticFusion:
        """Fit the scorers by counting, and their weights by logistic regression with an intercept per position.

        The weights are fitted on scores counted from other users' sessions (cross-fitted by user, `FOLDS` folds), so
        that no score has seen the clicks it is to explain; the scorers that are kept count all sessions.
        Deterministic.

        Raises:
            ValueError: if the log has no clicks, or only clicks.
        """
        if log.click.all() or not log.click.any():
            raise ValueError(
                f"the log has {int(log.click.sum())} clicks on {log.click.size:,} positions; both are needed."
            )
        counted = cls(catalog, layout, np.ones(len(catalog.modalities) + 2), *_lifts(log, catalog, layout))
        scores = np.empty((*log.slate.shape, len(counted.names)))
        for fold in range(FOLDS):
            rows = log.user % FOLDS == fold
            click_rate, profile_rate = _lifts(log[~rows], catalog, layout)
            others = replace(counted, click_rate=click_rate, profile_rate=profile_rate)
            scores[rows] = others._scorers_at(log.observation[rows], log.slate[rows])
        shown = log.slate >= 0
        position = np.broadcast_to(np.eye(log.slate.shape[1]), (*log.slate.shape, log.slate.shape[1]))
        design = np.concatenate([scores, position], axis=2)[shown]
        model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=500, tol=1e-8).fit(design, log.click[shown])
        return replace(counted, weights=model.coef_[0, : len(counted.names)].astype(np.float64))

    def scores(self, observation: Observation) -> Floats:
        """(n, m) float64, fused scores of every item."""
        *content, click_rate, profile_rate = self.weights
        told = self.layout.read(observation, "profile") @ (profile_rate * self.profile_rate)  # (n, C)
        scale = np.repeat(content, np.diff(self.catalog.offsets)).astype(np.float32)  # (D,)
        liked = (self.layout.read(observation, "liked") * scale) @ self.catalog.taste.T  # (n, m)
        fused: Floats = told[:, self.catalog.category] + click_rate * self.click_rate + liked
        return fused

    def modality_scores(self, observation: Observation) -> NDArray[np.float32]:
        """(n, M + 2, m) float32, what each scorer says of every item, in the order of `weights`."""
        catalog, items = self.catalog, np.arange(len(self.catalog))[None]
        content = similarity(self.layout.read(observation, "liked"), catalog.taste, catalog.offsets, items)  # (n, M, m)
        rates = np.ascontiguousarray(self.profile_rate.T, np.float32)  # (C, p)
        whole, categories = np.array([0, rates.shape[1]]), np.arange(len(rates))[None]
        told = similarity(self.layout.read(observation, "profile"), rates, whole, categories)[:, :, catalog.category]
        click_rate = np.broadcast_to(self.click_rate.astype(np.float32), told.shape)
        return np.concatenate([content, click_rate, told], axis=1)

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        arrays = {"weights": self.weights, "click_rate": self.click_rate, "profile_rate": self.profile_rate}
        save_arrays(path, "StaticFusion", arrays, self.catalog)

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> StaticFusion:
        """What `save` wrote, for the same catalogue.

        Raises:
            ValueError: if the file holds something else, or belongs to another catalogue.
        """
        arrays = load_arrays(path, "StaticFusion", catalog)
        return cls(catalog, layout, arrays["weights"], arrays["click_rate"], arrays["profile_rate"])

    def _scorers_at(self, observation: Observation, slate: Items) -> Floats:
        """(n, k, s) float64, what each scorer says of the items of a slate."""
        liked, taste = self.layout.read(observation, "liked"), self.catalog.taste[slate]  # (n, D), (n, k, D)
        parts = zip(self.catalog.offsets[:-1], self.catalog.offsets[1:], strict=True)
        content = [np.einsum("nd,nkd->nk", liked[:, low:high], taste[:, :, low:high]) for low, high in parts]
        by_category = self.layout.read(observation, "profile").astype(np.float64) @ self.profile_rate  # (n, C)
        told = np.take_along_axis(by_category, self.catalog.category[slate], axis=1)
        return np.stack([*content, self.click_rate[slate], told], axis=2)


def _lifts(log: Log, catalog: Catalog, layout: Layout) -> tuple[Floats, Floats]:
    """Log lifts by item (m,) and by (profile column, category) (p, C).

    A lift is (clicks + a) / (expected + a), over the clicks that an average item would have had at the same positions.
    """
    shown = log.slate >= 0
    rate = log.click.sum(axis=0) / np.maximum(shown.sum(axis=0), 1)  # (k,)
    expected = np.broadcast_to(rate, log.slate.shape)
    category = np.eye(len(catalog.categories))[catalog.category[log.slate]] * shown[..., None]  # (n, k, C)
    told = np.maximum(layout.read(log.observation, "profile"), 0.0).astype(np.float64)
    counts = (log.click, expected)
    by_item = [np.bincount(log.slate[shown], count[shown], minlength=len(catalog)) for count in counts]
    by_profile = [told.T @ np.einsum("nk,nkc->nc", count, category) for count in counts]
    item, profile = (np.log((hits + SMOOTHING) / (due + SMOOTHING)) for hits, due in (by_item, by_profile))
    return item, profile
