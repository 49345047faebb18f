"""The environments at their own size: many users on one thread and on two, and a single user."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from recsim import jit
from recsim.catalog import Catalog
from recsim.envs import ENV_ID, SlateVectorEnv
from recsim.experiments.bench.measures import RATE, TIMES, Effort, Sizes, measure, rates
from recsim.experiments.progress import Advance

SLATES = 16  # prepared slates, shown in turn
PREPARED = 1024  # users that have slates of their own; more users share them


def vector(items: Catalog, sizes: Sizes, effort: Effort, progress: Advance) -> dict[str, Any]:
    """`SlateVectorEnv` with n users."""
    env = SlateVectorEnv(sizes.n, catalog=items, slate_size=sizes.k)
    found = rates(vector_step(env, len(items)), effort, progress)
    return measure("vector", f"SlateVectorEnv, {sizes.n:,} users", RATE, found, sizes)


def single(items: Catalog, sizes: Sizes, effort: Effort, progress: Advance) -> dict[str, Any]:
    """One user, as `gymnasium.make` gives it."""
    env = gymnasium.make(ENV_ID, catalog=items, slate_size=sizes.k)
    slates = prepared_slates(SLATES, sizes.k, len(items)).reshape(-1, sizes.k)
    env.reset()

    def step() -> int:
        for slate in slates:
            _, _, terminated, truncated, _ = env.step(slate)
            if terminated or truncated:
                env.reset()
        return len(slates)

    return measure("single", "gymnasium.make, 1 user", RATE, rates(step, effort, progress), sizes)


def threads(items: Catalog, sizes: Sizes, effort: Effort, progress: Advance) -> dict[str, Any]:
    """How many times as fast, by the clock, n users step on two threads as on one, measured in turn.

    Both go through the same steps, so their rewards, ends and observations must be equal bit for bit.
    """
    slates = prepared_slates(sizes.n, sizes.k, len(items))
    envs = {count: SlateVectorEnv(sizes.n, catalog=items, slate_size=sizes.k) for count in (1, 2)}

    def go(count: int, passes: int) -> tuple[float, list[NDArray[Any]]]:
        jit.set_threads(count)
        started, results = time.perf_counter(), []
        for slate in [*slates] * passes:
            observation, *outcome, _ = envs[count].step(slate)
            results += outcome
        return time.perf_counter() - started, [*results, observation]

    try:
        for count, env in envs.items():
            env.reset()
            go(count, 1)
        passes = max(1, round(effort.seconds / max(go(count, 1)[0] for count in envs)))
        speedups, equal = [], True
        for done in range(1, effort.repeats + 1):
            (one, alone), (two, together) = go(1, passes), go(2, passes)
            speedups.append(one / two)
            equal &= all(np.array_equal(*pair) for pair in zip(alone, together, strict=True))
            progress(done)
    finally:
        jit.set_threads(1)
    label = f"2 threads against 1, {'equal' if equal else 'UNEQUAL'} results"
    return measure("threads", label, TIMES, speedups, sizes, equal_results=equal)


def vector_step(env: SlateVectorEnv, n_items: int) -> Callable[[], int]:
    """Resets `env` and returns what makes a few steps of all users and counts them."""
    n = env.num_envs
    slates = prepared_slates(min(n, PREPARED), env.simulator.slate_size, n_items)
    shown = slates if n <= PREPARED else slates[:1, np.arange(n) % PREPARED]
    env.reset()

    def step() -> int:
        for slate in shown:
            env.step(slate)
        return len(shown) * n

    return step


def prepared_slates(n: int, k: int, m: int) -> NDArray[np.int64]:
    """(SLATES, n, k) random slates without repeats."""
    generator = np.random.Generator(np.random.Philox(0))
    return np.stack([np.stack([generator.choice(m, k, replace=False) for _ in range(n)]) for _ in range(SLATES)])
