"""`recsim bench corruption`: what is measured in which view, and differences paired by world."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from recsim import Catalog
from recsim.experiments.bench.corruption import CorruptionSize, corruption, part_of
from recsim.experiments.cli import app
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Silent
from recsim.files import read_json
from recsim.metrics import mean_interval, paired_interval

SMALL = {
    "methods": ("average",),
    "presets": ("stationary",),
    "seeds": 2,
    "n_launch": 30,
    "n_users": 40,
    "slate_size": 4,
    "horizon": 5,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Catalog.synthetic(n_items=40, n_categories=4).save(tmp_path_factory.mktemp("shop") / "shop")


@pytest.mark.slow
def test_differences_are_those_of_the_same_worlds_and_modalities(folder: Path) -> None:
    names = ("missing_text", "gaussian", "swapped_categories", "misreported_clicks")
    size = CorruptionSize(corruptions=names, severities=(1, 5), catalog=str(folder), items=30, **SMALL)  # type: ignore[arg-type]
    found = corruption(size, Silent())
    rows = {(row["corruption"], row["severity"], row["modality"]): row for row in found["rows"]}
    assert (found["items"], found["catalog"]) == (30, "synthetic")
    assert {key[2] for key in rows if key[0] == ""} == {"all", "text", "image"}
    assert {key[2] for key in rows if key[0] == "missing_text"} == {"all", "text"}
    assert {key[2] for key in rows if key[0] == "gaussian"} == {"all", "text", "image"}
    assert {key[2] for key in rows if key[0] in names[2:]} == {"all"}
    assert len(rows) == 3 + 2 * (2 + 3 + 1 + 1)
    for (name, severity, modality), row in rows.items():
        assert np.mean(row["by_seed"]) == pytest.approx(row["return"]["mean"])
        clean = rows["", 0, modality]
        assert row["difference"] == (vars(paired_interval(row["by_seed"], clean["by_seed"], 0.95)) if name else None)
        assert severity < 5 or row["by_seed"] != clean["by_seed"]
    for one in found["overall"]:
        severity = one["severity"]
        losses = [np.subtract(rows[name, severity, "all"]["by_seed"], rows["", 0, "all"]["by_seed"]) for name in names]
        assert one["by_seed"] == pytest.approx(np.mean(losses, axis=0))
        assert one["difference"] == vars(mean_interval(one["by_seed"], 0.95))
    assert [(one["policy"], one["severity"]) for one in found["overall"]] == [("average", 1), ("average", 5)]
    again = corruption(size, Silent())
    assert [row["by_seed"] for row in again["rows"]] == [row["by_seed"] for row in found["rows"]]


def test_a_part_of_a_catalogue_is_evenly_spaced(catalog: Catalog) -> None:
    part = part_of(catalog, 5)
    assert part.table["item_id"].to_list() == catalog.table["item_id"].iloc[[0, 5, 11, 17, 23]].to_list()
    for name, modality in part.modalities.items():
        np.testing.assert_array_equal(modality.present, catalog.modalities[name].present[[0, 5, 11, 17, 23]])
    assert part_of(catalog, 24) is catalog


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corruptions": ("rain",)}, "there is no corruption 'rain'; the corruptions are missing_text"),
        ({"severities": (0,)}, "there is no severity 0; severities are 1, 2, 3, 4 and 5"),
        (
            {"methods": ("transformer",)},
            "there is no fusion 'transformer' to measure; choose from similarity, average, vote",
        ),
        ({"seeds": 1}, "1 world has no interval; take at least 2"),
        ({"presets": ("saints",)}, "there is no preset 'saints'; the presets are marketplace"),
        ({"corruptions": ("typos",)}, "modality 'text' of catalogue 'synthetic' does not say how it was made"),
    ],
)
def test_what_cannot_be_measured_is_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    size = CorruptionSize(**{"catalog": str(folder), **SMALL, **changes})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        corruption(size, Silent())


@pytest.mark.slow
def test_the_command_writes_and_prints_what_was_measured(folder: Path, tmp_path: Path) -> None:
    options = ["--only", "stale", "--severities", "2", "--methods", "average", "--seeds", "2", "--launch", "30"]
    out = tmp_path / "corruption.json"
    done = CliRunner().invoke(
        app, ["bench", "corruption", *options, "--n", "20", "--catalog", str(folder), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "stale 2" in done.output
    assert "Mean over corruptions, less the clean view" in done.output
    found = [(row["preset"], row["corruption"], row["modality"]) for row in read_json(out)["rows"]]
    modalities = ("all", "text", "image")
    assert sorted(found) == sorted(product(("stationary", "marketplace"), ("", "stale"), modalities))
    wrong = CliRunner().invoke(app, ["bench", "corruption", "--severities", "1,high"])
    assert wrong.exit_code == 2
    assert "--severities is '1,high'; write whole numbers with commas, such as 1,3,5." in wrong.output


@pytest.mark.slow
def test_similarity_loses_where_nobody_tires_and_embeddings_are_another_item_s(folder: Path) -> None:
    size = CorruptionSize(corruptions=("duplicated",), severities=(5,), catalog=str(folder), items=40, **SMALL)  # type: ignore[arg-type]
    found = corruption(replace(size, methods=("similarity",), n_users=150, horizon=12), Silent())
    assert [row["modality"] for row in found["rows"]] == ["all", "text", "image"] * 2
    for row in found["rows"][3:]:
        assert row["difference"]["mean"] < -0.05 * row["return"]["mean"]
