"""A ranker learned from a log: its scores, its distance from the log's policy, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from recsim.agents.fusion.scorers import blocks
from recsim.agents.networks import fill_network, network_arrays
from recsim.agents.offline.learning import new_ranker, slate_log_prob
from recsim.agents.ranker import Ranker
from recsim.agents.storage import load_arrays, save_arrays
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.observation import Layout

Floats = NDArray[np.float64]


class LearnedRanker:
    """What the learners of this folder share.

    Attributes:
        catalog: the items.
        layout: where features stand in an observation.
        ranker: the network.
    """

    kind: ClassVar[str]

    def __init__(self, catalog: Catalog, layout: Layout, ranker: Ranker | None = None) -> None:
        """Scores by `ranker`, which is set to evaluation mode; without one, all items are alike."""
        self.catalog, self.layout = catalog, layout
        self.ranker = (ranker or new_ranker(catalog, layout)).eval()

    def scores(self, observation: NDArray[np.float32], items: NDArray[np.int64] | None = None) -> Floats:
        """(n, m) float64 Plackett-Luce logits, or (n, c) of the items (n, c) only."""
        with torch.no_grad():
            scores: Floats = self.ranker(torch.tensor(observation)).double().numpy()
        return scores if items is None else np.take_along_axis(scores, items, axis=1)

    def divergence(self, log: Log) -> float:
        """Estimated KL divergence of the learned policy (temperature 1) from the log's, in nats a slate.

        KL(logged || learned) = E[log p_logged(slate) - log p_learned(slate)] over logged slates: the log's propensities
        are all that is needed.
        """
        total = 0.0
        for part in blocks(log):
            learned = slate_log_prob(torch.tensor(self.scores(part.observation)), torch.tensor(part.slate)).numpy()
            total += float((part.step_log_prob - learned)[part.slate >= 0].sum())
        return total / len(log)

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        save_arrays(path, self.kind, network_arrays(self.ranker), self.catalog)

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> Self:
        """What `save` wrote, for the same catalogue.

        Raises:
            ValueError: if the file holds something else, belongs to another catalogue or has another shape.
        """
        learned = cls(catalog, layout)
        fill_network(learned.ranker, load_arrays(path, cls.kind, catalog), path)
        return learned
