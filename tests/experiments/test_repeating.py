"""A config on several seeds, and what is told of them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from recsim.experiments.cli import app
from recsim.experiments.config_file import read_config
from recsim.experiments.over_seeds import mean
from recsim.experiments.policies import check_agents
from recsim.experiments.world import World
from recsim.files import read_json
from recsim.metrics import mean_interval

STUDIES = sorted((Path(__file__).parents[2] / "experiments" / "studies").glob("*/config.yaml"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repeated")


def repeat(config: Path, runs: Path, *arguments: object) -> Result:
    words = map(str, ("repeat", config, "--seeds", 2, "--runs", runs, *arguments))
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "80"})


@pytest.mark.slow
def test_intervals_are_over_seeds_and_differences_are_paired(small_file: Path, runs: Path, tmp_path: Path) -> None:
    result = repeat(small_file, runs, "--out", tmp_path / "found.json")
    assert result.exit_code == 0, result.output
    assert "small: seeds 3 to 4, 30 users each" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80

    found = read_json(tmp_path / "found.json")
    assert (found["name"], found["seeds"], found["level"]) == ("small", [3, 4], 0.95)
    config = read_config(small_file)
    assert [row["policy"] for row in found["policies"]] == [policy.title for policy in config.policies]
    assert "difference" not in found["policies"][0]
    sessions = [pd.read_parquet(runs / f"seed-{seed}" / "results" / "sessions.parquet") for seed in (3, 4)]

    def returns(name: str) -> np.ndarray:
        return np.array([own.loc[own["policy"] == name, "reward"].mean() for own in sessions])

    last = found["policies"][-1]
    assert last["return"] == vars(mean_interval(returns("myopic oracle")))
    assert last["difference"] == vars(mean_interval(returns("myopic oracle") - returns("uniform")))
    own = sessions[1].loc[sessions[1]["policy"] == "myopic oracle", "reward"]
    assert last["by_seed"][1] == {"seed": 4, **vars(mean_interval(own))}
    trained = {row["policy"]: row["training_seconds"] for row in found["policies"]}
    timings = [read_json(runs / f"seed-{seed}" / "timings.json") for seed in (3, 4)]
    assert trained["linucb"] == pytest.approx(np.mean([one["train linucb"] for one in timings]))
    assert trained["uniform"] is None


@pytest.mark.slow
def test_what_is_finished_is_kept_and_another_config_is_refused(small_file: Path, runs: Path, tmp_path: Path) -> None:
    first = json.loads(repeat(small_file, runs, "--json").stdout)
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*.parquet")}
    assert json.loads(repeat(small_file, runs, "--json").stdout) == first
    assert before == {path: path.stat().st_mtime_ns for path in before}
    other = tmp_path / "other.yaml"
    other.write_text(small_file.read_text().replace("horizon: 5", "horizon: 6"))
    refused = repeat(other, runs)
    assert refused.exit_code == 2
    assert "was started with horizon 5" in refused.stderr


def test_a_mean_is_unknown_where_a_value_is() -> None:
    assert mean([1.0, 2.0]) == 1.5
    assert mean([1.0, None]) is None
    assert mean([]) is None


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.parent.name)
def test_every_study_can_be_run_and_says_how(study: Path) -> None:
    check_agents(World.of(read_config(study)))
    readme = (study.parent / "README.md").read_text(encoding="utf-8")
    assert f"experiments/studies/{study.parent.name}/config.yaml" in readme
