"""Small worlds in which every context, slate and truth is known, to count how often intervals hold."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from recsim.ope.support import largest_slate_weights, largest_weight
from recsim.policy import plackett_luce_log_prob

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CONTEXTS, ITEMS = 4, 6
EAGER = np.array([0.5, 1.5])  # what users of two kinds, equally many, multiply all rewards by
LENGTHS = np.array([[0.4, 0.3, 0.2, 0.1, 0.0, 0.0], [0.0, 0.0, 0.1, 0.2, 0.3, 0.4]])  # of their sessions, 1 to 6 slates


@dataclass(frozen=True, eq=False)
class Cells:
    """Everything that can happen to a slate: c cells are pairs of a context and a slate of k items.

    Attributes:
        chance: (c,) of each cell under the policy in force.
        logged: (c, k) step-wise log-propensities of the policy in force.
        target: (c, k) of the policy to evaluate.
        expected: (c, k, o) chances of the rewards, which are 0 or 1.
        model: (c, k, o) of a wrong reward model.
        model_target: (c, k, o) its expectation under the target policy in the cell's context.
        value: (o,) the truth: what a slate of the target policy earns.
        largest: (k,) the largest possible weight of each prefix.
    """

    chance: Floats
    logged: Floats
    target: Floats
    expected: Floats
    model: Floats
    model_target: Floats
    value: Floats
    largest: Floats


@dataclass(frozen=True, eq=False)
class World:
    """A scenario: what can happen, and how a log of it is made up.

    Attributes:
        name: in the tables.
        good: whether the overlap of the policies is good, so that asymptotic intervals are asked to hold.
        sessions: rows of a log.
        cells: what can happen.
        rival: the same with another target policy, for paired differences; None without.
        names: of the estimators, as they are called there, by their functions in `recsim.ope.slate`.
        most: slates of the longest session; 1 where every row is a session of one slate.
    """

    name: str
    good: bool
    sessions: int
    cells: Cells
    rival: Cells | None
    names: dict[str, str]
    most: int = 1

    @property
    def truth(self) -> Floats:
        """(o,) the value of the target policy, a mean over slates: long sessions count for more."""
        return self.cells.value * self.eagerness

    @property
    def eagerness(self) -> float:
        """The mean over slates of what users multiply rewards by."""
        if self.most == 1:
            return 1.0
        length = LENGTHS @ np.arange(1, self.most + 1)
        return float((EAGER * length).sum() / length.sum())

    def draw(self, rng: np.random.Generator, logs: int) -> Logs:
        """Rows of `logs` logs."""
        shape = (logs, self.sessions, self.most)
        cell = np.searchsorted(np.cumsum(self.cells.chance)[:-1], rng.random(shape), side="right")
        chance = self.cells.expected[cell]  # (logs, sessions, most, k, o)
        there = np.ones(shape, np.bool_)
        if self.most > 1:
            kind = rng.integers(0, 2, shape[:2])
            length = (rng.random(shape[:2])[..., None] >= np.cumsum(LENGTHS, axis=1)[kind][..., :-1]).sum(axis=-1) + 1
            there = np.arange(self.most) < length[..., None]
            chance = chance * EAGER[kind][..., None, None, None]
        return Logs(cell, there, (rng.random(chance.shape) < chance).astype(np.float64))


@dataclass(frozen=True, eq=False)
class Logs:
    """Several logs of one world.

    Attributes:
        cell: (logs, sessions, most) int64.
        there: (logs, sessions, most) bool, False behind the end of a session.
        reward: (logs, sessions, most, k, o) float64.
    """

    cell: Integers
    there: NDArray[np.bool_]
    reward: Floats


def worlds() -> list[World]:
    """All scenarios, the same on every call."""
    single = {"sips": "ips", "snsips": "snips", "dr": "dr"}
    slate = {name: name for name in ("sips", "snsips", "rips", "snrips", "dr")}
    steps = {"sips": "tis", "rips": "pdis", "snrips": "wpdis", "dr": "dr"}
    near, far = slates(0.5), slates(0.35)
    return [
        World("single actions", True, 1000, single_actions(0.6), single_actions(0.4), single),
        World("slates", True, 1000, near, far, slate),
        World("sessions of 1 to 6 slates", True, 300, near, far, slate, most=LENGTHS.shape[1]),
        World("sessions of 4 actions", True, 1000, sessions(0.4), sessions(0.25), steps),
        World("rare weights of 200", False, 1000, rare(200.0, 1e-3), None, single),
        World("rare weights of 1,000", False, 1000, rare(1000.0, 4e-4), None, single),
        World("rare weights of 200, in sessions", False, 500, rare(200.0, 1e-3), None, single, most=LENGTHS.shape[1]),
    ]


def single_actions(step: float) -> Cells:
    """One of six items to each of four contexts; the target's scores are `step` standard normals from the log's."""
    rng = np.random.default_rng(1)
    scores = rng.normal(0.0, 0.5, (CONTEXTS, ITEMS))
    logits = scores, scores + step * rng.normal(size=scores.shape)
    logged, target = (np.exp(part) / np.exp(part).sum(axis=1, keepdims=True) for part in logits)
    appeal = rng.uniform(0.05, 0.4, (CONTEXTS, ITEMS, 1))
    return _of_tables(logged, target, appeal)


def rare(weight: float, chance: float) -> Cells:
    """Two items: the target shows one, which earns more, `weight` times as often as the log, where it has `chance`."""
    logged = np.tile([chance, 1 - chance], (2, 1))
    target = np.tile([weight * chance, 1 - weight * chance], (2, 1))
    return _of_tables(logged, target, np.array([[0.6, 0.2], [0.4, 0.1]])[:, :, None])


def slates(step: float) -> Cells:
    """Plackett-Luce slates of three of six items; three objectives; items earn less below a similar one."""
    rng, size = np.random.default_rng(2), 3
    scores = rng.normal(0.0, 0.4, (CONTEXTS, ITEMS))
    logits = scores, scores + step * rng.normal(size=scores.shape)
    every = np.array(list(permutations(range(ITEMS), size)), np.int64)
    context, slate = np.repeat(np.arange(CONTEXTS), len(every)), np.tile(every, (CONTEXTS, 1))
    logged, target = (plackett_luce_log_prob(part[context], slate) for part in logits)
    appeal = rng.uniform(0.05, 0.5, (CONTEXTS, ITEMS, 3))
    similar = np.zeros(slate.shape)
    similar[:, 1:] = (slate[:, 1:] - slate[:, :-1]) % 2 == 0
    look = (1 - 0.5 * similar) / (1 + np.arange(size))
    expected = appeal[context[:, None], slate] * look[:, :, None]
    largest = largest_slate_weights(logits[1], logits[0], size)
    return _cells(context, slate, logged, target, expected, largest)


def sessions(step: float) -> Cells:
    """Sessions of four actions, one of three each; the last action is the state that the next one meets."""
    rng, actions, size = np.random.default_rng(3), 3, 4
    scores = rng.normal(0.0, 0.3, (actions, actions))
    logits = scores, scores + step * rng.normal(size=scores.shape)
    log_logged, log_target = (part - np.log(np.exp(part).sum(axis=1, keepdims=True)) for part in logits)
    path = np.array(list(product(range(actions), repeat=size + 1)), np.int64)  # a start and four actions
    state, action = path[:, :-1], path[:, 1:]
    expected = rng.uniform(0.05, 0.5, (actions, actions, 1))[state, action]
    largest = np.cumprod(np.full(size, largest_weight(np.exp(log_target), np.exp(log_logged))))
    return _cells(path[:, 0], action, log_logged[state, action], log_target[state, action], expected, largest)


def _of_tables(logged: Floats, target: Floats, appeal: Floats) -> Cells:
    n, m = logged.shape
    context, item = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    steps = [np.log(table[context, item])[:, None] for table in (logged, target)]
    largest = np.array([largest_weight(target, logged)])
    return _cells(context, item[:, None], steps[0], steps[1], appeal[context, item][:, None], largest)


def _cells(
    context: Integers, item: Integers, logged: Floats, target: Floats, expected: Floats, largest: Floats
) -> Cells:
    """The cells, contexts being equally likely; the model is off by up to 40 %, for each item its own."""
    n = int(context.max()) + 1
    chance, wanted = (np.exp(part.sum(axis=1)) / n for part in (logged, target))
    off = np.random.default_rng(4).uniform(0.6, 1.4, (int(item.max()) + 1, expected.shape[2]))
    model = np.minimum(expected * off[item], 1.0)
    by_context = np.stack([np.einsum("c,cko->ko", wanted * (context == x), model) * n for x in range(n)])
    value = np.einsum("c,cko->o", wanted, expected)
    return Cells(chance, logged, target, expected, model, by_context[context], value, largest)
