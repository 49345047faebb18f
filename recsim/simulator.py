"""The core: n sessions in lockstep. No framework, no autoreset; the environments are adapters around it."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.catalog import Catalog
from recsim.history import History, ItemFeatures
from recsim.jit import kernel
from recsim.objectives import Objectives
from recsim.observation import Layout
from recsim.streams import Streams
from recsim.users.contract import DeclaresAppeal, HasProfile, Response, UserModel

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Step:
    """What one step of n sessions gives.

    Attributes:
        observation: (n, d) float32, after the step.
        objectives: (n, o) float64, the vector reward.
        reward: (n,) float64, weighted sum of the objectives.
        terminated: (n,) bool, the user left.
        truncated: (n,) bool, the horizon was reached and the user had not left.
        slate: (n, k) int64, what was shown: the slate asked for, repeats replaced by -1.
        response: what the users did.
    """

    observation: Observation
    objectives: Floats
    reward: Floats
    terminated: Flags
    truncated: Flags
    slate: Items
    response: Response


class Simulator:
    """Users meeting slates. `reset`, then `step` until sessions end; ended ones are renewed or dropped.

    Attributes:
        catalog: the items.
        users: the user model.
        objectives: what a slate is worth.
        slate_size: k.
        horizon: most slates in a session.
        seed: seed of all draws.
        layout: where each feature stands in an observation.
        state: hidden state of the n current users.
        profile: (n, p) float32, what they tell openly.
        history: their sessions so far.
        streams: their random streams, at the current step.
        ended: (n,) bool, sessions that are over and not yet renewed.
    """

    def __init__(
        self,
        catalog: Catalog,
        users: UserModel[Any],
        *,
        slate_size: int = 10,
        horizon: int = 30,
        objectives: Objectives | None = None,
        seed: int = 0,
    ) -> None:
        """A simulator without users yet; call `reset`.

        Raises:
            ValueError: if the slate is empty or larger than the catalogue, the horizon is below 1, or what the user
                model samples is no state or profile of a user.
            TypeError: if that state is no dataclass of arrays.
        """
        if not 1 <= slate_size <= len(catalog):
            raise ValueError(f"slate_size is {slate_size}; the catalogue {catalog.name!r} allows 1 to {len(catalog)}.")
        if horizon < 1:
            raise ValueError(f"horizon is {horizon}; a session needs at least 1 slate.")
        self.catalog, self.users, self.objectives = catalog, users, objectives or Objectives()
        self.slate_size, self.horizon, self.seed = slate_size, horizon, seed
        self._items = ItemFeatures.of(catalog)
        self._teller = users if isinstance(users, HasProfile) else None
        self._stride = 0
        self._profile_size: int | None = None
        _, told = self._sampled(Streams.of(seed, 1))
        self._profile_size = told.shape[1]
        self.layout = Layout.of(catalog, self._profile_size)

    @property
    def n(self) -> int:
        """The number of users n; 0 before the first reset."""
        return len(self.ended) if self._stride else 0

    def reset(self, users: int | ArrayLike = 1, *, session: ArrayLike = 0) -> Observation:
        """New sessions, (n, d) float32 observations of them.

        Args:
            users: a count n for users 0..n-1, or (n,) user numbers. The same user and session number are always the
                same person with the same luck.
            session: session number, one or (n,).

        Raises:
            ValueError: if there are no users, a number is not from 0 up, or the user model samples no state or profile
                of n users.
        """
        streams = Streams.of(self.seed, users, session)
        n = len(streams)
        self.state, self.profile = self._sampled(streams)
        self.streams, self._stride = streams, int(np.ptp(streams.user)) + 1
        self.history = History.empty(n, self.catalog)
        self.ended = np.zeros(n, bool)
        return self._observe()

    def step(self, slate: ArrayLike) -> Step:
        """Show every user a slate.

        Args:
            slate: (n, k) whole numbers, items 0..m-1. An item repeated in a row is shown once, at its first position;
                the freed position stays empty, as does one given as -1.

        Raises:
            RuntimeError: before `reset`, or while a session that ended was neither renewed nor dropped.
            ValueError: if the slate has another shape or type, or names an item that does not exist, or the user
                model's answer cannot be. Nothing has changed then.
        """
        shown = self._checked(slate)
        answer, after = self.users.respond(self.state, shown, self.streams)
        response, self.state = self._answered(answer, shown), after
        self.history.record(shown, response.click, response.conversion, self._items)
        self.streams = self.streams.at(self.history.step)
        objectives = self.objectives.of(response, shown, self.catalog)
        truncated = (self.history.step >= self.horizon) & ~response.leave
        self.ended = response.leave | truncated
        return Step(
            self._observe(),
            objectives,
            self.objectives.reward(objectives),
            response.leave.copy(),
            truncated,
            shown,
            response,
        )

    def renew(self, ended: Flags, observation: Observation | None = None) -> Observation:
        """Put new users in the rows where `ended` (n,) is true, and observe: (n, d) float32.

        The user after u in a row is u + the span of the user numbers at reset (their count, where they are
        consecutive), so that nobody comes twice and who comes next does not depend on when the others end.

        Args:
            ended: (n,) bool.
            observation: what the last `step` observed; its renewed rows are overwritten, which saves observing all
                again.

        Raises:
            ValueError: if `ended` is no mask over the rows.
        """
        ended = np.asarray(ended)
        if ended.shape != (self.n,) or ended.dtype != np.bool_:
            raise ValueError(f"ended is a mask ({self.n},) bool, but an array {ended.shape} {ended.dtype} was given.")
        rows = np.flatnonzero(ended)
        if rows.size:
            user = self.streams.user.copy()
            user[rows] += np.uint64(self._stride)
            step = self.streams.step.copy()
            step[rows] = 0
            self.streams = replace(self.streams, user=user, step=step)
            fresh, told = self._sampled(self.streams[rows])
            self.state = _with_rows(self.state, rows, fresh)
            self.profile = self.profile.copy()
            self.profile[rows] = told
            self.history.clear(ended)
            self.ended = self.ended & ~ended
        if observation is None:
            return self._observe()
        observation[rows] = self.history[rows].observe(self.layout, self.profile[rows], self.horizon)
        return observation

    def keep(self, rows: NDArray[Any]) -> Observation:
        """Go on with some of the sessions only (a mask or row numbers), and observe them: (n', d) float32."""
        self.streams, self.history = self.streams[rows], self.history[rows]
        self.state = replace(self.state, **{f.name: getattr(self.state, f.name)[rows] for f in fields(self.state)})
        self.profile, self.ended = self.profile[rows], self.ended[rows]
        return self._observe()

    def expected(self, slate: ArrayLike) -> Floats:
        """Exact expected objectives of showing `slate` now, given the hidden state: (n, k, o) float64. Nothing changes.

        Raises:
            TypeError: if the user model does not declare its probabilities (`appeal` and `examination`).
        """
        model = declared(self.users)
        shown = self._checked(slate)
        appeal = model.appeal(self.state, shown)
        click = model.examination(self.slate_size) * appeal.click
        return self.objectives.per_position(click, click * appeal.conversion, shown, self.catalog)

    def _observe(self) -> Observation:
        return self.history.observe(self.layout, self.profile, self.horizon)

    def _sampled(self, streams: Streams) -> tuple[Any, Observation]:
        """New users' hidden state and profile (n, p), both checked."""
        model, n = type(self.users).__name__, len(streams)
        state = self.users.sample(streams)
        _check_state(state, n, f"{model}.sample")
        if not self._teller:
            return state, np.zeros((n, 0), np.float32)
        given = np.asarray(self._teller.profile(state))
        size = given.shape[-1] if self._profile_size is None and given.ndim else self._profile_size
        if given.dtype.kind != "f" or given.shape != (n, size):
            raise ValueError(
                f"{model}.profile gave an array {given.shape} {given.dtype} for {n} users; "
                f"({n}, {'p' if self._profile_size is None else size}) float32 is needed, a row a user."
            )
        finite = np.isfinite(given)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise ValueError(
                f"{model}.profile gave {given[row, column]} in row {row}, column {column}; agents see the profile, "
                "so it holds finite numbers. Write 0 where nothing is known."
            )
        return state, np.ascontiguousarray(given, np.float32)

    def _checked(self, slate: ArrayLike) -> Items:
        if not self._stride:
            raise RuntimeError("step before reset: there are no users yet. Call reset first.")
        if self.ended.any():
            row = int(np.flatnonzero(self.ended)[0])
            raise RuntimeError(
                f"the session of row {row} has ended: renew(ended) or keep(~ended) before the next step."
            )
        given, shape = _array(slate), (self.n, self.slate_size)
        if given.shape != shape:
            raise ValueError(f"slate has shape {given.shape}; {shape} is needed: a row a user.")
        shown = np.empty(shape, np.int64)
        wrong = _show_once(_whole_numbers(given), len(self.catalog), shown)
        if wrong >= 0:
            row, position = divmod(wrong, self.slate_size)
            raise ValueError(
                f"row {row}, position {position} of the slate is item {given[row, position]}; "
                f"items of {self.catalog.name!r} are 0 to {len(self.catalog) - 1}."
            )
        return shown

    def _answered(self, answer: Response, shown: Items) -> Response:
        parts = {"click": shown.shape, "conversion": shown.shape, "leave": shown.shape[:1]}
        for name, shape in parts.items():
            flags = getattr(answer, name)
            if flags.shape != shape or flags.dtype != np.bool_:
                raise ValueError(
                    f"{type(self.users).__name__}.respond gave {name} as an array {flags.shape} {flags.dtype}; "
                    f"{shape} bool is needed."
                )
        wrong = _impossible(shown, answer.click, answer.conversion)
        if wrong >= 0:
            row, position = divmod(wrong, self.slate_size)
            what, remedy = (
                ("a click on the empty position", "click & (slate >= 0)")
                if answer.click[row, position]
                else ("a conversion without a click at position", "conversion & click")
            )
            raise ValueError(
                f"{type(self.users).__name__}.respond gave {what} {position} of row {row}; return {remedy}."
            )
        return answer


def declared(users: UserModel[Any]) -> DeclaresAppeal:
    """The same user model, known to declare its probabilities.

    Raises:
        TypeError: if it does not.
    """
    if not isinstance(users, DeclaresAppeal):
        raise TypeError(
            f"{type(users).__name__} declares no probabilities, so nothing exact can be said of it: "
            "give it the methods appeal(state, items) and examination(slate_size)."
        )
    return users


def _array(slate: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(slate)
    except ValueError as error:
        raise ValueError("slate has rows of different length; k item numbers a row are needed.") from error


def _whole_numbers(given: NDArray[Any]) -> Items:
    """The same numbers as int64, those beyond its range at its end."""
    kind = given.dtype.kind
    if kind == "u":
        given = np.minimum(given, np.uint64(np.iinfo(np.int64).max))
    elif kind != "i":
        wrong = ~np.isfinite(given) | (given != np.floor(given)) if kind == "f" else np.ones(given.shape, bool)
        row, position = np.unravel_index(wrong.argmax(), wrong.shape)
        raise ValueError(
            f"row {row}, position {position} of the slate is {given[row, position]!s}, in an array of {given.dtype}; "
            "items are whole numbers. Convert it with astype(int)."
        )
    return np.ascontiguousarray(given, np.int64)


@kernel
def _show_once(slate: Items, n_items: int, shown: Items) -> int:
    """Fill `shown` with the slates, repeats after the first position -1; where an item does not exist, -1 if all do."""
    n, k = slate.shape
    for row in range(n):
        for position in range(k):
            item = slate[row, position]
            if item < -1 or item >= n_items:
                place: int = row * k + position
                return place
            for above in range(position):
                if shown[row, above] == item:
                    item = -1
            shown[row, position] = item
    return -1


@kernel
def _impossible(slate: Items, click: Flags, conversion: Flags) -> int:
    """Where an empty position is clicked or something converts without a click; -1 if nowhere."""
    n, k = slate.shape
    for row in range(n):
        for position in range(k):
            clicked = click[row, position]
            if (clicked and slate[row, position] < 0) or (conversion[row, position] and not clicked):
                place: int = row * k + position
                return place
    return -1


def _check_state(state: Any, n: int, method: str) -> None:
    if not is_dataclass(state) or isinstance(state, type):
        raise TypeError(f"{method} gave {type(state).__name__}; a state is a dataclass of arrays, a row a user.")
    for f in fields(state):
        values = getattr(state, f.name)
        if not isinstance(values, np.ndarray):
            raise TypeError(
                f"{method} gave a state whose {f.name} is {type(values).__name__}; it is an array, a row a user."
            )
        if values.shape[:1] != (n,):
            raise ValueError(
                f"{method} gave a state whose {f.name} is an array {values.shape} for {n} users; "
                f"its first axis has length {n}, a row a user."
            )


def _with_rows(state: Any, rows: Items, fresh: Any) -> Any:
    """A copy of a state dataclass in which `rows` hold `fresh`."""
    merged = {}
    for f in fields(state):
        values = getattr(state, f.name).copy()
        values[rows] = getattr(fresh, f.name)
        merged[f.name] = values
    return replace(state, **merged)
