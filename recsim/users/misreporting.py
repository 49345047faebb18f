"""Users whose clicks reach the log with errors: what they do is true, what is reported of it is not always."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.streams import Streams
from recsim.users.contract import HasCalendar, HasProfile, Items, Response, ReturnsLater, UserModel


class Misreporting:
    """Any users, with symmetric label noise on the clicks that are reported.

    Where a position was looked at, or where that is not known, was shown, its click is reported the wrong way round
    with probability `rate`; a click that led to a conversion is always reported, since the order proves it. The users
    themselves go on from what they truly did: moods, leaving and coming back are those of `users`.

    They declare no probabilities (`appeal`, `choice`), as a report is no choice: ask `users`.

    Source: Natarajan, Dhillon, Ravikumar and Tewari 2013, "Learning with noisy labels" (random label noise).

    Attributes:
        users: the true users.
        rate: probability of a wrong report.
    """

    def __init__(self, users: UserModel[Any], rate: float) -> None:
        """`users` whose reports are wrong with probability `rate`, in [0, 1).

        Raises:
            ValueError: if `rate` is no such probability.
        """
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"rate is {rate}; it is the probability of a wrong report, from 0 to below 1.")
        self.users, self.rate = users, rate
        # What the users offer beyond the two methods is asked for by presence, so only what they have is handed on.
        if isinstance(users, HasProfile):
            self.profile = users.profile
        if isinstance(users, ReturnsLater):
            self.come_back = users.come_back
        if isinstance(users, HasCalendar):
            self.born, self.now = users.born, users.now

    def sample(self, users: Streams) -> Any:
        """Hidden state of n new users."""
        return self.users.sample(users)

    def respond(self, state: Any, slate: Items, users: Streams) -> tuple[Response, Any]:
        """What is reported of the true response to a slate, and the true state after it."""
        response, after = self.users.respond(state, slate, users)
        return replace(response, click=self._reported(response, slate, users)), after

    def _reported(self, response: Response, slate: Items, users: Streams) -> NDArray[np.bool_]:
        looked = slate >= 0 if response.examined is None else response.examined & (slate >= 0)
        wrong = (users.uniform("misreported click", items=slate) < self.rate) & looked & ~response.conversion
        return np.asarray(response.click ^ wrong)
