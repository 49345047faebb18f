"""Actions other than slates, and the slates they mean: a point in the items' own space, and weights of the modalities.

Environments translate actions so while a policy learns, and the trained policy translates its own so when it serves.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.observation import Layout
from recsim.policy import top_k
from recsim.retrieval import ExactRetrieval, Retrieval, similarity

Items = NDArray[np.int64]
Observation = NDArray[np.float32]


class SlateAction(Protocol):
    """What an action of numbers from -1 to 1 means.

    Attributes:
        size: how many numbers.
    """

    size: int

    def slates(self, action: NDArray[Any], observation: Observation) -> Items:
        """(n, k) item numbers without repeats that actions (n, size) mean for users observed as (n, d)."""
        ...


class ProtoSlates:
    """An action is a point of the taste space (D,); shown are the k items of largest inner product.

    So a policy with a continuous action ranks a catalogue of any size, and what it learns of one item holds for items
    alike (Dulac-Arnold et al. 2015, with the inner product for the distance and without a critic that chooses among the
    neighbours). Ties go to the lower item number, and at 0 everything ties.
    """

    def __init__(self, catalog: Catalog, slate_size: int, retrieval: Retrieval | None = None) -> None:
        """Slates of `slate_size` items; `retrieval` finds them, by default an exact search of the taste space."""
        self.size = catalog.taste.shape[1]
        self._slate_size, self._retrieval = slate_size, retrieval or ExactRetrieval(catalog.taste)

    def slates(self, action: NDArray[Any], observation: Observation | None = None) -> Items:
        """(n, k) item numbers for actions (n, D), whoever the users are."""
        return self._retrieval.top(action.astype(np.float32), self._slate_size)


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


class FusedSlates:
    """An action is weights (M + 2,): of each modality's scores, and of the items' price and novelty.

    Shown are the top k of the weighted sum, so that reinforcement learning fuses the modalities anew at every step,
    where a static fusion keeps one set of weights (late fusion, Snoek et al. 2005). Price is the standardised log price
    over its largest absolute value, novelty that of the catalogue: a negative weight asks for popular items, and serves
    users who have clicked nothing yet. Ties go to the lower item number.
    """

    def __init__(self, catalog: Catalog, layout: Layout, slate_size: int, scorer: ModalityScorer | None = None) -> None:
        """Slates of `slate_size` items; `scorer` gives the M scores of every item, by default `LikedSimilarity`.

        Raises:
            ValueError: if the scorer's scores are not (n, M, m) finite numbers.
        """
        self._scorer, self._slate_size = scorer or LikedSimilarity(catalog, layout), slate_size
        price = catalog.price_level / max(float(np.abs(catalog.price_level).max()), 1e-9)
        self._own = np.stack([price, catalog.novelty])  # (2, m)
        self._n_items = len(catalog)
        self.size = self._scores(np.zeros((1, layout.size), np.float32)).shape[1] + 2

    def slates(self, action: NDArray[Any], observation: Observation) -> Items:
        """(n, k) item numbers that weights (n, M + 2) mean for users observed as (n, d)."""
        scores = self._scores(observation)
        fused = np.zeros((len(action), self._n_items), np.float32)
        for number, weight in enumerate(action.T.astype(np.float32)):  # one after another: einsum's order may vary
            of_items = scores[:, number] if number < scores.shape[1] else self._own[number - scores.shape[1]]
            fused += weight[:, None] * of_items
        return top_k(fused.astype(np.float64), self._slate_size)

    def _scores(self, observation: Observation) -> NDArray[Any]:
        scores, n = np.asarray(self._scorer.modality_scores(observation)), len(observation)
        if scores.ndim != 3 or (len(scores), scores.shape[2]) != (n, self._n_items) or not np.isfinite(scores).all():
            raise ValueError(
                f"{type(self._scorer).__name__}.modality_scores gave an array {scores.shape} {scores.dtype} for {n} "
                f"users; ({n}, M, {self._n_items}) finite numbers are needed."
            )
        return scores
