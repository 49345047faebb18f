"""Example slates: pictures once each, within the budget, and a sentence on those that are missing."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from recsim import Catalog
from recsim.report import pictures
from recsim.report.pictures import Gallery, gallery
from recsim.report.read import read_run

MakeRun = Callable[..., Path]


def example(policy: str, ids: list[str], **more: Any) -> dict[str, Any]:
    items = [{"item": 0, "item_id": item_id, "title": item_id, "category": "food", "price": 1234.5} for item_id in ids]
    none = [False] * len(ids)
    return {"policy": policy, "user": 1, "step": 0, "items": items, "click": none, "conversion": none} | more


@pytest.fixture
def show(make_run: MakeRun, catalog: Catalog) -> Callable[..., Gallery]:
    def made(*examples: dict[str, Any]) -> Gallery:
        run = read_run(make_run(examples=list(examples)))
        ranked = [policy.name for policy in sorted(run.ranked, key=lambda policy: policy.is_oracle)]
        return gallery(run.examples or (), ranked, catalog)

    return made


def test_picture_is_a_small_webp(show: Callable[..., Gallery]) -> None:
    shown = show(example("ppo", ["id-1"]))
    head, _, data = shown.pictures["picture-0"].partition(",")
    assert head == "data:image/webp;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert picture.format == "WEBP"
    assert picture.size == (pictures.SIDE, pictures.SIDE)
    assert shown.sessions["ppo"][0].slates[0].cards[0].image == "picture-0"
    assert shown.note == ""


def test_best_policy_comes_first_and_oracles_last(show: Callable[..., Gallery]) -> None:
    names = ["uniform", "myopic oracle", "unheard of", "ppo"]
    assert list(show(*(example(name, ["id-1"]) for name in names)).sessions) == [
        "ppo",
        "uniform",
        "myopic oracle",
        "unheard of",
    ]


def test_cards_tell_what_happened(show: Callable[..., Gallery]) -> None:
    ids = ["id-1", "id-2", "id-3", "id-11"]
    feedback = {"click": [True, True, False, False], "conversion": [True, False, False, False]}
    slate = show(example("ppo", ids, examined=[True, True, True, False], **feedback)).sessions["ppo"][0].slates[0]
    assert [card.state for card in slate.cards] == ["bought", "clicked", "seen", "unseen"]
    assert [card.position for card in slate.cards] == [1, 2, 3, 4]
    assert slate.cards[3].image == ""
    assert slate.cards[0].price == "1,234.50"
    assert slate.summary == "4 items, looked at 3, clicked 2, bought 1"


def test_choice_models_that_do_not_tell_what_was_examined(show: Callable[..., Gallery]) -> None:
    slate = show(example("ppo", ["id-1", "id-2"], click=[True, False])).sessions["ppo"][0].slates[0]
    assert [card.state for card in slate.cards] == ["clicked", "shown"]
    assert slate.summary == "2 items, clicked 1, bought 0"


def test_budget(show: Callable[..., Gallery], monkeypatch: pytest.MonkeyPatch) -> None:
    one = len(show(example("ppo", ["id-1"])).pictures["picture-0"])
    monkeypatch.setattr(pictures, "BUDGET", one)
    shown = show(example("ppo", ["id-1", "id-2", "id-1", "id-2"]))
    assert [card.image for card in shown.sessions["ppo"][0].slates[0].cards] == ["picture-0", "", "picture-0", ""]
    assert shown.note == "Some pictures are missing: 1 were left out to keep the page small."


def test_items_of_another_catalogue(show: Callable[..., Gallery]) -> None:
    assert "1 items are not in the catalogue 'drawn'" in show(example("ppo", ["id-99"])).note


def test_pictures_that_cannot_be_read(make_run: MakeRun, catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "bad.webp").write_bytes(b"no picture")
    table = pd.DataFrame(catalog.table.iloc[:1]).assign(image="bad.webp")
    part = {name: type(m)(name, m.embedding[:1], m.present[:1]) for name, m in catalog.modalities.items()}
    broken = Catalog("broken", table, part, image_dir=tmp_path)
    shown = gallery(read_run(make_run(examples=[example("ppo", ["id-0"])])).examples or (), ["ppo"], broken)
    assert shown.note == "Some pictures are missing: 1 could not be read."
    assert shown.sessions["ppo"][0].slates[0].cards[0].image == ""
