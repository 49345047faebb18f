"""`recsim catalog behaviour`: from a log or a table of clicks to a catalogue with the modality."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from recsim import Catalog, load_catalog
from recsim.experiments.cli import app
from recsim.logs import collect, write_log
from recsim.modalities.behaviour.modality import behaviour_modality
from recsim.policy import uniform
from recsim.simulator import Simulator
from recsim.users.interest import InterestConfig, InterestUsers


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue, a log of it and a table of clicks."""
    folder = tmp_path_factory.mktemp("shop")
    catalog = Catalog.synthetic(20, 4, seed=2)
    catalog.save(folder / "catalog")
    users = InterestUsers(catalog, InterestConfig(click_offset=1.0))
    simulator = Simulator(catalog, users, slate_size=4, horizon=6, seed=1)
    write_log(collect(simulator, uniform(catalog, 4), 60), folder / "log.parquet")
    ids = catalog.table["item_id"].iloc[[0, 1, 2, 0, 1, 5]].to_list()
    pd.DataFrame({"user": [*"aabbccc"], "item": [*ids, "gone"]}).to_csv(folder / "clicks.csv", index=False)
    return folder


def run(*command: object) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["catalog", "behaviour", *map(str, command)])
    return found.exit_code, found.output


def test_a_log_gives_behaviour(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = (shop / "catalog", "--log", shop / "log.parquet", "--method", "svd", "--dim", 4, "--out", out)
    code, told = run(*command)
    assert code == 0, told
    found = load_catalog(out).modalities["behaviour"]
    from recsim.logs import read_log

    expected = behaviour_modality(read_log(shop / "log.parquet"), load_catalog(shop / "catalog"), "svd", dim=4)
    assert (found.embedding == expected.embedding).all()
    assert f"{expected.present.sum()} of 20 items have behaviour, from " in told
    code, told = run(*command)
    assert code == 2
    assert "overwrite" in told
    assert run(*command, "--overwrite")[0] == 0


def test_own_clicks_give_behaviour_and_unknown_items_are_told(shop: Path, tmp_path: Path) -> None:
    code, told = run(shop / "catalog", "--clicks", shop / "clicks.csv", "--dim", 2, "--out", tmp_path / "out")
    assert code == 0, told
    assert "1 rows of " in told
    assert "clicks.csv name no item of 'synthetic' and were left out." in told
    assert "4 of 20 items have behaviour, from 6 clicks of 3 users" in told
    catalog = load_catalog(tmp_path / "out")
    assert catalog.modalities["behaviour"].present.nonzero()[0].tolist() == [0, 1, 2, 5]
    assert catalog.name == "out"
    assert "## Behaviour\n\nMade from the catalogue `synthetic`" in catalog.card
    assert "Modality `behaviour`: als, 2 dimensions, from 6 clicks of 3 users" in catalog.card


def test_a_place_that_cannot_be_written_is_refused_before_the_work(shop: Path) -> None:
    out = shop / "clicks.csv" / "out"
    code, told = run(shop / "catalog", "--log", "nowhere", "--out", out)
    assert code == 2
    assert f"{out} cannot be made, as {out.parent} is no folder: choose another place." in told.replace("\n", "")


def test_requests_that_cannot_be_met_are_one_sentence(shop: Path, tmp_path: Path) -> None:
    catalog, log, out = shop / "catalog", shop / "log.parquet", tmp_path / "out"
    for command, sentence in [
        ((catalog, "--out", out), "pass either --log or --clicks"),
        ((catalog, "--log", log, "--clicks", shop / "clicks.csv", "--out", out), "pass either --log or --clicks"),
        (
            (catalog, "--clicks", shop / "clicks.csv", "--counted", "conversion", "--out", out),
            "--counted conversion is about a log, and of --clicks every row counts: leave it out.",
        ),
        (("openclipart", "--log", log, "--out", out), "that is not the 'openclipart' given"),
        ((catalog, "--log", log, "--method", "lda", "--out", out), "there is no method 'lda'"),
        ((catalog, "--log", log, "--counted", "view", "--out", out), "'view' cannot be counted"),
        ((catalog, "--log", log, "--dim", 20, "--out", out), "dim is 20, and the users who clicked are"),
    ]:
        code, told = run(*command)
        assert code == 2
        assert sentence in told
        assert "Traceback" not in told
    assert not out.exists()
