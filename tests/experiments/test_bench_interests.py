"""`recsim bench interests`: its rows, its differences, and what it says of language models."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recsim.catalog import Catalog
from recsim.experiments.bench.interests import (
    COUNTS,
    FUSED,
    LANGUAGE,
    NOTHING,
    POLICIES,
    InterestSize,
    interests,
    lengths,
)
from recsim.experiments.cli import app
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Silent
from recsim.language.model import CausalLM
from recsim.testing import tiny_language_model

BESIDE = [f"{COUNTS} + text", f"{COUNTS} + image"]
WITHOUT = [NOTHING, COUNTS, "ALS", "text", "image", *BESIDE, FUSED]


@pytest.fixture(scope="module")
def size(tmp_path_factory: pytest.TempPathFactory) -> InterestSize:
    path = tmp_path_factory.mktemp("catalogue") / "shop"
    Catalog.synthetic(30, 3, {"text": 6, "image": 6}).save(path)
    return InterestSize(str(path), taught=40, asked=30, slates=(2, 6), seeds=2, n_launch=40, slate_size=4)


@pytest.fixture(scope="module")
def found(size: InterestSize) -> dict[str, Any]:
    return interests(size, None, Silent())


@pytest.mark.slow
def test_every_predictor_has_a_row_for_every_policy_and_length(found: dict[str, Any]) -> None:
    names = [(row["policy"], row["slates"], row["predictor"]) for row in found["rows"]]
    assert names == [(policy, slates, name) for policy in POLICIES for slates in (2, 6) for name in WITHOUT]
    assert found["language_model"] is None
    assert found["without_a_language_model"] is True


@pytest.mark.slow
def test_differences_are_between_the_scores_of_the_same_users(found: dict[str, Any]) -> None:
    rows = {(row["policy"], row["slates"], row["predictor"]): row for row in found["rows"]}
    for (policy, slates, name), row in rows.items():
        if name == COUNTS:
            assert row["more_than_counts"] is None
            continue
        for metric in found["metrics"]:
            counts = rows[policy, slates, COUNTS]["scores"][metric]["mean"]
            more = row["more_than_counts"][metric]
            assert more["mean"] == pytest.approx(row["scores"][metric]["mean"] - counts)
            assert more["low"] <= more["mean"] <= more["high"]
    assert rows["uniform", 6, NOTHING]["scores"]["personal correlation"]["mean"] == 0.0


@pytest.mark.slow
def test_longer_histories_tell_more(found: dict[str, Any]) -> None:
    told = {
        (row["slates"], row["predictor"]): row["scores"]["personal correlation"]["mean"]
        for row in found["rows"]
        if row["policy"] == "uniform"
    }
    assert told[6, "category counts"] > told[2, "category counts"]


@pytest.mark.slow
def test_a_language_model_has_rows_and_the_same_seeds_the_same_numbers(
    size: InterestSize, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recsim.experiments.bench.interests.POLICIES", ("uniform",))
    brief = replace(size, taught=20, asked=10, slates=(2,), seeds=2)
    model = CausalLM(tiny_language_model(tmp_path / "tiny", corpus=["This person clicked on: Item category_0"]))
    first, second = (interests(brief, model, Silent()) for _ in range(2))
    assert first["rows"] == second["rows"]
    assert first["language_model"] == {"name": "tiny", "fingerprint": model.fingerprint}
    assert first["without_a_language_model"] is False
    names = [row["predictor"] for row in first["rows"][:11]]
    beside = [*BESIDE, f"{COUNTS} + {LANGUAGE}"]
    assert names == [*WITHOUT[:5], LANGUAGE, *beside, FUSED, "language model, untaught"]
    without = interests(brief, None, Silent())["rows"]
    assert [row["scores"] for row in first["rows"][:5]] == [row["scores"] for row in without[:5]]


@pytest.mark.slow
def test_the_command_writes_json_and_prints_tables(size: InterestSize, tmp_path: Path) -> None:
    brief = [
        "--taught",
        "20",
        "--n",
        "10",
        "--slates",
        "2",
        "--seeds",
        "2",
        "--launch",
        "30",
        "--k",
        "3",
    ]
    out = tmp_path / "interests.json"
    done = CliRunner().invoke(app, ["bench", "interests", "--catalog", size.catalog, "--out", str(out), *brief])
    assert done.exit_code == 0, done.output
    assert "No language model was named" in done.output
    assert json.loads(out.read_text())["slates"] == [2]


def test_what_cannot_be_measured_is_refused(size: InterestSize, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^slates are '5,x'; name lengths of histories with commas, such as 5,10,30"):
        lengths("5,x")
    with pytest.raises(UserError, match=r"^slates are \[0\]; name lengths of histories from 1 up"):
        interests(InterestSize(slates=(0,)), None, Silent())
    with pytest.raises(UserError, match=r"^taught is 9; at least 10 are needed\.$"):
        interests(InterestSize(taught=9), None, Silent())
    with pytest.raises(UserError, match=r"^level is 1\.0; it is between 0 and 1\.$"):
        interests(InterestSize(level=1.0), None, Silent())
    with pytest.raises(UserError, match="there is no catalogue 'nowhere'"):
        interests(InterestSize("nowhere"), None, Silent())
    done = CliRunner().invoke(app, ["bench", "interests", "--language-model", str(tmp_path)])
    assert done.exit_code == 2
