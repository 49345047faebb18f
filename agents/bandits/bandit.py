"""What all bandits share: what they learn from, how they are trained online, and how they are kept on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recsim.agents.storage import load_arrays, load_options, save_arrays
from recsim.catalog import Catalog
from recsim.observation import Layout
from recsim.policy import Policy, Ranking, only_there
from recsim.rollout import Progress, Visit, batches, user_numbers, visits
from recsim.simulator import Simulator

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]


class Feedback(NamedTuple):
    """What n slates came to.

    Attributes:
        observation: (n, d) float32, what was seen before the slates.
        slate: (n, k) int64, -1 an empty position.
        click: (n, k) bool.
        reward: (n, k) float64, of each position: the weighted sum of its objectives.
    """

    observation: Observation
    slate: Items
    click: NDArray[np.bool_]
    reward: Floats

    @classmethod
    def of(cls, visit: Visit, simulator: Simulator) -> Feedback:
        """The feedback of one step of `simulator`."""
        response, slate = visit.step.response, visit.step.slate
        worth = simulator.objectives.per_position(response.click, response.conversion, slate, simulator.catalog)
        return cls(visit.observation, slate, response.click, worth @ simulator.objectives.weights)


class Bandit(ABC):
    """A ranker that learns online.

    Attributes:
        PARTS: names of the attributes that hold what was learned, each a dataclass of arrays.
        catalog: the items.
        layout: where features stand in an observation.
        options: what the bandit was made with, by name, beside catalogue and layout.
        updates: how often it has learned.
    """

    PARTS: ClassVar[tuple[str, ...]]

    def __init__(self, catalog: Catalog, layout: Layout, **options: Any) -> None:
        """An untrained bandit; `options` are the further arguments that make it again."""
        self.catalog, self.layout, self.options, self.updates = catalog, layout, options, 0

    @abstractmethod
    def scores(self, observation: Observation, items: Items | None = None) -> Floats:
        """(n, m) float64 scores of every item, or (n, c) of `items` (n, c)."""

    @abstractmethod
    def learn(self, feedback: Feedback) -> None:
        """What `update` does, without counting it."""

    def policy(self, name: str, slate_size: int, *, born: NDArray[np.float32] | None = None) -> Policy:
        """The policy that explores as this bandit does, and goes on learning with it: here the k highest scores.

        Args:
            name: what logs and reports call it.
            slate_size: k.
            born: (m,) float32, the day on which each item appears (`Simulator.born`).
        """
        return only_there(Ranking(name, self, slate_size), born, self.layout)

    def update(self, feedback: Feedback) -> None:
        """Learn from n slates."""
        self.learn(feedback)
        self.updates += 1

    def train(
        self, simulator: Simulator, users: int | NDArray[np.int64], *, batch: int = 100, progress: Progress = None
    ) -> Self:
        """Learn online from sessions with `users`, `batch` of them at once, updating after every step.

        Where conversions come late, a slate's worth is known, and learned from, after the sessions of its batch.

        Args:
            simulator: its running sessions are replaced.
            users: a count n for users 0..n-1, or (n,) user numbers.
            batch: users served between two updates.
            progress: called with the number of users served so far.
        """
        policy = self.policy(type(self).__name__, simulator.slate_size, born=simulator.born)
        for start, part in batches(user_numbers(users), batch):
            late = []
            for visit in visits(simulator, policy, part):
                feedback = Feedback.of(visit, simulator)
                if visit.step.response.delay is None:
                    self.update(feedback)
                else:
                    late.append(feedback)
            for feedback in late:
                self.update(feedback)
            if progress:
                progress(start + len(part))
        return self

    def save(self, path: Path) -> None:
        """Write to `path` (safetensors), whole or not at all."""
        arrays = {
            f"{part}.{field.name}": getattr(getattr(self, part), field.name)
            for part in self.PARTS
            for field in fields(getattr(self, part))
        }
        arrays["updates"] = np.array([self.updates])
        save_arrays(path, type(self).__name__, arrays, self.catalog, self.options)

    @classmethod
    def load(cls, path: Path, catalog: Catalog, layout: Layout) -> Self:
        """What `save` wrote, for the same catalogue; it can go on learning.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file holds something else, or belongs to another catalogue.
        """
        arrays = load_arrays(path, cls.__name__, catalog)
        bandit = cls(catalog, layout, **load_options(path))
        bandit.updates = int(arrays.pop("updates")[0])
        for name, values in arrays.items():
            part, field = name.split(".")
            setattr(getattr(bandit, part), field, values)
        return bandit


def above_zero(**values: float) -> None:
    """Refuse numbers that are not above 0.

    Raises:
        ValueError: naming the first.
    """
    for name, value in values.items():
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}; it is a number above 0.")


def from_zero(**values: float) -> None:
    """Refuse numbers below 0.

    Raises:
        ValueError: naming the first.
    """
    for name, value in values.items():
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is {value}; it is a number from 0 up.")
