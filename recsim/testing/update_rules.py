"""The rule about `update`: it does in place what `respond` does, and enters the answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.history import History, ItemFeatures
from recsim.ledger import Ledger, Page, enter_all
from recsim.objectives import Objectives
from recsim.observation import Layout
from recsim.simulator import rows_of
from recsim.testing.probe import STEPS, Probe, Turn, take_parts, unequal
from recsim.testing.report import Broken, Untested
from recsim.users.contract import HasProfile, UpdatesState

_ENTERED = ("objectives", "reward", "observation")  # what a page is filled with


def update_equals_respond(probe: Probe) -> Broken | Untested | None:
    """`update` answers as `respond` does, leaves the same state, and enters every row once.

    Sessions are played as the core plays them: what `sample` gave is overwritten in every step.
    """
    model = probe.model
    if not isinstance(model, UpdatesState):
        return Untested("it has no update, so its answers are entered for it")
    state, n = model.sample(probe.streams), len(probe.streams)
    histories = [History.empty(n, probe.catalog) for _ in ("entered by the model", "entered for it")]
    for turn in probe.turns:
        ledgers = [_ledger(probe, turn, history) for history in histories]
        answer = model.update(state, turn.slate.copy(), turn.streams, ledgers[0])
        enter_all(turn.slate, turn.answer.click, turn.answer.conversion, *ledgers[1])
        wrong = _other_answer(turn, answer, state) or _other_entry(turn, histories, ledgers)
        if wrong:
            return wrong
        staying = ~turn.answer.leave
        state, histories = rows_of(state, staying), [history[staying] for history in histories]
    name, row = unequal(take_parts(probe.turns[0].before), take_parts(model.sample(probe.streams)))
    if name:
        return Broken(
            f"state.{name} of row {row} is sampled otherwise once update has overwritten an earlier sample",
            "sample hands out an array that the model keeps; return a copy",
        )
    return None


def _ledger(probe: Probe, turn: Turn, history: History) -> Ledger:
    """A ledger whose page is blank: not a number wherever nothing is entered."""
    model, n, objectives = probe.model, len(turn.row), Objectives()
    told = model.profile(turn.before) if isinstance(model, HasProfile) else np.zeros((n, 0), np.float32)
    profile, size = np.ascontiguousarray(told), Layout.of(probe.catalog, told.shape[1]).size
    page = Page(
        profile,
        STEPS,
        objectives.weights,
        np.full((n, len(objectives.names)), np.nan),
        np.full(n, np.nan),
        np.full((n, size), np.nan, np.float32),
    )
    return Ledger(ItemFeatures.of(probe.catalog), history.sums, page)


def _other_answer(turn: Turn, answer: Any, state: Any) -> Broken | None:
    for kind, expected, found in (("", turn.answer, answer), ("state.", turn.after, state)):
        name, row = unequal(take_parts(expected), take_parts(found))
        if name:
            return Broken(
                f"{kind}{name}{_place(turn, row)} is another after update than after respond",
                "Let one function do the work of both: respond calls it on a copy of the state",
            )
    return None


def _other_entry(turn: Turn, histories: list[History], ledgers: list[Ledger]) -> Broken | None:
    cause = "Call recsim.ledger.enter once for every row, with the answer that is returned, or enter_all for all rows"
    times = histories[0].step - turn.step
    if (times != 1).any():
        row = int(np.argmax(times != 1))
        return Broken(f"row {turn.row[row]} was entered {times[row]} times at step {turn.step}", cause)
    entered, expected = (_parts(*both) for both in zip(histories, ledgers, strict=True))
    name, row = unequal(expected, entered)
    return Broken(f"{name}{_place(turn, row)} is not what enter makes of the answer", cause) if name else None


def _parts(history: History, ledger: Ledger) -> dict[str, NDArray[Any] | None]:
    return take_parts(history) | {name: getattr(ledger.page, name) for name in _ENTERED}


def _place(turn: Turn, row: int) -> str:
    return f" of row {turn.row[row]} at step {turn.step}" if row >= 0 else ""
