"""What `check_user_model` takes, refuses and reports."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from recsim.catalog import Catalog
from recsim.streams import Streams
from recsim.testing import RULES, BrokenRules, Report, check_user_model
from recsim.users import BUILT_IN, Response
from recsim.users.interest import InterestUsers


@dataclass
class Nothing:
    """A state without content."""

    zero: np.ndarray


class Clockwork:
    """User u clicks item u, and leaves nothing to luck."""

    def __init__(self, catalog: Catalog, stays: bool = True) -> None:
        self.stays = stays

    def sample(self, users: Streams) -> Nothing:
        return Nothing(np.zeros(len(users)))

    def respond(self, state: Nothing, slate: np.ndarray, users: Streams) -> tuple[Response, Nothing]:
        click = slate == users.user.astype(np.int64)[:, None]
        return Response(click, click & False, np.full(len(slate), not self.stays)), Nothing(state.zero.copy())


class Fragile(Clockwork):
    def respond(self, state: Nothing, slate: np.ndarray, users: Streams) -> tuple[Response, Nothing]:
        raise ZeroDivisionError("no users\nat all")


def outcomes(report: Report) -> dict[str, str]:
    return {check.rule: check.outcome for check in report.checks}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_users_keep_every_rule(catalog: Catalog, name: str) -> None:
    report = check_user_model(name, catalog, slate_size=6)
    assert report.ok
    assert outcomes(report)["declared probabilities are real"] == "passed"
    assert outcomes(report)["update equals respond"] == "passed"


def test_a_class_a_factory_an_import_string_and_a_ready_model_are_the_same(catalog: Catalog) -> None:
    ways = [
        InterestUsers,
        lambda items: InterestUsers(items),
        "recsim.users.interest:InterestUsers",
        InterestUsers(catalog),
    ]
    reports = [check_user_model(users, catalog) for users in ways]
    assert [report.model for report in reports] == [
        "InterestUsers", "<lambda>", "recsim.users.interest:InterestUsers", "InterestUsers",
    ]  # fmt: skip
    assert all(report.checks == reports[0].checks for report in reports)


def test_what_cannot_be_tested_is_skipped_with_its_reason() -> None:
    report = check_user_model(Clockwork)
    skipped = {check.rule: check.detail for check in report.checks if check.outcome == "skipped"}
    silent = "it declares no probabilities (no appeal and choice), so nothing exact can be said of it"
    assert skipped == {
        "users differ in luck": "its answers leave nothing to luck, or so little that it does not show",
        "luck does not depend on clicks": silent,
        "a click is examined": "it does not say what was examined",
        "a probability is a probability": silent,
        "declared probabilities are real": silent,
        "no hidden state reaches the observation": (
            "it has no profile, and observations are built from what was shown and clicked only"
        ),
        "coming back is pure": "its users have one session (it has no come_back)",
        "a calendar is days": "all items are there from the start (it has no born and now, or born is None)",
        "update equals respond": "it has no update, so its answers are entered for it",
    }


def test_users_who_all_leave_at_once_are_checked_too() -> None:
    assert check_user_model(Clockwork, options={"stays": False}).ok


def test_a_model_that_raises_is_told_with_the_line() -> None:
    with pytest.raises(BrokenRules, match=r"^Fragile: 2 rules failed, 0 passed\.\n- state is rows: ZeroDiv") as caught:
        check_user_model(Fragile)
    first, second, *others = caught.value.report.checks
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = 1 + next(number for number, text in enumerate(source) if "raise ZeroDivisionError" in text)
    assert first.detail == second.detail == f"ZeroDivisionError: no users ({Path(__file__).name}, line {line})"
    assert {check.detail for check in others} == {"it cannot be told while 'state is rows' fails"}
    assert [check.rule for check in caught.value.report.checks] == [rule.name for rule in RULES]


def test_a_report_as_plain_values() -> None:
    report = check_user_model(Clockwork)
    assert report.to_dict()["checks"][0] == {"rule": "state is rows", "outcome": "passed", "detail": "", "cause": ""}
    assert report.to_dict() | {"checks": ...} == {"model": "Clockwork", "ok": True, "checks": ...}


def test_checking_leaves_global_generators_as_they_were() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    check_user_model(Clockwork)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before  # noqa: NPY002


def test_bad_requests_are_refused(catalog: Catalog) -> None:
    with pytest.raises(
        ValueError, match=r"^Clockwork is a ready model: pass the catalogue that it was made for, or th"
    ):
        check_user_model(Clockwork(catalog))
    with pytest.raises(ValueError, match=r"^slate_size is 25; the catalogue 'synthetic' allows 1 to 24\.$"):
        check_user_model(Clockwork, catalog, slate_size=25)
    with pytest.raises(ValueError, match=r"^n_users is 15; at least 16 are needed to tell rules from coincidences\.$"):
        check_user_model(Clockwork, catalog, n_users=15)
    with pytest.raises(ValueError, match=r"^users 'intrest' are unknown"):
        check_user_model("intrest")
    with pytest.raises(TypeError, match=r"^int is not a user model: it has no method 'sample'\.$"):
        check_user_model(lambda items: 3)
