"""Sessions of a simulator under a policy, and questions to it where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import permutations
from math import perm
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim.oracle import Oracle
from recsim.policy import Decision, Policy
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.testing.report import Untested

Observation = NDArray[np.float32]
Items = NDArray[np.int64]
Floats = NDArray[np.float64]

N_USERS, STEPS = 16, 3
STRANGERS = 1_000_000  # user numbers from here on take no part in the sessions
MOST_SLATES = 5_000
ENUMERATED = 4  # users for whom all slates are gone through
STATEFUL = Untested("it sees the state of the simulator's users, and can rank for them only as they stand there")


class Moment(NamedTuple):
    """What a policy decided for n users at one step.

    Attributes:
        step: number of slates before it.
        observation: (n, d) float32.
        streams: theirs.
        decision: what it showed.
    """

    step: int
    observation: Observation
    streams: Streams
    decision: Decision


class PolicyProbe:
    """A policy and sessions under it; the last moment is where the simulator still stands.

    There, every other user has just begun, so that both the first slate and later ones are asked for.

    Attributes:
        policy: what is checked.
        simulator: where its users are.
        seed: of luck beside that of the sessions.
        stateful: whether it is an oracle, which ranks for the simulator's users only.
    """

    def __init__(self, policy: Policy, simulator: Simulator, seed: int) -> None:
        """Nothing of the policy is called yet."""
        self.policy, self.simulator, self.seed = policy, simulator, seed
        self.stateful = isinstance(policy, Oracle)

    def play(self) -> Iterator[Moment]:
        """The steps of the sessions, then the moment after them."""
        observation = self.simulator.reset(N_USERS)
        for number in range(STEPS):
            moment = self._moment(number, observation)
            yield moment
            self.simulator.step(moment.decision.slate)
            observation = self.simulator.renew(self.simulator.ended)
        yield self._moment(STEPS, self.simulator.renew(np.arange(N_USERS) % 2 == 1))

    @cached_property
    def moments(self) -> list[Moment]:
        """All moments of the sessions."""
        return list(self.play())

    @property
    def now(self) -> Moment:
        """Where the simulator stands."""
        return self.moments[-1]

    def _moment(self, step: int, observation: Observation) -> Moment:
        streams = self.simulator.streams
        return Moment(step, observation, streams, self.policy.act(observation.copy(), streams))

    @property
    def exact(self) -> bool:
        """Whether all decisions call their propensities exact."""
        return all(moment.decision.exact for moment in self.moments)

    @property
    def others(self) -> Streams:
        """Streams of other people, in the same places."""
        return Streams.of(self.seed, STRANGERS + np.arange(N_USERS))

    @property
    def uncountable(self) -> Untested | None:
        """Why the policy's probabilities cannot be enumerated, None where they can."""
        if self.stateful:
            return STATEFUL
        if not self.exact:
            return Untested("its propensities are estimates (Decision.exact is False), which need not be consistent")
        count = perm(len(self.simulator.catalog), self.simulator.slate_size)
        if count > MOST_SLATES:
            return Untested(
                f"{count:,} slates are too many to go through; take a catalogue with {MOST_SLATES:,} or fewer"
            )
        return None

    @cached_property
    def slates(self) -> Items:
        """(s, k) all slates without repeats."""
        return np.array(list(permutations(range(len(self.simulator.catalog)), self.simulator.slate_size)))

    @cached_property
    def probability(self) -> Floats:
        """(r, s) probability of each slate for the first r users, by the policy's own account."""
        return np.stack(
            [
                np.exp(self.policy.log_prob(np.repeat(row[None], len(self.slates), axis=0), self.slates.copy()))
                for row in self.now.observation[:ENUMERATED]
            ]
        )
