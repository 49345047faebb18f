"""The guard names the first number that is not finite and leaves everything as it is."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import Logger

from recsim.agents.training.guard import Diverged, FiniteGuard


@pytest.fixture
def model() -> Any:
    logger, policy = Logger(None, []), torch.nn.Sequential(torch.nn.Linear(2, 2))
    logger.record("train/value_loss", 0.5)
    logger.record("train/explained_variance", float("nan"))  # SB3's word for returns that are all the same
    return SimpleNamespace(num_timesteps=4096, logger=logger, policy=policy)


def seen(model: Any, last_good: Callable[[], Path | None] = lambda: None, **locals_: Any) -> FiniteGuard:
    guard = FiniteGuard(last_good)
    guard.init_callback(model)
    guard.num_timesteps = 4096
    guard.update_locals({"new_obs": np.zeros((3, 2)), "rewards": np.zeros(3)} | locals_)
    return guard


def test_finite_numbers_pass(model: Any) -> None:
    guard = seen(model)
    assert guard.on_step()
    guard.on_rollout_start()
    guard.on_training_end()


@pytest.mark.parametrize(
    ("where", "locals_"),
    [
        ("the observation of row 1 is nan", {"new_obs": np.array([[0, 0], [0, np.nan]])}),
        ("the reward of row 2 is inf", {"rewards": np.array([0, 0, np.inf])}),
        ("'user' in the observation of row 0 is -inf", {"new_obs": {"items": np.zeros(1, int), "user": [[-np.inf]]}}),
    ],
)
def test_what_the_environment_gives_is_named(model: Any, where: str, locals_: dict[str, Any]) -> None:
    with pytest.raises(Diverged, match=f"training diverged at slate 4,096: {where}; there is no checkpoint yet. Lower"):
        seen(model, **locals_).on_step()


@pytest.mark.parametrize("moment", ["on_rollout_start", "on_training_end"])
def test_losses_and_parameters_are_named(model: Any, moment: str) -> None:
    with torch.no_grad():
        model.policy[0].weight[1, 0] = torch.nan
    guard = seen(model, lambda: Path("run/checkpoint.pt"))
    kept = "the last good checkpoint is run/checkpoint.pt"
    with pytest.raises(Diverged, match=f"4,096: the parameter 0.weight is nan; {kept}"):
        getattr(guard, moment)()
    model.logger.record("train/policy_gradient_loss", float("-inf"))
    with pytest.raises(Diverged, match=f"the loss policy_gradient_loss is -inf; {kept}"):
        getattr(guard, moment)()
