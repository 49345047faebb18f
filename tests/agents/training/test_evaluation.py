"""Evaluation while training, driven by policies that are known to be good or bad."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.logger import Logger

from recsim.agents.training.evaluation import Evaluation
from recsim.metrics import mean_interval
from recsim.oracle import MyopicOracle
from recsim.policy import uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator


class Recorded(Logger):
    """A log that keeps everything."""

    def __init__(self) -> None:
        super().__init__(None, [])
        self.told: dict[int, dict[str, Any]] = {}

    def dump(self, step: int = 0) -> None:
        self.told[step] = dict(self.name_to_value)
        super().dump(step)


def driven(evaluation: Evaluation, moments: list[int], end: int) -> tuple[Recorded, list[bool]]:
    """Let an evaluation see the beginnings of rollouts at some moments; whether training goes on after each."""
    model = SimpleNamespace(num_timesteps=0, logger=Recorded())
    evaluation.init_callback(model)  # type: ignore[arg-type]
    going_on = []
    for moment in moments:
        model.num_timesteps = evaluation.num_timesteps = moment
        evaluation.on_rollout_start()
        going_on.append(evaluation.on_step())
    evaluation.num_timesteps = end
    evaluation.on_training_end()
    return model.logger, going_on


def policies(world: Simulator, kinds: str) -> Any:
    """Makes one policy after another: u(niform) or o(racle)."""
    made = iter(kinds)

    def make(model: Any) -> Any:
        return MyopicOracle(world) if next(made) == "o" else uniform(world.catalog, world.slate_size)

    return make


def test_the_curve_is_that_of_rollouts_on_the_same_users(world: Simulator) -> None:
    users = np.arange(50, 80)
    evaluation = Evaluation(world, users, 100, policies(world, "uou"), level=0.9)
    logger, _ = driven(evaluation, [0, 64, 128], 192)
    assert [point.timesteps for point in evaluation.points] == [0, 128, 192]
    for point, kind in zip(evaluation.points, "uou", strict=True):
        found = rollout(world, policies(world, kind)(None), users)
        interval = mean_interval(found.reward, 0.9)
        assert (point.reward, point.low, point.high) == (interval.mean, interval.low, interval.high)
        assert point.objectives == tuple(found.objectives.mean(axis=0))
    told = logger.told[128]
    names = ("reward", "low", "high", *world.objectives.names)
    expected = (evaluation.points[1].reward, evaluation.points[1].low, evaluation.points[1].high)
    assert tuple(told[f"evaluation/{name}"] for name in names) == expected + evaluation.points[1].objectives


def test_the_best_is_saved_when_it_is_reached(world: Simulator) -> None:
    saved = []
    evaluation = Evaluation(world, 40, 1, policies(world, "uoouu"), save_best=lambda model: saved.append(len(saved)))
    driven(evaluation, [0, 1, 2, 3], 4)
    assert evaluation.best is evaluation.points[1]  # of equal ones the first
    assert saved == [0, 1]


def test_training_stops_without_improvement_beyond_the_interval(world: Simulator) -> None:
    evaluation = Evaluation(world, 40, 1, policies(world, "uoouo"), patience=2)
    _, going_on = driven(evaluation, [0, 1, 2, 3, 4], 5)
    assert going_on == [True, True, True, False, False]
    assert len(evaluation.points) == 4  # and nothing is measured twice
    patient = Evaluation(world, 40, 1, policies(world, "uuouuu"), patience=3)
    assert driven(patient, [0, 1, 2, 3, 4], 5)[1] == [True] * 5


def test_it_goes_on_from_its_state(world: Simulator) -> None:
    whole = Evaluation(world, 40, 10, policies(world, "uououu"), patience=3)
    driven(whole, [0, 10, 20, 25, 30, 40], 50)
    first = Evaluation(world, 40, 10, policies(world, "uou"), patience=3)
    model = SimpleNamespace(num_timesteps=0, logger=Recorded())
    first.init_callback(model)  # type: ignore[arg-type]
    for moment in (0, 10, 20):
        first.num_timesteps = moment
        first.on_rollout_start()
    second = Evaluation(world, 40, 10, policies(world, "ouu"), patience=3)
    second.restore(first.state())
    driven(second, [25, 30, 40], 50)
    assert second.state() == whole.state()
    assert whole.stopped


def test_wrong_numbers_are_refused(world: Simulator) -> None:
    with pytest.raises(ValueError, match="every is 0 and patience None; both are from 1 up"):
        Evaluation(world, 40, 0, policies(world, "u"))
    with pytest.raises(ValueError, match="every is 1 and patience 0; both are from 1 up"):
        Evaluation(world, 40, 1, policies(world, "u"), patience=0)
