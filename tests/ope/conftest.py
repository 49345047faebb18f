"""A world small enough to enumerate: 2 contexts, 6 items, slates of 3, two objectives; no simulator needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from recsim.logs import Log, LogInfo
from recsim.policy import Decision
from recsim.streams import Streams

Floats = NDArray[np.float64]
Items = NDArray[np.int64]

N_ITEMS, SLATE_SIZE = 6, 3
SLATES = np.array(list(permutations(range(N_ITEMS), SLATE_SIZE)), np.int64)  # (120, 3)


@dataclass(frozen=True)
class TinyPolicy:
    """Plackett-Luce over a table of scores per context; temperature 0 shows the best items first."""

    name: str
    table: Floats  # (contexts, items)
    temperature: float = 1.0

    def act(self, observation: NDArray[np.float32], streams: Streams) -> Decision:
        scores = self._scores(observation)
        if self.temperature:
            items = np.broadcast_to(np.arange(N_ITEMS), scores.shape)
            scores = scores / self.temperature + streams.gumbel("tiny policy", items=items)
        slate = np.argsort(-scores, axis=1, kind="stable")[:, :SLATE_SIZE]
        return Decision(slate, self.step_log_prob(observation, slate))

    def step_log_prob(self, observation: NDArray[np.float32], slate: Items) -> Floats:
        scores = self._scores(observation)
        if not self.temperature:
            best = np.argsort(-scores, axis=1, kind="stable")[:, :SLATE_SIZE]
            return np.where(np.logical_and.accumulate(best == slate, axis=1), 0.0, -np.inf)
        left = np.exp(scores / self.temperature)
        out = np.empty(slate.shape)
        rows = np.arange(len(slate))
        for position in range(slate.shape[1]):
            out[:, position] = np.log(left[rows, slate[:, position]] / left.sum(axis=1))
            left[rows, slate[:, position]] = 0.0
        return out

    def log_prob(self, observation: NDArray[np.float32], slate: Items) -> Floats:
        return self.step_log_prob(observation, slate).sum(axis=1)

    def _scores(self, observation: NDArray[np.float32]) -> Floats:
        return self.table[observation.argmax(axis=1)]


class TinyWorld:
    """Users who read from the top: an item is worth less below a similar one. Everything can be computed exactly."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self.appeal = rng.uniform(0.1, 0.9, (2, N_ITEMS, 2))  # (contexts, items, objectives)
        self.behaviour = TinyPolicy("behaviour", rng.normal(0.0, 0.5, (2, N_ITEMS)))
        self.target = TinyPolicy("target", self.behaviour.table + rng.normal(0.0, 0.7, (2, N_ITEMS)))
        self.greedy = TinyPolicy("greedy", self.appeal[:, :, 0], temperature=0.0)

    def expected(self, context: Items, slate: Items) -> Floats:
        """(n, k, o) expected rewards: appeal, halved below an item of the same parity, less at every position."""
        same = np.zeros(slate.shape)
        same[:, 1:] = (slate[:, 1:] - slate[:, :-1]) % 2 == 0
        look = 1.0 / (1.0 + np.arange(slate.shape[1]))
        return self.appeal[context[:, None], slate] * (look * (1.0 - 0.5 * same))[:, :, None]

    def everything(self) -> tuple[Items, Items]:
        """Every context with every slate: contexts (240,), slates (240, 3)."""
        return np.repeat([0, 1], len(SLATES)), np.tile(SLATES, (2, 1))

    def chance(self, policy: TinyPolicy) -> Floats:
        """(240,) probability of each row of `everything`, contexts being equally likely."""
        context, slate = self.everything()
        return 0.5 * np.exp(policy.log_prob(observe(context), slate))

    def truth(self, policy: TinyPolicy) -> Floats:
        """(o,) the exact value of a policy."""
        return self.chance(policy) @ self.expected(*self.everything()).sum(axis=1)

    def log(self, n_sessions: int, seed: int, steps: int = 3) -> Log:
        """A log of the behaviour policy: sessions of `steps` slates, each in a context of its own."""
        rng = np.random.default_rng(seed)
        user = np.repeat(np.arange(n_sessions), steps)
        step = np.tile(np.arange(steps), n_sessions)
        context = rng.integers(0, 2, len(user))
        decision = self.behaviour.act(observe(context), Streams.of(seed, user, 0, step))
        reward = rng.random((len(user), SLATE_SIZE, 2)) < self.expected(context, decision.slate)
        return Log(
            info=LogInfo(
                1, seed, "behaviour", "tiny", "0f", "TinyWorld", SLATE_SIZE, steps, ("click", "like"), (1.0, 0.5)
            ),
            user=user,
            session=np.zeros(len(user), np.int64),
            step=step,
            observation=observe(context),
            slate=decision.slate,
            click=reward[:, :, 0],
            conversion=np.zeros(decision.slate.shape, bool),
            objectives=reward.astype(np.float64),
            step_log_prob=decision.step_log_prob,
        )


def observe(context: Items) -> NDArray[np.float32]:
    """(n, 2) float32, the context one-hot."""
    return np.eye(2, dtype=np.float32)[context]


def tiny_features(observation: NDArray[np.float32], slate: Items) -> NDArray[np.float32]:
    """(n, k, 12) float32, context and item one-hot together."""
    item = np.eye(N_ITEMS, dtype=np.float32)[slate]  # (n, k, 6)
    pairs = observation[:, None, :, None] * item[:, :, None, :]
    return pairs.reshape(*slate.shape, 2 * N_ITEMS)


@pytest.fixture(scope="session")
def world() -> TinyWorld:
    return TinyWorld()


@pytest.fixture(scope="session")
def features():
    return tiny_features


@pytest.fixture(scope="session")
def observe_context():
    return observe


@pytest.fixture(scope="session")
def tiny_log(world: TinyWorld) -> Log:
    """400 sessions of 3 slates; do not change its arrays, take `changed` copies."""
    return world.log(400, seed=11)


@pytest.fixture(scope="session")
def changed():
    """`changed(log, column, place, value)`: a copy of the log with one value replaced."""

    def change(log: Log, column: str, place: tuple[int, ...], value: float) -> Log:
        values = getattr(log, column).copy()
        values[place] = value
        return replace(log, **{column: values})

    return change
