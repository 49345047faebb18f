"""The page of a catalogue: what is on it, that nothing in the catalogue acts, and that it needs no network."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim import Catalog, Modality, load_catalog
from recsim.report import catalog_page, write_catalog_page

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def path(shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalog_page(shop, tmp_path_factory.mktemp("page") / "shop.html", n_items=60)


def test_sections_headings_and_figures(path: Path, read_page: Callable[[Path], object]) -> None:
    page = read_page(path)
    headings = [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    levels = [int(tag[1]) for tag in headings]
    assert all(below - above <= 1 for above, below in pairwise(levels))
    ids = page.attributes("id")
    assert len(set(ids)) == len(ids)
    assert {reference.removeprefix("#") for reference in page.attributes("href") if reference.startswith("#")} <= set(
        ids
    )
    assert {"numbers", "items", "flagged", "card"} <= set(ids)
    for words in (
        "Items by category",
        "Who has which modality",
        "Prices",
        "Created",
        "1 item that costs 0 is not drawn.",
    ):
        assert words in page.text
    assert "20 items have no date and are not drawn." in page.text
    assert len([1 for tag, attributes in page.tags if tag == "li" and "data-item" in attributes]) == 60


def test_nothing_in_a_catalogue_acts(path: Path, read_page: Callable[[Path], object]) -> None:
    page, html = read_page(path), path.read_text(encoding="utf-8")
    assert len(page.scripts) == 1
    assert page.scripts[0].lstrip().startswith('"use strict"')
    assert not {name for _, attributes in page.tags for name in attributes if name.startswith("on")}
    assert {tag for tag, _ in page.tags}.isdisjoint({"img", "iframe", "object", "embed", "i"})
    assert HOSTILE in page.text
    assert "<i>my encoder</i>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)
    assert "K" * 41 not in html
    assert "W" * 201 not in html


def test_page_needs_no_network(path: Path, read_page: Callable[[Path], object]) -> None:
    page, html = read_page(path), path.read_text(encoding="utf-8")
    assert "default-src 'none'; img-src data:" in str(page.attributes("content"))
    assert page.attributes("src") == []
    links = [link for link in page.attributes("href") if not link.startswith(("#", "data:"))]
    assert links == ["https://example.org/x", "https://example.org/p.png"]  # of the card, for people to follow
    assert re.findall(r"url\((?!\"data:image/webp;base64,)", html) == []
    assert "@import" not in html


def test_pictures_are_named_and_none_is_drawn_twice(path: Path, read_page: Callable[[Path], object]) -> None:
    page, html = read_page(path), path.read_text(encoding="utf-8")
    drawn = [attributes for tag, attributes in page.tags if "thumb picture-" in str(attributes.get("class"))]
    assert drawn
    assert all(str(one["aria-label"]).startswith("Picture of ") and one["role"] == "img" for one in drawn)
    named = {str(one["class"]).split()[1] for one in drawn}
    assert set(re.findall(r"\.(picture-\d+) \{", html)) == named
    assert len(named) == 40  # every third of 60 items has no picture


def test_neighbours_stand_in_rows_and_absent_modalities_are_told(path: Path, shop: Catalog) -> None:
    html = path.read_text(encoding="utf-8")
    items = html.split("<li data-item")[1:]
    lacking = ~np.stack([modality.present for modality in shop.modalities.values()], axis=1)
    assert html.count("The item lacks it.") == lacking.sum()
    assert sum("Lacks " in item for item in items) == lacking.any(axis=1).sum()
    for item in items:
        assert re.findall("<h4>(.+?)</h4>", item) == ["text", "image", "behaviour", "all together"]
        assert item.count("<ol") + item.count("The item lacks it.") == 4
        assert item.count('class="same"') == item.count("✓<span") == item.count("same category:")


def test_findings_are_told_by_kind_with_examples(path: Path, read_page: Callable[[Path], object]) -> None:
    text = read_page(path).text
    assert "10 findings of 3 kinds; most often “near-duplicate picture” (8)." in text
    assert "The first 6 of 8 findings." in text
    assert "as that of id-6" in text
    assert "as that of id-7" not in text
    assert "Of items that are no longer in the catalogue: 1." in text
    assert "no longer here id-99 the same as id-1 dropped" in text
    assert "whole catalogue The whole catalogue no colours —" in text


def test_a_bare_catalogue(read_page: Callable[[Path], object], tmp_path: Path) -> None:
    table = pd.DataFrame({"item_id": ["a"], "title": [""], "text": [""], "category": ["things"], "price": [3.0]})
    bare = Catalog("bare", table, {"text": Modality("text", np.ones((1, 2), np.float32), np.ones(1, np.bool_))})
    text = read_page(write_catalog_page(bare, tmp_path / "bare.html")).text
    assert "bare: 1 items in 1 category" not in text
    for words in (
        "bare: 1 item in 1 category",
        "Every price is 3.00.",
        "No item has a date.",
        "No other item has it.",
        "Nothing is noted about any item.",
        "This catalogue has no card.",
        "not recorded how it was made",
    ):
        assert words in text


def test_many_categories_are_counted_together(read_page: Callable[[Path], object], tmp_path: Path) -> None:
    page = read_page(write_catalog_page(Catalog.synthetic(130, 65), tmp_path / "many.html"))
    assert "45 smaller categories with 90 items are not drawn." in page.text


def test_the_same_seed_gives_the_same_page(shop: Catalog) -> None:
    first = catalog_page.catalog_page(shop, n_items=6, seed=1)
    assert first == catalog_page.catalog_page(shop, n_items=6, seed=1)
    assert first != catalog_page.catalog_page(shop, n_items=6, seed=2)


def test_pictures_are_left_out_before_the_page_grows_too_large(
    shop: Catalog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(catalog_page, "BUDGET", 5_000)
    html = write_catalog_page(shop, tmp_path / "small.html").read_text(encoding="utf-8")
    assert "were left out to keep the page small." in html
    assert 0 < sum(map(len, re.findall('data:image/webp[^"]+', html))) <= 5_000


@pytest.mark.slow
def test_page_of_the_bundled_catalogue(read_page: Callable[[Path], object], tmp_path: Path) -> None:
    path = write_catalog_page(load_catalog("openclipart"), tmp_path / "openclipart.html")
    page, html = read_page(path), path.read_text(encoding="utf-8")
    assert path.stat().st_size < 1_000_000
    assert "openclipart: 1,852 items in 15 categories" in page.text
    assert "http" not in html.replace("http-equiv", "")
