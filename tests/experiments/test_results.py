"""metrics.json and its table: the same numbers twice, and what only some runs have."""

import math
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from recsim.experiments.config import LinUCBPolicy, MyopicOraclePolicy, UniformPolicy
from recsim.experiments.results import temperature_of
from recsim.files import read_json, write_json
from recsim.metrics import paired_interval


def test_the_table_holds_every_number_of_the_json(small_run: Path) -> None:
    found = read_json(small_run / "metrics.json")
    table = pd.read_parquet(small_run / "metrics.parquet").set_index(["policy", "part", "measure"])
    assert table.index.is_unique
    n_numbers = 0
    for policy in found["policies"]:
        for part in ("truth", "slate_truth"):
            for measure, interval in (policy[part] or {}).items():
                assert table.loc[(policy["name"], part, measure), ["mean", "se", "low", "high"]].to_dict() == interval
                n_numbers += 1
        for measure, value in policy["metrics"].items():
            assert table.loc[(policy["name"], "metrics", measure), "mean"] == value
            n_numbers += 1
    for estimate in found["offline"]:
        value = table.loc[(estimate["policy"], estimate["estimator"], estimate["objective"]), "mean"]
        assert value == estimate["value"] or (estimate["value"] is None and math.isnan(value))
        n_numbers += 1
    assert len(table) == n_numbers


def test_the_best_policy_is_compared_with_every_other(small_run: Path) -> None:
    found, sessions = read_json(small_run / "metrics.json"), pd.read_parquet(small_run / "results" / "sessions.parquet")
    means = {p["name"]: p["truth"]["reward"]["mean"] for p in found["policies"] if p["kind"] != "myopic_oracle"}
    best = max(means, key=lambda name: means[name])
    rows = [row for row in found["best"] if row["objective"] == "reward"]
    assert {row["policy"] for row in found["best"]} == {best}
    assert {row["against"] for row in rows} == set(means) - {best}  # no oracle
    assert len(found["best"]) == 4 * len(rows)
    reward = {name: own["reward"].to_numpy() for name, own in sessions.groupby("policy")}
    for row in rows:
        interval = paired_interval(reward[best], reward[row["against"]], 1 - 0.05 / len(rows))
        assert {key: row[key] for key in ("mean", "se", "low", "high")} == asdict(interval)


def test_estimates_of_policies_are_compared_by_one_estimator(small_run: Path) -> None:
    found = read_json(small_run / "metrics.json")
    assert found["offline_differences"] == read_json(small_run / "results" / "offline.json")["differences"]
    assert len({row["policy"] for row in found["offline_differences"]}) <= 1
    for row in found["offline_differences"]:
        values = {
            e["policy"]: e["value"]
            for e in found["offline"]
            if (e["estimator"], e["objective"]) == (row["estimator"], "reward")
        }
        assert math.isclose(row["mean"], values[row["policy"]] - values[row["against"]], abs_tol=1e-12)


def test_a_run_without_ppo_has_an_empty_learning_curve(small_run: Path) -> None:
    curve = pd.read_parquet(small_run / "learning_curve.parquet")
    assert list(curve.columns) == ["policy", "timesteps", "reward", "low", "high", "kept"]
    assert curve.empty


def test_metrics_hold_no_paths_and_no_times(small_run: Path) -> None:
    text = (small_run / "metrics.json").read_text()
    assert str(small_run.parent) not in text
    assert "seconds" not in text


def test_temperatures() -> None:
    assert temperature_of(UniformPolicy(kind="uniform")) == 1.0
    assert temperature_of(LinUCBPolicy(kind="linucb", temperature=0.25)) == 0.25
    assert temperature_of(MyopicOraclePolicy(kind="myopic_oracle")) == 0.0


def test_json_is_strict_and_exact(tmp_path: Path) -> None:
    value = {"third": 1 / 3, "small": 5e-324, "text": "naïve"}
    write_json(tmp_path / "a" / "x.json", value)
    assert read_json(tmp_path / "a" / "x.json") == value
    assert "naïve" in (tmp_path / "a" / "x.json").read_text(encoding="utf-8")
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["x.json"]
