"""The whole page: self-contained, safe with hostile text, complete with all parts and honest about missing ones."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from gzip import decompress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsim import Catalog
from recsim.report import write_report

MakeRun = Callable[..., Path]
HOSTILE = "<script>alert(1)</script>"
Page = Any  # the class of conftest.py


@pytest.fixture
def page_of(make_run: MakeRun, catalog: Catalog, read_page: Callable[[Path], Page]) -> Callable[..., Page]:
    def build(**changes: Any) -> Page:
        return read_page(write_report(make_run(**changes), catalog))

    return build


def test_page_needs_nothing_beside_it(page_of: Callable[..., Page]) -> None:
    page = page_of()
    assert not page.attributes("src")
    assert [tag for tag, attributes in page.tags if tag == "link" and attributes["href"] != "data:,"] == []
    assert not [href for href in page.attributes("href") if "//" in href]
    policy = next(content for content in page.attributes("content") if "default-src" in content)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "http" not in policy


def test_page_is_small_and_written_whole(make_run: MakeRun, catalog: Catalog) -> None:
    run = make_run()
    path = write_report(run, catalog)
    assert path == run / "report.html"
    assert path.stat().st_size < 3_000_000
    assert not list(run.glob(".*"))
    assert write_report(run, catalog).read_bytes() == path.read_bytes()


def test_only_the_scripts_of_the_page_may_run(page_of: Callable[..., Page]) -> None:
    page = page_of()
    policy = next(content for content in page.attributes("content") if "default-src" in content)
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]
    shown = [script for script in page.scripts if not script.startswith("{")]
    programs = [decompress(b64decode(shown[0])).decode(), shown[1]]  # plotly.js, unpacked by the page's own script
    assert {b64encode(sha256(script.encode()).digest()).decode() for script in programs} == allowed
    assert len(shown) == len(allowed) == 2


def test_hostile_text_is_shown_as_text(page_of: Callable[..., Page], metrics: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(metrics).replace('"ppo"', json.dumps("<img src=x onerror=alert(2)>")))
    changed["warnings"] = [f"linucb: {HOSTILE}"]
    changed["name"] = HOSTILE
    page = page_of(metrics=changed, config=f"name: '{HOSTILE}'\n")
    assert page.text.count(HOSTILE) >= 4  # title, two items, warning, config
    assert "img" not in {tag for tag, _ in page.tags}
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 4
    figures = json.loads(next(script for script in page.scripts if script.startswith('{"differences"')))
    assert "&lt;img src=x onerror=alert(2)&gt;" in figures["returns"]["data"][1]["y"]
    assert "<img" not in json.dumps(figures)


def test_every_part_is_there(page_of: Callable[..., Page]) -> None:
    page = page_of()
    figures = ("returns", "differences", "learning-curve", "estimates-slate", "sizes-slate", "positions")
    trades = [f"{kind}-{across}-novelty" for kind in ("front", "trade-off") for across in ("click", "conversion")]
    panels = [f"truth-slate-{place}" for place in range(6)] + [f"weights-{place}" for place in range(5)]
    assert sorted(page.attributes("data-figure")) == sorted([*figures, *trades, *panels])
    sections = ["policies", "sessions", "trade-off", "learning", "offline", "slates", "rates", "run"]
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == sections
    for words in (
        "told ppo covers more than weighed static fusion",
        "ppo wins",
        "popularity, whole slates",
        "numpy 2.4.6",
        "timesteps: 100000",
        "launch log 1.23 s",
    ):
        assert words in page.text
    assert (
        "with their training: ppo on 100,000 slates of its own, linucb on 300 sessions of its own and static fusion on "
        "500 sessions of the launch log, as in the config"
    ) in page.text
    assert "is no test of the intervals" in page.text
    assert "metrics.json" in page.attributes("href")


def test_page_can_be_read_without_seeing_it(page_of: Callable[..., Page]) -> None:
    page = page_of()
    html = next(attributes for tag, attributes in page.tags if tag == "html")
    assert html["lang"] == "en"
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.attributes("href") if href.startswith("#")} <= set(ids)
    assert set(page.attributes("aria-labelledby")) <= set(ids)
    for tag, attributes in page.tags:
        if "data-figure" in attributes:
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in ("col", "row", "colgroup")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_positions_say_in_words_what_happened(page_of: Callable[..., Page]) -> None:
    text = page_of().text
    for words in ("★ bought", "✓ clicked", "· seen", "· not seen", "· empty", "no picture"):
        assert words in text
    assert "User 17: slate 3 of the session Slate 3 of the session: 10 items, looked at 7, clicked 2, bought 1" in text


def test_pictures_are_embedded_once(make_run: MakeRun, catalog: Catalog) -> None:
    html = write_report(make_run(), catalog).read_text(encoding="utf-8")
    found = re.findall(r"url\(\"(data:image/webp;base64,[^\"]+)\"\)", html)
    assert len(found) == len(set(found)) == 10


def test_missing_parts_are_said(page_of: Callable[..., Page], metrics: dict[str, Any]) -> None:
    bare = metrics | {"differences": [], "offline": [], "warnings": [], "front": None}
    text = page_of(metrics=bare, examples=None, curve=None).text
    assert "Under other preferences" not in text
    for words in ("has no learning curve", "no offline estimates", "kept no example slates", "no paired differences"):
        assert words in text


def test_run_without_learners_has_an_empty_curve(page_of: Callable[..., Page]) -> None:
    empty = pd.DataFrame({"policy": [], "timesteps": [], "reward": [], "low": [], "high": []})
    assert "has no learning curve" in page_of(curve=empty).text


def test_the_policy_in_production_reads_well(page_of: Callable[..., Page], metrics: dict[str, Any]) -> None:
    text = page_of(metrics=metrics | {"log": metrics["log"] | {"policy": "production"}}).text
    assert "in the situations into which the policy in production led its users?" in text
    assert "1,000 logged sessions of the policy in production say" in text


def test_config_that_tells_no_budgets(page_of: Callable[..., Page]) -> None:
    assert "with their training" not in page_of(config="name: odd\npolicies: [1, {kind: linucb}]\n").text


def test_run_of_one_policy(page_of: Callable[..., Page], metrics: dict[str, Any]) -> None:
    one = metrics | {"policies": metrics["policies"][:1], "differences": [], "best": [], "offline": []}
    assert "it was compared with nothing" in page_of(metrics=one).text


def test_run_of_an_oracle_alone(page_of: Callable[..., Page], metrics: dict[str, Any]) -> None:
    one = metrics | {"policies": metrics["policies"][-1:], "differences": [], "best": [], "offline": []}
    assert "Only oracles were run" in page_of(metrics=one).text


def test_catalogue_that_is_gone(make_run: MakeRun, read_page: Callable[[Path], Page]) -> None:
    run = make_run(config="catalog: /no/such/catalogue\n")
    assert "the catalogue could not be read" in read_page(write_report(run)).text


def test_catalogue_that_is_made_up(make_run: MakeRun, read_page: Callable[[Path], Page]) -> None:
    run = make_run(config="catalog: {synthetic: {n_items: 12}}\n")
    assert "items of this run are made up" in read_page(write_report(run)).text
