"""Sentences computed from numbers, case by case."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsim.report.cautions import warnings_by_subject
from recsim.report.offline_sentences import log_alone
from recsim.report.read import Run, read_run
from recsim.report.sentences import headline, how_sure, points, room, tipping_weights, trades

LENGTH = {"mean": 5.0, "se": 0.1, "low": 4.8, "high": 5.2}


def interval(mean: float, se: float = 0.1) -> dict[str, float]:
    return {"mean": mean, "se": se, "low": mean - 2 * se, "high": mean + 2 * se}


def policy(name: str, click: float, novelty: float, slate: float | None = None, kind: str = "") -> dict[str, Any]:
    """A policy whose return is click + 2 × novelty."""
    truth = {"click": interval(click), "novelty": interval(novelty), "reward": interval(click + 2 * novelty)}
    value = None if slate is None else {key: interval(slate) for key in truth}
    return {"name": name, "kind": kind or name, "truth": truth | {"length": LENGTH}, "slate_truth": value}


def difference(name: str, objective: str, mean: float, se: float = 0.5, against: str = "old") -> dict[str, Any]:
    return {"policy": name, "against": against, "objective": objective, **interval(mean, se)}


def lead(name: str, against: str, mean: float) -> dict[str, Any]:
    return difference(name, "reward", mean, se=0.25, against=against) | {"estimator": "dr"}


def estimate(
    name: str, value: float | None, verdict: str = "trust", estimator: str = "dr", **more: Any
) -> dict[str, Any]:
    ends = {"low": None, "high": None} if value is None else {"low": value - 0.2, "high": value + 0.2}
    told = {"policy": name, "estimator": estimator, "objective": "reward", "verdict": verdict, "reason": "because."}
    return told | {"value": value, "se": 0.1, **ends} | more


@pytest.fixture
def build(make_run: Callable[..., Path]) -> Callable[..., Run]:
    def make(policies: list[dict[str, Any]], **more: Any) -> Run:
        metrics = {
            "schema": 1,
            "name": "test",
            "seed": 0,
            "catalog": {"name": "drawn", "n_items": 12},
            "objectives": ["click", "novelty"],
            "weights": [1.0, 2.0],
            "slate_size": 5,
            "horizon": 10,
            "n_users": 1500,
            "level": 0.9,
            "log": {"policy": "old", "slates": 1000, "sessions": 100},
            "policies": policies,
        }
        return read_run(make_run(metrics=json.loads(json.dumps(metrics | more)), examples=None, curve=None))

    return make


OLD, NEW, RISKY = policy("old", 4.0, 1.0), policy("new", 7.0, 0.5), policy("risky", 2.0, 2.5)  # returns 6, 8 and 7


def test_headline_of_a_winner(build: Callable[..., Run]) -> None:
    run = build([OLD, NEW], best=[difference("new", "reward", 2.0)])
    assert headline(run) == "new wins: 8.00 a session, 2.0 more than old (paired 90% interval 1.0 to 3.0)."


def test_headline_without_a_clear_winner(build: Callable[..., Run]) -> None:
    run = build([OLD, NEW], best=[difference("new", "reward", 2.0, se=1.5)])
    assert headline(run) == (
        "new leads, but cannot be told from old: 8.00 a session, 2.0 more (paired 90% interval −1.0 to 5.0)."
    )
    assert "interval of the difference to old includes 0" in how_sure(run)


def test_a_winner_must_be_told_from_every_other(build: Callable[..., Run]) -> None:
    found = [difference("new", "reward", 2.0), difference("new", "reward", 0.4, against="risky")]
    run = build([OLD, NEW, RISKY], best=found, baseline="old")
    assert headline(run) == (
        "new leads, but cannot be told from risky: 8.00 a session, 2.0 more than old "
        "(paired 90% interval, adjusted for 2 comparisons, 1.0 to 3.0)."
    )
    assert "interval of the difference to risky includes 0" in how_sure(run)
    found[0] = difference("new", "reward", 0.5)
    run = build([OLD, NEW, RISKY], best=found, baseline="old")
    assert headline(run).startswith("new leads, but cannot be told from risky or old: ")
    assert "intervals of the differences to risky and old include 0" in how_sure(run)


def test_headline_where_the_baseline_wins_names_the_next_best(build: Callable[..., Run]) -> None:
    lead = [difference("old", "reward", 4.0, against="new")]
    run = build([OLD, policy("new", 1.0, 0.5)], best=lead, baseline="old")
    assert headline(run) == "old wins: 6.00 a session, 4.0 more than new (paired 90% interval 3.0 to 5.0)."


def test_headline_never_rounds_an_end_to_zero(build: Callable[..., Run]) -> None:
    gain = difference("new", "reward", 2.0) | {"low": 0.003}
    assert "interval 0.003 to 3.000" in headline(build([OLD, NEW], best=[gain]))


def test_oracles_never_win(build: Callable[..., Run]) -> None:
    run = build([OLD, NEW, policy("seer", 30.0, 5.0, kind="myopic_oracle")], best=[difference("new", "reward", 2.0)])
    assert headline(run).startswith("new wins")
    assert room(run) == (
        "new earns 20% of what seer earns, which sees the hidden interests but does not plan for later slates; "
        "it is no upper bound."
    )


def test_how_sure_names_the_closest_rival(build: Callable[..., Run]) -> None:
    found = [difference("new", "reward", 2.0), difference("new", "reward", 1.5, against="risky")]
    text = how_sure(build([OLD, NEW, RISKY], best=found))
    assert "1,500 simulated users" in text
    assert (
        "The closest rival, risky, is 1.5 behind (paired 90% interval, adjusted for 2 comparisons, 0.5 to 2.5), "
        "3 standard errors."
    ) in text


def test_trades_say_what_is_not_clear(build: Callable[..., Run]) -> None:
    found = [difference("new", "reward", 2.0), difference("new", "click", 3.0), difference("new", "novelty", -0.5)]
    text = trades(build([OLD, NEW], best=found))
    assert text == "Per session, new against old: click +3.0 and novelty −0.5, not clear."


def test_what_a_language_model_counts_is_told_of_each_policy_that_it_ranks(build: Callable[..., Run]) -> None:
    found = [
        {**NEW, "judge": {"weight": 0.314159, "fitted": True}},
        {**RISKY, "judge": {"weight": 0.0, "fitted": True}},
        {**OLD, "judge": {"weight": 0.0, "fitted": False}},
    ]
    told = {point.title: point.text for point in points(build(found))}
    assert told["What the language model counts"] == (
        "new: its log-odds times 0.314 are added to those of the static fusion, a weight fitted on the log. "
        "risky: nothing, since the log does not bear out its answers (a likelihood-ratio test at 5% does not find "
        "their weight above 0), so this policy ranks as the static fusion does. "
        "old: its log-odds times 0 are added to those of the static fusion, a weight set by hand."
    )
    assert "What the language model counts" not in {point.title for point in points(build([OLD, NEW]))}


def test_tipping_weight_by_hand(build: Callable[..., Run]) -> None:
    # new leads risky by 5 × click - 2 × novelty and old by 3 × click - 0.5 × novelty: 5 c = 4 and 5 = 2 n come first.
    text = tipping_weights(build([OLD, NEW, RISKY]))
    assert text == (
        "Going by the means alone, risky leads once the weight of click falls below 0.8 (now 1) and "
        "risky leads once the weight of novelty rises above 2.5 (now 2)."
    )


def test_winner_under_all_weights(build: Callable[..., Run]) -> None:
    text = tipping_weights(build([OLD, policy("new", 7.0, 2.0)]))
    assert text == "No weight of a single objective, 0 or more, would put another policy above new."


def test_speaker_has_the_best_verdict_then_the_first_estimator(build: Callable[..., Run]) -> None:
    offline = [
        estimate("new", 1.0, "do not use", "dr"),
        estimate("new", 2.0, "caution", "sips"),
        estimate("new", 3.0, "caution", "snrips"),
        estimate("new", None, "trust", "rips"),
        estimate("new", 4.0, "trust", "dm", objective="click"),
    ]
    found = build([OLD, NEW], offline=offline).offline.speaker("new")
    assert found is not None
    assert found.estimator == "snrips"


@pytest.mark.parametrize(
    ("offline", "leads", "answer"),
    [
        ([], [], "This run has no offline estimates."),
        (
            [estimate("new", 3.0), estimate("old", 2.0)],
            [lead("new", "old", 1.0)],
            "Yes. By dr, new is ahead of old by 1.0 a slate (paired 90% interval 0.5 to 1.5).",
        ),
        (
            [estimate("new", 3.0), estimate("old", 2.0, "caution")],
            [lead("new", "old", 1.0)],
            "Yes, with caution. By dr, new is ahead of old by 1.0 a slate (paired 90% interval 0.5 to 1.5).",
        ),
        (
            [estimate("new", 2.3), estimate("old", 2.0)],
            [lead("new", "old", 0.3)],
            "Only as a hint. By dr, new comes first but cannot be told from old: it is ahead of old by 0.3 a slate "
            "(paired 90% interval −0.2 to 0.8).",
        ),
        (
            [estimate("new", 1.0), estimate("old", 2.0)],
            [lead("old", "new", 1.0)],
            "No. By dr, old is ahead of new by 1.0 a slate (paired 90% interval 0.5 to 1.5); in truth new leads.",
        ),
        (
            [estimate("new", 1.0, estimator="sips"), estimate("old", 2.0)],
            [lead("old", "risky", 1.0)],
            "No. By dr, which can compare most policies, there is no usable estimate of new.",
        ),
        ([estimate("new", 2.0), estimate("old", 2.0, "caution", "dm")], [], "No. No two policies have usable"),
        (
            [estimate("new", 1.0, "do not use"), estimate("old", 2.0)],
            [],
            "No. The log has no usable estimate of new. The mildest reason: because.",
        ),
        ([estimate("old", 2.0)], [], "No. The log has no usable estimate of new."),
    ],
)
def test_what_the_log_alone_would_have_told(
    build: Callable[..., Run], offline: list[dict[str, Any]], leads: list[dict[str, Any]], answer: str
) -> None:
    assert log_alone(build([OLD, NEW, RISKY], offline=offline, offline_differences=leads)).startswith(answer)


def test_the_log_tells_the_best_from_every_other(build: Callable[..., Run]) -> None:
    offline = [estimate("new", 3.0), estimate("old", 2.0), estimate("risky", 2.2)]
    leads = [lead("new", "old", 1.0), lead("new", "risky", 0.8)]
    text = log_alone(build([OLD, NEW, RISKY], offline=offline, offline_differences=leads))
    assert text == (
        "Yes. By dr, new is ahead of risky by 0.8 a slate (paired 90% interval, adjusted for 2 comparisons, "
        "0.3 to 1.3) and clear of every other policy that can be compared."
    )


def test_policies_that_the_log_is_silent_about(build: Callable[..., Run]) -> None:
    offline = [estimate("new", 3.0), estimate("old", 2.0), estimate("risky", 2.0, "do not use")]
    leads = [lead("new", "old", 1.0)]
    run = build([OLD, NEW, RISKY], offline=offline, offline_differences=leads)
    assert log_alone(run).endswith("It has no usable estimate of risky.")
    offline[0] = estimate("new", 3.0, "do not use")
    assert log_alone(build([OLD, NEW, RISKY], offline=offline)).endswith("Nor has it one of risky.")


def test_best_slate_that_is_not_the_best_session(build: Callable[..., Run]) -> None:
    both = [policy("old", 4.0, 1.0, slate=3.0), policy("new", 7.0, 0.5, slate=2.0)]
    offline = [estimate("new", 3.0), estimate("old", 2.0)]
    text = log_alone(build(both, offline=offline, offline_differences=[lead("new", "old", 1.0)]))
    assert "even a perfect offline estimate would name old" in text


@pytest.mark.parametrize(
    ("first", "other", "so"), [("new", "old", "So it is in truth."), ("old", "new", "In truth new leads.")]
)
def test_the_log_is_asked_of_whole_sessions_too(build: Callable[..., Run], first: str, other: str, so: str) -> None:
    offline = [estimate(name, 30.0, estimator="session-dr", estimand="session") for name in ("new", "old")]
    leads = [lead(first, other, 1.0) | {"estimator": "session-dr"}]
    run = build([OLD, NEW], offline=offline, session_differences=leads)
    found = {point.title: point.text for point in points(run)}
    assert found["And of whole sessions"] == (
        f"By session-dr, {first} comes first: 1.0 more than {other} (paired 90% interval 0.5 to 1.5). {so}"
    )
    assert "And of whole sessions" not in [point.title for point in points(build([OLD, NEW]))]


def test_warnings_stand_under_their_policy(build: Callable[..., Run]) -> None:
    note = "note: of no policy."  # said of every policy
    warnings = ["new, whole slates: it is far: off.", note, "new, whole slates: one more.", note]
    assert warnings_by_subject(["old", "new"], warnings) == {
        "new, whole slates": ["It is far: off.", "One more."],
        "the log": ["Note: of no policy."],
    }


def test_points_without_words_are_left_out(build: Callable[..., Run]) -> None:
    titles = [point.title for point in points(build([OLD]))]
    assert titles == ["How sure", "Would the log alone have told"]
