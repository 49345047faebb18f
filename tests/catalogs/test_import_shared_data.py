"""Real data as they are found: photos with nothing but labels, and emojis with two levels of categories."""

import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from recsim import Catalog
from recsim.catalogs.importing.mapping import ColumnMapping
from recsim.catalogs.importing.options import ImportOptions
from recsim.catalogs.importing.run import import_catalog
from recsim.experiments.cli import app
from recsim.experiments.config_file import read_config
from recsim.experiments.policies import model_file

SHARED = Path(__file__).parents[3] / "shared" / "data"
N_ROWS = 200
pytestmark = pytest.mark.slow


def first_rows(name: str, folder: Path) -> tuple[Path, Path]:
    """The first rows of a table, and the folder of its images."""
    if not (SHARED / name).is_dir():
        pytest.skip(f"{name} is not beside the checkout")
    pd.read_csv(SHARED / name / "catalogue.csv", nrows=N_ROWS, dtype=str).to_csv(folder / "items.csv", index=False)
    return folder / "items.csv", SHARED / name


def test_photos_of_garments_with_labels_only(tmp_path: Path) -> None:
    source, images = first_rows("clothing-cc0", tmp_path)
    options = ImportOptions(text_encoder="hashing", image_encoder="histogram")
    found = import_catalog(source, tmp_path / "out", images, options, cache=tmp_path / "cache")
    catalog = Catalog.load(found.path)
    assert found.n_rows == N_ROWS == len(catalog)
    table = pd.read_csv(source, dtype=str)
    assert list(catalog.table["sender_id"]) == list(table["sender_id"])
    assert catalog.categories == sorted(set(table["category"]))
    assert catalog.modalities["image"].present.all()
    assert catalog.modalities["image"].dim == 64
    labels = table["text"].nunique()  # between n points there are n - 1 directions at most
    assert len(catalog.categories) - 1 <= catalog.modalities["text"].dim <= labels - 1 < 64
    told = [one.what for one in found.told]
    assert told.count("missing column") == 3
    assert "fewer dimensions" in told
    assert set(catalog.price) == {1.0}


def test_emojis_with_two_levels_of_categories(tmp_path: Path) -> None:
    source, images = first_rows("fluent-emoji-color", tmp_path)
    mapping = ColumnMapping(category="subcategory", text=("title", "tags"))
    options = ImportOptions(mapping=mapping, text_encoder="glove", image_encoder="histogram", dim=32)
    found = import_catalog(source, tmp_path / "out", images, options, cache=tmp_path / "cache")
    catalog, table = Catalog.load(found.path), pd.read_csv(source, dtype=str)
    assert found.n_rows == N_ROWS == len(catalog)
    assert catalog.categories == sorted(set(table["subcategory"]))
    assert catalog.table["text"][0] == "grinning face. " + table["tags"][0]
    assert list(catalog.table["category_in_source"]) == list(table["category"])
    assert {name: modality.dim for name, modality in catalog.modalities.items()} == {"text": 32, "image": 32}
    assert {one.found for one in found.told if one.what == "renamed column"} == {
        "'category' is called 'category_in_source'",
        "'text' is called 'text_in_source'",
    }


def test_the_commands_of_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the first rows and by plain encoders; of the run, that it would find the catalogue and train a policy."""
    root = Path(__file__).parents[2]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECSIM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "clothing-cc0" / "images").mkdir(parents=True)
    items, images = first_rows("clothing-cc0", tmp_path)
    for name in pd.read_csv(items)["image"]:
        shutil.copyfile(images / name, tmp_path / "clothing-cc0" / name)
    items.rename(tmp_path / "clothing-cc0" / "catalogue.csv")
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    page = (root / "docs" / "catalogs.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```console\n(recsim catalog import clothing-cc0.*?)```", page, flags=re.DOTALL)
    made, shown, run, opened = map(shlex.split, block.splitlines())
    for command in ([*made, "--text-encoder", "hashing", "--image-encoder", "histogram"], shown):
        done = CliRunner().invoke(app, command[1:])
        assert done.exit_code == 0, done.output
    assert (tmp_path / "my_catalog.html").is_file()
    assert run[:2] == ["recsim", "run"]
    config = read_config(root / run[2])
    assert config.catalog.name == str(root / made[-1])
    assert [model_file(policy) for policy in config.policies if policy.kind == "ppo"] == ["models/ppo.zip"]
    assert f"`{run[-1]}/models/ppo.zip`" in page
    assert opened[-1].endswith(f"/{run[-1]}/report.html")
