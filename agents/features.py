"""Observable features of (user, item) pairs: what every agent here builds its scores from.

Each feature is an inner product of something of the user and something of the item, x_f(u, i) = <query_f(u),
key_f(i)>, and features share keys (what was liked and what was passed over both meet an item's taste). Scores of a
whole catalogue are then one matrix product, however many features there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.observation import Layout

Array = NDArray[np.float32]
Items = NDArray[np.int64]


@dataclass(frozen=True)
class Feature:
    """One feature: which columns of the observation meet which columns of the keys.

    Attributes:
        name: what it is called.
        query: columns of the observation, as many as the key has; None for a query of 1 (an item's own feature).
        key: columns of `CrossFeatures.keys`.
    """

    name: str
    query: slice | None
    key: slice

    def of_users(self, observation: Array) -> Array:
        """(n, p) float32, the user side."""
        return np.ones((len(observation), 1), np.float32) if self.query is None else observation[:, self.query]


class CrossFeatures:
    """Features of (user, item) pairs of a catalogue.

    For each modality: `liked_<modality>` and `passed_<modality>`, similarity of the item to what the user clicked and
    passed over. `exposure` and `category_clicks`: how much of the item's category was shown and clicked lately.
    `price`, `novelty`: the item's own; `price_match`, `novelty_match`: times those of the clicked items.

    Attributes:
        keys: (m, P) float32, item side: taste (D), category as a one-hot row (C), price, novelty (centred).
        category_key: the columns of `keys` that hold the category.
        features: the f features.
    """

    def __init__(self, catalog: Catalog, layout: Layout) -> None:
        """Features for observations laid out as `layout`."""
        self.catalog, self.layout = catalog, layout
        category = np.eye(len(catalog.categories), dtype=np.float32)[catalog.category]
        own = np.stack([catalog.price_level, catalog.novelty - np.float32(0.5)], axis=1)
        self.keys: Array = np.ascontiguousarray(np.concatenate([catalog.taste, category, own], axis=1))
        taste, width = int(catalog.offsets[-1]), self.keys.shape[1]
        self.category_key = slice(taste, width - 2)
        price, novelty = slice(width - 2, width - 1), slice(width - 1, width)
        features = []
        for side in ("liked", "passed"):
            start = layout[side].start
            for name, low, high in zip(catalog.modalities, catalog.offsets[:-1], catalog.offsets[1:], strict=True):
                columns = slice(start + int(low), start + int(high))
                features.append(Feature(f"{side}_{name}", columns, slice(int(low), int(high))))
        features += [Feature(name, layout[name], self.category_key) for name in ("exposure", "category_clicks")]
        features += [Feature("price", None, price), Feature("novelty", None, novelty)]
        features += [Feature("price_match", layout["liked_price"], price)]
        features += [Feature("novelty_match", layout["liked_novelty"], novelty)]
        self.features = tuple(features)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the f features."""
        return tuple(feature.name for feature in self.features)

    def all(self, observation: Array) -> Array:
        """(n, m, f) float32, the features of every item."""
        return np.stack([f.of_users(observation) @ self.keys[:, f.key].T for f in self.features], axis=2)

    def query(self, observation: Array, weight: NDArray[np.floating[Any]]) -> Array:
        """(n, P) float32, of which the products with `keys` are the features' sums weighted by `weight` (f,)."""
        query = np.zeros((len(observation), self.keys.shape[1]), np.float32)
        for feature, share in zip(self.features, weight, strict=True):
            query[:, feature.key] += np.float32(share) * feature.of_users(observation)
        return query

    def at(self, observation: Array, slate: Items) -> Array:
        """(n, k, f) float32, the features of the items of a slate; 0 at an empty position (-1)."""
        keys = self.keys[slate]  # (n, k, P)
        values = [np.einsum("np,nkp->nk", f.of_users(observation), keys[:, :, f.key]) for f in self.features]
        out: Array = np.stack(values, axis=2)
        out[slate < 0] = 0.0
        return out
