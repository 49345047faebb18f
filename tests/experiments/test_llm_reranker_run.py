"""A re-ranker by a tiny language model through a whole run: judged and reported, and the same for the same seed."""

import json
from pathlib import Path
from typing import Any

import pytest

from recsim.experiments.config import RunConfig
from recsim.experiments.config_file import read_config
from recsim.experiments.runner import run
from recsim.testing import tiny_language_model

pytestmark = pytest.mark.slow

CONFIG = """\
name: re-ranked
seed: 1
catalog: {synthetic: {n_items: 20, n_categories: 3}}
slate_size: 3
horizon: 4
recent: 3
launch_log: {n_users: 40}
production_log: {policy: static_fusion, n_users: 20}
evaluation: {n_users: 10, n_boot: 20}
policies:
  - {kind: static_fusion, temperature: 0.5}
  - {kind: llm_reranker, model: tiny, temperature: 0.5, options: {candidates: 4, weight: 1.0, scores: SCORES}}
  - {kind: llm_reranker, name: fitted, model: tiny, temperature: 0.5, options: {candidates: 4, fitted_on: 20}}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    folder = tmp_path_factory.mktemp("config")
    tiny_language_model(folder / "tiny", corpus=[CONFIG])
    path = folder / "config.yaml"
    path.write_text(CONFIG.replace("SCORES", str(folder / "scores.sqlite")))
    return read_config(path)


def measured(config: RunConfig, out: Path) -> dict[str, Any]:
    folder = run(config, out).path
    counts = "llm reranker: its log-odds times 1 are added to those of the static fusion, a weight set by hand."
    assert counts in (folder / "report.html").read_text()
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_a_run_re_ranks_and_seeds_decide_what_comes_of_it(config: RunConfig, tmp_path: Path) -> None:
    first, second = (measured(config, tmp_path / name) for name in ("first", "second"))
    assert first["policies"] == second["policies"]
    assert first["offline"] == second["offline"]
    rewards = {policy["name"]: policy["truth"]["reward"]["mean"] for policy in first["policies"]}
    assert rewards["llm reranker"] != rewards["static fusion"]
    assert {estimate["policy"] for estimate in first["offline"]} == set(rewards)
    judges = [policy["judge"] for policy in first["policies"]]
    assert judges[:2] == [None, {"weight": 1.0, "fitted": False}]
    assert judges[2]["fitted"] is True
    assert judges[2]["weight"] >= 0.0
    other = measured(config.model_copy(update={"seed": 2}), tmp_path / "other")
    assert other["policies"] != first["policies"]
