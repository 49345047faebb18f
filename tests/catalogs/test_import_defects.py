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
from recsim.catalogs.importing.columns import ColumnOptions
from recsim.catalogs.importing.kinds import KIND_OF, KINDS, LEFT_OUT
from recsim.catalogs.importing.mapping import ColumnMapping
from recsim.catalogs.importing.options import ImportOptions
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
WHOLE = {"guessed column", "renamed column", "unused image file", "fewer dimensions"}


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
    limits=pytest.importorskip("recsim.catalogs.importing.pixels").Limits(image_size=48, max_pixels=200 * 200 - 1),
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
    assert "1 files, such as 'unused.png'" in set(whole["found"])


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
    assert all(name in globals() for name in elsewhere.values())
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
    assert item("html")["text"] == "Hat. Bold & new"
    assert item("bell")["title"] == "Ding"
    assert item("untitled")["title"] == item("untitled")["text"] == "A fine one, number 11"
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
    refused = {"bare", "lost", "spy", "linked", "web", "cut", "text", "svg", "bomb", "shy"}
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


HASHING = ImportOptions(text_encoder="hashing")


def small(folder: Path, rows: list[dict[str, str]], **options: object) -> tuple[Imported, Catalog]:
    """A table of a few rows, imported without images."""
    pd.DataFrame(rows).to_csv(folder / "small.csv", index=False)
    made = ImportOptions(**{"text_encoder": "hashing", "imported": IMPORTED, **options})  # type: ignore[arg-type]
    found = import_catalog(folder / "small.csv", folder / "made", options=made, cache=folder / "cache", overwrite=True)
    return found, Catalog.load(found.path)


def test_a_bare_table(tmp_path: Path) -> None:
    found, catalog = small(tmp_path, [{"label": "red hat"}, {"label": "blue shoe"}, {"label": "green tie"}])
    assert list(catalog.table["item_id"]) == ["1", "2", "3"]
    assert list(catalog.table["text"]) == list(catalog.table["title"]) == ["red hat", "blue shoe", "green tie"]
    assert (catalog.categories, list(catalog.price), set(catalog.table["created"])) == (["unknown"], [1.0] * 3, {""})
    assert found.counts == {"guessed column": 1, "missing column": 6, "fewer dimensions": 1, "modality left out": 1}
    assert list(catalog.modalities) == ["text"]
    told = {one.found: one.done for one in found.told}
    assert told["there is no column for item_id"] == "the number of the row is the id of an item"
    assert told["there is no column for price"].startswith("every price is 1, as nothing is known of prices")
    assert told["no item has an image"] == "the catalogue is written without it"


def test_a_price_for_all(tmp_path: Path) -> None:
    options = ColumnOptions(price=10.0)
    rows = [{"label": "red hat"}, {"label": "blue shoe"}, {"label": "green tie"}]
    assert list(small(tmp_path, rows, columns=options)[1].price) == [10.0] * 3
    priced = [{**row, "price": price} for row, price in zip(rows, ("5", "", "7"), strict=True)]
    assert list(small(tmp_path, priced, columns=options)[1].price) == [5.0, 10.0, 7.0]
    assert list(small(tmp_path, priced)[1].price) == [5.0, 6.0, 7.0]


def test_prices_that_could_be_two_things(tmp_path: Path) -> None:
    names = ["red hat", "blue shoe", "green tie"]
    rows = [{"label": name, "price": price} for name, price in zip(names, ("1.299", "7", "8"), strict=True)]
    found, catalog = small(tmp_path, rows)
    assert found.counts["ambiguous price"] == 1
    assert list(catalog.price) == [1.299, 7.0, 8.0]
    found, catalog = small(tmp_path, rows, columns=ColumnOptions(decimal=","))
    assert "ambiguous price" not in found.counts
    assert list(catalog.price) == [1299.0, 7.0, 8.0]
    found, catalog = small(tmp_path, [*rows, {"label": "white coat", "price": "12,50"}])
    assert "ambiguous price" not in found.counts
    assert list(catalog.price) == [1299.0, 7.0, 8.0, 12.5]


def test_a_title_stands_for_a_text(tmp_path: Path) -> None:
    rows = [{"title": "red hat", "text": "warm"}, {"title": "blue shoe", "text": ""}, {"title": "tie", "text": "long"}]
    found, catalog = small(tmp_path, rows)
    assert found.counts["missing text"] == 1
    assert list(catalog.table["text"]) == ["warm", "blue shoe", "long"]


def test_rows_of_another_width_are_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,title\nx,red hat\ny,blue shoe,surplus\nz\nw,green tie\n")
    options = ImportOptions(text_encoder="hashing")
    found = import_catalog(tmp_path / "a.csv", tmp_path / "out", options=options, cache=tmp_path / "cache")
    assert found.n_items == 3
    assert [(row.item_id, row.what) for row in found.findings.itertuples() if row.item_id] == [
        ("y", "row too long"),
        ("z", "row without content"),
    ]


def test_texts_without_a_known_word(tmp_path: Path) -> None:
    rows = [{"title": title} for title in ("red hat", "xqzzt", "blue shoe")]
    found, catalog = small(tmp_path, rows, text_encoder="glove")
    assert found.counts["nothing encoded"] == 1
    assert list(catalog.modalities["text"].present) == [True, False, True]


def test_images_named_like_ids(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number in (1, 2, 3):
        photo(number).save(tmp_path / "photos" / f"item {number}.png")
    rows = pd.DataFrame({"id": [f"item {number}" for number in (1, 2, 3, 4)], "title": ["red", "blue", "green", "old"]})
    rows.to_csv(tmp_path / "a.csv", index=False)
    options = ImportOptions(text_encoder="hashing", image_encoder="none")
    found = import_catalog(tmp_path / "a.csv", tmp_path / "out", tmp_path / "photos", options, cache=tmp_path / "c")
    assert "image is the file in the folder that is named like the id" in [one.found for one in found.told]
    catalog = Catalog.load(found.path)
    assert [catalog.image_path(number) is not None for number in range(4)] == [True, True, True, False]
    assert list(catalog.modalities) == ["text"]
    assert found.counts["no image named"] == 1


def test_categories_can_be_kept_as_they_are(tmp_path: Path) -> None:
    rows = [{"title": f"word{number}", "category": name} for number, name in enumerate(("Hat", "hats", "Hat"))]
    assert small(tmp_path, rows)[1].categories == ["Hat"]
    assert small(tmp_path, rows, columns=ColumnOptions(merge_categories=False))[1].categories == ["Hat", "hats"]


def test_missing_packages_are_told_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsim.modalities.names.automatic", lambda source: "hashing")
    pd.DataFrame({"title": ["red hat", "blue shoe", "green tie"]}).to_csv(tmp_path / "a.csv", index=False)
    found = import_catalog(tmp_path / "a.csv", tmp_path / "out", cache=tmp_path / "cache")
    (told,) = (one for one in found.told if one.what == "encoder replaced")
    assert 'pip install "recsim-slate[text-image]"' in told.done


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("id,title\n", r"a.csv has a header and no rows: it needs one row for each item"),
        ("id,stock\n1,5\n2,6\n", "none of the 2 rows of .*a.csv can become an item"),
        ("id,title\n1,hat\n2,hat\n", "no modality can be made .*all items have the same text.* by which its items"),
    ],
)
def test_nothing_to_import(tmp_path: Path, rows: str, sentence: str) -> None:
    (tmp_path / "a.csv").write_text(rows)
    with pytest.raises(ValueError, match=sentence):
        import_catalog(tmp_path / "a.csv", tmp_path / "out", options=HASHING, cache=tmp_path.parent / "cache")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_an_unknown_encoder_is_refused_before_the_work(tmp_path: Path, shop: Path) -> None:
    options = ImportOptions(text_encoder="hashing", image_encoder="histogramm")
    with pytest.raises(ValueError, match="there is no image encoder 'histogramm'"):
        import_catalog(shop / "items.csv", tmp_path / "out", shop / "photos", options)
    assert not list(tmp_path.iterdir())


def test_options_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="--dim is 0: ask for at least 1 column"):
        ImportOptions(dim=0)
    with pytest.raises(ValueError, match="--price is -1: prices are 0 or more"):
        ColumnOptions(price=-1)
    with pytest.raises(ValueError, match=r"--decimal is ';': prices have a '\.' or a ','"):
        ColumnOptions(decimal=";")
    limits = type(OPTIONS.limits)
    with pytest.raises(ValueError, match="--max-pixels is 90,000,000: ask for 1 to 89,478,485"):
        ImportOptions(limits=limits(max_pixels=90_000_000))
    with pytest.raises(ValueError, match="--image-size is 0: ask for at least 1 pixel"):
        ImportOptions(limits=limits(image_size=0))
