"""`recsim check-users`: its table, its exit codes, and what it refuses."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recsim.experiments.cli import app
from recsim.testing import RULES

MODULE = "patrons_of_the_tests"
SOURCE = """
from dataclasses import dataclass

import numpy as np

from recsim.users import Response


@dataclass
class Purse:
    money: np.ndarray


class Patrons:
    def __init__(self, catalog, rate=0.3):
        self.rate, self.price = rate, catalog.price

    def sample(self, users):
        return Purse(100 * users.uniform("money"))

    def respond(self, state, slate, users):
        click = (users.uniform("click", items=slate) < self.rate) & (slate >= 0)
        money = state.money - (self.price[slate] * click).sum(axis=1)
        return Response(click, click, leave=money < 0), Purse(money)


class Spoilt(Patrons):
    def respond(self, state, slate, users):
        state.money[:] = 1.0
        answer, after = super().respond(state, slate, users)
        return Response(answer.click, answer.conversion | True, answer.leave), after


class Mute:
    def __init__(self, catalog):
        pass
"""


@pytest.fixture
def check_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Runs the command in a folder with a module of users."""
    (tmp_path / f"{MODULE}.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "80")
    yield lambda name, *options: CliRunner().invoke(app, ["check-users", name.replace("mine:", f"{MODULE}:"), *options])
    sys.modules.pop(MODULE, None)


def test_a_model_that_keeps_the_rules(check_users: Callable[..., Result]) -> None:
    result = check_users("mine:Patrons", "--options", '{"rate": 0.5}', "--catalog", "openclipart", "--k", "10")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].strip() == f"Rules for {MODULE}:Patrons"
    assert [line.strip().rsplit("  ", 1)[0].strip() for line in lines[4 : 4 + len(RULES)]] == [r.name for r in RULES]
    assert result.stdout.count(" passed ") == 12
    assert "Skipped, as it does not say what was examined: a click is examined." in lines
    assert max(map(len, lines)) <= 80


def test_failures_are_told_with_place_and_cause(check_users: Callable[..., Result]) -> None:
    result = check_users("mine:Spoilt")
    assert result.exit_code == 1
    text = " ".join(result.stdout.split())
    assert result.stdout.count(" failed ") == 2
    assert (
        "respond is pure: state.money of row 0 was written to at step 0. Likely cause: An update in place (+=, "
        "[...] =, out=); compute a new array, or copy first. conversion implies click: row 0, position"
    ) in text
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_json_and_built_in_users(check_users: Callable[..., Result]) -> None:
    result = check_users("recsim.users.interest:InterestUsers", "--json", "--seed", "3")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ok"] is True
    assert json.loads(check_users("mine:Spoilt", "--json").stdout)["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere:Users"], "users 'nowhere:Users' cannot be imported: No module named 'nowhere'. It is looked for a"),
        (["mine:Mute"], "Mute is not a user model: it has no method 'sample'."),
        (["mine:Patrons", "--options", "{mood: bad}"], f"users '{MODULE}:Patrons' do not take the catalogue and"),
        (["mine:Patrons", "--options", "{mood: "], "--options '{mood: ' is no YAML or JSON; write a mapping such as"),
        (["mine:Patrons", "--options", "[3]"], "--options '[3]' names no options; write a mapping such as '{moo"),
        (["mine:Patrons", "--k", "99"], "slate_size is 99; the catalogue 'synthetic' allows 1 to 40."),
        (["mine:Patrons", "--catalog", "no-shop"], "there is no catalogue 'no-shop': bundled is openclipart;"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(check_users: Callable[..., Result], arguments: list[str], sentence: str) -> None:
    result = check_users(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1
