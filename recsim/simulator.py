"""The core: n sessions in lockstep. No framework, no autoreset; the environments are adapters around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.catalog import Catalog
from recsim.history import History, ItemFeatures, remember
from recsim.late_conversions import LateConversions
from recsim.ledger import Ledger, Page, enter_all
from recsim.objectives import CONVERSION, Objectives
from recsim.observation import RECENT, Layout
from recsim.slates import shown_once
from recsim.streams import Streams
from recsim.users.checks import check_state, checked_profile, checked_response, checked_return, two_parts
from recsim.users.contract import (
    DeclaresAppeal,
    HasCalendar,
    HasProfile,
    Response,
    ReturnsLater,
    UpdatesState,
    UserModel,
)

if TYPE_CHECKING:
    from recsim.replay import Replay

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Step(NamedTuple):
    """What one step of n sessions gives.

    Attributes:
        observation: (n, d) float32, after the step.
        objectives: (n, o) float64, the vector reward; conversions count when they arrive (`Response.delay`).
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
    """Users meeting slates. `reset`, then `step` until sessions end; ended ones are renewed, continued or dropped.

    Attributes:
        catalog: the items.
        users: the user model.
        objectives: what a slate is worth.
        slate_size: k.
        horizon: most slates in a session.
        sessions: most sessions of a user.
        recent: h, how many of the last clicked and bought items are observed.
        seed: seed of all draws.
        born: (m,) float32, the day on which each item appears, or None where all are there from the start.
        layout: where each feature stands in an observation.
        state: hidden state of the n current users; what was handed out stays as it is when they go on.
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
        sessions: int = 1,
        recent: int = 0,
        objectives: Objectives | None = None,
        seed: int = 0,
    ) -> None:
        """A simulator without users yet; call `reset`.

        Raises:
            ValueError: if the slate is empty or larger than the catalogue, the horizon or the sessions are below 1,
                `recent` is below 0 or above 0 with too many items (`Layout.of`), or what the user model samples is no
                state or profile of a user.
            TypeError: if that state is no dataclass of arrays, or there are to be several sessions of users who never
                come back (the model has no `come_back`).
        """
        if not 1 <= slate_size <= len(catalog):
            raise ValueError(f"slate_size is {slate_size}; the catalogue {catalog.name!r} allows 1 to {len(catalog)}.")
        if horizon < 1:
            raise ValueError(f"horizon is {horizon}; a session needs at least 1 slate.")
        if sessions < 1:
            raise ValueError(f"sessions is {sessions}; a user has at least 1.")
        if sessions > 1 and not isinstance(users, ReturnsLater):
            raise TypeError(
                f"sessions is {sessions}, but {type(users).__name__} never come back: "
                "give the class a method come_back(state, users), or ask for 1 session."
            )
        self.catalog, self.users, self.objectives = catalog, users, objectives or Objectives()
        self.slate_size, self.horizon, self.sessions, self.seed = slate_size, horizon, sessions, seed
        self.recent = recent
        self._items = ItemFeatures.of(catalog)
        self._teller = users if isinstance(users, HasProfile) else None
        self._updater = users if isinstance(users, UpdatesState) else None
        self._calendar = users if isinstance(users, HasCalendar) and users.born is not None else None
        self.born = self._calendar.born if self._calendar else None
        self._stride = 0
        self._profile_size: int | None = None
        _, told = self._sampled(Streams.of(seed, 1))
        self._profile_size = told.shape[1]
        self.layout = Layout.of(catalog, self._profile_size, day=self._calendar is not None, recent=recent)

    @property
    def n(self) -> int:
        """The number of users n; 0 before the first reset."""
        return len(self.ended) if self._stride else 0

    @property
    def state(self) -> Any:
        """Hidden state of the n current users, a dataclass of arrays with a row a user."""
        self._lent = True
        return self._state

    @state.setter
    def state(self, state: Any) -> None:
        self._state, self._lent = state, True

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
        self._state, self.profile = self._sampled(streams)
        self._lent = False  # once handed out, a state is copied before it changes
        self.streams, self._stride, self._first_session = streams, int(np.ptp(streams.user)) + 1, streams.session
        self.history = History.empty(n, self.catalog, self.recent)
        self.ended = np.zeros(n, bool)
        self._late: LateConversions | None = None
        return self._observe()

    def step(self, slate: ArrayLike, *, least: int = -1) -> Step:
        """Show every user a slate.

        Args:
            slate: (n, k) whole numbers, items 0..m-1. An item repeated in a row is shown once, at its first position;
                the freed position stays empty, as does one given as -1 and that of an item that is not there yet.
            least: 0 refuses -1.

        Raises:
            RuntimeError: before `reset`, or while a session that ended was neither renewed nor dropped.
            ValueError: if the slate has another shape or type, or names an item that does not exist, or the user
                model's answer cannot be. Nothing has changed then.
        """
        shown, n = self._checked(slate, least), self.n
        page = Page(
            self.profile,
            self.horizon,
            self.objectives.weights,
            np.empty((n, len(self.objectives.names))),
            np.empty(n),
            np.empty((n, self.layout.size), np.float32),
        )
        response = self._response(shown, Ledger(self._items, self.history.sums, page))
        last = self.history.step >= self.horizon
        self.ended = response.leave | last
        if response.delay is not None or self._late:
            page = self._postponed(response, shown, page)
        elif self.recent:
            remember(*_marked(response.conversion, shown), self.history.bought)
        if self.recent:
            remember(*_marked(response.click, shown), self.history.clicked)
        self.streams = self.streams.at(self.history.step)
        return Step(
            self._told(page.observation),
            page.objectives,
            page.reward,
            response.leave,
            last & ~response.leave,
            shown,
            response,
        )

    def renew(self, ended: Flags, observation: Observation | None = None) -> Observation:
        """Go on in the rows where `ended` (n,) is true, and observe: (n, d) float32.

        Users who come back do so (see `revisit`); the others make room for the next. The user after u in a row is u +
        the span of the user numbers at reset (their count, where they are consecutive), so that nobody comes twice and
        who comes next does not depend on when the others end.

        Args:
            ended: (n,) bool.
            observation: what the last `step` observed; its renewed rows are overwritten, which saves observing all
                again.

        Raises:
            ValueError: if `ended` is no mask over the rows, or `observation` no array that observations fit in.
        """
        ended = np.asarray(ended)
        if ended.shape != (self.n,) or ended.dtype != np.bool_:
            raise ValueError(f"ended is a mask ({self.n},) bool, but an array {ended.shape} {ended.dtype} was given.")
        if observation is not None:
            self._check_room(observation)
        rows = np.flatnonzero(ended)
        left = rows[~self.revisit(ended)[rows]] if self.sessions > 1 else rows
        if left.size:
            self._replace(left)
        if observation is None:
            return self._observe()
        return self._observe(rows, observation)

    def revisit(self, ended: Flags | None = None) -> Flags:
        """Let users whose session has ended begin their next one where they come back: (n,) bool, who did.

        They are the same people, changed by what they met, and agents remember what they liked.

        Args:
            ended: (n,) bool, whose session is over; those of `ended`, if left out.
        """
        ended = self.ended if ended is None else ended
        back = ended & (self.streams.session - self._first_session + np.uint64(1) < self.sessions)
        rows = np.flatnonzero(back)
        if rows.size:
            comes, later = self.users.come_back(rows_of(self._state, rows), self.streams[rows])  # type: ignore[attr-defined]
            comes = checked_return(comes, later, len(rows), f"{type(self.users).__name__}.come_back")
            back[rows] = comes
            rows, later = rows[comes], rows_of(later, comes)
            session, step = self.streams.session.copy(), self.streams.step.copy()
            session[rows] += np.uint64(1)
            step[rows] = 0
            self._begin(rows, replace(self.streams, session=session, step=step), later)
            self.history.restart(rows)
        return back

    def keep(self, rows: NDArray[Any]) -> Observation:
        """Go on with some of the sessions only (a mask or row numbers), and observe them: (n', d) float32."""
        self.streams, self.history = self.streams[rows], self.history[rows]
        self._state = rows_of(self._state, rows)
        self.profile, self.ended = self.profile[rows], self.ended[rows]
        self._first_session = self._first_session[rows]
        if self._late:
            self._late.keep(rows)
        return self._observe()

    def expected(self, slate: ArrayLike) -> Floats:
        """Exact expected objectives of showing `slate` now, given the hidden state: (n, k, o) float64. Nothing changes.

        Raises:
            TypeError: if the user model does not declare its probabilities (`appeal` and `choice`).
        """
        model, shown = declared(self.users), self._checked(slate)
        appeal = model.appeal(self._state, shown)
        click = model.choice.probabilities(appeal, shown).click
        return self.objectives.per_position(click, click * appeal.conversion, shown, self.catalog)

    def examination(self, slate: ArrayLike) -> Floats:
        """(n, k) float64, exact probability that each position of `slate` would be examined now. Nothing changes.

        Raises:
            TypeError: if the user model does not declare its probabilities (`appeal` and `choice`).
        """
        model, shown = declared(self.users), self._checked(slate)
        return model.choice.probabilities(model.appeal(self._state, shown), shown).examined

    def counterfactual(self, session: int | tuple[int, int], slates: ArrayLike) -> Replay:
        """What the very same user, with the very same luck, does with other slates. Running sessions go on untouched.

        Args:
            session: user number, or (user number, session number).
            slates: (t, k) whole numbers, shown one after another from the beginning of the session; or (c, t, k), c
                such series, each to the same user.

        Returns:
            The replay; c is 1 where one series was given.

        Raises:
            ValueError: if the slates have another shape or are more than the horizon, or name an item that does not
                exist; or the session is a later one of a user who came back, since it depends on those before.
        """
        from recsim.replay import replay

        return replay(self, session, slates)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Everything that the running sessions are, as named arrays: what `restore` needs to go on from here.

        Raises:
            RuntimeError: before `reset`.
        """
        if not self._stride:
            raise RuntimeError("snapshot before reset: there are no users yet. Call reset first.")
        arrays = {"stride": np.array(self._stride), "first_session": self._first_session}
        arrays |= {"profile": self.profile, "ended": self.ended}
        if self._late:
            arrays["late"] = self._late.under_way
        for name, part in (("streams", self.streams), ("history", self.history), ("state", self._state)):
            arrays |= {f"{name}.{f.name}": np.asarray(getattr(part, f.name)) for f in fields(part)}
        return {name: array.copy() for name, array in arrays.items()}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> Observation:
        """Go on where `snapshot` was taken, in a simulator of the same world: (n, d) float32 observations.

        Raises:
            ValueError: if the snapshot is of another world: an array is missing, or has another shape or type.
        """
        before = self.__dict__.copy()
        try:
            self._take(snapshot)
        except ValueError:
            self.__dict__ = before
            raise
        return self._observe()

    def _take(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Begin sessions of as many users, then put the arrays of a snapshot in the place of theirs."""
        self.reset(len(np.atleast_1d(snapshot.get("ended", 0))))
        if "late" in snapshot:
            self._late = LateConversions(self.n, snapshot["late"])
        self._state = _all_taken(snapshot, "state", self._state)
        self.history = _all_taken(snapshot, "history", self.history)
        streams = _all_taken(snapshot, "streams", self.streams)
        self.seed, self.streams = int(streams.seed), replace(streams, seed=np.uint64(streams.seed))
        self._stride = int(_taken(snapshot, "stride", self._stride))
        self._first_session = _taken(snapshot, "first_session", self._first_session)
        self.profile, self.ended = (_taken(snapshot, name, getattr(self, name)) for name in ("profile", "ended"))

    def _observe(self, rows: Items | None = None, observation: Observation | None = None) -> Observation:
        """(n, d), new, or `observation` with only some rows written."""
        seen = self.history.observe(self.layout, self.profile, self.horizon, rows=rows, out=observation)
        return self._told(seen, rows)

    def _told(self, observation: Observation, rows: Items | None = None) -> Observation:
        """The observation with the day, where there is a calendar, and with recent items, where they are remembered."""
        changed = slice(None) if rows is None else rows
        if self._calendar:
            observation[changed, self.layout["day"].start] = self._calendar.now(self._state)[changed]
        if self.recent:
            for name in RECENT:
                observation[changed, self.layout[name]] = getattr(self.history, name)[changed]
        return observation

    def _replace(self, rows: Items) -> None:
        """Put the next users in some rows."""
        user, session, step = self.streams.user.copy(), self.streams.session.copy(), self.streams.step.copy()
        user[rows] += np.uint64(self._stride)
        session[rows], step[rows] = self._first_session[rows], 0
        streams = Streams(self.streams.seed, user, session, step)
        fresh = self.users.sample(streams[rows])  # of the form that `reset` has checked
        self._begin(rows, streams, fresh)
        self.history.clear(rows)

    def _check_room(self, observation: Observation) -> None:
        flags, needed = observation.flags, (self.n, self.layout.size)
        if observation.shape != needed or observation.dtype != np.float32 or not flags.carray:
            raise ValueError(
                f"observation is an array {observation.shape} {observation.dtype}; the rows of the last step, "
                f"{needed} float32, are needed. Leave it out to observe anew."
            )

    def _set_rows(self, rows: Items, fresh: Any) -> None:
        """Let some rows of the state be `fresh`."""
        self._own_state()
        for f in fields(fresh):
            getattr(self._state, f.name)[rows] = getattr(fresh, f.name)

    def _own_state(self) -> None:
        """Make the state one that may be overwritten: nobody else holds it or, after a pure `respond`, a part of it."""
        if not self._updater or self._lent:
            copies = {f.name: getattr(self._state, f.name).copy() for f in fields(self._state)}
            self._state, self._lent = replace(self._state, **copies), False

    def _begin(self, rows: Items, streams: Streams, state: Any) -> None:
        """Let sessions begin in some rows, with the users of `state`."""
        self.profile[rows] = self._profile(state, len(rows))
        self._set_rows(rows, state)
        self.streams = streams
        self.ended = self.ended.copy()
        self.ended[rows] = False
        if self._late:
            self._late.clear(rows)

    def _postponed(self, response: Response, shown: Items, page: Page) -> Page:
        """The page with conversions in the steps in which they arrive."""
        self._late = self._late or LateConversions(self.n)
        row, item = self._late.arrived(response, shown, self.history.step - 1, self.ended)
        if self.recent:
            remember(row, item, self.history.bought)
        arrived = np.bincount(row, minlength=self.n)
        self.history.last[:, 1] = arrived / self.slate_size
        page.observation[:, self.layout["last_conversions"].start] = self.history.last[:, 1]
        page.objectives[:, CONVERSION] = arrived
        return page._replace(reward=self.objectives.reward(page.objectives))

    def _response(self, shown: Items, ledger: Ledger) -> Response:
        """What the users do, entered in the ledger; their state moves on. Unless the answer cannot be."""
        if self._updater:
            self._own_state()
            before = int(self.history.step[0])
            response = self._updater.update(self._state, shown, self.streams, ledger)
            if self.history.step[0] != before + 1:
                raise RuntimeError(
                    f"{type(self.users).__name__}.update did not enter its answers in the ledger: "
                    "call recsim.ledger.enter for every row, or enter_all."
                )
            return response
        method = f"{type(self.users).__name__}.respond"
        given = self.users.respond(self._state, shown, self.streams)
        answer, after = two_parts(given, "the response and the state after it", method)
        response = checked_response(answer, shown, method)
        check_state(after, self.n, method)
        enter_all(shown, response.click, response.conversion, *ledger)
        self._state = after
        return response

    def _sampled(self, streams: Streams) -> tuple[Any, Observation]:
        """New users' hidden state and profile (n, p), both checked."""
        state = self.users.sample(streams)
        check_state(state, len(streams), f"{type(self.users).__name__}.sample")
        return state, self._profile(state, len(streams))

    def _profile(self, state: Any, n: int) -> Observation:
        if not self._teller:
            return np.zeros((n, 0), np.float32)
        method = f"{type(self.users).__name__}.profile"
        return checked_profile(self._teller.profile(state), n, self._profile_size, method)

    def _checked(self, slate: ArrayLike, least: int = -1) -> Items:
        if not self._stride:
            raise RuntimeError("step before reset: there are no users yet. Call reset first.")
        if np.count_nonzero(self.ended):
            row = int(np.flatnonzero(self.ended)[0])
            raise RuntimeError(
                f"the session of row {row} has ended: renew(ended) or keep(~ended) before the next step."
            )
        shown = shown_once(slate, self.n, self.slate_size, self.catalog, least=least)
        if self._calendar:
            shown[self._calendar.now(self._state)[:, None] < self.born[shown]] = -1  # type: ignore[index]
        return shown


def _marked(flag: Flags, shown: Items) -> tuple[Items, Items]:
    """The rows and the items of `shown` (n, k) where `flag` (n, k), row by row from the top."""
    row, position = np.nonzero(flag)
    return row, shown[row, position]


def declared(users: UserModel[Any]) -> DeclaresAppeal:
    """The same user model, known to declare its probabilities.

    Raises:
        TypeError: if it does not.
    """
    if not isinstance(users, DeclaresAppeal):
        raise TypeError(
            f"{type(users).__name__} declares no probabilities, so nothing exact can be said of it: "
            "give it a method appeal(state, items) and an attribute choice."
        )
    return users


def _all_taken(snapshot: Mapping[str, NDArray[Any]], name: str, fresh: Any) -> Any:
    """A dataclass like `fresh` with the arrays of a snapshot."""
    return replace(
        fresh, **{f.name: _taken(snapshot, f"{name}.{f.name}", getattr(fresh, f.name)) for f in fields(fresh)}
    )


def _taken(snapshot: Mapping[str, NDArray[Any]], name: str, fresh: Any) -> NDArray[Any]:
    """A copy of an array of a snapshot, of the shape of a fresh one."""
    given, needed = snapshot.get(name), np.shape(fresh)
    if given is None or given.shape != needed:
        found = "is missing" if given is None else f"has shape {given.shape} and {needed} is needed"
        raise ValueError(
            f"array {name!r} of the snapshot {found}: it was taken in another world. "
            "Restore it in a simulator made with the same arguments."
        )
    return given.copy()


def rows_of(state: Any, rows: NDArray[Any]) -> Any:
    """Some rows of a state."""
    return replace(state, **{f.name: getattr(state, f.name)[rows] for f in fields(state)})
