"""The contract of a user simulator: two methods, and what they exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recsim.ledger import Ledger
from recsim.streams import Streams

State = TypeVar("State")
Flags = NDArray[np.bool_]
Items = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Response:
    """What n users did with their slates.

    Attributes:
        click: (n, k) bool.
        conversion: (n, k) bool, true only where `click` is.
        leave: (n,) bool, the user's session ends here.
        examined: (n, k) bool, which positions were looked at, where the model knows; never shown to agents.
        delay: (n, k) int64 from 0 up, steps until each conversion arrives, where any comes late; None: all at once.
            What is still under way when the session ends arrives with its last step.
    """

    click: Flags
    conversion: Flags
    leave: Flags
    examined: Flags | None = None
    delay: Items | None = None


class UserModel(Protocol[State]):
    """A user simulator. `State` is any dataclass of arrays whose leading axis is the users' (row i is user i).

    `respond` is pure: it returns a new state and leaves the old one as it was. Every draw comes from `users`, so that a
    user's luck depends on nobody else.
    """

    def sample(self, users: Streams) -> State:
        """Hidden state of n new users."""
        ...

    def respond(self, state: State, slate: Items, users: Streams) -> tuple[Response, State]:
        """Response to `slate` ((n, k) int64 item numbers, -1 an empty position) and the state after it."""
        ...


@runtime_checkable
class HasProfile(Protocol):
    """A user model whose users tell something openly, such as declared tastes."""

    def profile(self, state: Any) -> NDArray[np.float32]:
        """(n, p) float32, constant during a session; the only part of the state that agents see."""
        ...


@dataclass(frozen=True)
class Appeal:
    """What n users think of c items each: the truth behind their choices.

    Attributes:
        click: (n, c) float64, probability of a click on the item where it is examined and nothing else is shown.
        conversion: (n, c) float64, probability of a conversion once it is clicked.
        satisfaction: (n, c) float64, probability that a click on it ends the search; needed by the dynamic Bayesian
            network only.
    """

    click: Floats
    conversion: Floats
    satisfaction: Floats | None = None


@dataclass(frozen=True)
class Choices:
    """Exact probabilities of what n users do with their slates.

    Attributes:
        examined: (n, k) float64, probability that the position is examined.
        click: (n, k) float64, probability that it is clicked.
    """

    examined: Floats
    click: Floats


class ChoiceModel(Protocol):
    """How appeal turns into clicks on a slate. The built-in ones are in `recsim.users.choice`."""

    def probabilities(self, appeal: Appeal, slate: Items) -> Choices:
        """Exact marginal probabilities, `appeal` being that of the items of `slate` ((n, k) int64, -1 empty)."""
        ...

    def sample(self, appeal: Appeal, slate: Items, users: Streams) -> tuple[Flags, Flags]:
        """What is examined and what is clicked, (n, k) bool each; draws about an item are keyed by the item."""
        ...

    def best_slate(self, appeal: Appeal, worth: Floats, slate_size: int) -> Items:
        """(n, k) int64, the columns of `appeal` that earn most, top first: expected sum of clicks × `worth` (n, c)."""
        ...


@runtime_checkable
class DeclaresAppeal(Protocol):
    """A user model that declares the probabilities behind its clicks, so that expectations and oracles are exact."""

    @property
    def choice(self) -> ChoiceModel:
        """How appeal turns into clicks."""
        ...

    def appeal(self, state: Any, items: Items) -> Appeal:
        """Appeal of `items` ((n, c) int64, -1 for none: probability 0)."""
        ...


@runtime_checkable
class UpdatesState(Protocol):
    """A user model that can also answer, overwrite its state and enter the answers in one pass over the users.

    That saves the copies of a pure `respond` and keeps a user's data in the processor's cache.
    """

    def update(self, state: Any, slate: Items, users: Streams, ledger: Ledger) -> Response:
        """The response of `respond`; `state` becomes the state after the slate, and every row is entered (`enter`)."""
        ...


@runtime_checkable
class ReturnsLater(Protocol):
    """A user model whose users may come back for another session after one has ended."""

    def come_back(self, state: Any, users: Streams) -> tuple[Flags, Any]:
        """Which of n users whose session has just ended come back ((n,) bool), and all their states when they do.

        `users` stands just after the last step of the old session. Pure, like `respond`.
        """
        ...


@runtime_checkable
class HasCalendar(Protocol):
    """A user model in whose world items appear over time. Agents are told the day and the items' birthdays."""

    @property
    def born(self) -> NDArray[np.float32] | None:
        """(m,) float32, the day on which each item appears, before which nobody sees it; None: all always there."""
        ...

    def now(self, state: Any) -> NDArray[np.float32]:
        """(n,) float32, the day on which each user is."""
        ...
