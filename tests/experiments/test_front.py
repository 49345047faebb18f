"""Fronts of a run: a policy that is told preferences, beside the static fusion under the same."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim.experiments.config_file import ConfigError, config_text, read_config
from recsim.experiments.policies import build
from recsim.experiments.runner import run
from recsim.experiments.world import World
from recsim.files import read_json
from recsim.metrics import mean_interval, paired_interval
from recsim.pareto import hypervolume
from recsim.rollout import rollout

FRONT = """\
name: front
seed: 3
catalog: {synthetic: {n_items: 30, n_categories: 3}}
slate_size: 3
horizon: 5
launch_log: {policy: popularity, temperature: 1.0, n_users: 60}
production_log: {policy: static_fusion, temperature: 1.0, n_users: 20}
evaluation: {n_users: 10, n_boot: 5, batch: 16}
front: {parts: 2, n_users: 25, n_boot: 20}
policies:
  - kind: static_fusion
  - {kind: ppo, name: told, timesteps: 1024, n_envs: 16, n_steps: 8, batch_size: 128, eval_every: 512, eval_users: 5,
     checkpoint_every: 0, preference: {concentration: 0.5}, credit: slate, clip_range: 1.0}
"""
NAMES = ["click", "conversion", "novelty"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("front")
    (folder / "front.yaml").write_text(FRONT)
    return run(read_config(folder / "front.yaml"), folder / "run").path


@pytest.mark.slow
def test_the_table_has_every_session_of_every_policy_under_every_preference(finished: Path) -> None:
    table = pd.read_parquet(finished / "results" / "front.parquet")
    assert table.groupby(["family", "point"]).size().tolist() == [25] * 12
    grid = table[["weight_click", "weight_conversion", "weight_novelty"]].drop_duplicates()
    assert len(grid) == 6
    assert (grid.sum(axis=1) == 1).all()
    config = read_config(finished / "config.yaml")
    world = World.of(config)
    simulator, told = world.simulator("the front"), config.policies[1]
    own = table[(table.family == "told") & (table.weight_novelty == 1.0)]
    policy = build(told, world, finished, simulator, np.array([0.0, 0.0, 1.0]))
    assert np.array_equal(rollout(simulator, policy, 25).objectives, own[NAMES])


@pytest.mark.slow
def test_the_metrics_are_those_of_the_table(finished: Path) -> None:
    table, found = (
        pd.read_parquet(finished / "results" / "front.parquet"),
        read_json(finished / "metrics.json")["front"],
    )
    assert [family["family"] for family in found["families"]] == ["weighed static fusion", "told"]
    for family in found["families"]:
        own = table[table.family == family["family"]]
        means = own.groupby("point")[NAMES].mean().to_numpy()
        assert family["hypervolume"]["mean"] == pytest.approx(hypervolume(means, [0, 0, 0]))
        assert family["hypervolume"]["low"] < family["hypervolume"]["high"]
        for number, point in enumerate(family["points"]):
            sessions = own[own.point == number]
            assert point["truth"]["novelty"] == asdict(mean_interval(sessions["novelty"]))
            better = ((means >= means[number]).all(axis=1) & (means > means[number]).any(axis=1)).any()
            assert point["dominated"] == better
        alone = [own[own[f"weight_{name}"] == 1.0]["click"] for name in ("novelty", "click")]
        assert family["moves"]["click"] == asdict(paired_interval(*alone))
    (difference,) = found["differences"]
    volumes = [family["hypervolume"]["mean"] for family in found["families"]]
    assert difference["mean"] == pytest.approx(volumes[1] - volumes[0])
    assert "Under other preferences" in (finished / "report.html").read_text()


@pytest.mark.slow
def test_beside_others_it_acts_under_an_even_preference(finished: Path) -> None:
    config = read_config(finished / "config.yaml")
    world = World.of(config)
    simulator = world.simulator("evaluation")
    sessions = pd.read_parquet(finished / "results" / "sessions.parquet")
    even = build(config.policies[1], world, finished, simulator, np.array([2.0, 2.0, 2.0]))
    own = sessions[sessions.policy == "told"]
    assert np.array_equal(rollout(simulator, even, 10, batch=16).objectives, own[NAMES])


def test_a_config_without_preferences_says_nothing_of_them(small_file: Path) -> None:
    assert "preference" not in config_text(read_config(small_file))


def test_weights_that_no_preference_can_multiply_are_refused(write_config: Callable[[str], Path]) -> None:
    path = write_config(FRONT.replace("slate_size", "objectives: {novelty: 0.0}\nslate_size"))
    with pytest.raises(ConfigError, match="the weight of objective novelty is 0; preferences multiply weights"):
        read_config(path)


def test_a_concentration_too_low_is_refused(write_config: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match=r"line 13: .*concentration.* at least 0.1"):
        read_config(write_config(FRONT.replace("concentration: 0.5", "concentration: 0.0")))
