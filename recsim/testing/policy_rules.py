"""The rules of a policy by name, and those about the form of its decisions and where its luck comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.policy import Decision
from recsim.testing import policy_probability as probability
from recsim.testing.global_random import seeded_globally
from recsim.testing.policy_probe import STATEFUL, Moment, PolicyProbe
from recsim.testing.probe import unequal
from recsim.testing.report import Broken, Untested
from recsim.testing.trying import Rule

ALONE = 8  # users served alone


def decisions_have_their_form(probe: PolicyProbe) -> Broken | None:
    """`act` gives a `Decision`: (n, k) int64, items that exist, and (n, k) float64, finite and at most 0."""
    for moment in probe.play():
        wrong = _no_decision(moment, probe.simulator.slate_size) or _no_values(moment, len(probe.simulator.catalog))
        if wrong:
            return wrong
    return None


def _no_decision(moment: Moment, k: int) -> Broken | None:
    decision: Any = moment.decision
    if not isinstance(decision, Decision):
        return Broken(f"act gave {type(decision).__name__}", "Return a recsim.policy.Decision")
    shape = (len(moment.observation), k)
    for name, kind in (("slate", np.int64), ("step_log_prob", np.float64)):
        values = getattr(decision, name)
        if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype != kind:
            return Broken(f"{name} is {_described(values)}", f"It is {shape} {kind.__name__}, a row a user")
    return None


def _no_values(moment: Moment, m: int) -> Broken | None:
    slate, told = moment.decision.slate, moment.decision.step_log_prob
    missing, wrong = (slate < 0) | (slate >= m), ~(np.isfinite(told) & (told <= probability.ROUNDING))
    if missing.any():
        row, position = np.argwhere(missing)[0]
        return Broken(
            f"item {slate[row, position]} is shown{_place(row, moment, position)}",
            f"Items are 0 to {m - 1}, and every position shows one",
        )
    if wrong.any():
        row, position = np.argwhere(wrong)[0]
        return Broken(
            f"step_log_prob is {told[row, position]:.4g}{_place(row, moment, position)}",
            "What is shown has a probability above 0 and at most 1: return its logarithm",
        )
    return None


def slates_have_no_repeats(probe: PolicyProbe) -> Broken | None:
    """No slate has an item twice."""
    for moment in probe.play():
        slate = moment.decision.slate
        ordered = np.sort(slate, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        if twice.any():
            row = int(np.argmax(twice))
            return Broken(
                f"the slate {slate[row].tolist()} has an item twice{_place(row, moment)}",
                "Draw without replacement: what stands higher up is no choice for the positions below",
            )
    return None


def same_streams_same_slate(probe: PolicyProbe) -> Broken | None:
    """Asked again, with the same observation and streams, it decides the same; earlier answers stay as they were."""
    now, cause = (
        probe.now,
        "Something outlives a call (a generator, a counter, a buffer); draw from the streams instead",
    )
    kept = _parts(now.decision)
    again = _acted(probe, now)
    probe.policy.act(now.observation[::-1].copy(), probe.others)
    for other in (again, _parts(now.decision), _acted(probe, now)):
        name, row = unequal(kept, other)
        if name:
            return Broken(f"{name}{_place(row, now)} is another when asked again", cause)
    return None


def draws_come_only_from_the_streams(probe: PolicyProbe) -> Broken | None:
    """Neither are the global generators of numpy, random and torch used, nor do they matter."""
    now, told = probe.now, []
    for seed in (1, 2):
        with seeded_globally(seed) as touched:
            told.append(_acted(probe, now))
            probe.policy.step_log_prob(now.observation.copy(), now.decision.slate.copy())
        if touched:
            return Broken(f"the global generator of {' and '.join(touched)} was used", "Draw from the streams")
    name, row = unequal(*told)
    return Broken(f"{name}{_place(row, now)} depends on a global generator", "Draw from the streams") if name else None


def arguments_are_not_written_to(probe: PolicyProbe) -> Broken | None:
    """Neither `act` nor `step_log_prob` nor `log_prob` changes what it was given."""
    now, policy = probe.now, probe.policy
    observation, slate = now.observation.copy(), now.decision.slate.copy()
    for name, call in (
        ("act", lambda: policy.act(observation, now.streams)),
        ("step_log_prob", lambda: policy.step_log_prob(observation, slate)),
        ("log_prob", lambda: policy.log_prob(observation, slate)),
    ):
        call()
        for what, given, kept in (("observation", observation, now.observation), ("slate", slate, now.decision.slate)):
            if not np.array_equal(given, kept, equal_nan=True):
                return Broken(f"{name} wrote to the {what}", "Copy it first, or compute a new array")
    return None


def order_of_rows_does_not_matter(probe: PolicyProbe) -> Broken | Untested | None:
    """In the opposite order, every user is shown the same."""
    backwards = np.arange(len(probe.now.observation))[::-1]
    return _otherwise(probe, backwards, "in another order of rows", "An operation over the users' axis: use axis=1")


def batch_equals_single(probe: PolicyProbe) -> Broken | Untested | None:
    """Alone, a user is shown the same."""
    for row in range(ALONE):
        found = _otherwise(
            probe,
            np.array([row]),
            "for the user alone",
            "An operation over the users' axis, or a squeeze that drops it",
        )
        if found:
            return found
    return None


def certain_slates_leave_nothing_to_luck(probe: PolicyProbe) -> Broken | Untested | None:
    """Where all step_log_prob are 0, the slate is the same for other streams."""
    now = probe.now
    certain = (now.decision.step_log_prob == 0.0).all(axis=1)
    if not certain.any():
        return Untested("it is never certain of a slate")
    other = probe.policy.act(now.observation.copy(), probe.others).slate
    row = int(np.argmax(certain & (other != now.decision.slate).any(axis=1)))
    if certain[row] and (other[row] != now.decision.slate[row]).any():
        return Broken(
            f"the slate{_place(row, now)} is certain, {now.decision.slate[row].tolist()}, but with other luck it is "
            f"{other[row].tolist()}",
            "step_log_prob is 0 only for a choice that had to be made; tell its true probability",
        )
    return None


def _otherwise(probe: PolicyProbe, rows: NDArray[np.int64], how: str, cause: str) -> Broken | Untested | None:
    """Where users in `rows` are shown something else than among all; probabilities may differ by rounding."""
    if probe.stateful:
        return STATEFUL
    now = probe.now
    found = probe.policy.act(now.observation[rows], now.streams[rows])
    expected = {name: values[rows] for name, values in _parts(now.decision).items()}
    name, place = unequal(expected, _parts(found), exact=False)
    return Broken(f"{name}{_place(rows[place], now) if place >= 0 else ''} is another {how}", cause) if name else None


def _acted(probe: PolicyProbe, moment: Moment) -> dict[str, Any]:
    return _parts(probe.policy.act(moment.observation.copy(), moment.streams))


def _parts(decision: Decision) -> dict[str, Any]:
    return {"slate": decision.slate.copy(), "step_log_prob": decision.step_log_prob.copy()}


def _place(row: int, moment: Moment, position: int | None = None) -> str:
    place = "" if position is None else f", position {position}"
    return f" in row {row}{place} at step {moment.step}"


def _described(values: Any) -> str:
    return f"an array {values.shape} {values.dtype}" if isinstance(values, np.ndarray) else type(values).__name__


FORM = ("decisions have their form", "slates have no repeats")
REPEATABLE = (*FORM, "same streams, same slate", "draws come only from the streams")
TOLD = (*REPEATABLE, "step_log_prob agrees with act", "log_prob is the sum over positions")

POLICY_RULES = (
    Rule("decisions have their form", decisions_have_their_form),
    Rule("slates have no repeats", slates_have_no_repeats, FORM[:1]),
    Rule("same streams, same slate", same_streams_same_slate, FORM),
    Rule("draws come only from the streams", draws_come_only_from_the_streams, FORM),
    Rule("arguments are not written to", arguments_are_not_written_to, FORM),
    Rule("order of rows does not matter", order_of_rows_does_not_matter, REPEATABLE),
    Rule("batch equals single", batch_equals_single, REPEATABLE),
    Rule("certain slates leave nothing to luck", certain_slates_leave_nothing_to_luck, REPEATABLE),
    Rule("step_log_prob agrees with act", probability.step_log_prob_agrees_with_act, REPEATABLE),
    Rule("log_prob is the sum over positions", probability.log_prob_is_the_sum_over_positions, REPEATABLE),
    Rule("what cannot be shown has no probability", probability.what_cannot_be_shown_has_no_probability, TOLD),
    Rule("probabilities sum to 1", probability.probabilities_sum_to_1, TOLD),
    Rule("draws are as likely as told", probability.draws_are_as_likely_as_told, (*TOLD, "probabilities sum to 1")),
)
