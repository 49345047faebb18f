"""Choice models by name, by options, by import string and as objects."""

import sys
import types
from dataclasses import dataclass
from typing import Any

import pytest

from recsim.users.choice import (
    Cascade,
    DependentClick,
    DynamicBayesian,
    MultinomialLogit,
    PositionBased,
    choice_model,
)


@dataclass(frozen=True)
class OwnChoice(Cascade):
    """A choice model of somebody's own."""

    mood: str = "good"


class Nothing:
    """No choice model."""


@pytest.fixture
def own_package(monkeypatch: pytest.MonkeyPatch) -> str:
    module = types.ModuleType("their_choices")
    module.OwnChoice, module.a_number, module.Nothing = OwnChoice, 3, Nothing  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_choices", module)
    return "their_choices"


@pytest.mark.parametrize(
    ("choice", "model"),
    [
        ("pbm", PositionBased(0.5)),
        ("cascade", Cascade()),
        ("dcm", DependentClick(0.6)),
        ("dbn", DynamicBayesian(0.9)),
        ("mnl", MultinomialLogit(0.0)),
        ({"model": "pbm", "decay": 2.0}, PositionBased(2.0)),
        ({"model": "cascade"}, Cascade()),
        ({"model": "dcm", "continuation": 0.1}, DependentClick(0.1)),
        ({"model": "dbn", "perseverance": 0.1}, DynamicBayesian(0.1)),
        ({"model": "mnl", "outside": -2}, MultinomialLogit(-2)),
    ],
)
def test_built_in_models_by_name_and_options(choice: Any, model: Any) -> None:
    assert choice_model(choice) == model


def test_own_models(own_package: str) -> None:
    assert choice_model(f"{own_package}:OwnChoice") == OwnChoice()
    assert choice_model({"model": f"{own_package}:OwnChoice", "mood": "bad"}) == OwnChoice("bad")
    own = OwnChoice("bad")
    assert choice_model(own) is own


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("pmb", r"choice model 'pmb' is unknown; built in: pbm, cascade, dcm, dbn, mnl\. Name your own as 'package"),
        ({"model": "pmb"}, r"choice model 'pmb' is unknown"),
        (
            {"decay": 1.0},
            r"choice \{'decay': 1\.0\} names no model; give it 'model', one of pbm, cascade, dcm, ",
        ),
        ({"model": 3}, r"choice \{'model': 3\} names no model"),
        ({"model": "dbn", "gamma": 1}, r"'dbn' does not take these options: .*'gamma'\. It knows: perseverance\."),
        ({"model": "cascade", "gamma": 1}, r"'cascade' does not take these options: .*'gamma'\. It knows: none\."),
        ({"model": "dcm", "continuation": 2}, "continuation of the dependent click model is 2; it is a number from 0"),
        ("no_such_pkg:Choice", "choice model 'no_such_pkg:Choice' cannot be imported: .*no_such_pkg"),
        ("their_choices:Nobody", "choice model 'their_choices:Nobody' cannot be imported: .*Nobody"),
        ("their_choices:a_number", "choice model 'their_choices:a_number' names int, not a class that makes a choice"),
        ("their_choices:Nothing", "Nothing is not a choice model: it has no method 'probabilities'"),
        (3, "int is not a choice model: it has no method 'probabilities'"),
    ],
)
def test_what_names_no_choice_model(own_package: str, choice: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choice_model(choice)
