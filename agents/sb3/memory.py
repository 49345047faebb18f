"""What a recurrent policy remembers of the sessions that it is in the middle of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim.streams import Streams

States = tuple[NDArray[np.float32], NDArray[np.float32]]  # hidden and cell states, (layers, n, size) each


class _Known(NamedTuple):
    """The last step of a session at which the policy acted, and its states before and after, (2, layers, size) each."""

    step: int
    before: NDArray[np.float32]
    after: NDArray[np.float32]


class SessionMemory:
    """Recurrent states by session, so that they depend neither on the order of the rows nor on the other rows.

    A session is known by seed, user and session number. It begins from zeros at step 0, as in training. The states
    before the last step are kept beside those after it: asked again at the same step, a policy gives the same answer.
    """

    def __init__(self, layers: int, size: int, sessions: int) -> None:
        """A memory of the last `sessions` sessions, of an LSTM of so many layers and numbers in each."""
        self._shape, self._sessions = (layers, size), sessions
        self._known: dict[tuple[int, int, int], _Known] = {}

    def recall(self, streams: Streams) -> States:
        """The states in which the sessions come to the present step.

        Raises:
            ValueError: if the policy did not act at the step before.
        """
        layers, size = self._shape
        states = np.zeros((2, layers, len(streams), size), np.float32)
        for row, (key, step) in enumerate(_sessions(streams)):
            known = self._known.get(key)
            if step == 0:
                continue
            if known is None or step - known.step not in (0, 1):
                raise ValueError(
                    f"row {row} is step {step} of session {key[2]} of user {key[1]}, but the recurrent policy has not "
                    "acted at the step before, or has forgotten it: it follows sessions from their first slate on."
                )
            states[:, :, row] = known.before if known.step == step else known.after
        return states[0], states[1]

    def keep(self, streams: Streams, before: States, after: States) -> None:
        """Remember what `recall` gave and what came of it; the oldest sessions are forgotten."""
        old, new = np.stack(before), np.stack(after)
        for row, (key, step) in enumerate(_sessions(streams)):
            self._known.pop(key, None)
            self._known[key] = _Known(step, old[:, :, row].copy(), new[:, :, row].copy())
        while len(self._known) > self._sessions:
            del self._known[next(iter(self._known))]


def _sessions(streams: Streams) -> Iterator[tuple[tuple[int, int, int], int]]:
    """The key and the step of every row."""
    rows = zip(streams.user.tolist(), streams.session.tolist(), streams.step.tolist(), strict=True)
    for user, session, step in rows:
        yield (int(streams.seed), user, session), step
