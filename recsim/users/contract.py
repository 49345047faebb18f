"""The contract of a user simulator: two methods, and what they exchange."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

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
    """

    click: Flags
    conversion: Flags
    leave: Flags
    examined: Flags | None = None


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
        click: (n, c) float64, probability of a click on the item when it is examined.
        conversion: (n, c) float64, probability of a conversion once it is clicked.
    """

    click: Floats
    conversion: Floats


@runtime_checkable
class DeclaresAppeal(Protocol):
    """A user model that declares its probabilities, so that expectations and oracles are exact."""

    def appeal(self, state: Any, items: Items) -> Appeal:
        """Appeal of `items` ((n, c) int64, -1 for none: probability 0)."""
        ...

    def examination(self, slate_size: int) -> Floats:
        """(k,) float64, probability that position j is examined."""
        ...
