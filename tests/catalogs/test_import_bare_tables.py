"""Small tables that lack something: what stands for it, and what is refused."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from recsim import Catalog
from recsim.catalogs.importing.columns import ColumnOptions
from recsim.catalogs.importing.options import ImportOptions
from recsim.catalogs.importing.pixels import Limits
from recsim.catalogs.importing.run import Imported, import_catalog

IMPORTED = date(2025, 1, 1)
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
    assert told["no folder of images is given, as --images"] == "the catalogue is written without it"


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
        Image.new("RGB", (20, 20), (80 * number, 0, 0)).save(tmp_path / "photos" / f"item {number}.png")
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


def test_options_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="--dim is 0: ask for at least 1 column"):
        ImportOptions(dim=0)
    with pytest.raises(ValueError, match="--price is -1: prices are 0 or more"):
        ColumnOptions(price=-1)
    with pytest.raises(ValueError, match=r"--decimal is ';': prices have a '\.' or a ','"):
        ColumnOptions(decimal=";")
    with pytest.raises(ValueError, match="--max-pixels is 90,000,000: ask for 1 to 89,478,485"):
        ImportOptions(limits=Limits(max_pixels=90_000_000))
    with pytest.raises(ValueError, match="--image-size is 0: ask for at least 1 pixel"):
        ImportOptions(limits=Limits(image_size=0))
