"""What `recsim bench coverage` counts, at sizes that take no time; coverage itself is measured by the command."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from recsim.experiments.bench import coverage as bench
from recsim.experiments.bench.coverage import CoverageSize, coverage, intervals_of, terms_of, verdicts_of
from recsim.experiments.bench.coverage_worlds import World, worlds
from recsim.experiments.bench.tables import print_coverage
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Lines, Silent
from recsim.ope import Resamples
from recsim.ope.terms import Terms

SMALL = CoverageSize(replications=3, n_boot=20)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return coverage(SMALL, Silent())


@pytest.mark.parametrize("world", worlds(), ids=lambda world: world.name)
def test_estimators_are_right_on_average_and_weights_are_bounded(world: World) -> None:
    """Exactly, by the chances of all cells: position-wise weights, a wrong model, and the truth."""
    for cells in (world.cells, world.rival):
        if cells is None:
            continue
        weight = np.exp(np.cumsum(cells.target - cells.logged, axis=1))
        assert cells.chance.sum() == pytest.approx(1.0)
        assert np.einsum("c,ck->k", cells.chance, weight) == pytest.approx(np.ones(weight.shape[1]))
        assert np.einsum("c,ck,cko->o", cells.chance, weight, cells.expected) == pytest.approx(cells.value)
        corrected = cells.model_target + weight[:, :, None] * (cells.expected - cells.model)
        assert np.einsum("c,cko->o", cells.chance, corrected) == pytest.approx(cells.value)
        assert (weight.max(axis=0) <= cells.largest * (1 + 1e-9)).all()
        assert (weight.max(axis=0) > 0.5 * cells.largest).all()
        assert np.abs(cells.model - cells.expected).max() > 0.05


@pytest.mark.parametrize("world", worlds(), ids=lambda world: world.name)
def test_the_truth_is_what_logs_earn_on_average(world: World) -> None:
    logs = world.draw(np.random.default_rng(0), 150)
    terms = terms_of(world, world.cells, logs)
    for name, part in terms.items():
        if name in ("dr", "rips", "sips"):
            error = 4 * np.sqrt(len(part) / (len(part) - 1) * np.square(part.influence).sum(axis=0))
            assert (np.abs(part.value - world.truth) < error).all(), name
    lengths = logs.there.sum(axis=2)
    assert (lengths.min(), lengths.max()) == ((1, world.most) if world.most > 1 else (1, 1))


def test_every_interval_is_counted_for_every_estimator(found: dict[str, Any]) -> None:
    counted = {(one["world"], one["estimator"], one["interval"]) for one in found["intervals"]}
    assert len(counted) == len(found["intervals"])
    for world in worlds():
        for name in world.names.values():
            assert {(world.name, name, method) for method in ("normal", "student t", "bootstrap")} <= counted
        assert ((world.name, world.names["dr"], "difference, bootstrap") in counted) == (world.rival is not None)
        assert ((world.name, world.names["dr"], "ellipsoid") in counted) == (len(world.truth) > 1)
    assert {one["interval"] for one in found["intervals"]} == set(bench.KINDS)
    assert {(one["world"], one["estimator"]) for one in found["verdicts"]} == {
        (world.name, name) for world in worlds() for name in world.names.values()
    }
    for one in found["intervals"]:
        assert one["coverage"] in (0.0, 1 / 3, 2 / 3, 1.0)
        assert one["width"] > 0
        assert one["kept"] is None  # by three logs nothing is decided
    for one in found["verdicts"]:
        assert one["trust"] + one["caution"] + one["do not use"] == pytest.approx(1.0)


def test_it_is_json_with_where_and_how_it_was_measured(found: dict[str, Any]) -> None:
    again = json.loads(json.dumps(found, allow_nan=False))
    assert (again["replications"], again["n_boot"], again["level"], again["seed"]) == (3, 20, 0.95, 0)
    assert again["cpu_seconds"] > 0
    assert {"cpu", "cores", "system"} <= set(again["machine"])
    assert "numpy" in again["versions"]
    rare = {one["name"]: one for one in again["worlds"]}["rare weights of 1,000"]
    assert (rare["largest_weight"], rare["good"]) == (pytest.approx(1000.0), False)
    assert rare["truth"][0] == pytest.approx(0.4 * (0.6 + 0.4) / 2 + 0.6 * (0.2 + 0.1) / 2)


def test_logs_do_not_depend_on_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    world = worlds()[0]
    monkeypatch.setattr(bench, "worlds", lambda: [world])
    few, more = (bench._Tally(world, CoverageSize(replications=n, n_boot=20)) for n in (4, 60))
    list(few.measure())
    list(more.measure())
    for key, widths in few._widths.items():
        assert more._widths[key][:4] == widths


def test_a_hit_is_counted_where_the_interval_holds_the_truth() -> None:
    world = worlds()[0]
    for truth, share in ((world.cells.value, 1.0), (np.array([0.9]), 0.0)):
        tally = bench._Tally(replace(world, cells=replace(world.cells, value=truth), rival=None), SMALL)
        assert list(tally.measure()) == [1, 2, 3]
        rows = {(one["estimator"], one["interval"]): one for one in tally.rows()}
        for method in ("maurer-pontil", "betting"):
            assert rows["ips", method]["coverage"] == share
        said = {one["estimator"]: one for one in tally.verdict_rows()}["ips"]
        assert said["coverage"] == rows["ips", "bootstrap"]["coverage"]
        if not share:
            assert (said["missed"], said["coverage_if_trusted"], said["warned_if_missed"]) == (3, 0.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "good", "share", "level", "kept"),
    [
        ("asymptotic", True, 0.95, 0.95, True),
        ("asymptotic", True, 0.934, 0.95, False),
        ("asymptotic", True, 0.971, 0.95, False),
        ("asymptotic", True, 0.934, 0.9, None),  # what is asked is of 95 % intervals
        ("asymptotic", False, 0.3, 0.95, None),
        ("guaranteed", True, 0.96, 0.95, True),
        ("guaranteed", False, 0.94, 0.95, False),
        ("guaranteed", False, 0.94, 0.9, True),
        ("", True, 0.5, 0.95, None),
    ],
)
def test_what_is_asked_of_an_interval(kind: str, good: bool, share: float, level: float, kept: bool | None) -> None:
    world = replace(worlds()[0], good=good)
    assert bench._Tally(world, CoverageSize(replications=1000, level=level))._kept(kind, share) is kept
    assert bench._Tally(world, CoverageSize(replications=999, level=level))._kept(kind, share) is None


def test_intervals_and_verdicts_are_the_librarys(found: dict[str, Any]) -> None:
    world = worlds()[4]
    logs = world.draw(np.random.default_rng(1), 2)
    terms = terms_of(world, world.cells, logs)["sips"]
    one = Terms(terms.numerator[: world.sessions], terms.denominator[: world.sessions])
    intervals = intervals_of(world, "sips", one, Resamples.draw(world.sessions, 20, 0), 0.95)
    assert (intervals["hoeffding"].low[0], intervals["hoeffding"].high[0]) == (0.0, 1.0)
    own = dict.fromkeys(world.names, one)
    verdict = verdicts_of(world, logs, 0, own)["sips"]
    assert verdict.level != "trust"


def test_the_terminal_shows_every_interval(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    first, *others = found["intervals"]
    print_coverage({**found, "intervals": [{**first, "kept": True}, *others]})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [" ".join(line.split()) for line in lines]
    for world in worlds():
        assert f"{world.name}: 3 logs" in rows
    one = found["intervals"][0]
    wanted = f"ips normal {100 * one['coverage']:.1f}% {100 * one['se']:.1f} {one['width']:.3f} yes"
    assert rows.count(wanted) == 1
    said = found["verdicts"][-1]
    assert f"dr: trust {said['trust']:.0%}, caution {said['caution']:.0%}, do not use {said['do not use']:.0%}" in rows


def test_it_tells_what_it_does_and_refuses_nonsense() -> None:
    console = Console(width=100, record=True)
    coverage(CoverageSize(replications=2, n_boot=2), Lines(console))
    assert all(f"coverage: {world.name}" in console.export_text(clear=False) for world in worlds())
    with pytest.raises(UserError, match="1 replications with 200 bootstrap draws at level 0.95 cannot be measured"):
        coverage(CoverageSize(replications=1), Silent())
    with pytest.raises(UserError, match="at level 95 cannot be measured"):
        coverage(CoverageSize(level=95), Silent())
