"""A shop with every defect: each is found where it is, and every row is accounted for."""

import gzip
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recsim import Catalog
from recsim.catalogs.importing.kinds import KIND_OF, KINDS, LEFT_OUT
from recsim.catalogs.importing.mapping import ColumnMapping
from recsim.catalogs.importing.options import ImportOptions
from recsim.catalogs.importing.pixels import Limits
from recsim.catalogs.importing.run import Imported, import_catalog
from recsim.catalogs.importing.texts import LONGEST

COLUMNS = ["sku", "name", "description", "group", "cost", "since", "views", "photo", "row"]
GOOD = {
    "name": "Hat",
    "description": "A fine one",
    "group": "Hats",
    "since": "2024-05-31",
    "views": "7",
}
WEB = "https://example.org/a.png"
IMPORTED = date(2025, 1, 1)
DEFECTS: list[tuple[dict[str, str], list[str]]] = [
    ({"sku": "a", "photo": "1.png"}, []),
    ({"sku": "b", "photo": "2.png", "group": "Shoes"}, []),
    ({"sku": "c", "photo": "3.png", "group": "Shoes"}, []),
    ({"sku": "a", "photo": "1.png"}, ["duplicate row"]),
    ({"sku": "a", "photo": "4.png"}, ["repeated id"]),
    ({"sku": "", "photo": "5.png"}, ["missing id"]),
    ({"sku": "copy", "photo": "5.png"}, ["repeated content", "same image"]),
    ({"sku": "null", "photo": "6.png", "description": "N/A", "since": "null"}, ["empty marker"]),
    ({"sku": "moji", "photo": "7.png", "name": "CafÃ©"}, ["mojibake"]),
    ({"sku": "red", "photo": "7.png", "name": "\x1b[31mRed\x1b[0m hat"}, ["terminal command", "same image"]),
    ({"sku": "html", "photo": "8.png", "description": "<b>Bold</b> &amp; new"}, ["markup"]),
    ({"sku": "bell", "photo": "9.png", "name": "Ding\x07"}, ["control characters"]),
    ({"sku": "untitled", "photo": "10.png", "name": ""}, ["missing title"]),
    ({"sku": "mute", "photo": "11.png", "name": "", "description": ""}, ["neither title nor text"]),
    ({"sku": "long", "photo": "12.png", "description": "blah " * 4000}, ["very long text"]),
    ({"sku": "nowhere", "photo": "13.png", "group": ""}, ["missing category"]),
    ({"sku": "shoe", "photo": "14.png", "group": "  shoe"}, ["category spelling"]),
    ({"sku": "free", "photo": "15.png", "cost": ""}, ["missing price"]),
    ({"sku": "dear", "photo": "16.png", "cost": "ask us"}, ["unreadable price"]),
    ({"sku": "gift", "photo": "17.png", "cost": "-3"}, ["negative price"]),
    ({"sku": "euro", "photo": "18.png", "cost": "€ 1,012.00"}, ["price with signs", "far-out price"]),
    ({"sku": "pound", "photo": "", "cost": "£ 13.00"}, ["price with signs", "no image named"]),
    ({"sku": "zero", "photo": "19.png", "cost": "0"}, ["price of zero"]),
    ({"sku": "huge price", "photo": "20.png", "cost": "99999"}, ["far-out price"]),
    ({"sku": "someday", "photo": "21.png", "since": "some day"}, ["unreadable date"]),
    ({"sku": "which", "photo": "22.png", "since": "05/06/2024"}, ["ambiguous date"]),
    ({"sku": "future", "photo": "23.png", "since": "2031-01-01"}, ["odd date"]),
    ({"sku": "unseen", "photo": "24.png", "views": "0"}, ["unusable popularity"]),
    ({"sku": "bare", "photo": ""}, ["no image named"]),
    ({"sku": "lost", "photo": "lost.png"}, ["missing image file"]),
    ({"sku": "spy", "photo": "../outside.png"}, ["image outside the folder"]),
    ({"sku": "linked", "photo": "link.png"}, ["image outside the folder"]),
    ({"sku": "web", "photo": WEB}, ["image on the web"]),
    ({"sku": "case", "photo": "25.PNG"}, ["image under another name"]),
    ({"sku": "cut", "photo": "cut.jpg"}, ["broken image"]),
    ({"sku": "text", "photo": "text.png"}, ["no image file"]),
    ({"sku": "svg", "photo": "drawing.svg"}, ["unsupported image type"]),
    ({"sku": "bomb", "photo": "bomb.png"}, ["huge image"]),
    ({"sku": "film", "photo": "film.gif"}, ["animated image"]),
    ({"sku": "print", "photo": "print.jpg"}, ["converted colours"]),
    ({"sku": "icon", "photo": "icon.png"}, ["tiny image"]),
    ({"sku": "white", "photo": "white.png"}, ["blank image"]),
    ({"sku": "again", "photo": "smaller.png"}, ["near-identical image"]),
    ({"sku": "void", "photo": "lost.png", "name": "", "description": "", "group": ""}, ["row without content"]),
    (
        {"sku": "shy", "photo": "", "name": "", "description": ""},
        ["neither title nor text", "no image named", "nothing to perceive"],
    ),
]
WHOLE = {"guessed column", "renamed column", "several currencies", "unused image file", "fewer dimensions"}


def photo(seed: int, size: tuple[int, int] = (64, 64)) -> Image.Image:
    coarse = np.random.Generator(np.random.Philox(seed)).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with items.csv and photos."""
    folder = tmp_path_factory.mktemp("shop")
    photos = folder / "photos"
    photos.mkdir()
    for number in range(1, 26):
        photo(number).save(photos / f"{number}.png")
    photo(99).save(folder / "outside.png")
    (photos / "link.png").symlink_to(folder / "outside.png")
    photo(100).save(photos / "unused.png")
    photo(101, (150, 150)).save(photos / "cut.jpg")
    (photos / "cut.jpg").write_bytes((photos / "cut.jpg").read_bytes()[:-900])
    (photos / "text.png").write_text("no picture")
    (photos / "drawing.svg").write_text("<svg/>")
    photo(102, (200, 200)).save(photos / "bomb.png")  # the limit is below
    photo(103).save(photos / "film.gif", save_all=True, append_images=[photo(104)])
    photo(105).convert("CMYK").save(photos / "print.jpg")
    photo(106, (8, 30)).save(photos / "icon.png")
    Image.new("RGB", (40, 40), "white").save(photos / "white.png")
    photo(1, (50, 50)).save(photos / "smaller.png")
    table().to_csv(folder / "items.csv", index=False)
    return folder


def table() -> pd.DataFrame:
    rows = [
        {**GOOD, "description": f"A fine one, number {number}", "cost": f"{10 + number % 7}.50", "row": "", **cells}
        for number, (cells, _) in enumerate(DEFECTS)
    ]
    rows[3] = rows[0]  # the duplicate row, cell by cell
    rows[6] = {**rows[5], "sku": "copy"}
    return pd.DataFrame(rows, columns=COLUMNS)


OPTIONS = ImportOptions(
    mapping=ColumnMapping(item_id="sku", title="name", category="group", price="cost", created="since", image="photo"),
    limits=Limits(image_size=48, max_pixels=200 * 200 - 1),
    text_encoder="hashing",
    image_encoder="histogram",
    imported=IMPORTED,
)


@pytest.fixture(scope="module")
def imported(shop: Path) -> Imported:
    return import_catalog(shop / "items.csv", shop / "out", shop / "photos", OPTIONS, cache=shop / "cache")


@pytest.fixture(scope="module")
def catalog(imported: Imported) -> Catalog:
    return Catalog.load(imported.path)


@pytest.fixture(scope="module")
def item(catalog: Catalog) -> Callable[[str], "pd.Series[str]"]:
    return lambda item_id: catalog.table.set_index("item_id").loc[item_id]


@pytest.mark.parametrize("number", range(len(DEFECTS)), ids=[cells["sku"] or "no-id" for cells, _ in DEFECTS])
def test_every_defect_is_found_in_its_row_and_nothing_else(imported: Imported, number: int) -> None:
    found = imported.findings[imported.findings["found"].str.startswith(f"row {number + 1}: ")]
    assert sorted(found["what"]) == sorted(DEFECTS[number][1])


def test_findings_of_the_whole_source(imported: Imported) -> None:
    whole = imported.findings[imported.findings["item_id"] == ""]
    assert set(whole["what"]) == WHOLE
    assert {"1 files, such as 'unused.png'", "prices are in EUR in 1, GBP in 1"} <= set(whole["found"])


def test_every_kind_is_met_here_or_named_where_it_is() -> None:
    elsewhere = {
        "missing column": "test_a_bare_table",
        "row too long": "test_rows_of_another_width_are_told_and_kept",
        "row too short": "test_rows_of_another_width_are_told_and_kept",
        "missing text": "test_a_title_stands_for_a_text",
        "ambiguous price": "test_prices_that_could_be_two_things",
        "encoder replaced": "test_missing_packages_are_told_loudly",
        "nothing encoded": "test_texts_without_a_known_word",
        "modality left out": "test_a_bare_table",
    }
    here = {what for _, kinds in DEFECTS for what in kinds} | WHOLE
    assert here | set(elsewhere) == set(KIND_OF)
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_import_*.py"))
    assert all(f"def {name}(" in tests for name in elsewhere.values())
    assert len(KINDS) == len(KIND_OF)


def test_every_row_is_an_item_or_left_out(imported: Imported, catalog: Catalog) -> None:
    left = sum(imported.counts[what] for what in LEFT_OUT)
    assert left == 2
    assert imported.n_rows == len(DEFECTS) == len(catalog) + left == imported.n_items + left
    assert f"{len(DEFECTS)} rows became {len(catalog)} items, 2 were left out" in catalog.card
    pd.testing.assert_frame_equal(catalog.findings, imported.findings)
    assert (imported.findings != "").drop(columns="item_id").all(axis=None)


def test_what_is_done_is_done(catalog: Catalog, item: Callable[[str], "pd.Series[str]"]) -> None:
    assert item("a-2")["image"] != item("a")["image"]
    assert item("6")["title"] == "Hat"
    assert item("copy")["image"] == item("6")["image"]
    assert (item("null")["text"], item("null")["created"]) == ("Hat", "")
    assert item("moji")["title"] == "Café"
    assert item("red")["title"] == "Red hat"
    assert item("html")["text"] == "Hat. Bold & new"
    assert item("bell")["title"] == "Ding"
    assert item("untitled")["title"] == item("untitled")["text"] == "A fine one, number 12"
    assert (item("mute")["title"], item("mute")["text"]) == ("", "")
    assert len(item("long")["text"]) == len("Hat. ") + 4000 * len("blah ") - 1 > LONGEST
    assert item("nowhere")["category"] == "unknown"
    assert item("shoe")["category"] == "Shoes"
    filled = ["free", "dear", "gift"]
    usable = catalog.price[~catalog.table["item_id"].isin(filled)]
    median = np.median([*usable, 10.0 + 41 % 7 + 0.5])  # the last one is of the row without content
    assert [item(name)["price"] for name in filled] == [median] * 3
    assert item("euro")["price"] == 1012.0
    assert item("huge price")["price"] == 99999.0
    assert item("zero")["price"] == 0.0
    assert [item(name)["created"] for name in ("a", "someday", "which", "future")] == [
        "2024-05-31",
        "",
        "",
        "2031-01-01",
    ]
    assert item("unseen")["popularity"] == item("a")["popularity"]
    assert "row_in_source" in catalog.table


def test_images_are_kept_or_refused(catalog: Catalog, imported: Imported) -> None:
    refused = {"bare", "pound", "lost", "spy", "linked", "web", "cut", "text", "svg", "bomb", "shy"}
    ids = catalog.table["item_id"]
    present = catalog.modalities["image"].present
    assert set(ids[~present]) == refused
    assert set(ids[catalog.table["image"] == ""]) == refused
    assert set(ids[~catalog.modalities["text"].present]) == {"mute", "shy"}
    for number in np.flatnonzero(present).tolist():
        path = catalog.image_path(number)
        assert path is not None
        with Image.open(path) as image:
            assert (image.format, max(image.size) <= 48) == ("WEBP", True)
    resembled = imported.findings.set_index("item_id")["found"]
    assert resembled["again"].endswith("looks like the image of 'a'")
    assert [text for text in resembled["copy"] if "image" in text] == ["row 7: the image of '6'"]
    written = {path.name for path in (imported.path / "images").iterdir()}
    assert written == set(catalog.table["image"]) - {""}


def test_how_modalities_were_made_is_kept(catalog: Catalog) -> None:
    encodings = {name: modality.encoding for name, modality in catalog.modalities.items()}
    assert {name: made.encoder for name, made in encodings.items() if made} == {"text": "hashing", "image": "histogram"}
    assert all(f"by `{made.encoder}` ({made.fingerprint})" in catalog.card for made in encodings.values() if made)
    assert f"as of {IMPORTED.isoformat()}" in catalog.card


def test_nothing_of_the_work_is_left(shop: Path, imported: Imported) -> None:
    assert imported.path == shop / "out"
    assert not [path for path in shop.iterdir() if path.name.startswith(".")]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_kind_of_file_gives_the_same_catalogue(shop: Path, imported: Imported, tmp_path: Path) -> None:
    rows = table()
    rows.to_parquet(tmp_path / "items.parquet")
    lines = "".join(json.dumps(row) + "\n" for row in rows.to_dict("records"))
    (tmp_path / "items.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    rows.to_csv(tmp_path / "items.tsv", sep="\t", index=False)
    wanted = tree(imported.path)
    for source in sorted(tmp_path.iterdir()):
        found = import_catalog(source, tmp_path / "out", shop / "photos", OPTIONS, overwrite=True, cache=shop / "cache")
        files = tree(found.path)
        assert list(files) == list(wanted), source
        assert [name for name in files if files[name] != wanted[name]] == ["card.md"], source  # it names the source
        assert files["card.md"].splitlines()[4:] == wanted["card.md"].splitlines()[4:]


def test_an_unknown_encoder_is_refused_before_the_work(tmp_path: Path, shop: Path) -> None:
    options = ImportOptions(text_encoder="hashing", image_encoder="histogramm")
    with pytest.raises(ValueError, match="there is no image encoder 'histogramm'"):
        import_catalog(shop / "items.csv", tmp_path / "out", shop / "photos", options)
    assert not list(tmp_path.iterdir())
