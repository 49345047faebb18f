"""Scorers: what each source of evidence says of every item, before anything is fused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout
from recsim.retrieval import similarity

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]

SMOOTHING = 5.0  # clicks of an average item that every click-rate estimate starts from
CONVERSION_SMOOTHING = 2.0  # the same for conversions, of which there are fewer
OWN = ("popularity", "click rate", "conversion rate")  # scorers that say the same to everybody
EVIDENCE = ("popularity", "conversion rate")  # those that bait, which is clicked and not bought, cannot win
BLOCK = 512  # slates for which scores of every item are held at a time


@dataclass(frozen=True)
class Scorers:
    """One scorer per source of evidence, given by the catalogue or counted once from a log.

    In the order of `names`: for each modality of the catalogue, similarity of an item to what the user clicked, 0 where
    the item lacks the modality, which is an average item's where embeddings are centred; the scorers that say the same
    to everybody (`OWN`): `popularity`, the log of the catalogue's prior, `click rate`, the log of an item's click rate
    against an average item's at the same positions, and `conversion rate`, the same for conversions of its clicks; and
    `profile rate`, the log click rate per (profile column, category), which serves users who have clicked nothing yet.

    Attributes:
        catalog: the items.
        layout: where features stand in an observation.
        own: name to (m,) float64, scores that are the same for everybody.
        profile_rate: (p, C) float64, scores of the profile scorer.
    """

    catalog: Catalog
    layout: Layout
    own: Mapping[str, Floats]
    profile_rate: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """(s,) names of the scorers."""
        return (*self.catalog.modalities, *self.own, "profile rate")

    @classmethod
    def count(cls, log: Log, catalog: Catalog, layout: Layout, own: Sequence[str] = OWN) -> Scorers:
        """The scorers of a log, with those of `OWN` that `own` names.

        Raises:
            ValueError: if there is no scorer of that name.
        """
        unknown = [name for name in own if name not in OWN]
        if unknown:
            raise ValueError(f"there is no scorer {unknown[0]!r}; an item's own scorers are {', '.join(OWN)}.")
        click_rate, profile_rate = _click_lifts(log, catalog, layout)
        rates = np.log(catalog.popularity), click_rate, _conversion_lift(log, len(catalog))
        found = dict(zip(OWN, rates, strict=True))
        return cls(catalog, layout, {name: found[name] for name in own}, profile_rate)

    def content(self, observation: Observation) -> NDArray[np.float32]:
        """(n, M, m) float32, similarity of every item to what was clicked, by modality; no row depends on others."""
        items = np.arange(len(self.catalog))[None]
        return similarity(self.layout.read(observation, "liked"), self.catalog.taste, self.catalog.offsets, items)

    def told(self, observation: Observation) -> Floats:
        """(n, C) float64, what the profile scorer says of the items of each category."""
        by_category: Floats = self.layout.read(observation, "profile").astype(np.float64) @ self.profile_rate
        return by_category

    def of_all(self, observation: Observation) -> NDArray[np.float32]:
        """(n, s, m) float32, what each scorer says of every item; no row depends on others."""
        rates = np.ascontiguousarray(self.profile_rate.T, np.float32)  # (C, p)
        whole, categories = np.array([0, rates.shape[1]]), np.arange(len(rates))[None]
        told = similarity(self.layout.read(observation, "profile"), rates, whole, categories)
        alike = np.array([*self.own.values()], np.float32).reshape(len(self.own), len(self.catalog))
        everybody = np.broadcast_to(alike, (len(observation), *alike.shape))
        return np.concatenate([self.content(observation), everybody, told[:, :, self.catalog.category]], axis=1)

    def at(self, observation: Observation, slate: Items) -> Floats:
        """(n, k, s) float64, what each scorer says of the items of a slate; of no meaning at an empty position (-1)."""
        liked, taste = self.layout.read(observation, "liked"), self.catalog.taste[slate]  # (n, D), (n, k, D)
        parts = zip(self.catalog.offsets[:-1], self.catalog.offsets[1:], strict=True)
        content = [np.einsum("nd,nkd->nk", liked[:, low:high], taste[:, :, low:high]) for low, high in parts]
        told = np.take_along_axis(self.told(observation), self.catalog.category[slate], axis=1)
        return np.stack([*content, *(scores[slate] for scores in self.own.values()), told], axis=2)

    def fused(self, observation: Observation, weights: Floats, items: Items | None = None) -> Floats:
        """(n, m) float64, or (n, c) for the items (n, c): the sum of every scorer times its weight (s,)."""
        if items is not None:
            listed: Floats = self.at(observation, items) @ weights
            return listed
        n_content = len(self.catalog.modalities)
        scale = np.repeat(weights[:n_content], np.diff(self.catalog.offsets)).astype(np.float32)  # (D,)
        liked = (self.layout.read(observation, "liked") * scale) @ self.catalog.taste.T  # (n, m)
        told = self.layout.read(observation, "profile") @ (weights[-1] * self.profile_rate)  # (n, C)
        fused: Floats = told[:, self.catalog.category] + self.alike(weights) + liked
        return fused

    def alike(self, weights: Floats) -> Floats:
        """(m,) float64, what of a weighted sum (weights (s,)) is the same for everybody."""
        total = np.zeros(len(self.catalog))
        for weight, scores in zip(weights[len(self.catalog.modalities) : -1], self.own.values(), strict=True):
            total += weight * scores
        return total

    def arrays(self) -> dict[str, Floats]:
        """What `of_arrays` makes the same scorers of."""
        return {**self.own, "profile rate": self.profile_rate}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Floats], catalog: Catalog, layout: Layout, own: Sequence[str]) -> Scorers:
        """The scorers that gave `arrays`, their own scorers in the order of `own`."""
        return cls(catalog, layout, {name: arrays[name] for name in own}, arrays["profile rate"])


def blocks(log: Log) -> Iterator[Log]:
    """The log in consecutive parts of at most `BLOCK` slates."""
    return (log[start : start + BLOCK] for start in range(0, len(log), BLOCK))


def _click_lifts(log: Log, catalog: Catalog, layout: Layout) -> tuple[Floats, Floats]:
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


def _conversion_lift(log: Log, n_items: int) -> Floats:
    """(m,) float64, log lift of an item's conversions over those that an average item has from as many clicks."""
    clicks, conversions = (np.bincount(log.slate[came], minlength=n_items) for came in (log.click, log.conversion))
    expected = clicks * (conversions.sum() / max(clicks.sum(), 1))
    lift: Floats = np.log((conversions + CONVERSION_SMOOTHING) / (expected + CONVERSION_SMOOTHING))
    return lift
