"""Decision-level fusion: one scorer per source of evidence, combined by fixed weights fitted on logs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from recsim.agents.storage import load_arrays, save_arrays
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]

SMOOTHING = 5.0  # clicks of an average item that every click-rate estimate starts from


@dataclass(frozen=True)
class StaticFusion:
    """A myopic ranker that combines one scorer per modality with weights fitted once (late fusion, Snoek et al. 2005).

    Scorers: for each content modality, similarity of an item to what the user clicked; `behaviour`, the log of an
        item's click
    rate against an average item's at the same positions; `profile`, the same per (profile column, category), which
    serves users who have clicked nothing yet. The fused score is their weighted sum; it is the log-odds of a click, up
    to a constant.

    Attributes:
        catalog: the items.
        layout: where features stand in an observation.
        names: (s,) names of the scorers.
        weights: (s,) float64.
        behaviour: (m,) float64, scores of the behaviour scorer.
        profile: (p, C) float64, scores of the profile scorer.
    """

    catalog: Catalog
    layout: Layout
    names: tuple[str, ...]
    weights: Floats
    behaviour: Floats
    profile: Floats

    @classmethod
    def fit(cls, log: Log, catalog: Catalog, layout: Layout) -> StaticFusion:
        """Fit the scorers by counting and their weights by logistic regression of clicks, an intercept per position.

        The counts that a click itself contributed to are taken out of its own score (leave one out), so that the
        weights are not fitted to self-fulfilling scores. Deterministic: the same log gives the same weights.

        Raises:
            ValueError: if the log has no clicks, or only clicks.
        """
        if log.click.all() or not log.click.any():
            raise ValueError(
                f"the log has {int(log.click.sum())} clicks on {log.click.size:,} positions; both are needed."
            )
        counts = _Counts.of(log, catalog, layout)
        names = (*catalog.modalities, "behaviour", "profile")
        fusion = cls(catalog, layout, names, np.ones(len(names)), counts.behaviour(), counts.profile())
        shown = log.slate >= 0
        columns = [fusion._content(log.observation, log.slate, name)[shown] for name in catalog.modalities]
        columns += [counts.behaviour_without_self()[shown], fusion._profile_at(log.observation, log.slate)[shown]]
        position = np.broadcast_to(np.eye(log.slate.shape[1]), (*log.slate.shape, log.slate.shape[1]))[shown]
        design = np.column_stack([*columns, position])
        model = LogisticRegression(C=1.0, fit_intercept=False, max_iter=500, tol=1e-8)
        model.fit(design, log.click[shown])
        weights = model.coef_[0, : len(names)].astype(np.float64)
        return cls(catalog, layout, names, weights, fusion.behaviour, fusion.profile)

    def scores(self, observation: Observation) -> Floats:
        """(n, m) float64, fused scores of every item."""
        weight = dict(zip(self.names, self.weights, strict=True))
        total = self.layout.read(observation, "profile") @ (weight["profile"] * self.profile)[:, self.catalog.category]
        total = total + weight["behaviour"] * self.behaviour
        liked, offsets = self.layout.read(observation, "liked"), self.catalog.offsets
        scale = np.repeat([weight[name] for name in self.catalog.modalities], np.diff(offsets)).astype(np.float32)
        fused: Floats = total + (liked * scale) @ self.catalog.taste.T
        return fused

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        arrays = {"weights": self.weights, "behaviour": self.behaviour, "profile": self.profile}
        save_arrays(path, "StaticFusion", arrays, {"catalog": self.catalog.name, "names": json.dumps(self.names)})

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> StaticFusion:
        """What `save` wrote, for the same catalogue.

        Raises:
            ValueError: if the file holds something else, or belongs to another catalogue.
        """
        arrays, about = load_arrays(path, "StaticFusion", {"catalog": catalog.name})
        names = tuple(json.loads(about["names"]))
        return cls(catalog, layout, names, arrays["weights"], arrays["behaviour"], arrays["profile"])

    def _content(self, observation: Observation, slate: Items, modality: str) -> Floats:
        number = list(self.catalog.modalities).index(modality)
        part = slice(self.catalog.offsets[number], self.catalog.offsets[number + 1])
        liked = self.layout.read(observation, "liked")[:, part]
        similarity: Floats = np.einsum("nd,nkd->nk", liked, self.catalog.taste[:, part][slate]).astype(np.float64)
        return similarity

    def _profile_at(self, observation: Observation, slate: Items) -> Floats:
        by_category = self.layout.read(observation, "profile").astype(np.float64) @ self.profile  # (n, C)
        return np.take_along_axis(by_category, self.catalog.category[slate], axis=1)


@dataclass(frozen=True)
class _Counts:
    """Clicks, and those an average item would have had at the same positions: (clicks + a) / (expected + a) = lift."""

    slate: Items
    click: NDArray[np.bool_]
    rate: Floats  # (k,) click rate of each position
    clicks: Floats  # (m,)
    expected: Floats  # (m,)
    profile_clicks: Floats  # (p, C)
    profile_expected: Floats  # (p, C)

    @classmethod
    def of(cls, log: Log, catalog: Catalog, layout: Layout) -> _Counts:
        shown = log.slate >= 0
        rate = log.click.sum(axis=0) / np.maximum(shown.sum(axis=0), 1)
        expected = np.broadcast_to(rate, log.slate.shape)
        m, categories = len(catalog), len(catalog.categories)
        item = log.slate[shown]
        category = np.eye(categories)[catalog.category[log.slate]] * shown[..., None]  # (n, k, C)
        told = np.maximum(layout.read(log.observation, "profile"), 0.0).astype(np.float64)
        return cls(
            log.slate,
            log.click,
            rate,
            np.bincount(item, log.click[shown], minlength=m).astype(np.float64),
            np.bincount(item, expected[shown], minlength=m).astype(np.float64),
            told.T @ np.einsum("nk,nkc->nc", log.click, category),
            told.T @ np.einsum("nk,nkc->nc", expected, category),
        )

    def behaviour(self) -> Floats:
        return np.log((self.clicks + SMOOTHING) / (self.expected + SMOOTHING))

    def behaviour_without_self(self) -> Floats:
        clicks = self.clicks[self.slate] - self.click
        expected = np.maximum(self.expected[self.slate] - self.rate, 0.0)
        return np.log((clicks + SMOOTHING) / (expected + SMOOTHING))

    def profile(self) -> Floats:
        return np.log((self.profile_clicks + SMOOTHING) / (self.profile_expected + SMOOTHING))
