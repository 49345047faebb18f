"""Reading a run folder: what is incomplete or damaged is told in one sentence with file and place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsim.report.read import read_run

MakeRun = Callable[..., Path]


def test_whole_run(make_run: MakeRun) -> None:
    run = read_run(make_run())
    assert [policy.name for policy in run.shippable] == ["ppo", "linucb", "static fusion", "popularity", "uniform"]
    assert run.ranked[0].name == "myopic oracle"
    assert run.baseline == "static fusion"
    assert run.catalog == "openclipart"
    assert run.timings == {"launch log": 1.234, "ppo": 73.21}
    assert [point.timesteps for point in run.curve or ()] == [0, 20_000, 40_000, 60_000, 80_000, 100_000]
    assert [name for name, _ in run.files] == [
        "metrics.json",
        "learning_curve.parquet",
        "examples.json",
        "config.yaml",
        "manifest.json",
    ]


def test_optional_parts(make_run: MakeRun) -> None:
    run = read_run(make_run(examples=None, curve=None))
    assert run.examples is None
    assert run.curve is None


def test_baseline_of_a_run_of_one_policy(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    one = metrics | {"policies": metrics["policies"][:1], "differences": [], "baseline": "uniform"}
    assert read_run(make_run(metrics=one)).baseline == "uniform"


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no run folder .*nowhere.*check the path"):
        read_run(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.yaml", "manifest.json", "metrics.json"])
def test_unfinished_run(make_run: MakeRun, name: str) -> None:
    run = make_run()
    (run / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"has no {name}, so the run is not finished.*--resume"):
        read_run(run)


@pytest.mark.parametrize("name", ["metrics.json", "manifest.json", "examples.json", "timings.json"])
def test_damaged_json(make_run: MakeRun, name: str) -> None:
    run = make_run()
    (run / name).write_text('{"schema": 1, ')
    with pytest.raises(ValueError, match=rf"{name} is no JSON"):
        read_run(run)


def test_damaged_parquet(make_run: MakeRun) -> None:
    run = make_run()
    (run / "learning_curve.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="learning_curve.parquet is no Parquet file"):
        read_run(run)


@pytest.mark.parametrize(("text", "problem"), [("a: [", "is no YAML"), ("just words", "holds no keys")])
def test_damaged_config(make_run: MakeRun, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=rf"config.yaml {problem}"):
        read_run(make_run(config=text))


def _without(metrics: dict[str, Any], *path: str | int) -> dict[str, Any]:
    copy: Any = json.loads(json.dumps(metrics))
    part = copy
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return dict(copy)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("policies",), "policies: Field required"),
        (("policies", 2, "truth", "reward", "se"), r"policies\[2\].truth.reward.se: Field required"),
        (("policies", 2, "truth", "novelty"), "truth of policy 'static fusion' lacks 'novelty'"),
        (("policies", 2, "truth", "length"), "truth of policy 'static fusion' lacks 'length'"),
        (("policies", 0, "slate_truth", "click"), "slate_truth of policy 'uniform' lacks 'click'"),
        (("weights", 0), "3 objectives but 2 weights"),
    ],
)
def test_missing_key_is_named(
    make_run: MakeRun, metrics: dict[str, Any], path: tuple[str | int, ...], place: str
) -> None:
    with pytest.raises(ValueError, match=rf"metrics.json: .*{place}"):
        read_run(make_run(metrics=_without(metrics, *path)))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"schema": 2}, r"schema: Input should be 1"),
        ({"level": 95}, "level: Input should be less than 1"),
        ({"policies": []}, "policies: Tuple should have at least 1 item"),
    ],
)
def test_impossible_value_is_named(
    make_run: MakeRun, metrics: dict[str, Any], change: dict[str, Any], place: str
) -> None:
    with pytest.raises(ValueError, match=place):
        read_run(make_run(metrics=metrics | change))


def test_example_with_an_answer_too_few(make_run: MakeRun) -> None:
    example = {"policy": "ppo", "user": 0, "step": 0, "items": [{"item": 3}], "click": [], "conversion": [False]}
    with pytest.raises(ValueError, match=r"examples.json: \[0\]: .*click has 0 entries for 1 items"):
        read_run(make_run(examples=[example]))


def test_undefined_numbers_become_none(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    estimate = metrics["offline"][0] | {"value": float("nan"), "low": None, "high": float("inf")}
    found = read_run(make_run(metrics=metrics | {"offline": [estimate]})).metrics.offline[0]
    assert (found.value, found.low, found.high) == (None, None, None)
