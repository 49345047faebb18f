"""`recsim catalog show`: what stands on the terminal, in the JSON and beside the page."""

import json
import webbrowser
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from recsim import Catalog
from recsim.encoding import Encoding
from recsim.experiments.cli import app
from recsim.modality import Modality

Show = Callable[..., Result]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Runs `recsim catalog show` in this process, as into a pipe."""
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *arguments: CliRunner().invoke(app, ["catalog", "show", *map(str, arguments)])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A saved catalogue with hostile texts and findings."""
    made = Catalog.synthetic(40, 4, dims={"text": 6, "image": 5}, missing=0.2, seed=2)
    categories = made.table["category"].replace("category_3", "\x1b[31m[/b] mugs\x07 " + "K" * 150)
    table = made.table.assign(title="Mug [red] \x1b]0;gone\x07XL \u202eevil", category=categories)
    text = made.modalities["text"]
    encoding = Encoding("text", "minilm [b]", "0f" * 8, np.zeros(9, np.float32), np.eye(6, 9, dtype=np.float32))
    modalities = {**made.modalities, "text": Modality("text", text.embedding, text.present, encoding)}
    findings = pd.DataFrame(
        [
            ("item-000003", "odd price", "[bold]0[/bold]", "kept"),
            ("item-000004", "odd price", "1", "kept"),
            ("", "empty column", f"creator {'w' * 400}", "left"),
        ],
        columns=["item_id", "what", "found", "done"],
    )
    card = (
        f"# Mugs <i>\n\n\x1b[2J[home](https://example.org) {'long ' * 40}\n\n| a | b |\n|---|---|\n| x | {'y' * 99} |\n"
    )
    Catalog("shop [/b]\x07", table, modalities, card, None, findings).save(tmp_path / "shop")
    return tmp_path / "shop"


def test_card_comes_first_then_the_numbers_then_what_was_flagged(show: Show, shop: Path) -> None:
    result = show(shop)
    assert result.exit_code == 0, result.output
    order = [
        "Mugs <i>",
        "home (https://example.org)",
        "shop [/b]: 40 items in 4 categories",
        "Modalities",
        "Categories",
        "The most popular items",
        "What was flagged: 3 findings",
    ]
    places = [result.stdout.index(words) for words in order]
    assert places == sorted(places)
    rows = [line.split() for line in result.stdout.splitlines()]
    assert next(row for row in rows if "category_0" in row)[:2] == ["category_0", "10"]
    assert next(row for row in rows if row[:1] == ["text"])[3:] == ["minilm", "[b],", "from", "the", "text"]
    assert next(row for row in rows if row[:1] == ["image"])[3:] == ["not", "recorded"]
    assert ["odd", "price", "2", "item-000003:", "[bold]0[/bold];", "kept"] in rows
    assert result.stdout.count("Mug [red] XL evil") == 5


def test_output_fits_80_columns_and_steers_no_terminal(show: Show, shop: Path) -> None:
    text = show(shop).stdout
    assert max(map(cell_len, text.splitlines())) <= 80
    assert {character for character in text if not character.isprintable()} <= {"\n"}
    assert "[/b] mugs" in text
    assert "gone" not in text


def test_wide_terminals_are_not_filled(show: Show, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = show(shop).stdout
    monkeypatch.setenv("COLUMNS", "200")
    assert show(shop).stdout == narrow


def test_a_catalogue_without_card_and_findings(show: Show, tmp_path: Path) -> None:
    made = Catalog.synthetic(100, 50)
    made.replaced(card="").save(tmp_path / "plain")
    lines = show(tmp_path / "plain").stdout.splitlines()
    assert lines[0] == "synthetic: 100 items in 50 categories"
    assert lines[-1] == "Nothing is noted about any item."
    assert any(line.startswith("The most popular items") for line in lines)
    table = made.table.assign(popularity=1.0)
    made.replaced(table=table).save(tmp_path / "equal")
    told = show(tmp_path / "equal").stdout
    assert "Items, all equally popular" in told
    assert "most popular" not in told
    assert ["10", "smaller", "ones", "20"] in [line.split()[:4] for line in lines]


def test_json_for_programs(show: Show, shop: Path) -> None:
    found = json.loads(show(shop, "--json").stdout)
    saved = Catalog.load(shop)
    assert (found["name"], found["items"], found["card"]) == (saved.name, 40, saved.card)
    assert found["fingerprint"] == saved.fingerprint
    assert found["modalities"][0] == {
        "name": "text",
        "dim": 6,
        "present": int(saved.modalities["text"].present.sum()),
        "share": float(saved.modalities["text"].present.mean()),
        "source": "text",
        "encoder": "minilm [b]",
        "fingerprint": "0f" * 8,
    }
    first = found["categories"][0]
    own = saved.table[saved.table["category"] == first["name"]]
    assert first["items"] == len(own) == 10
    assert first["median_price"] == own["price"].median()
    assert first["popularity"] == pytest.approx(own["popularity"].sum())
    assert [(kind["what"], kind["count"], kind["items"], kind["gone"]) for kind in found["flagged"]] == [
        ("odd price", 2, 2, 0),
        ("empty column", 1, 0, 0),
    ]
    assert found["flagged"][0]["found"] == "[bold]0[/bold]"


def test_a_page_is_written_and_opened(show: Show, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = tmp_path / "a page" / "shop.html"
    result = show(shop, "--html", page, "--items", 3, "--seed", 5, "--open")
    assert (result.exit_code, result.stdout) == (0, f"Page: {page}\n")
    assert opened == [page.as_uri()]
    html = page.read_text(encoding="utf-8")
    assert html.count("<li data-item") == 3
    assert "(seed 5)" in html
    both = show(shop, "--html", page, "--json")
    assert json.loads(both.stdout)["items"] == 40
    assert both.stderr == f"Page: {page}\n"


def test_what_cannot_be_shown_is_refused(show: Show, shop: Path, tmp_path: Path) -> None:
    for arguments, sentence in (
        (
            ("nowhere",),
            "there is no catalogue 'nowhere': bundled is openclipart; "
            "anything else must be a folder that `recsim catalog import` or Catalog.save has written.",
        ),
        ((shop, "--open"), "--open is about the page that --html names: add --html page.html."),
        ((shop, "--items", 3), "--items is about the page that --html names: add --html page.html."),
        ((shop, "--seed", 3, "--json"), "--seed is about the page that --html names: add --html page.html."),
    ):
        result = show(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.splitlines()[-1] == sentence
    page = shop / "catalog.json" / "page.html"
    result = show(shop, "--html", page)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == (
        f"{page} cannot be made, as {page.parent} is no folder: choose another place."
    )
