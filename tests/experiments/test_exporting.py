from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recsim.catalog import Catalog
from recsim.experiments.cli import app
from recsim.logs import Log, collect, write_log
from recsim.policy import uniform
from recsim.simulator import Simulator
from recsim.users.interest import InterestUsers


@pytest.fixture
def log(catalog: Catalog, tmp_path: Path) -> Log:
    """Also as shop.parquet beside its catalogue."""
    found = collect(Simulator(catalog, InterestUsers(catalog), slate_size=3, horizon=4), uniform(catalog, 3), 5)
    write_log(found, tmp_path / "shop.parquet")
    catalog.save(tmp_path / "items")
    return found


def export(folder: Path, *options: str) -> Result:
    known = ["--catalog", str(folder / "items"), "--out", str(folder / "out"), *options]
    return CliRunner().invoke(app, ["log", "export", str(folder / "shop.parquet"), *known])


def test_minari_datasets_are_written(log: Log, tmp_path: Path) -> None:
    minari = pytest.importorskip("minari")
    told = export(tmp_path, "--name", "shop-v1")
    assert told.exit_code == 0
    assert told.stdout.startswith(f"5 episodes, {len(log)} slates in ")
    assert minari.MinariDataset(tmp_path / "out" / "shop-v1" / "data").total_steps == len(log)
    again = export(tmp_path, "--name", "shop-v1")
    assert again.exit_code == 2
    assert "shop-v1 exists already: choose another name" in again.stderr


def test_d3rlpy_s_arrays_are_written(log: Log, tmp_path: Path) -> None:
    told = export(tmp_path, "--format", "d3rlpy-npz", "--actions", "slate")
    assert told.exit_code == 0
    with np.load(tmp_path / "out" / "shop.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["actions"], log.slate)
    assert "exists already" in export(tmp_path, "--format", "d3rlpy-npz").stderr


def test_what_cannot_be_is_refused(log: Log, tmp_path: Path) -> None:
    for options, sentence in (
        (["--format", "csv"], "there is no --format 'csv'; there are minari and d3rlpy-npz."),
        (["--actions", "words"], "there is no --actions 'words'; there are slate and taste."),
    ):
        told = export(tmp_path, *options)
        assert told.exit_code == 2
        assert told.stderr.splitlines()[-1] == sentence
    told = CliRunner().invoke(app, ["log", "export", str(tmp_path / "no.parquet"), "--out", str(tmp_path)])
    assert told.exit_code == 2
    assert "there is no log " in told.stderr
