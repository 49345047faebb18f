"""Figures of what a log says: every number stands where it should, and plotly takes them all."""

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from recsim.report import offline_figures, overlap_figures, truth_figures
from recsim.report.coverage import Coverage
from recsim.report.coverage_figure import coverage_figure, coverage_table, coverage_words
from recsim.report.offline import Offline
from recsim.report.offline_part import offline_part
from recsim.report.palette import DARK, LIGHT, coloured
from recsim.report.read import read_evaluation
from recsim.report.spots import estimated_trade_off


@pytest.fixture(scope="module")
def found(evaluation: dict[str, Any]) -> Offline:
    return read_evaluation(evaluation)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_plotly_accepts_every_figure(found: Offline, theme: dict[str, str]) -> None:
    drawings = offline_part(found).drawings
    assert len({drawing.name for drawing in drawings}) == len(drawings) == 2 * 3 + 1 + 5 + 8 + 2
    for drawing in drawings:
        assert drawing.words
        assert "<" not in json.dumps([trace.get("name", "") for trace in drawing.figure["data"]])
        resolved = coloured(drawing.figure, theme)
        assert "@" not in json.dumps(resolved, allow_nan=False)
        go.Figure(resolved)  # raises on any unknown property or value


def test_slates_and_sessions_are_never_on_one_axis(found: Offline) -> None:
    slate, session = (offline_figures.estimates(found, one) for one in ("slate", "session"))
    assert slate is not None
    assert session is not None
    assert slate["layout"]["xaxis"]["title"]["text"] == "reward of one slate"
    assert session["layout"]["xaxis"]["title"]["text"] == "reward of one session"
    assert set(session["layout"]["yaxis"]["ticktext"]) == {"own session estimator", "session dr"}
    assert not set(slate["layout"]["yaxis"]["ticktext"]) & {"own session estimator", "session dr"}


def test_values_show_who_speaks_the_truth_and_what_the_log_earned(found: Offline) -> None:
    figure = offline_figures.values(found)
    assert figure is not None
    names = figure["layout"]["yaxis"]["ticktext"]
    assert names[0] == "ppo"
    assert "&lt;script&gt;al" in " ".join(names)
    lines = [shape["x0"] for shape in figure["layout"]["shapes"]]
    spoken = [found.speaker(name) for name in found.policies]
    assert lines == [one.truth for one in spoken if one] + [2.0]
    assert [trace["name"] for trace in figure["data"] if trace["x"] == [None]] == ["true value", "the log itself"]


def test_values_without_truth_have_no_line(evaluation: dict[str, Any]) -> None:
    blind = [estimate | {"truth": None} for estimate in evaluation["estimates"]]
    other = read_evaluation(evaluation | {"estimates": blind, "in_force": {}})
    figure = offline_figures.values(other)
    assert figure is not None
    assert figure["layout"]["shapes"] == []
    assert "true value" not in [trace["name"] for trace in figure["data"]]
    assert truth_figures.against_truth(other) == {}


def test_overlap_by_position_has_a_line_a_policy(found: Offline) -> None:
    figure = overlap_figures.by_position(found)
    assert figure is not None
    lines = {trace["name"]: trace for trace in figure["data"]}
    assert lines["static fusion"]["x"] == list(range(1, 11))
    assert lines["static fusion"]["y"][:3] == pytest.approx([10_000, 10_000 / 3, 10_000 / 9])
    assert lines["popularity"]["y"] == [1.0] * 10  # an effective size of 0 on a log scale
    assert lines["popularity"]["text"] == ["0"] * 10
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["50", "500", "log"]
    assert overlap_figures.by_position(found.model_copy(update={"overlap": {}})) is None


def test_histogram_has_shares_of_all_slates_and_a_bar_for_zero(found: Offline) -> None:
    figure = overlap_figures.histogram(found, "static fusion")
    assert figure is not None
    bars, zero = figure["data"]
    assert sum(bars["y"]) + zero["y"][0] == pytest.approx(1.0)
    assert zero["y"] == [pytest.approx(200 / 700)]  # 5 bars of 100 slates and 200 of weight 0
    assert max(zero["x"]) < min(bars["x"])
    centre = bars["x"][bars["y"].index(max(bars["y"]))]
    assert -1 < centre < 1
    assert {len(overlap_figures.histogram(found, name)["data"][0]["x"]) for name in found.overlap} == {len(bars["x"])}  # type: ignore[index]
    nothing = overlap_figures.histogram(found, "popularity")
    assert nothing is not None
    assert nothing["data"][1]["y"] == [1.0]
    assert overlap_figures.histogram_words(found, "popularity").endswith("100% have weight 0.")
    assert overlap_figures.histogram(found, "nobody") is None


def test_estimates_stand_over_the_truth_on_one_scale(found: Offline) -> None:
    panels = truth_figures.against_truth(found)
    assert list(panels) == ["sips", "rips", "snsips", "snrips", "dm", "dr"]
    assert len({tuple(panel["layout"]["yaxis"]["range"]) for panel in panels.values()}) == 1
    own = {(e.truth, e.value) for e in found.estimates if (e.estimator, e.objective) == ("dr", "reward")}
    drawn = {(x, y) for trace in panels["dr"]["data"][1:4] for x, y in zip(trace["x"], trace["y"], strict=True)}
    low, high = panels["dr"]["layout"]["yaxis"]["range"]
    assert drawn == {(truth, value) for truth, value in own if value is not None and low <= value <= high}
    assert len(drawn) == 3
    assert "error_y" in panels["dr"]["data"][1]
    assert "error_x" not in panels["dr"]["data"][1]
    far = panels["sips"]["data"][-1]
    assert far["name"] == "off the scale"
    assert set(far["marker"]["symbol"]) <= {"triangle-up", "triangle-down"}
    words = truth_figures.against_truth_words(found, "dr")
    assert words == "3 of 3 usable intervals of dr hold the true value; 2 estimates are not usable."


def test_calibration_is_predicted_against_observed(found: Offline) -> None:
    assert found.calibration is not None
    figure = truth_figures.calibration(found.calibration)
    assert figure is not None
    assert figure["data"][1]["x"] == [0.1, 0.4]
    assert figure["data"][1]["y"] == pytest.approx([0.09, 0.36])
    assert truth_figures.calibration(found.calibration.model_copy(update={"bins": ()})) is None


def test_coverage_is_taken_as_the_command_writes_it(evaluation: dict[str, Any]) -> None:
    figure = coverage_figure(evaluation["coverage"] | {"machine": {"cpu": "unknown keys do no harm"}})
    assert figure is not None
    assert {trace["name"]: trace["x"] for trace in figure["data"]} == {"as asked": [0.999], "nothing asked": [0.6]}
    assert figure["data"][0]["error_x"]["array"] == [pytest.approx(0.001)]  # no share is more than 1
    assert figure["layout"]["shapes"][0]["x0"] == 0.95
    measured = Coverage.model_validate(evaluation["coverage"])
    assert coverage_words(measured) == "1 of 1 95% intervals cover as asked; the table has the numbers."
    table = coverage_table(measured)
    assert table is not None
    texts = [[cell.text for cell in cells] for cells, _ in table.rows]
    assert texts[0] == ["rare weights", "dr", "bootstrap", "asymptotic", "60.0%", "0.400", "nothing asked"]
    assert coverage_figure({"level": 0.95}) is None


def test_trade_off_of_estimates_holds_the_usable_ones(found: Offline, evaluation: dict[str, Any]) -> None:
    figure = estimated_trade_off(found, "click", "novelty")
    assert figure is not None
    shown = {trace["text"][0]: (trace["x"][0], trace["y"][0]) for trace in figure["data"][1:]}
    assert len(shown) == 5  # of the two that are far from the log, the model alone speaks
    own = found.speaker("ppo")
    assert own is not None
    click, novelty = (found.by("ppo", own.estimator, name) for name in ("click", "novelty"))
    assert click is not None
    assert novelty is not None
    assert shown["ppo"] == (click.value, novelty.value)
    alone = [estimate for estimate in evaluation["estimates"] if estimate["policy"] == "ppo"]
    assert estimated_trade_off(read_evaluation(evaluation | {"estimates": alone}), "click", "novelty") is None
