"""The document of an evaluation: what it ranks first, who speaks for a policy, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsim.report.read import read_evaluation, read_run

SMALL: dict[str, Any] = {"level": 0.95, "n_slates": 10, "n_sessions": 5, "objectives": ["reward"]}


def estimate(policy: str, estimator: str, value: float | None, **more: Any) -> dict[str, Any]:
    told = {"policy": policy, "estimator": estimator, "objective": "reward", "value": value}
    return told | {"verdict": "trust", "reason": "because."} | more


def test_speaker_is_of_one_estimand_and_unknown_estimators_come_last() -> None:
    found = read_evaluation(
        SMALL
        | {
            "estimates": [
                estimate("new", "somebody's own", 1.0),
                estimate("new", "sips", 2.0),
                estimate("new", "fqe", 30.0, estimand="session"),
                estimate("new", "session-dr", 31.0, estimand="session"),
                estimate("old", "b", 1.0),
                estimate("old", "a", 2.0),
            ]
        }
    )
    assert found.estimands == ["slate", "session"]
    spoken = [found.speaker("new"), found.speaker("new", estimand="session"), found.speaker("old")]
    assert [one.estimator for one in spoken if one] == ["sips", "session-dr", "a"]
    assert found.speaker("nobody") is None


def test_policies_stand_as_the_log_ranks_them() -> None:
    lead = {"policy": "led", "against": "low", "estimator": "dr", "objective": "reward"}
    found = read_evaluation(
        SMALL
        | {
            "estimates": [
                estimate("none", "dr", None, verdict="do not use"),
                estimate("far", "dr", 99.0, verdict="do not use"),
                estimate("low", "dr", 1.0),
                estimate("high", "sips", 9.0),
                estimate("led", "dr", 2.0),
            ],
            "differences": [lead | {"mean": 1.0, "se": 0.1, "low": 0.8, "high": 1.2}],
        }
    )
    assert found.policies == ["led", "high", "low", "far", "none"]
    assert found.first == "led"


def test_a_run_ranks_by_the_truth_and_knows_that_of_sessions(
    make_run: Callable[..., Path], metrics: dict[str, Any]
) -> None:
    session = metrics["offline"][-1] | {"estimand": "session", "estimator": "pdis", "truth": 2.4}
    run = read_run(make_run(metrics=metrics | {"offline": [*metrics["offline"], session]}))
    assert run.offline.policies == ["ppo", "linucb", "static fusion", "popularity", "uniform"]
    assert run.offline.first == "ppo"
    own = run.offline.speaker("ppo", estimand="session")
    assert own is not None
    assert own.truth == run.shippable[0].truth["reward"].mean
    assert {e.truth for e in run.offline.of("ppo")} == {2.4}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"level": 95}, "level: Input should be less than 1"),
        ({"n_slates": None}, "n_slates: Input should be a valid integer"),
        ({"objectives": []}, "objectives: Tuple should have at least 1 item"),
        ({"estimates": [{"policy": "new"}]}, r"estimates\[0\].estimator: Field required \(4 more such places\)"),
        ({"overlap": {"new": {"histogram": {"low": 0, "high": 1, "counts": []}}}}, r"overlap.new.histogram.counts"),
    ],
)
def test_what_is_no_evaluation_is_refused(change: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=rf"the evaluation: {place}.*Evaluation.to_dict"):
        read_evaluation(SMALL | change)
