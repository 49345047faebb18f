"""Rules about the probabilities that a user model declares, and about luck that clicks must not move."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm

from recsim.simulator import rows_of
from recsim.streams import Streams
from recsim.testing.probe import STRANGERS, Probe, Turn
from recsim.testing.report import Broken, Untested
from recsim.users.contract import DeclaresAppeal, Items

STATES, REPLICAS = 16, 256
LEVEL = 2 * norm.sf(4)  # as rare as 4 standard errors: a model that tells the truth fails once in 16,000
ROUNDING = 1e-9
SILENT = "it declares no probabilities (no appeal and choice), so nothing exact can be said of it"


def a_probability_is_a_probability(probe: Probe) -> Broken | Untested | None:
    """Appeal and choices have their shapes and lie in [0, 1], 0 for no item; no click is likelier than a look."""
    model = probe.model
    if not isinstance(model, DeclaresAppeal):
        return Untested(SILENT)
    for turn in probe.turns:
        appeal = model.appeal(copy.deepcopy(turn.before), turn.slate.copy())
        choices = model.choice.probabilities(appeal, turn.slate)
        parts = {f"appeal.{name}": values for name, values in vars(appeal).items() if values is not None}
        parts |= {f"choice.probabilities, {name}": values for name, values in vars(choices).items()}
        for name, values in parts.items():
            wrong = _no_probability(name, values, turn)
            if wrong:
                return wrong
        likelier = choices.click > choices.examined + ROUNDING
        if likelier.any():
            row, position = np.argwhere(likelier)[0]
            return Broken(
                f"a click is likelier than a look, {choices.click[row, position]:.4g} to "
                f"{choices.examined[row, position]:.4g}, in row {turn.row[row]}, position {position}",
                "Only what is examined is clicked: click = examined × appeal or less",
            )
    return None


def _no_probability(name: str, values: Any, turn: Turn) -> Broken | None:
    if not isinstance(values, np.ndarray) or values.shape != turn.slate.shape or values.dtype.kind != "f":
        kind = f"an array {values.shape} {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__
        return Broken(f"{name} is {kind}; {turn.slate.shape} float64 is needed", "A row a user, a column an item")
    wrong = ~((values >= 0.0) & (values <= 1.0 + ROUNDING))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        return Broken(
            f"{name} is {values[row, column]:.4g} in row {turn.row[row]}, column {column} "
            f"(item {turn.slate[row, column]}) at step {turn.step}",
            "A score or a sum of effects, not yet squashed; use 1 / (1 + exp(-x)) or clip to [0, 1]",
        )
    filled = (turn.slate < 0) & (values != 0.0)
    if filled.any():
        row, column = np.argwhere(filled)[0]
        return Broken(
            f"{name} is {values[row, column]:.4g} in row {turn.row[row]}, column {column}, where there is no item",
            "Item -1 stands for none: multiply by (items >= 0)",
        )
    return None


def declared_probabilities_are_real(probe: Probe) -> Broken | Untested | None:
    """Many users in the same state click, convert and examine as often as declared, exact binomial tests.

    Each of `STATES` states meets one slate `REPLICAS` times; every position is tested in each state and over all, with
    the level of 4 standard errors shared over the tests.
    """
    model = probe.model
    if not isinstance(model, DeclaresAppeal):
        return Untested(SILENT)
    turn = probe.turns[min(1, len(probe.turns) - 1)]
    own = np.arange(min(STATES, len(turn.row)))
    rows = own.repeat(REPLICAS)
    people = Streams.of(probe.seed, STRANGERS + np.arange(len(rows)), step=turn.step)
    answer, _ = probe.model.respond(rows_of(copy.deepcopy(turn.before), rows), turn.slate[rows], people)
    appeal = model.appeal(rows_of(turn.before, own), turn.slate[own])
    choices = model.choice.probabilities(appeal, turn.slate[own])
    declared = [
        ("click", answer.click, choices.click),
        ("conversion", answer.conversion, choices.click * appeal.conversion),
    ]
    if answer.examined is not None:
        declared.append(("look", answer.examined, choices.examined))
    level = LEVEL / (len(declared) * (len(own) + 1) * turn.slate.shape[1])
    for name, happened, probability in declared:
        counts = happened.reshape(len(own), REPLICAS, -1).sum(axis=1)  # (s, k)
        states = [f" in the state of row {row}" for row in turn.row[own]]
        wrong = _contradicted(name, states, counts, REPLICAS, probability, level) or _contradicted(
            name, [""], counts.sum(axis=0)[None], len(rows), probability.mean(axis=0)[None], level
        )
        if wrong:
            return wrong
    return None


def _contradicted(
    name: str, states: list[str], counts: NDArray[np.int64], n: int, probability: NDArray[np.float64], level: float
) -> Broken | None:
    """The least likely of the counts (s, k) of n users, if a binomial is as far out with less probability than `level`.

    Over several states the true count varies less than a binomial of the mean probability, so the test is on the safe
    side there.
    """
    p = np.clip(probability, 0.0, 1.0)
    chance = 2 * np.minimum(binom.cdf(counts, n, p), binom.sf(counts - 1, n, p))
    state, position = np.unravel_index(chance.argmin(), chance.shape)
    if chance[state, position] >= level:
        return None
    count = counts[state, position]
    return Broken(
        f"a {name} at position {position}{states[state]} is declared with probability {p[state, position]:.3f}; "
        f"{count:,} of {n:,} users did, {count / n:.3f}",
        "respond and appeal compute it differently, or the choice model is another one",
    )


def luck_does_not_depend_on_clicks(probe: Probe) -> Broken | Untested | None:
    """Where an item keeps its place and its appeal, it keeps its luck, whatever else is shown and clicked.

    Every user sees a slate as it is and, in another life, with an empty top; after either, the same second slate. Where
    an item is examined in both lives, a click in the life in which it appeals less means a click in the other, since
    one and the same draw is compared with both appeals; conversions of what is clicked likewise.
    """
    model, turn = probe.model, probe.turns[0]
    if not isinstance(model, DeclaresAppeal):
        return Untested(SILENT)
    if turn.answer.examined is None:
        return Untested("it does not say what was examined")
    topless = turn.slate.copy()
    topless[:, 0] = -1
    lives = [_Look(model, turn.before, slate, turn.streams) for slate in (turn.slate, topless)]
    if not all(life.examines for life in lives):
        return Untested("its clicks are not examination × appeal, so that items may well depend on each other")
    here = _moved(lives, turn.row, 0)
    staying = ~(lives[0].answer.leave | lives[1].answer.leave)
    if here or not staying.any():
        return here
    slate, streams = probe.slates[1, turn.row[staying]], turn.streams[staying].at(1)
    later = [_Look(model, rows_of(life.after, staying), slate, streams) for life in lives]
    return _moved(later, turn.row[staying], 1)


class _Look:
    """What users in a state do with a slate, and what they think of it."""

    def __init__(self, model: Any, state: Any, slate: Items, streams: Streams) -> None:
        self.slate, self.appeal = slate, model.appeal(copy.deepcopy(state), slate.copy())
        choices = model.choice.probabilities(self.appeal, slate)
        self.examines = np.allclose(choices.click, choices.examined * self.appeal.click)
        self.answer, self.after = model.respond(copy.deepcopy(state), slate.copy(), streams)


def _moved(lives: list[_Look], rows: Items, step: int) -> Broken | None:
    one, other = lives
    looked = (one.slate == other.slate) & one.answer.examined & other.answer.examined
    clicked = looked & one.answer.click & other.answer.click
    for name, where in (("click", looked), ("conversion", clicked)):
        did, did_too = getattr(one.answer, name), getattr(other.answer, name)
        more = getattr(one.appeal, name) - getattr(other.appeal, name)
        wrong = where & ((did & ~did_too & (more <= ROUNDING)) | (did_too & ~did & (more >= -ROUNDING)))
        if wrong.any():
            row, position = np.argwhere(wrong)[0]
            return Broken(
                f"the {name} of item {one.slate[row, position]} in row {rows[row]}, position {position} at step {step} "
                "changes with what stands at the top of the first slate, though its appeal gives no reason",
                "Draws are taken one after another, so that a click moves those that follow; key them by item "
                '(users.uniform("click", items=slate)) and compare: draw < appeal',
            )
    return None
