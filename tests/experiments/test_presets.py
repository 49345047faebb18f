"""The table of what the built-in worlds have to offer."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from recsim.catalog import Catalog
from recsim.experiments.cli import app
from recsim.experiments.errors import UserError
from recsim.experiments.presets import Size, measure, ratio_interval
from recsim.experiments.progress import Silent
from recsim.files import read_json

SIZE = Size(n_users=8, n_planned=3, n_launch=30, budget=20, slate_size=3, horizon=6)
POLICIES = ["uniform", "popularity", "text alone", "image alone", "static fusion", "myopic oracle", "planning oracle"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("catalogue") / "shop"
    Catalog.synthetic(40, 4, {"text": 8, "image": 8}).save(path)
    return str(path)


@pytest.fixture(scope="module")
def found(shop: str) -> dict[str, Any]:
    return measure(["marketplace", "stationary"], shop, 5, SIZE, n_threads=1, display=Silent())


def test_every_policy_meets_the_same_users(found: dict[str, Any]) -> None:
    assert list(found["presets"]) == ["marketplace", "stationary"]
    for rows in found["presets"].values():
        assert [row["policy"] for row in rows] == POLICIES
        assert [row["n_users"] for row in rows] == [8] * 6 + [3]
    assert (found["seed"], found["n_launch"], found["budget"]) == (5, 30, 20)
    assert {"recsim", "numpy", "python"} <= set(found["versions"])


def test_comparisons_are_with_the_policy_above_on_the_same_users(found: dict[str, Any]) -> None:
    rows = found["presets"]["marketplace"]
    assert "more_than_before" not in rows[0]
    for above, row in pairwise(rows[:6]):  # the last one has fewer users
        more, times = row["more_than_before"], row["times_before"]
        assert more["mean"] == pytest.approx(row["return"]["mean"] - above["return"]["mean"])
        assert times["ratio"] == pytest.approx(row["return"]["mean"] / above["return"]["mean"])
        assert more["low"] < more["mean"] < more["high"]


def test_the_ratio_of_paired_means_has_the_interval_of_its_linearisation() -> None:
    assert ratio_interval([2.0, 4.0, 6.0], [1.0, 2.0, 3.0], 0.95) == {"ratio": 2.0, "se": 0.0, "low": 2.0, "high": 2.0}
    # r = 2; a - r b is -2 and 2, of standard error 2; t(0.975, 1) = 12.7062.
    found = ratio_interval([2.0, 6.0], [2.0, 2.0], 0.95)
    assert found is not None
    assert (found["ratio"], found["se"]) == (2.0, 1.0)
    assert found["high"] - 2.0 == pytest.approx(2.0 - found["low"]) == pytest.approx(12.7062, abs=1e-4)
    assert ratio_interval([1.0, 2.0], [0.0, 0.0], 0.95) is None


def test_nobody_leaves_the_stationary_world_and_planning_gains_nothing_there(found: dict[str, Any]) -> None:
    rows = found["presets"]["stationary"]
    assert [row["length"]["mean"] for row in rows] == [6.0] * 7
    assert rows[-1]["more_than_before"]["mean"] == 0.0


def _bench(shop: str, *arguments: object) -> Result:
    size = ("--n", 4, "--planned", 2, "--launch", 30, "--budget", 10, "--k", 3, "--horizon", 3, "--catalog", shop)
    return CliRunner().invoke(app, ["bench", "presets", *map(str, (*arguments, *size))], env={"COLUMNS": "100"})


def test_the_command_line_prints_a_table_and_writes_json(shop: str, tmp_path: Path) -> None:
    out = tmp_path / "results" / "presets.json"
    result = _bench(shop, "choc", "--out", out)
    assert result.exit_code == 0, result.output
    assert "choc: 4 users" in result.stdout
    assert "planning oracle (2 users)" in result.stdout
    again = _bench(shop, "choc", "--json")
    assert json.loads(again.stdout) == read_json(out)


def test_what_cannot_be_measured_is_named(shop: str) -> None:
    result = _bench(shop, "casino")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no preset 'casino'; the presets are marketplace," in result.stderr
    with pytest.raises(UserError, match=r"9 users to plan for; 2 to 8 \(all users\) are possible"):
        measure(["choc"], shop, 0, replace(SIZE, n_planned=9), n_threads=1, display=Silent())
