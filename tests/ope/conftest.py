"""A world small enough to enumerate: 2 contexts, 6 items, slates of 3, two objectives; no simulator needed."""

from __future__ import annotations

from bisect import bisect
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


@dataclass(frozen=True, eq=False)
class ActionLog:
    """Rows of single actions with everything that a test may want to know of them."""

    context: Items  # (n,)
    action: Items  # (n,)
    reward: Floats  # (n, 2)
    target: Floats  # (n,) log-propensities
    logged: Floats
    target_table: Floats  # (n, 6) probabilities
    logged_table: Floats
    chance: Floats  # (n,) of the row in the log, where the rows are all there are


class ActionWorld:
    """Single actions: 3 contexts, 6 items in 3 clusters, 2 objectives; everything can be computed exactly."""

    cluster = np.array([0, 0, 1, 1, 2, 2])

    def __init__(self) -> None:
        rng = np.random.default_rng(17)
        self.expected = rng.uniform(0.1, 0.9, (3, 6, 2))
        self.logging = rng.dirichlet(np.full(6, 3.0), 3)  # (contexts, items)
        self.target = rng.dirichlet(np.full(6, 1.0), 3)
        self.truth = np.einsum("ca,cao->o", self.target, self.expected) / 3

    def rows(self, context: Items, action: Items, reward: Floats, logging: Floats | None = None) -> ActionLog:
        """The log of these choices, made by the policy `logging` (contexts, items), the world's own unless given."""
        target, logged = self.target[context], (self.logging if logging is None else logging)[context]
        rows = np.arange(len(context))
        at_target, at_logged = target[rows, action], logged[rows, action]
        return ActionLog(context, action, reward, np.log(at_target), np.log(at_logged), target, logged, at_logged / 3)

    def everything(self) -> ActionLog:
        """Every context with every item and its expected rewards."""
        context, action = np.repeat(np.arange(3), 6), np.tile(np.arange(6), 3)
        return self.rows(context, action, self.expected[context, action])

    def log(self, n: int, seed: int, logging: Floats | None = None) -> ActionLog:
        """A log of n rows with rewards of 0 and 1."""
        rng = np.random.default_rng(seed)
        context = rng.integers(0, 3, n)
        below = np.cumsum((self.logging if logging is None else logging)[context], axis=1)
        action = np.minimum((rng.random((n, 1)) > below).sum(axis=1), 5)
        reward = (rng.random((n, 2)) < self.expected[context, action]).astype(float)
        return self.rows(context, action, reward, logging)


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
def actions() -> ActionWorld:
    return ActionWorld()


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


@dataclass(frozen=True)
class Sessions:
    """Sessions of a `MarkovWorld`, one row per step; `chance` (sessions,) where they are all there can be."""

    session: Items
    step: Items
    state: Items
    action: Items
    reward: Floats
    target: Floats
    logged: Floats
    chance: Floats | None = None

    @property
    def rows(self) -> dict[str, Items]:
        return {"session": self.session, "step": self.step}

    @property
    def logs(self) -> tuple[Floats, Floats, Floats]:
        return self.reward, self.target, self.logged

    def at(self, table: Floats) -> Floats:
        """Values of `table` (steps, states, actions, ...) at the logged moments."""
        return table[self.step, self.state, self.action]

    def over(self, table: Floats, policy: Floats) -> Floats:
        """Expectation of `table` over the actions of `policy` (states, actions) at the logged moments."""
        return np.einsum("tsao,sa->tso", table, policy)[self.step, self.state]

    def shuffled(self, seed: int) -> Sessions:
        order = np.random.default_rng(seed).permutation(len(self.step))
        names = ("session", "step", "state", "action", "reward", "target", "logged")
        return replace(self, **{name: getattr(self, name)[order] for name in names})


class MarkovWorld:
    """Three states, two actions, two objectives, at most three steps; sessions may end sooner. All of it is exact."""

    n_steps = 3

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        self.start = np.array([0.5, 0.3, 0.2])
        self.move = rng.dirichlet(np.ones(3), (3, 2)) * rng.uniform(0.6, 0.95, (3, 2, 1))  # the rest leave
        self.earn = rng.uniform(0.1, 0.9, (3, 2, 2))  # (states, actions, objectives)
        self.behaviour = np.array([[0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
        self.target = np.array([[0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])

    def q(self, policy: Floats, gamma: float) -> Floats:
        """(steps, states, actions, objectives) exact rewards to go."""
        out = np.zeros((self.n_steps + 1, 3, 2, 2))
        for step in reversed(range(self.n_steps)):
            later = np.einsum("sao,sa->so", out[step + 1], policy)
            out[step] = self.earn + gamma * np.einsum("saz,zo->sao", self.move, later)
        return out[:-1]

    def value(self, policy: Floats, gamma: float) -> Floats:
        """(o,) the exact mean discounted return."""
        return np.einsum("s,sa,sao->o", self.start, policy, self.q(policy, gamma)[0])

    def visits(self, policy: Floats) -> Floats:
        """(steps, states) probability to be there, of all sessions."""
        out = [self.start]
        for _ in range(self.n_steps - 1):
            out.append(np.einsum("s,sa,saz->z", out[-1], policy, self.move))
        return np.array(out)

    def everything(self) -> Sessions:
        """Every session there can be, with its probability under the behaviour policy; expected rewards."""
        paths: list[tuple[float, list[tuple[int, int]]]] = []
        for state in range(3):
            self._extend(self.start[state], [], state, paths)
        return self._table([steps for _, steps in paths], np.array([chance for chance, _ in paths]))

    def log(self, n_sessions: int, seed: int, policy: Floats | None = None) -> Sessions:
        """A log of `policy` (else the behaviour policy) with rewards of 0 and 1."""
        rng = np.random.default_rng(seed)
        acting = self.behaviour if policy is None else policy
        paths = [self._walk(rng, acting) for _ in range(n_sessions)]
        table = self._table(paths, None)
        drawn = (rng.random(table.reward.shape) < table.reward).astype(np.float64)
        return replace(table, reward=drawn)

    def _walk(self, rng: np.random.Generator, policy: Floats) -> list[tuple[int, int]]:
        path, state = [], bisect(self.start[:-1].cumsum().tolist(), rng.random())
        leaving = self.move.cumsum(axis=2).tolist()
        while state < 3 and len(path) < self.n_steps:
            action = int(rng.random() < policy[state, 1])
            path.append((state, action))
            state = bisect(leaving[state][action], rng.random())  # 3: left
        return path

    def _extend(self, chance: float, before: list[tuple[int, int]], state: int, paths: list) -> None:
        for action in range(2):
            path = [*before, (state, action)]
            here = chance * self.behaviour[state, action]
            if len(path) == self.n_steps:
                paths.append((here, path))
                continue
            paths.append((here * (1.0 - self.move[state, action].sum()), path))
            for follower in range(3):
                self._extend(here * self.move[state, action, follower], path, follower, paths)

    def _table(self, paths: list[list[tuple[int, int]]], chance: Floats | None) -> Sessions:
        state, action = np.array([pair for path in paths for pair in path]).T
        return Sessions(
            session=np.repeat(np.arange(len(paths)), [len(path) for path in paths]),
            step=np.concatenate([np.arange(len(path)) for path in paths]),
            state=state,
            action=action,
            reward=self.earn[state, action],
            target=np.log(self.target[state, action]),
            logged=np.log(self.behaviour[state, action]),
            chance=chance,
        )


@pytest.fixture(scope="session")
def markov() -> MarkovWorld:
    return MarkovWorld()


@pytest.fixture(scope="session")
def all_sessions(markov: MarkovWorld) -> Sessions:
    """The 258 sessions there can be, with their probabilities; do not change its arrays."""
    return markov.everything()


@pytest.fixture(scope="session")
def session_log(markov: MarkovWorld) -> Sessions:
    """2,000 sessions of one to three steps; do not change its arrays."""
    return markov.log(2000, seed=5)
