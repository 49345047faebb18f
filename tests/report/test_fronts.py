"""Fronts in the report: figure, tables and sentences, and what fell while the return rose."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from recsim.report import tables
from recsim.report.fronts import falls, front_figure, front_sentences, front_table, hypervolumes
from recsim.report.palette import LIGHT, coloured
from recsim.report.read import Run, read_run

MakeRun = Callable[..., Path]


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return read_run(make_run())


def test_every_point_is_drawn_once_and_open_where_dominated(run: Run) -> None:
    figure = front_figure(run, "click", "novelty")
    assert figure is not None
    go.Figure(coloured(figure, LIGHT))  # raises on any unknown property or value
    json.dumps(figure, allow_nan=False)
    drawn = {trace["name"]: (trace["x"], trace["y"], trace["marker"]["symbol"]) for trace in figure["data"]}
    assert drawn == {
        "weighed static fusion": ([9.0, 7.0], [2.0, 4.0], "square"),
        "weighed static fusion (dominated)": ([8.0], [1.9], "square-open"),
        "told ppo": ([12.0, 11.0, 9.0], [3.0, 4.0, 5.0], "circle"),
    }
    assert figure["data"][2]["text"][1].startswith("preference: click 0%, conversion 50%, novelty 50%<br>click 11.000")


def test_tables_hold_every_number(run: Run) -> None:
    table = front_table(run)
    assert table is not None
    rows = [[cell.text for cell in cells] for cells, _ in table.rows]
    assert rows[1] == ["weighed static fusion", "0%", "50%", "50%", "8.00", "0.90", "1.90", "dominated"]
    assert len(rows) == 6
    volumes = hypervolumes(run)
    assert volumes is not None
    assert [[(cell.text, cell.note) for cell in cells] for cells, _ in volumes.rows] == [
        [("weighed static fusion", ""), ("25", "23 to 27"), ("—", "")],
        [("told ppo", ""), ("40", "38 to 42"), ("+15", "13 to 17")],
    ]


def test_sentences_say_which_covers_more_and_what_moves(run: Run) -> None:
    assert front_sentences(run) == [
        "told ppo covers more than weighed static fusion: +15 (95% interval 13 to 17), 60% of the latter's "
        "hypervolume.",
        "weighed static fusion, where novelty alone counts against where click alone does: click down (−2.00, −2.20 to "
        "−1.80), conversion not clearly changed (−0.20, −0.40 to 0.00) and novelty up (+2.00, 1.80 to 2.20).",
        "told ppo, where novelty alone counts against where click alone does: click down (−3.00, −3.20 to −2.80), "
        "conversion not clearly changed (−0.10, −0.30 to 0.10) and novelty up (+2.00, 1.80 to 2.20).",
    ]


def test_a_difference_of_hypervolumes_may_be_unclear_or_a_loss(run: Run) -> None:
    front = run.metrics.front
    assert front is not None
    for low, high, words in ((-2.0, 1.0, "cannot be told in what it covers from"), (-2.0, -1.0, "covers less than")):
        more = front.differences[0].model_copy(update={"mean": (low + high) / 2, "low": low, "high": high})
        changed = front.model_copy(update={"differences": (more,)})
        other = replace(run, metrics=run.metrics.model_copy(update={"front": changed}))
        assert words in front_sentences(other)[0]


def test_a_run_without_fronts_has_none(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    run = read_run(make_run(metrics=metrics | {"front": None}))
    assert front_figure(run, "click", "novelty") is front_table(run) is hypervolumes(run) is None
    assert front_sentences(run) == []


def change(name: str, objective: str, low: float, high: float) -> dict[str, Any]:
    ends = {"mean": (low + high) / 2, "se": (high - low) / 4, "low": low, "high": high}
    return {"policy": name, "against": "static fusion", "objective": objective, **ends}


@pytest.mark.parametrize(
    ("reward", "novelty", "flagged"),
    [((1, 3), (-3, -1), True), ((-1, 3), (-3, -1), False), ((1, 3), (-3, 1), False), ((-3, -1), (-3, -1), False)],
)
def test_what_fell_clearly_while_the_return_rose_clearly_is_flagged(
    make_run: MakeRun, metrics: dict[str, Any], reward: tuple[int, int], novelty: tuple[int, int], flagged: bool
) -> None:
    pairs = (("reward", reward), ("click", (2, 4)), ("conversion", (-1, 1)), ("novelty", novelty))
    differences = [change("ppo", name, *ends) for name, ends in pairs]
    run = read_run(make_run(metrics=metrics | {"differences": differences}))
    table = tables.differences(run)
    assert table is not None
    cell = table.rows[0][0][4]
    assert (cell.mark == "caution") is flagged
    assert ("fell while the return rose" in cell.note) is flagged
    expected = ["ppo against static fusion: return up (+2.0), click up (+3.0) and novelty down (−2.0)."]
    assert falls(run) == (expected if flagged else [])
