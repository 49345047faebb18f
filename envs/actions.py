"""Actions other than slates, as `recsim.slate_actions` has them: the environments that take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from recsim.envs.world import Items, Observation
from recsim.envs.wrapper import SlateWrapper, View, simulator_of
from recsim.retrieval import Retrieval
from recsim.slate_actions import FusedSlates, ModalityScorer, ProtoSlates


class ProtoAction(SlateWrapper):
    """Actions are points of the taste space, (D,) from -1 to 1; see `recsim.slate_actions.ProtoSlates`."""

    def __init__(self, env: Any, retrieval: Retrieval | None = None) -> None:
        """Wrap `env`, single or vector; `retrieval` finds the items, by default an exact search of the taste space."""
        simulator = simulator_of(env, "ProtoAction")
        self._meaning = ProtoSlates(simulator.catalog, simulator.slate_size, retrieval)
        super().__init__(env, action=Box(-1.0, 1.0, (self._meaning.size,), np.float32))

    def slates(self, action: NDArray[Any], memory: Any) -> Items:
        """(n, k) item numbers that actions (n, D) mean."""
        return self._meaning.slates(action)


class FusionWeights(SlateWrapper):
    """Actions are weights, (M + 2,) from -1 to 1, of the modalities; see `recsim.slate_actions.FusedSlates`."""

    def __init__(self, env: Any, scorer: ModalityScorer | None = None) -> None:
        """Wrap `env`, single or vector; `scorer` gives the M scores of every item, by default `LikedSimilarity`.

        Raises:
            ValueError: if the scorer's scores are not (n, M, m) finite numbers.
        """
        simulator = simulator_of(env, "FusionWeights")
        self._meaning = FusedSlates(simulator.catalog, simulator.layout, simulator.slate_size, scorer)
        super().__init__(env, action=Box(-1.0, 1.0, (self._meaning.size,), np.float32))

    def slates(self, action: NDArray[Any], memory: Any) -> Items:
        """(n, k) item numbers that weights (n, M + 2) mean for users who were observed as `memory` (n, d)."""
        return self._meaning.slates(action, memory)

    def view(self, observation: Observation, state: Any) -> View:
        """The observation as it is; the next action is understood by it."""
        return View(observation, memory=observation.copy())
