"""Rules about the form of states, answers and what is told openly, and about answers that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.testing.probe import Probe, Turn, take_parts, unequal
from recsim.testing.report import Broken, Untested
from recsim.users.contract import Flags, HasCalendar, HasProfile

MANY = 16  # different values from which a column counts as continuous


def state_is_rows(probe: Probe) -> Broken | None:
    """The state is a dataclass of arrays with a row a user, and keeps its form."""
    state, n = probe.model.sample(probe.streams), len(probe.streams)
    wrong = not_rows("sample", state, n)
    if wrong:
        return wrong
    turn = next(probe.play())
    return not_rows("respond", turn.after, n) or _other_form(state, turn.after)


def not_rows(method: str, state: Any, n: int) -> Broken | None:
    """What keeps a state from being rows of n users."""
    if not is_dataclass(state) or isinstance(state, type):
        return Broken(f"{method} gave {type(state).__name__}", "A state is a dataclass of arrays, a row a user")
    for f in fields(state):
        values = getattr(state, f.name)
        if not isinstance(values, np.ndarray):
            return Broken(
                f"{method} gave state.{f.name} as {type(values).__name__}", "It is a numpy array with a row a user"
            )
        if values.shape[:1] != (n,):
            return Broken(
                f"{method} gave state.{f.name} as an array {values.shape} for {n} users",
                f"Its first axis has length {n}; what all users share belongs to the model, not to the state",
            )
    return None


def _other_form(before: Any, after: Any) -> Broken | None:
    if type(after) is not type(before):
        return Broken(
            f"respond gave {type(after).__name__}, sample {type(before).__name__}",
            "Return the same dataclass from both",
        )
    for f in fields(before):
        old, new = getattr(before, f.name), getattr(after, f.name)
        if old.dtype != new.dtype or old.shape[1:] != new.shape[1:]:
            return Broken(
                f"state.{f.name} is an array {old.shape} {old.dtype} after sample and {new.shape} {new.dtype} after "
                "respond",
                "New users come into the rows of those who left: keep shape and dtype, for instance by astype",
            )
    return None


def answers_have_their_form(probe: Probe) -> Broken | None:
    """Flags are boolean arrays of the slate's shape, `leave` of the users'; delays are whole numbers from 0 up."""
    turn = next(probe.play())
    n, k = turn.slate.shape
    for name, shape in {"click": (n, k), "conversion": (n, k), "leave": (n,), "examined": (n, k)}.items():
        flags = getattr(turn.answer, name)
        if name == "examined" and flags is None:
            continue
        if not isinstance(flags, np.ndarray) or flags.shape != shape or flags.dtype != np.bool_:
            return Broken(f"{name} is {_described(flags)}; {shape} bool is needed", _flag_cause(flags, shape))
    delay = turn.answer.delay
    if delay is not None and (delay.shape != (n, k) or delay.dtype.kind not in "iu" or delay.min() < 0):
        return Broken(
            f"delay is {_described(delay)}; ({n}, {k}) whole numbers from 0 up are needed", "It counts steps to come"
        )
    return None


def _described(values: Any) -> str:
    if not isinstance(values, np.ndarray):
        return type(values).__name__
    least = f" with least value {values.min()}" if values.dtype != np.bool_ and values.size else ""
    return f"an array {values.shape} {values.dtype}{least}"


def _flag_cause(flags: Any, shape: tuple[int, ...]) -> str:
    if isinstance(flags, np.ndarray) and flags.shape == shape:
        return "Return comparisons (draw < probability), not their products or casts"
    return "A row a user: reduce over positions with axis=1, and keep the users' axis"


def an_empty_position_is_not_clicked(probe: Probe) -> Broken | None:
    """No click where the slate is -1."""
    return _first(probe, lambda turn: turn.answer.click & (turn.slate < 0), "return click & (slate >= 0)")


def conversion_implies_click(probe: Probe) -> Broken | None:
    """No conversion without a click."""
    return _first(probe, lambda turn: turn.answer.conversion & ~turn.answer.click, "return conversion & click")


def a_click_is_examined(probe: Probe) -> Broken | Untested | None:
    """No click where nobody looked."""
    if probe.turns[0].answer.examined is None:
        return Untested("it does not say what was examined")
    return _first(probe, lambda turn: turn.answer.click & ~turn.answer.examined, "return click & examined")


def _first(probe: Probe, wrong: Any, remedy: str) -> Broken | None:
    for turn in probe.turns:
        found: Flags = wrong(turn)
        if found.any():
            row, position = np.argwhere(found)[0]
            return Broken(
                f"row {turn.row[row]}, position {position} (item {turn.slate[row, position]}) at step {turn.step}",
                f"The draws are not masked: {remedy}",
            )
    return None


def no_hidden_state_reaches_the_observation(probe: Probe) -> Broken | Untested | None:
    """The profile is (n, p) float32, finite, constant during a session, and gives no hidden number away."""
    model = probe.model
    if not isinstance(model, HasProfile):
        return Untested("it has no profile, and observations are built from what was shown and clicked only")
    for turn in probe.turns:
        told, later = model.profile(turn.before), model.profile(turn.after)
        wrong = _no_profile(told, len(turn.row)) or _changed(told, later, turn)
        if wrong:
            return wrong
    first = probe.turns[0]
    return _leak(np.asarray(model.profile(first.before)), first)


def _no_profile(told: Any, n: int) -> Broken | None:
    if not isinstance(told, np.ndarray) or told.ndim != 2 or len(told) != n or told.dtype != np.float32:
        return Broken(f"profile is {_described(told)} for {n} users", "It is (n, p) float32, a row a user")
    if not np.isfinite(told).all():
        row, column = np.argwhere(~np.isfinite(told))[0]
        return Broken(f"profile is {told[row, column]} in row {row}, column {column}", "Write 0 where nothing is known")
    return None


def _changed(told: NDArray[np.float32], later: NDArray[np.float32], turn: Turn) -> Broken | None:
    name, row = unequal({"profile": told}, {"profile": later})
    if not name:
        return None
    place = f"of row {turn.row[row]} changes at step {turn.step}" if row >= 0 else "changes its shape"
    return Broken(
        f"the profile {place}", "It is computed from state that moves; tell only what is constant during a session"
    )


def _leak(told: NDArray[np.float32], turn: Turn) -> Broken | None:
    """A profile column in the same (or the opposite) order as a hidden float column, so that one gives the other."""
    for column, shown in enumerate(told.T):
        if len(np.unique(shown)) < MANY:
            continue
        for name, hidden in _hidden_columns(turn.before):
            rising = hidden[np.argsort(shown, kind="stable")].astype(np.float32)
            if len(np.unique(hidden)) >= MANY and (_sorted(rising) or _sorted(-rising)):
                return Broken(
                    f"column {column} of the profile gives away state.{name}",
                    "Agents see the profile: leave it out, tell it in bands, or, if users do tell it, name the field "
                    "declared_...",
                )
    return None


def _sorted(values: NDArray[Any]) -> bool:
    return bool((np.diff(values) >= 0).all())


def _hidden_columns(state: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, values in take_parts(state).items():
        if values is not None and values.dtype.kind == "f" and not name.startswith("declared"):
            for number, column in enumerate(values.reshape(len(values), -1).T):
                yield (name if values.ndim == 1 else f"{name}, column {number}"), column


def a_calendar_is_days(probe: Probe) -> Broken | Untested | None:
    """The items' days of birth are (m,) float32, the users' days (n,) float32, all finite."""
    model = probe.model
    if not isinstance(model, HasCalendar) or model.born is None:
        return Untested("all items are there from the start (it has no born and now, or born is None)")
    turn = probe.turns[-1]
    for name, days, shape in (
        ("born", model.born, (len(probe.catalog),)),
        ("now", model.now(turn.before), (len(turn.row),)),
    ):
        if not isinstance(days, np.ndarray) or days.shape != shape or days.dtype != np.float32:
            return Broken(f"{name} is {_described(days)}; {shape} float32 is needed", "A day an item, a day a user")
        if not np.isfinite(days).all():
            return Broken(f"{name} is not finite in row {np.argmin(np.isfinite(days))}", "Days are finite numbers")
    return None
