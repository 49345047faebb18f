"""How fast the environments step, in user-steps per CPU-second on one thread."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

import recsim
from recsim.catalog import Catalog, load_catalog
from recsim.envs import ENV_ID, SlateVectorEnv
from recsim.experiments.errors import input_errors
from recsim.experiments.progress import Display
from recsim.experiments.run_folder import current_versions
from recsim.experiments.threads import threads

FLOORS = {"vector": 300_000.0, "single": 5_000.0}  # what the environments promise on one core, with 1,024 users a step
SLATES = 16  # prepared slates, shown in turn


def measure(
    catalog: str, n_users: int, slate_size: int, *, repeats: int, seconds: float, display: Display
) -> dict[str, Any]:
    """Medians over `repeats` of at least `seconds` CPU-seconds each, after a warm-up that compiles.

    Raises:
        UserError: if there is no such catalogue, or the slate does not fit it.
    """
    with input_errors():
        items = load_catalog(catalog)
        vector = SlateVectorEnv(n_users, catalog=items, slate_size=slate_size)
        single = gymnasium.make(ENV_ID, catalog=items, slate_size=slate_size)
    found: dict[str, Any] = {}
    with threads(1):
        for name, step in (("vector", _vector_step(vector, items)), ("single", _single_step(single, items))):
            with display.stage(f"bench {name}", repeats) as progress:
                step()
                rates = []
                for number in range(repeats):
                    rates.append(_rate(step, seconds))
                    progress(number + 1)
            rate = statistics.median(rates)
            found[name] = {
                "user_steps_per_cpu_second": round(rate),
                "repeats": [round(one) for one in rates],
                "floor": round(FLOORS[name]),
                "ratio_to_floor": round(rate / FLOORS[name], 3),
            }
    about = {"n": n_users, "k": slate_size, "catalog": items.name, "items": len(items), "threads": 1}
    return found | about | {"cpu": _cpu(), "versions": {"recsim": recsim.__version__, **current_versions()}}


def _rate(step: Callable[[], int], seconds: float) -> float:
    """User-steps per CPU-second of `step`, which returns how many it made."""
    steps, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        steps += step()
    return steps / spent


def _vector_step(env: SlateVectorEnv, items: Catalog) -> Callable[[], int]:
    slates = _slates(env.num_envs, env.simulator.slate_size, len(items))
    env.reset()

    def step() -> int:
        for slate in slates:
            env.step(slate)
        return len(slates) * env.num_envs

    return step


def _single_step(env: gymnasium.Env[Any, Any], items: Catalog) -> Callable[[], int]:
    slates = _slates(SLATES, len(env.action_space.nvec), len(items))  # type: ignore[attr-defined]
    env.reset()

    def step() -> int:
        for slate in slates.reshape(-1, slates.shape[-1]):
            _, _, terminated, truncated, _ = env.step(slate)
            if terminated or truncated:
                env.reset()
        return SLATES * SLATES

    return step


def _slates(n: int, k: int, m: int) -> NDArray[np.int64]:
    """(SLATES, n, k) random slates without repeats."""
    generator = np.random.Generator(np.random.Philox(0))
    return np.stack([np.stack([generator.choice(m, k, replace=False) for _ in range(n)]) for _ in range(SLATES)])


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
