"""`Candidates`: the ranker chooses among retrieved items instead of the whole catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, MultiDiscrete
from numpy.typing import NDArray

from recsim.envs.world import SLACK, Items, Observation
from recsim.envs.wrapper import SlateWrapper, View, row_spaces, simulator_of
from recsim.retrieval import ExactRetrieval, Retrieval, similarity

Floats = NDArray[np.float32]


class Candidates(SlateWrapper):
    """A second-stage ranker's view: m' candidates are retrieved for each user, and actions are places in their list.

    Candidates are the items whose taste has the largest inner product with the mean taste of what the user clicked,
    best first; for users who have clicked nothing yet, the most popular ones. Actions are k places 0..m'-1; a place
    given twice is shown once, and the freed position stays empty. Observations are a dict, since its parts have their
    own shapes and `MultiInputPolicy` reads it as it is; `gymnasium.wrappers.FlattenObservation` makes one row of it:
        user: (d,) float32, the wrapped environment's.
        candidates: (m', f) float32, features of each candidate for this user, named by `features`.
        items: (m',) int64, their item numbers, for networks with item embeddings; only if asked for.
    `info["candidates"]` holds the item numbers in any case.

    Attributes:
        features: names of the f features: similarity to what was clicked and to what was passed over by modality,
            recent exposure and clicks of the item's category, price level, novelty.
    """

    def __init__(
        self, env: Any, count: int = 50, retrieval: Retrieval | None = None, *, item_numbers: bool = False
    ) -> None:
        """Wrap `env`, single or vector.

        Args:
            env: the environment.
            count: m'.
            retrieval: finds the candidates, by default an exact search of the taste space.
            item_numbers: whether observations hold the candidates' item numbers. Stock networks take them for sizes.

        Raises:
            ValueError: if there are fewer candidates than positions, or fewer items than candidates.
        """
        simulator = simulator_of(env, "Candidates")
        catalog, self._layout = simulator.catalog, simulator.layout
        if not simulator.slate_size <= count <= len(catalog):
            raise ValueError(
                f"{count} candidates asked for; slates of {simulator.slate_size} out of the {len(catalog)} items of "
                f"{catalog.name!r} allow {simulator.slate_size} to {len(catalog)}."
            )
        sides = [f"{side}_{name}" for side in ("liked", "passed") for name in catalog.modalities]
        self.features = (*sides, "exposure", "category_clicks", "price", "novelty")
        price = (float(catalog.price_level.min()), float(catalog.price_level.max()))
        bounds = np.array([(-1.0, 1.0)] * len(sides) + [(0.0, 1.0), (0.0, 1.0), price, (0.0, 1.0)])
        low, high = (
            np.tile(column, (count, 1)).astype(np.float32) for column in (bounds + np.array([-SLACK, SLACK])).T
        )
        spaces = {"user": row_spaces(env)[0], "candidates": Box(low, high)}
        if item_numbers:
            spaces["items"] = Box(0, len(catalog) - 1, (count,), np.int64)
        taken = MultiDiscrete(np.full(simulator.slate_size, count))
        super().__init__(env, action=taken, observation=Dict(spaces))
        self._retrieval = retrieval or ExactRetrieval(catalog.taste)
        self._count, self._item_numbers = count, item_numbers
        self._popular = np.argsort(-catalog.popularity, kind="stable")[:count]

    def slates(self, action: NDArray[Any], memory: Any) -> Items:
        """(n, k) item numbers at the places (n, k) of the lists `memory` (n, m')."""
        return np.take_along_axis(memory, action, axis=1)

    def view(self, observation: Observation, state: Any) -> View:
        """The candidates of users who are observed as `observation` (n, d)."""
        items = self._retrieved(self._layout.read(observation, "liked"))
        seen: dict[str, NDArray[Any]] = {"user": observation, "candidates": self._described(observation, items)}
        if self._item_numbers:
            seen["items"] = items.copy()
        return View(seen, memory=items, info={"candidates": items.copy()})

    def _retrieved(self, liked: Floats) -> Items:
        """(n, m') item numbers for mean tastes (n, D)."""
        items = np.tile(self._popular, (len(liked), 1))
        warm = liked.any(axis=1)
        if warm.any():
            items[warm] = self._retrieval.top(liked[warm], self._count)
        return items

    def _described(self, observation: Observation, items: Items) -> Floats:
        """(n, m', f) features of the candidates."""
        catalog, read = self.simulator.catalog, self._layout.read
        sides = [
            similarity(read(observation, side), catalog.taste, catalog.offsets, items)  # (n, M, m')
            for side in ("liked", "passed")
        ]
        category = catalog.category[items]
        recent = [np.take_along_axis(read(observation, name), category, 1) for name in ("exposure", "category_clicks")]
        own = [catalog.price_level[items], catalog.novelty[items]]
        return np.concatenate([*sides, np.stack([*recent, *own], axis=1)], axis=1).transpose(0, 2, 1).copy()
