"""The rules of a user model by name, and trying them one after another."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recsim.testing import form_rules as form
from recsim.testing import luck_rules as luck
from recsim.testing import probability_rules as probability
from recsim.testing import update_rules as update
from recsim.testing.probe import Probe
from recsim.testing.report import Broken, Check, Untested

# Folders of this package, of the standard library and of installed packages.
FOREIGN = (Path(__file__).parents[1], Path(traceback.__file__).parent, Path(np.__file__).parents[1])


class Rule(NamedTuple):
    """A rule: its name, what tries it, and rules without which it cannot be tried."""

    name: str
    broken: Callable[[Probe], Broken | Untested | None]
    needs: tuple[str, ...] = ()


FORM = ("state is rows", "answers have their form")
REPEATABLE = (*FORM, "same seed, same session", "draws come only from the streams")
KEYED = (*REPEATABLE, "respond is pure", "rows are independent")

RULES = (
    Rule("state is rows", form.state_is_rows),
    Rule("answers have their form", form.answers_have_their_form),
    Rule("same seed, same session", luck.same_seed_same_session, FORM),
    Rule("draws come only from the streams", luck.draws_come_only_from_the_streams, FORM),
    Rule("respond is pure", luck.respond_is_pure, REPEATABLE),
    Rule("rows are independent", luck.rows_are_independent, REPEATABLE),
    Rule("batch equals single", luck.batch_equals_single, REPEATABLE),
    Rule("users differ in luck", luck.users_differ_in_luck, REPEATABLE),
    Rule("luck does not depend on clicks", probability.luck_does_not_depend_on_clicks, KEYED),
    Rule("an empty position is not clicked", form.an_empty_position_is_not_clicked, FORM),
    Rule("conversion implies click", form.conversion_implies_click, FORM),
    Rule("a click is examined", form.a_click_is_examined, FORM),
    Rule("a probability is a probability", probability.a_probability_is_a_probability, FORM),
    Rule(
        "declared probabilities are real",
        probability.declared_probabilities_are_real,
        (*KEYED, "a probability is a probability"),
    ),
    Rule("no hidden state reaches the observation", form.no_hidden_state_reaches_the_observation, FORM),
    Rule("a deep copy answers alike", luck.a_deep_copy_answers_alike, REPEATABLE),
    Rule("a pickle answers alike", luck.a_pickle_answers_alike, REPEATABLE),
    Rule("coming back is pure", luck.coming_back_is_pure, REPEATABLE),
    Rule("a calendar is days", form.a_calendar_is_days, FORM),
    Rule(
        "update equals respond",
        update.update_equals_respond,
        (*REPEATABLE, "respond is pure", "no hidden state reaches the observation"),
    ),
)


def tried(probe: Probe) -> tuple[Check, ...]:
    """Every rule, in order."""
    checks: dict[str, Check] = {}
    for rule in RULES:
        failed = [name for name in rule.needs if checks[name].outcome == "failed"]
        checks[rule.name] = (
            Check(rule.name, "skipped", f"it cannot be told while {failed[0]!r} fails") if failed else _try(rule, probe)
        )
    return tuple(checks.values())


def _try(rule: Rule, probe: Probe) -> Check:
    try:
        found = rule.broken(probe)
    except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
        return Check(rule.name, "failed", _sentence(error), "The model raised this error")
    if isinstance(found, Broken):
        return Check(rule.name, "failed", found.detail, found.cause)
    return Check(rule.name, "skipped", found.reason) if found else Check(rule.name, "passed")


def _sentence(error: Exception) -> str:
    """The error in one line, with the last line of the model's own code that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(Path(frame.filename).is_relative_to(part) for part in FOREIGN)]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    what = str(error).partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {what}{place}"
