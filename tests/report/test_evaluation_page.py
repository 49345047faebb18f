"""The report of an evaluation alone: a page and its files, Markdown and JSON."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsim import Catalog
from recsim.report import render_evaluation, render_report, write_evaluation, write_report

MakeRun = Callable[..., Path]
HOSTILE = "<script>alert(1)</script>"
BARE: dict[str, Any] = {"level": 0.95, "n_slates": 10, "n_sessions": 5, "objectives": ["reward"]}


@pytest.fixture
def page_of(tmp_path: Path, read_page: Callable[[Path], Any]) -> Callable[..., Any]:
    return lambda found, **more: read_page(write_evaluation(found, tmp_path / "page.html", **more))


def test_page_has_every_part_for_the_decision_maker_first(
    page_of: Callable[..., Any], evaluation: dict[str, Any]
) -> None:
    page = page_of(evaluation)
    sections = ["policies", "objectives", "offline", "evaluation"]
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == sections
    told = [
        "ppo comes first, but cannot be told from linucb, to be taken with caution: 2.3 a slate, 0.10 more",
        "How sure",
        "3,000 more sessions would tell ppo from linucb.",
        "By session dr, ppo comes first and cannot be told from linucb",
        "Estimators that could not be used",
        "Estimates against the truth",
        "Overlap by position",
        "Weights of whole slates",
        "The propensities are estimates, too high by a tenth.",
        "Intervals that hold at any sample size",
        "Intervals that hold for all objectives of a policy at once.",
        "Coverage of the intervals",
        "It would never show any of the logged slates",
        "logs/spring.parquet",
    ]
    places = [page.text.index(words) for words in told]
    assert places[0] < places[1] < places[2] < min(places[4:])
    assert {"estimates-slate", "estimates-session", "values-slate", "values-session", "coverage"} <= set(
        page.attributes("data-figure")
    )


def test_page_is_whole_self_contained_and_readable_without_seeing(
    page_of: Callable[..., Any], evaluation: dict[str, Any], tmp_path: Path
) -> None:
    page = page_of(evaluation)
    assert not page.attributes("src")
    links = [href for href in page.attributes("href") if not href.startswith(("#", "data:"))]
    assert set(links) == {"page.estimates.csv", "page.estimates.parquet"}
    assert all((tmp_path / link).is_file() for link in links)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.attributes("href") if href.startswith("#")} <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    for tag, attributes in page.tags:
        if "data-figure" in attributes:
            assert attributes["role"] == "img"
            assert len(str(attributes["aria-label"])) > 10
        if tag == "table":
            assert attributes["class"] == "sortable"
    assert (tmp_path / "page.html").stat().st_size < 3_000_000
    assert not list(tmp_path.glob(".*"))
    first = (tmp_path / "page.html").read_bytes()
    page_of(evaluation)
    assert (tmp_path / "page.html").read_bytes() == first


def test_hostile_names_are_shown_as_text(page_of: Callable[..., Any], evaluation: dict[str, Any]) -> None:
    page = page_of(evaluation | {"source": {"log": HOSTILE, "policy": HOSTILE}, "left_out": {HOSTILE: HOSTILE}})
    assert page.text.count(HOSTILE) > 5
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 4


def test_files_beside_the_page_hold_every_estimate(evaluation: dict[str, Any], tmp_path: Path) -> None:
    write_evaluation(evaluation, tmp_path / "spring report.html")
    csv = pd.read_csv(tmp_path / "spring report.estimates.csv")
    parquet = pd.read_parquet(tmp_path / "spring report.estimates.parquet")
    assert len(csv) == len(parquet) == len(evaluation["estimates"])
    assert csv.columns.tolist() == parquet.columns.tolist()
    for name in ("value", "ess", "truth"):
        assert csv[name].tolist() == pytest.approx(
            [float("nan") if e[name] is None else e[name] for e in evaluation["estimates"]], nan_ok=True
        )
    html = (tmp_path / "spring report.html").read_text(encoding="utf-8")
    assert 'href="spring%20report.estimates.csv"' in html


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (BARE, "This log says nothing yet: no policy was evaluated."),
        (
            BARE
            | {
                "estimates": [
                    {"policy": "new", "estimator": "somebody’s own", "objective": "reward", "value": 2.0}
                    | {"verdict": "trust", "reason": "because."}
                ]
            },
            "The log says of new, 2.00 a slate",
        ),
        (
            BARE
            | {
                "estimates": [
                    {"policy": "new", "estimator": "dr", "objective": "reward", "value": None}
                    | {"verdict": "do not use", "reason": "because."}
                ]
            },
            "Choose no policy by this log",
        ),
    ],
)
@pytest.mark.parametrize("form", ["html", "markdown", "json"])
def test_only_what_is_there_is_shown(found: dict[str, Any], words: str, form: Any, tmp_path: Path) -> None:
    text = write_evaluation(found, tmp_path / "page", form=form).read_text(encoding="utf-8")
    assert words in text
    assert "Estimates against the truth" not in text
    assert "How much more log would help" not in text


def test_slates_of_the_log_are_shown_with_pictures(
    page_of: Callable[..., Any], evaluation: dict[str, Any], catalog: Catalog
) -> None:
    item = {"item": 1, "item_id": "id-1", "title": HOSTILE, "category": "food", "price": 2.0}
    shown = {"policy": "static fusion", "items": [item], "click": [True], "conversion": [False]}
    examples = [shown | {"user": 4, "session": 1, "step": step} for step in range(3)]
    page = page_of(evaluation | {"examples": examples}, catalog=catalog)
    assert "User 4, session 2: slates 1, 2 and 3 of the session" in page.text
    assert "1 more of this session" in page.text
    assert "picture-0" in " ".join(page.attributes("class"))


def test_json_holds_the_numbers_and_the_answer(evaluation: dict[str, Any]) -> None:
    told = json.loads(render_evaluation(evaluation, form="json"))
    assert told["headline"].startswith("Of the 3 policies that this log can compare, ppo comes first")
    assert "How sure" in told["points"]
    assert {key: told[key] for key in evaluation} == evaluation


def test_markdown_is_narrow_complete_and_harmless(evaluation: dict[str, Any]) -> None:
    text = render_evaluation(evaluation)
    assert max(map(len, text.splitlines())) <= 80
    assert "<" not in re.sub(r"\\<", "", text)
    unwrapped = " ".join(text.split())
    for words in (
        "ppo comes first, but cannot be told from linucb",
        "## How sure",
        "3,000 more sessions would tell ppo from linucb.",
        "| ppo | 2.34, ",
        "● trust",
        "cascade-dr: needs items drawn",
    ):
        assert words in re.sub(r" +\|", " |", unwrapped)


def test_a_run_has_the_same_forms(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    run = make_run()
    assert write_report(run, form="markdown") == run / "report.md"
    text = (run / "report.md").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 80
    assert "**ppo wins: 28.1 a session" in text
    assert "## Would the log alone have told" in text
    assert write_report(run, form="json") == run / "report.json"
    told = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert told["headline"].startswith("ppo wins")
    assert {key: told[key] for key in metrics} == json.loads(json.dumps(metrics))
    assert render_report(run) == text


def test_a_page_elsewhere_links_to_the_files_of_its_run(make_run: MakeRun, read_page: Callable[[Path], Any]) -> None:
    run = make_run()
    out = run.parent / "elsewhere" / "page.html"
    page = read_page(write_report(run, out=out))
    links = [href for href in page.attributes("href") if not href.startswith(("#", "data:"))]
    assert "../run/metrics.json" in links
    assert "page.estimates.csv" in links
    assert all((out.parent / link).is_file() for link in links)


def test_other_forms_are_refused(evaluation: dict[str, Any], make_run: MakeRun, tmp_path: Path) -> None:
    wrong: Any = "pdf"
    for write in (
        lambda: write_evaluation(evaluation, tmp_path / "page.pdf", form=wrong),
        lambda: render_evaluation(evaluation, form=wrong),
        lambda: write_report(make_run(), form=wrong),
        lambda: render_report(make_run(), form=wrong),
    ):
        with pytest.raises(ValueError, match="no report as 'pdf'; choose from html, markdown, json"):
            write()
    assert not (tmp_path / "page.pdf").exists()
