"""Figures: what plotly is given is valid, complete and true to the numbers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from recsim.report import figures, offline_figures, overlap_figures
from recsim.report.chart import Figure
from recsim.report.curve_figure import learning_curve
from recsim.report.overlap import overlap_rows
from recsim.report.palette import DARK, LIGHT, coloured
from recsim.report.read import Run, read_run

MakeRun = Callable[..., Path]


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return read_run(make_run())


def _all(run: Run) -> list[Figure]:
    found = [
        figures.returns(run),
        figures.differences(run),
        figures.trade_off(run, "click", "novelty"),
        learning_curve(run),
        offline_figures.estimates(run.offline),
        overlap_figures.effective_sizes(run.offline),
    ]
    return [figure for figure in found if figure is not None]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_plotly_accepts_every_figure(run: Run, theme: dict[str, str]) -> None:
    found = _all(run)
    assert len(found) == 6
    for figure in found:
        json.dumps(figure, allow_nan=False)
        resolved = coloured(figure, theme)
        assert "@" not in json.dumps(resolved)
        go.Figure(resolved)  # raises on any unknown property or value


def test_returns_are_those_of_the_run(run: Run) -> None:
    figure = figures.returns(run)
    for trace, policy in zip(figure["data"], run.ranked, strict=True):
        truth = policy.truth["reward"]
        assert trace["y"] == [policy.name]
        assert trace["x"] == [truth.mean]
        assert trace["x"][0] + trace["error_x"]["array"][0] == pytest.approx(truth.high)
        assert trace["x"][0] - trace["error_x"]["arrayminus"][0] == pytest.approx(truth.low)
    assert figure["layout"]["annotations"][1]["text"] == "28.1"


def test_differences_leave_out_oracles_and_the_baseline(run: Run) -> None:
    figure = figures.differences(run)
    assert figure is not None
    assert [trace["y"][0] for trace in figure["data"]] == ["ppo", "linucb", "popularity", "uniform"]
    assert [note["text"] for note in figure["layout"]["annotations"]][:2] == ["+9.1", "+2.6"]


def test_difference_that_is_not_clear_is_grey(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    unclear = [{**d, "low": -1.0, "high": 20.0} if d["policy"] == "ppo" else d for d in metrics["differences"]]
    figure = figures.differences(read_run(make_run(metrics=metrics | {"differences": unclear})))
    assert figure is not None
    assert [trace["marker"]["color"] for trace in figure["data"]] == ["@muted", "@accent", "@accent", "@accent"]


def test_front_holds_what_nothing_beats(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    places = {"uniform": (1.0, 5.0), "popularity": (2.0, 1.0), "static fusion": (2.0, 4.0), "linucb": (3.0, 4.0)}
    policies = []
    for policy in metrics["policies"][:4]:
        moved = {
            key: {"mean": value, "se": 0.1, "low": value - 0.2, "high": value + 0.2}
            for key, value in zip(("click", "novelty"), places[policy["name"]], strict=True)
        }
        policies.append(policy | {"truth": policy["truth"] | moved})
    figure = figures.trade_off(read_run(make_run(metrics=metrics | {"policies": policies})), "click", "novelty")
    assert (figure["data"][0]["x"], figure["data"][0]["y"]) == ([1.0, 3.0], [5.0, 4.0])


def test_far_oracle_is_named_and_not_drawn(run: Run) -> None:
    figure = figures.trade_off(run, "click", "novelty")
    assert [trace["text"] for trace in figure["data"][1:]] == [[p.name] for p in run.shippable]
    assert figure["layout"]["annotations"][0]["text"].startswith("off the scale: myopic oracle, click 41")


def test_learning_curve_has_its_references(run: Run) -> None:
    figure = learning_curve(run)
    assert figure is not None
    fusion = next(policy for policy in run.metrics.policies if policy.name == "static fusion")
    assert [shape["y0"] for shape in figure["layout"]["shapes"]] == [fusion.truth["reward"].mean]
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert texts[0] == "static fusion"
    assert texts[1].startswith("off the scale: myopic oracle 79")


def test_near_oracle_is_drawn_in_the_learning_curve(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    near = json.loads(json.dumps(metrics))
    near["policies"][-1]["truth"]["reward"] = {"mean": 30.0, "se": 1.0, "low": 28.0, "high": 32.0}
    figure = learning_curve(read_run(make_run(metrics=near)))
    assert figure is not None
    assert [shape["y0"] for shape in figure["layout"]["shapes"]][1:] == [30.0]
    assert figure["layout"]["yaxis"]["range"][1] > 30.0


def test_every_estimate_is_drawn_once(run: Run) -> None:
    figure = offline_figures.estimates(run.offline)
    assert figure is not None
    by_name = {trace.get("name", "undefined"): len(trace["y"]) for trace in figure["data"]}
    # Popularity has 5 undefined ones (ESS 0); uniform 5 of little use (ESS 2.3), of which SIPS is far out.
    assert by_name == {"trust": 8, "caution": 12, "do not use": 4, "off the scale": 1, "undefined": 5, "true value": 1}
    assert len(figure["layout"]["shapes"]) == 5


def test_scale_fits_truths_and_usable_intervals(run: Run) -> None:
    figure = offline_figures.estimates(run.offline)
    assert figure is not None
    low, high = figure["layout"]["xaxis"]["range"]
    reward = [e for e in run.metrics.offline if e.objective == "reward"]
    usable = [e for e in reward if e.verdict != "do not use"]
    assert all(low < end < high for e in usable for end in (e.low, e.high, e.truth) if end is not None)
    for trace in figure["data"][:3]:
        drawn = [x + a for x, a in zip(trace["x"], trace["error_x"]["array"], strict=True)]
        assert max(drawn) <= high + 1e-9
        assert min(x - a for x, a in zip(trace["x"], trace["error_x"]["arrayminus"], strict=True)) >= low - 1e-9


def test_overlap_groups_estimators_with_the_same_weights(run: Run) -> None:
    rows = {(row.policy, row.estimators): row.ess for row in overlap_rows(run.offline)}
    assert rows["ppo", "sips, snsips"] == 180.0
    assert rows["ppo", "rips, snrips, dr"] == 900.0
    assert not any("dm" in estimators for _, estimators in rows)


def test_tiny_effective_sizes_are_drawn_at_one(run: Run) -> None:
    figure = overlap_figures.effective_sizes(run.offline)
    assert figure is not None
    assert min(x for trace in figure["data"] for x in trace["x"]) == 1.0
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["50", "500", "log"]


def test_figures_that_have_no_data(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    run = read_run(make_run(metrics=metrics | {"differences": [], "offline": []}, curve=None))
    assert figures.differences(run) is None
    assert learning_curve(run) is None
    assert offline_figures.estimates(run.offline) is None
    assert overlap_figures.effective_sizes(run.offline) is None


def _luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("ground", ["paper", "panel", "accent-soft"])
@pytest.mark.parametrize("name", ["ink", "muted", "accent", "trust", "caution", "refuse"])
def test_contrast_of_text_is_sufficient(theme: dict[str, str], ground: str, name: str) -> None:
    if (ground, name) == ("accent-soft", "muted"):
        return  # never used together: small print in the best row is ink
    lighter, darker = sorted((_luminance(theme[name]), _luminance(theme[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG 2.2, criterion 1.4.3
