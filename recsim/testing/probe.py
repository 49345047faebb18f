"""Short sessions of a user model, played again and again under changed circumstances, and compared."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.simulator import rows_of
from recsim.streams import Streams
from recsim.users.checks import two_parts
from recsim.users.contract import HasCalendar, Items, Response, UserModel

STEPS = 3
STRANGERS = 1_000_000  # user numbers from here on take no part in the sessions
EMPTY = 0.15  # share of the positions that are empty


@dataclass(frozen=True)
class Turn:
    """One slate for the users who are still there.

    Attributes:
        row: (n,) int64, which of the probe's users they are.
        step: step number.
        streams: theirs, at this step.
        slate: (n, k) int64, what they were shown.
        before: their state, copied before the model saw it.
        given: the state and the slate that the model was given.
        answer: what it answered, copied.
        after: their state after it, copied.
        returned: the answer and the state themselves, as the model returned them.
    """

    row: Items
    step: int
    streams: Streams
    slate: Items
    before: Any
    given: tuple[Any, Items]
    answer: Response
    after: Any
    returned: tuple[Response, Any]


class Probe:
    """A user model with n users and the slates that they are shown.

    Attributes:
        model: the user model.
        make: makes another one like it, None where only this one is known.
        catalog: the items.
        streams: of n users in several sessions.
        seed: of the users and the slates.
    """

    def __init__(
        self,
        model: UserModel[Any],
        make: Callable[[], UserModel[Any]] | None,
        catalog: Catalog,
        *,
        slate_size: int,
        n_users: int,
        seed: int,
    ) -> None:
        """Nothing of the model is called yet."""
        self.model, self.make, self.catalog, self.seed = model, make, catalog, seed
        self.streams = Streams.of(seed, 3 * np.arange(n_users) + 1, session=np.arange(n_users) % 3)
        self._slate_size = slate_size

    @cached_property
    def slates(self) -> Items:
        """(t, n, k) random items without repeats; some positions, and the whole slate of row 3, are empty."""
        offered = np.arange(len(self.catalog))
        if isinstance(self.model, HasCalendar) and self.model.born is not None:
            today = np.min(self.model.now(self.model.sample(self.streams)))
            offered = np.flatnonzero(np.asarray(self.model.born) <= today)
        draw = np.random.Generator(np.random.Philox(self.seed))
        shape = (STEPS, len(self.streams), self._slate_size)
        slates = np.full(shape, -1, np.int64)
        for step, row in np.ndindex(shape[:2]):
            shown = draw.permutation(offered)[: self._slate_size]
            slates[step, row, : len(shown)] = shown
        slates[draw.random(shape) < EMPTY] = -1
        slates[:, 3] = -1
        return slates

    def remade(self) -> UserModel[Any]:
        """Another model like this one, where it is known how to make one, otherwise this one."""
        return self.model if self.make is None else self.make()

    def play(
        self,
        row: Items | None = None,
        *,
        model: UserModel[Any] | None = None,
        through: Callable[[Any], Any] = lambda state: state,
    ) -> Iterator[Turn]:
        """Sessions of the users in `row` (default: all), step by step; who leaves is shown nothing more.

        Args:
            row: (n',) int64, which users, in which order.
            model: played instead of the probe's.
            through: applied to every state before the model sees it.
        """
        row = np.arange(len(self.streams)) if row is None else row
        model = self.model if model is None else model
        streams = self.streams[row]
        state = model.sample(streams)
        for step in range(STEPS):
            shown, here = self.slates[step, row], streams.at(step)
            before, given = copy.deepcopy(state), (through(state), shown.copy())
            pair = model.respond(*given, here)
            answer, after = two_parts(pair, "the response and the state after it", "respond")
            yield Turn(row, step, here, shown, before, given, *copy.deepcopy((answer, after)), (answer, after))
            staying = ~answer.leave
            if not staying.any():
                return
            row, streams, state = row[staying], streams[staying], rows_of(after, staying)

    @cached_property
    def turns(self) -> list[Turn]:
        """The sessions of all users."""
        return list(self.play())

    def among_strangers(self) -> Probe:
        """The same users in the even rows, other people with other slates in the odd ones."""
        other = copy.copy(self)
        other.__dict__.pop("turns", None)
        user = self.streams.user.copy()
        user[1::2] += np.uint64(STRANGERS)
        other.streams = replace(self.streams, user=user)
        other.slates = self.slates.copy()
        other.slates[:, 1::2] = self.slates[:, 1::2][::-1, ::-1]
        return other


def first_difference(turns: Sequence[Turn], others: Iterable[Turn], *, exact: bool = True) -> str | None:
    """Where the users of `others` fare otherwise than in `turns`, which has them all in ascending rows; None: nowhere.

    Without `exact`, floats may differ by rounding, as matrix products over other numbers of rows do.
    """
    for one, other in zip(turns, others, strict=False):
        at = np.searchsorted(one.row, other.row)
        for kind, a, b in (("", one.answer, other.answer), ("state.", one.after, other.after)):
            name, place = unequal(take_parts(a, at), take_parts(b), exact=exact)
            if name:
                return f"{kind}{name} of row {other.row[place]} at step {one.step}" if place >= 0 else f"{kind}{name}"
    return None


def take_parts(values: Any, rows: Any = ...) -> dict[str, NDArray[Any] | None]:
    """The fields of a state or response by name, of some of the rows."""
    parts = {f.name: getattr(values, f.name) for f in fields(values)}
    return {name: None if part is None else part[rows] for name, part in parts.items()}


def unequal(
    parts: dict[str, NDArray[Any] | None], others: dict[str, NDArray[Any] | None], *, exact: bool = True
) -> tuple[str, int]:
    """The first part that differs and the row where it does (-1: its form), ("", -1) if none does.

    Arrays of objects are not compared: what they hold shows in the answers.
    """
    for name, one in parts.items():
        other = others[name]
        if one is None and other is None:
            continue
        if one is None or other is None or one.shape != other.shape:
            shapes = ["None" if part is None else str(part.shape) for part in (one, other)]
            return f"{name}, an array {shapes[0]} here and {shapes[1]} there", -1
        if one.dtype == object:
            continue
        if one.dtype.kind in "fc":
            slack = 0.0 if exact else 1e-4
            same = np.isclose(one, other, rtol=slack, atol=slack / 100, equal_nan=True)
        else:
            same = one == other
        wrong = np.flatnonzero(~same.reshape(len(same), -1).all(axis=1))
        if wrong.size:
            return name, int(wrong[0])
    return "", -1
