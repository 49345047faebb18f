"""Evaluation of a policy while Stable-Baselines3 trains it: a learning curve, the best model, and when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from stable_baselines3.common.callbacks import BaseCallback

from recsim.metrics import mean_interval
from recsim.policy import Policy
from recsim.rollout import rollout
from recsim.simulator import Simulator


@dataclass(frozen=True)
class Point:
    """What the policy was worth at one moment of its training.

    Attributes:
        timesteps: slates trained on until then.
        reward: mean return of a user.
        low: lower end of its interval.
        high: upper end.
        objectives: (o,) mean total of each objective.
    """

    timesteps: int
    reward: float
    low: float
    high: float
    objectives: tuple[float, ...]


class Evaluation(BaseCallback):
    """Lets the policy serve the same users before training, every so many slates, and at the end.

    Two evaluations meet the same users with the same luck, so that they are compared by the paired difference of each
    user's return. One is an improvement over another if the whole interval of the mean difference is above 0.

    TensorBoard has mean and interval of the return as `evaluation/reward`, `/low` and `/high`, and the mean of every
    objective as `evaluation/<objective>`.

    Attributes:
        points: the learning curve.
        best: the point of highest mean; of equal ones the first.
        stopped: whether training ends because there was no improvement any more.
    """

    def __init__(
        self,
        simulator: Simulator,
        users: int | ArrayLike,
        every: int,
        policy: Callable[[Any], Policy],
        *,
        level: float = 0.95,
        batch: int = 512,
        patience: int | None = None,
        save_best: Callable[[Any], object] | None = None,
    ) -> None:
        """An evaluation that begins with the training.

        Args:
            simulator: where the users live; its running sessions are replaced.
            users: a count n for users 0..n-1, or (n,) user numbers; at least 2.
            every: slates between two evaluations, which take place between two updates.
            policy: makes the policy that is evaluated from the model that is trained.
            level: of the intervals.
            batch: users simulated at once.
            patience: training stops after so many evaluations in a row without an improvement over the last one that
                was; None: never.
            save_best: called with the model whenever it is the best so far.

        Raises:
            ValueError: if `every` or `patience` is below 1.
        """
        super().__init__()
        if every < 1 or (patience is not None and patience < 1):
            raise ValueError(f"every is {every} and patience {patience}; both are from 1 up.")
        self._simulator, self._users, self._every, self._policy = simulator, users, every, policy
        self._level, self._batch, self._patience, self._save_best = level, batch, patience, save_best
        self.points: list[Point] = []
        self.best: Point | None = None
        self.stopped = False
        self._next = 0
        self._reference: NDArray[np.float64] | None = None  # (n,) returns at the last improvement
        self._without_improvement = 0

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: numbers and lists of numbers."""
        return {
            "points": [astuple(point) for point in self.points],
            "best": self.points.index(self.best) if self.best else None,
            "next": self._next,
            "stopped": self.stopped,
            "reference": None if self._reference is None else self._reference.tolist(),
            "without_improvement": self._without_improvement,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.points = [Point(*point) for point in state["points"]]
        self.best = None if state["best"] is None else self.points[state["best"]]
        self._next, self.stopped = state["next"], state["stopped"]
        self._reference = None if state["reference"] is None else np.array(state["reference"])
        self._without_improvement = state["without_improvement"]

    def _on_rollout_start(self) -> None:
        """Between two updates; the policy is that of the last update."""
        if self.num_timesteps >= self._next and not self.stopped:
            self._measure()
            self._next = (self.num_timesteps // self._every + 1) * self._every

    def _on_step(self) -> bool:
        return not self.stopped

    def _on_training_end(self) -> None:
        if not self.stopped:  # then the policy is the one that was measured last
            self._measure()

    def _measure(self) -> None:
        found = rollout(self._simulator, self._policy(self.model), self._users, batch=self._batch)
        interval = mean_interval(found.reward, self._level)
        objectives = tuple(found.objectives.mean(axis=0).tolist())
        point = Point(self.num_timesteps, interval.mean, interval.low, interval.high, objectives)
        self.points.append(point)
        self._tell(point)
        if self.best is None or point.reward > self.best.reward:
            self.best = point
            if self._save_best:
                self._save_best(self.model)
        if self._reference is None or mean_interval(found.reward - self._reference, self._level).low > 0.0:
            self._reference, self._without_improvement = found.reward, 0
        else:
            self._without_improvement += 1
        self.stopped = self._patience is not None and self._without_improvement >= self._patience

    def _tell(self, point: Point) -> None:
        told = {"reward": point.reward, "low": point.low, "high": point.high}
        told |= dict(zip(self._simulator.objectives.names, point.objectives, strict=True))
        for name, value in told.items():
            self.logger.record(f"evaluation/{name}", value)
        self.logger.dump(self.num_timesteps)
