"""Actions other than slates: a point in the items' own space, and weights of the modalities."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.envs.world import Items, Observation
from recsim.envs.wrapper import SlateWrapper, View, simulator_of
from recsim.observation import Layout
from recsim.policy import top_k
from recsim.retrieval import ExactRetrieval, Retrieval, similarity


class ProtoAction(SlateWrapper):
    """Actions are points of the taste space, (D,) from -1 to 1; shown are the k items of largest inner product.

    So a policy with a continuous action ranks a catalogue of any size, and what it learns of one item holds for items
    alike (Dulac-Arnold et al. 2015, with the inner product for the distance and without a critic that chooses among the
    neighbours). Slates have no repeats; ties go to the lower item number, and at 0 everything ties.
    """

    def __init__(self, env: Any, retrieval: Retrieval | None = None) -> None:
        """Wrap `env`, single or vector; `retrieval` finds the items, by default an exact search of the taste space."""
        taste = simulator_of(env, "ProtoAction").catalog.taste
        super().__init__(env, action=Box(-1.0, 1.0, (taste.shape[1],), np.float32))
        self._retrieval = retrieval or ExactRetrieval(taste)

    def slates(self, action: NDArray[Any], memory: Any) -> Items:
        """(n, k) item numbers that actions (n, D) mean."""
        return self._retrieval.top(action.astype(np.float32), self.simulator.slate_size)


class ModalityScorer(Protocol):
    """Anything that scores every item by every modality, or other source of evidence."""

    def modality_scores(self, observation: Observation) -> NDArray[Any]:
        """(n, M, m) finite numbers, higher is better; a row depends on the same row of `observation` only."""
        ...


class LikedSimilarity:
    """For every modality, the inner product of an item's taste and the mean taste of what the user clicked.

    0 until the first click, within [-1, 1].
    """

    def __init__(self, catalog: Catalog, layout: Layout) -> None:
        """Scores of the items of `catalog`, for observations laid out as `layout`."""
        self._catalog, self._layout = catalog, layout
        self._items = np.arange(len(catalog))[None]

    def modality_scores(self, observation: Observation) -> NDArray[np.float32]:
        """(n, M, m) float32."""
        liked = self._layout.read(observation, "liked")
        return similarity(liked, self._catalog.taste, self._catalog.offsets, self._items)


class FusionWeights(SlateWrapper):
    """Actions are weights, (M + 2,) from -1 to 1: of each modality's scores, and of the items' price and novelty.

    Shown are the top k of the weighted sum, so that reinforcement learning fuses the modalities anew at every step,
    where a static fusion keeps one set of weights (late fusion, Snoek et al. 2005). Price is the standardised log price
    over its largest absolute value, novelty that of the catalogue: a negative weight asks for popular items, and serves
    users who have clicked nothing yet. Slates have no repeats; ties go to the lower item number.
    """

    def __init__(self, env: Any, scorer: ModalityScorer | None = None) -> None:
        """Wrap `env`, single or vector; `scorer` gives the M scores of every item, by default `LikedSimilarity`.

        Raises:
            ValueError: if the scorer's scores are not (n, M, m) finite numbers.
        """
        simulator = simulator_of(env, "FusionWeights")
        catalog = simulator.catalog
        self._scorer = scorer or LikedSimilarity(catalog, simulator.layout)
        price = catalog.price_level / max(float(np.abs(catalog.price_level).max()), 1e-9)
        self._own = np.stack([price, catalog.novelty])  # (2, m)
        self._n_items = len(catalog)
        sources = self._scores(np.zeros((1, simulator.layout.size), np.float32)).shape[1]
        super().__init__(env, action=Box(-1.0, 1.0, (sources + 2,), np.float32))

    def slates(self, action: NDArray[Any], memory: Any) -> Items:
        """(n, k) item numbers that weights (n, M + 2) mean for users who were observed as `memory` (n, d)."""
        scores = self._scores(memory)
        fused = np.zeros((len(action), self._n_items), np.float32)
        for number, weight in enumerate(action.T.astype(np.float32)):  # one after another: einsum's order may vary
            of_items = scores[:, number] if number < scores.shape[1] else self._own[number - scores.shape[1]]
            fused += weight[:, None] * of_items
        return top_k(fused.astype(np.float64), self.simulator.slate_size)

    def view(self, observation: Observation, state: Any) -> View:
        """The observation as it is; the next action is understood by it."""
        return View(observation, memory=observation.copy())

    def _scores(self, observation: Observation) -> NDArray[Any]:
        scores, n = np.asarray(self._scorer.modality_scores(observation)), len(observation)
        if scores.ndim != 3 or (len(scores), scores.shape[2]) != (n, self._n_items) or not np.isfinite(scores).all():
            raise ValueError(
                f"{type(self._scorer).__name__}.modality_scores gave an array {scores.shape} {scores.dtype} for {n} "
                f"users; ({n}, M, {self._n_items}) finite numbers are needed."
            )
        return scores
