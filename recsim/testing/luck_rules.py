"""Rules about randomness: all of it keyed, a user's own, and repeatable."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from recsim.simulator import rows_of
from recsim.streams import Streams
from recsim.testing.form_rules import not_rows
from recsim.testing.global_random import seeded_globally
from recsim.testing.probe import STRANGERS, Probe, first_difference, take_parts, unequal
from recsim.testing.report import Broken, Untested
from recsim.users.contract import DeclaresAppeal, HasProfile, ReturnsLater

ALONE = 8  # users played alone
REPLICAS = 16
ENOUGH = 10  # states must answer differently under other seeds before it means anything that users do not


def same_seed_same_session(probe: Probe) -> Broken | None:
    """Played twice, by this model and by another one made alike, the sessions are the same.

    The global generators start alike each time, so that their use is left to the next rule.
    """
    with seeded_globally(0):
        first, second = list(probe.play()), list(probe.play())
    where = first_difference(first, second)
    if where:
        return Broken(
            f"{where} is another when the session is played again",
            "Something outlives a call (a counter, a cache, a generator kept in the model), or a generator is made "
            "without a seed; draw from the streams instead",
        )
    with seeded_globally(0):
        model = probe.remade()
        where = first_difference(list(probe.play()), probe.play(model=model))
    if where:
        return Broken(
            f"{where} is another when the model is made again",
            "The constructor draws without a seed, or shares state between models; give it a seeded generator",
        )
    return None


def draws_come_only_from_the_streams(probe: Probe) -> Broken | None:
    """Neither are the global generators of numpy, random and torch used, nor do they matter."""
    plays = []
    for seed in (1, 2):
        with seeded_globally(seed) as touched:
            plays.append(list(probe.play(model=probe.remade())))
        if touched:
            return Broken(
                f"the global generator of {' and '.join(touched)} was used",
                "What it gives depends on everything else in the process; draw from the streams, as in "
                'users.uniform("click", items=slate)',
            )
    where = first_difference(plays[0], plays[1])
    return Broken(f"{where} depends on the seed of a global generator", "Draw from the streams") if where else None


def respond_is_pure(probe: Probe) -> Broken | None:
    """`respond` changes neither what it was given nor what it returned earlier, and says the same when asked twice.

    `appeal` and `profile` change nothing either.
    """
    turns, model = [], probe.model
    for turn in probe.play():
        turns.append(turn)
        if isinstance(model, DeclaresAppeal):
            model.appeal(*turn.given)
        if isinstance(model, HasProfile):
            model.profile(turn.given[0])
        name, row = unequal(take_parts(turn.before), take_parts(turn.given[0]))
        if name:
            return Broken(
                f"state.{name} of row {turn.row[row]} was written to at step {turn.step}",
                "An update in place (+=, [...] =, out=); compute a new array, or copy first",
            )
        if (turn.slate != turn.given[1]).any():
            return Broken(f"the slate was written to at step {turn.step}", "Copy it first")
    for turn in turns:
        answer, after = turn.returned
        where = first_difference([turn], [replace(turn, answer=answer, after=after)])
        if where:
            return Broken(f"{where}, returned earlier, was changed by a later call", "Return new arrays in every call")
    for turn in turns:
        answer, after = model.respond(*turn.given, turn.streams)
        where = first_difference([turn], [replace(turn, answer=answer, after=after)])
        if where:
            return Broken(
                f"{where} is another when asked again with the same state",
                "Objects in the state are changed in place; copy them first (copy.deepcopy)",
            )
    return None


def rows_are_independent(probe: Probe) -> Broken | None:
    """A user fares the same in another order of rows and among other people."""
    backwards = np.arange(len(probe.streams))[::-1]
    cause = (
        "An operation over the users' axis: a mean, max, sort or norm without axis=1, or a draw shared by all rows "
        "(users.uniform(...)[0])"
    )
    where = first_difference(probe.turns, probe.play(backwards), exact=False)
    if where:
        return Broken(f"{where} depends on the order of the rows", cause)
    even = np.arange(0, len(probe.streams), 2)
    among = list(probe.play(even))
    for turn, other in zip(probe.among_strangers().play(), among, strict=False):
        mine = turn.row % 2 == 0
        own = replace(turn, row=turn.row[mine], answer=_rows(turn.answer, mine), after=rows_of(turn.after, mine))
        where = first_difference([own], [other], exact=False)
        if where:
            return Broken(f"{where} depends on who is in the other rows", cause)
    return None


def _rows(answer: Any, mask: Any) -> Any:
    return replace(answer, **take_parts(answer, mask))


def batch_equals_single(probe: Probe) -> Broken | None:
    """A user fares the same alone."""
    for row in range(min(ALONE, len(probe.streams))):
        where = first_difference(probe.turns, probe.play(np.array([row])), exact=False)
        if where:
            return Broken(
                f"{where} is another for the user alone than among {len(probe.streams)}",
                "An operation over the users' axis, or a squeeze that drops it where n is 1",
            )
    return None


def users_differ_in_luck(probe: Probe) -> Broken | Untested | None:
    """In one and the same state, other users answer the same slate otherwise, where another seed makes them do so."""
    turn = probe.turns[0]
    people = Streams.of(probe.seed, STRANGERS + np.arange(len(turn.row) * REPLICAS))
    rows = np.arange(len(turn.row)).repeat(REPLICAS)
    among_users = _flags(probe, rows_of(turn.before, rows), turn.slate[rows], people)
    seeds = [Streams.of(seed, turn.streams.user, turn.streams.session) for seed in range(REPLICAS)]
    among_seeds = np.stack([_flags(probe, turn.before, turn.slate, streams) for streams in seeds], axis=1)
    differ, expected = _differing(among_users.reshape(among_seeds.shape)), _differing(among_seeds)
    if expected < ENOUGH:
        return Untested("its answers leave nothing to luck, or so little that it does not show")
    if differ == 0:
        return Broken(
            f"{REPLICAS} users in the same state always answered alike, in each of {len(turn.row)} states; other seeds "
            f"changed the answers in {expected} of these",
            "One draw serves all users; take (n,) or (n, k) draws from the streams, a row a user",
        )
    return None


def _flags(probe: Probe, state: Any, slate: Any, streams: Streams) -> Any:
    """(n, 2 k + 1) what users did."""
    answer, _ = probe.model.respond(copy.deepcopy(state), slate.copy(), streams)
    return np.column_stack([answer.click, answer.conversion, answer.leave])


def _differing(flags: Any) -> int:
    """In how many states (s, replicas, flags) the replicas are not all alike."""
    return int((flags != flags[:, :1]).any(axis=(1, 2)).sum())


def a_deep_copy_answers_alike(probe: Probe) -> Broken | None:
    """Copies of the model and of its states go on as the originals do."""
    return _copied(probe, copy.deepcopy, "copy.deepcopy")


def a_pickle_answers_alike(probe: Probe) -> Broken | Untested | None:
    """Pickles of the model and of its states go on as the originals do."""
    for part in (probe.model, probe.turns[0].before):
        if "<locals>" in type(part).__qualname__:
            return Untested(f"{type(part).__name__} is defined inside a function, where pickle cannot find it")
    return _copied(probe, lambda value: pickle.loads(pickle.dumps(value)), "pickle")


def _copied(probe: Probe, through: Callable[[Any], Any], name: str) -> Broken | None:
    where = first_difference(probe.turns, probe.play(model=through(probe.model), through=through))
    if not where:
        return None
    return Broken(
        f"{where} is another after {name}",
        "The copy leaves something out or shares it; keep what matters in arrays, and check __reduce__, __getstate__ "
        "and __deepcopy__",
    )


def coming_back_is_pure(probe: Probe) -> Broken | Untested | None:
    """`come_back` gives (n,) bool and a state of rows, changes nothing, and says the same again and of a user alone."""
    if not isinstance(probe.model, ReturnsLater):
        return Untested("its users have one session (it has no come_back)")
    turn = probe.turns[0]
    n, given, streams = len(turn.row), copy.deepcopy(turn.after), turn.streams.at(turn.step + 1)
    back, state = probe.model.come_back(given, streams)
    if not isinstance(back, np.ndarray) or back.shape != (n,) or back.dtype != np.bool_:
        return Broken(
            f"come_back gave {np.shape(back)} {np.asarray(back).dtype}; ({n},) bool is needed", "A flag a user"
        )
    wrong = not_rows("come_back", state, n)
    if wrong:
        return wrong
    name, row = unequal(take_parts(turn.after), take_parts(given))
    if name:
        return Broken(f"come_back wrote to state.{name} of row {row}", "Compute new arrays, or copy first")
    together = take_parts(state) | {"come_back": back}
    for rows in (np.arange(n), *np.arange(min(ALONE, n))[:, None]):
        again, later = probe.model.come_back(rows_of(given, rows), streams[rows])
        expected = {part: None if values is None else values[rows] for part, values in together.items()}
        name, row = unequal(expected, take_parts(later) | {"come_back": again}, exact=False)
        if name:
            return Broken(
                f"{name} of row {rows[max(row, 0)]} is another when asked again with {len(rows)} users",
                "Draw from the streams, and keep rows apart",
            )
    return None
