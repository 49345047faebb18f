"""How SlateQ learns and shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsim.agents.slateq.choice import CHOICES
from recsim.agents.slateq.slates import OPTIMISERS

_NAMED = {"choice": CHOICES, "optimiser": tuple(OPTIMISERS), "target": ("sarsa", "q")}


@dataclass(frozen=True)
class Settings:
    """Settings of `SlateQ`; its keyword arguments.

    Attributes:
        choice: how users click: "pbm", any number of items, or "mnl", one at most.
        optimiser: how slates are built under "mnl": "top_k", "greedy" or "exact" (`recsim.agents.slateq.slates`).
        target: what is thought to be shown next: what was ("sarsa"), or the best slate ("q").
        discount: of the next step's value, from 0 to 1.
        epsilon: chance of a random item, at each position, while training.
        learning_rate: of Adam.
        averaging: how far the slow network moves toward the other at every update, up to 1.
        minibatch: slates in an update.
        replays: updates a collected slate is used in, on average.
        memory: collected slates that are kept.
        hidden: width of the networks.
        tower: size of the two-tower embedding.

    Raises:
        ValueError: if one makes no sense.
    """

    choice: str = "pbm"
    optimiser: str = "exact"
    target: str = "sarsa"
    discount: float = 0.95
    epsilon: float = 0.1
    learning_rate: float = 2e-3
    averaging: float = 0.01
    minibatch: int = 256
    replays: float = 8.0
    memory: int = 50_000
    hidden: int = 64
    tower: int = 16

    def __post_init__(self) -> None:
        for name, known in _NAMED.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is one of {', '.join(known)}.")
        for name in ("discount", "epsilon", "averaging"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}; it is from 0 to 1.")
        for name in ("learning_rate", "averaging", "replays"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0.0):
                raise ValueError(f"{name} is {getattr(self, name)}; it is a finite number above 0.")
        for name in ("minibatch", "memory", "hidden", "tower"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; at least 1 is needed.")
