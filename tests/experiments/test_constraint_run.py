"""A PPO of a run whose training holds an objective at a least value."""

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from recsim.experiments.config_file import ConfigError, read_config
from recsim.experiments.runner import train

CONFIG = """\
name: constrained
catalog: {synthetic: {n_items: 30, n_categories: 3}}
slate_size: 3
horizon: 4
policies:
  - {kind: ppo, warm_start: false, timesteps: 512, n_envs: 16, n_steps: 8, batch_size: 128, eval_every: 512,
     eval_users: 5, constraint: {objective: conversion, least: 50.0, rate: 0.5, damping: 0.0}}
"""


@pytest.mark.slow
def test_the_multiplier_rises_while_the_constraint_is_not_met(
    write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    config = read_config(write_config(CONFIG))
    folder = train(config, config.policies[0], tmp_path / "run").path
    backend = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    found = backend.EventAccumulator(str(folder / "tensorboard" / "ppo"))
    found.Reload()
    mean, multiplier = ([event.value for event in found.Scalars(f"constraint/{n}")] for n in ("mean", "multiplier"))
    expected = [0.5 * sum(50.0 - value for value in mean[: number + 1]) for number in range(len(mean))]
    assert multiplier == pytest.approx(expected, rel=1e-5)


def test_a_constraint_beside_a_preference_is_refused(write_config: Callable[[str], Path]) -> None:
    both = CONFIG.replace("warm_start: false", "preference: {}, warm_start: false")
    with pytest.raises(ConfigError, match="a preference and a constraint both change what counts; leave one"):
        read_config(write_config(both))
