"""What a log alone tells, case by case, in sentences."""

from typing import Any

import pytest

from recsim.ope import ESTIMATORS
from recsim.report.answers import headline, points
from recsim.report.assumed import assumed
from recsim.report.offline import Offline
from recsim.report.read import read_evaluation


def estimate(
    policy: str, value: float | None, verdict: str = "trust", estimator: str = "dr", **more: Any
) -> dict[str, Any]:
    ends = {"low": None, "high": None} if value is None else {"low": value - 0.2, "high": value + 0.2}
    told = {"policy": policy, "estimator": estimator, "objective": "reward", "verdict": verdict, "reason": "because."}
    return told | {"value": value, "se": 0.3, **ends} | more


def lead(policy: str, against: str, mean: float, estimator: str = "dr") -> dict[str, Any]:
    interval = {"mean": mean, "se": 0.25, "low": mean - 0.5, "high": mean + 0.5}
    return {"policy": policy, "against": against, "estimator": estimator, "objective": "reward", **interval}


def offline(*estimates: dict[str, Any], **more: Any) -> Offline:
    found = {"level": 0.9, "n_slates": 1000, "n_sessions": 100, "objectives": ["click", "novelty", "reward"]}
    return read_evaluation(found | {"estimates": estimates} | more)


def point(found: Offline, title: str) -> str:
    return next((one.text for one in points(found) if one.title == title), "")


@pytest.mark.parametrize(
    ("estimates", "leads", "answer"),
    [
        ([], [], "This log says nothing yet: no policy was evaluated."),
        (
            [estimate("new", 3.0), estimate("old", 2.0)],
            [lead("new", "old", 1.0)],
            "new promises most: 3.0 a slate, 1.0 more than old (paired 90% interval 0.5 to 1.5).",
        ),
        (
            [estimate("new", 3.0), estimate("old", 2.0, "caution")],
            [lead("new", "old", 1.0)],
            "new promises most, to be taken with caution: 3.0 a slate, 1.0 more than old (paired 90% interval 0.5 to "
            "1.5).",
        ),
        (
            [estimate("new", 2.3), estimate("old", 2.0), estimate("odd", 1.0)],
            [lead("new", "old", 0.3), lead("new", "odd", 1.3)],
            "new comes first, but cannot be told from old: 2.3 a slate, 0.3 more (paired 90% interval, adjusted for 2 "
            "comparisons, −0.2 to 0.8).",
        ),
        (
            [estimate("new", 3.0, "do not use"), estimate("old", None, "do not use")],
            [],
            "Choose no policy by this log: it has no usable estimate of any of them.",
        ),
        (
            [estimate("new", 3.0, "do not use"), estimate("old", 2.0)],
            [],
            "Only one policy can be judged by this log: old, 2.0 a slate (90% interval 1.8 to 2.2), by dr, verdict "
            "trust.",
        ),
        (
            [estimate("old", 2.0)],
            [],
            "The log says of old, 2.0 a slate (90% interval 1.8 to 2.2), by dr, verdict trust. It was compared with "
            "nothing.",
        ),
        (
            [estimate("new", 3.0, estimator="sips"), estimate("old", 2.0)],
            [],
            "No two policies can be compared by one estimator; the highest estimate is that of new, 3.0 a slate (90% "
            "interval 2.8 to 3.2), by sips, verdict trust.",
        ),
        (
            [estimate("new", 30.0, estimator="pdis", estimand="session")],
            [],
            "The log says of new, 30.0 a session (90% interval 29.8 to 30.2), by pdis, verdict trust. It was compared "
            "with nothing.",
        ),
    ],
)
def test_headline(estimates: list[dict[str, Any]], leads: list[dict[str, Any]], answer: str) -> None:
    assert headline(offline(*estimates, differences=leads)) == answer


NEW, OLD = estimate("new", 3.0), estimate("old", 2.0)


def test_how_sure_names_the_estimate_and_what_is_in_force() -> None:
    found = offline(NEW, OLD, differences=[lead("new", "old", 1.0)], source={"policy": "old"})
    assert point(found, "How sure") == (
        "dr says 3.0 a slate for new (90% interval 2.8 to 3.2). Its verdict is trust: because. It is worth 1.0 more "
        "than old (paired 90% interval 0.5 to 1.5), which is in force. No other estimator has usable estimates of all "
        "the policies that are compared."
    )


def test_what_the_log_earned_stands_in_where_its_policy_was_not_evaluated() -> None:
    earned = {"slate": {"reward": {"mean": 1.8, "se": 0.3, "low": 1.6, "high": 2.0}}}
    leads = [lead("new", "old", 1.0)]
    found = offline(NEW, OLD, differences=leads, source={"policy": "production"}, in_force=earned)
    assert "The log itself earned 1.8 a slate." in point(found, "How sure")
    found = offline(NEW, OLD, differences=leads, source={"policy": "new"}, in_force=earned)
    assert "The log itself" not in point(found, "How sure")


def test_other_estimators_may_agree_or_not() -> None:
    leads = [lead("new", "old", 1.0)]
    agreeing = [estimate("new", 5.0, estimator="sips"), estimate("old", 4.0, estimator="sips")]
    found = offline(NEW, OLD, *agreeing, differences=leads)
    assert "The only other estimator that can compare them puts new first, too." in point(found, "How sure")
    unusable = [estimate("new", 1.0, "do not use", "rips"), estimate("old", 9.0, estimator="rips")]
    other = [estimate("new", 1.0, estimator="odd one"), estimate("old", 4.0, estimator="odd one")]
    found = offline(NEW, OLD, *agreeing, *unusable, *other, differences=leads)
    assert "Of 2 other estimators that can compare them, 1 would choose: old by odd one." in point(found, "How sure")


def test_intervals_that_hold_are_told_of_the_first_policy() -> None:
    bound = {"estimator": "rips", "method": "maurer-pontil", "objective": "reward", "low": 0.5, "high": 9.0}
    guaranteed = [bound | {"policy": "new"}, bound | {"policy": "old"}]
    found = offline(NEW, OLD, differences=[lead("new", "old", 1.0)], guaranteed=guaranteed)
    assert point(found, "How sure").endswith(
        "An interval that holds at any sample size: 0.5 to 9 (maurer-pontil, rips)."
    )


def test_power_is_told_of_those_that_cannot_be_told_apart() -> None:
    pairs = (("odd", "dr"), ("old", "pdis"), ("old", "dr"))
    told = [
        {"policy": "new", "against": name, "estimator": estimator, "sentence": f"about {name} by {estimator}."}
        for name, estimator in pairs
    ]
    leads = [lead("new", "odd", 3.0), lead("new", "old", 0.2)]
    found = offline(NEW, OLD, estimate("odd", 0.0), differences=leads, power=told)
    assert point(found, "What would change the answer") == "About old by dr."


def test_tipping_weights_by_hand() -> None:
    # new leads old by 1 = 2 clicks - 0.5 × 2 novelty: level at a weight of 0.5 of clicks, or of 4 of novelty.
    values = {"new": (4.0, 1.0), "old": (2.0, 1.5)}
    parts = [
        estimate(name, value, objective=objective)
        for name, both in values.items()
        for objective, value in zip(("click", "novelty"), both, strict=True)
    ]
    rewards = [estimate("new", 4.0 + 2 * 1.0), estimate("old", 2.0 + 2 * 1.5)]
    leads = [lead("new", "old", 1.0)]
    found = offline(*parts, *rewards, differences=leads, weights=[1.0, 2.0])
    assert point(found, "What would change the answer") == (
        "Going by the means alone, old leads once the weight of click falls below 0.5 (now 1) and old leads once the "
        "weight of novelty rises above 4 (now 2)."
    )
    assert point(offline(*parts, *rewards, differences=leads), "What would change the answer") == ""


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        ("sips", "sips assumes nothing of how rewards come about."),
        ("rips", "rips assumes that what a position earns does not depend on the items below it."),
        ("dm", "dm assumes that its model is right where the policy differs from the log."),
        ("somebody's own", "The logged propensities are taken to be those that were in force."),
    ],
)
def test_what_is_taken_for_granted(estimator: str, words: str) -> None:
    text = point(offline(estimate("new", 3.0, estimator=estimator)), "What it takes for granted")
    assert text.startswith(words)
    assert "into which the policy in production led its users" in text


def test_an_answer_about_some_policies_says_so() -> None:
    far = [estimate(name, 9.0, "do not use") for name in ("far", "odd")]
    found = offline(NEW, OLD, *far, differences=[lead("new", "old", 1.0)])
    assert headline(found).startswith("Of the 2 policies that this log can compare, new promises most: 3.0 a slate")
    assert point(found, "What would change the answer") == (
        "A log that shows more of what far or odd would show could put another policy first."
    )


def test_what_every_estimator_takes_for_granted_is_known() -> None:
    assert [name for name in ESTIMATORS if not assumed(name)] == []


def test_estimated_propensities_are_told() -> None:
    text = point(
        offline(NEW, calibration={"sentences": ["they are estimates.", "and so on."]}), "What it takes for granted"
    )
    assert "They are estimates. And so on." in text
    assert "taken to be those" not in text


SESSIONS = [estimate(name, 30.0, estimator="pdis", estimand="session") for name in ("new", "old")]


@pytest.mark.parametrize(
    ("estimates", "leads", "words"),
    [
        ([], [], ""),
        (
            SESSIONS,
            [lead("old", "new", 2.0, "pdis")],
            "By pdis, old comes first: 2.0 more than new (paired 90% interval 1.5 to 2.5).",
        ),
        (
            SESSIONS,
            [lead("old", "new", 0.2, "pdis")],
            "By pdis, old comes first and cannot be told from new: 0.2 more (paired 90% interval −0.3 to 0.7).",
        ),
        (
            SESSIONS,
            [],
            "Worth of a whole session: new 30.0 (by pdis, trust) and old 30.0 (by pdis, trust). No two of them are "
            "compared.",
        ),
        (
            [SESSIONS[0] | {"verdict": "do not use"}],
            [],
            "No policy has a usable estimate of whole sessions.",
        ),
    ],
)
def test_whole_sessions(estimates: list[dict[str, Any]], leads: list[dict[str, Any]], words: str) -> None:
    found = offline(NEW, OLD, *estimates, differences=[lead("new", "old", 1.0)], session_differences=leads)
    assert point(found, "Whole sessions") == words


def test_the_best_slate_may_be_missing_among_sessions() -> None:
    others = [lead("old", "odd", 2.0, "pdis")]
    found = offline(NEW, OLD, *SESSIONS, differences=[lead("new", "old", 1.0)], session_differences=others)
    assert point(found, "Whole sessions").endswith(
        "new is not among those compared: the log has no usable estimate of its sessions."
    )


def test_policies_without_a_usable_estimate_are_named_with_their_reason() -> None:
    found = offline(NEW, estimate("far", 9.0, "do not use"), estimate("odd", None, "do not use"))
    assert point(found, "What the log cannot tell") == (
        "It has no usable estimate of 2 of 3 policies. far: because. odd: no estimator finds a value."
    )


def test_a_log_without_estimates_has_no_points() -> None:
    assert points(offline()) == []
