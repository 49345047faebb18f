"""A million items and a million users, each in a process of its own, so that its memory is what the kernel counts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from recsim.catalog import Catalog, load_catalog
from recsim.envs import SlateVectorEnv
from recsim.experiments.bench.measures import GIB, RATE, SECONDS, TIMES, Effort, Sizes, measure, rates
from recsim.experiments.bench.steps import vector_step
from recsim.experiments.errors import input_errors
from recsim.experiments.progress import Advance
from recsim.experiments.threads import threads

STATUS = Path("/proc/self/status")
DIMS = {"text": 64, "image": 64}
N_CATEGORIES = 20

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Memory:
    """Resident memory of this process in bytes, Linux only; mapped files count once a page of them was touched.

    Attributes:
        peak: the most since the process began or `forget_peak`.
        resident: now, the sum of the next two.
        anonymous: what belongs to this process alone.
        files: pages of files, which the kernel can drop and share.
    """

    peak: int
    resident: int
    anonymous: int
    files: int

    @classmethod
    def now(cls, process: int | str = "self") -> Memory:
        """What the kernel counts."""
        text = (STATUS.parents[1] / str(process) / STATUS.name).read_text(encoding="ascii", errors="replace")
        lines = (line.partition(":") for line in text.splitlines())
        sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in lines if rest.endswith(" kB")}
        return cls(sizes["VmHWM"], sizes["VmRSS"], sizes["RssAnon"], sizes["RssFile"] + sizes["RssShmem"])


def forget_peak() -> None:
    """Count the peak from here on."""
    STATUS.with_name("clear_refs").write_text("5", encoding="ascii")


def items(sizes: Sizes, effort: Effort, progress: Advance) -> list[dict[str, Any]]:
    """Speed, memory and loading time of a saved catalogue of `n_items` made-up items."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items"
        alone(_save, path, sizes.n_items)
        step_rates, loads, growth, features = alone(_step_items, path, sizes, effort)
    progress(effort.repeats)
    many = f"{sizes.n_items:,} items"
    ratio = growth["peak"] / features
    memory = {f"{name}_bytes": size for name, size in {"feature": features, **growth}.items()}
    return [
        measure("items", many, RATE, step_rates, sizes),
        measure("items_memory", f"{many}: memory / features", TIMES, [ratio], sizes, **memory),
        measure("items_load", f"{many}: loading", SECONDS, loads, sizes),
    ]


def users(sizes: Sizes, effort: Effort, progress: Advance) -> list[dict[str, Any]]:
    """Speed and peak memory of `n_users` users side by side."""
    step_rates, memory = alone(_step_users, sizes, effort)
    progress(effort.repeats)
    many = f"{sizes.n_users:,} users"
    return [
        measure("users", many, RATE, step_rates, sizes),
        measure("users_memory", f"{many}: memory", GIB, [memory.peak / 2**30], sizes),
    ]


def alone(function: Callable[Arguments, Found], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Found:
    """The result of `function`, called in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def _save(path: Path, n_items: int) -> None:
    Catalog.synthetic(n_items, min(N_CATEGORIES, n_items), dims=DIMS).save(path)


def _step_items(path: Path, sizes: Sizes, effort: Effort) -> tuple[list[float], list[float], dict[str, int], int]:
    """Rates, seconds until ready, growth of the memory from before the first load on, and bytes of the features."""
    with threads(1), input_errors():
        small = path.with_name("small")
        _save(small, 2 * sizes.k)
        _step_loaded(small, sizes, Effort(1, 0.01))  # imports and compiles everything, which is no memory of the items
        forget_peak()
        before = Memory.now()
        step_rates, first, after, features = _step_loaded(path, sizes, effort)
        growth = {name: size - getattr(before, name) for name, size in asdict(after).items()}
        growth["peak"] = after.peak - before.resident
        loads = [first, *(_ready(path, sizes)[1] for _ in range(effort.repeats - 1))]
    return step_rates, loads, growth, features


def _step_loaded(path: Path, sizes: Sizes, effort: Effort) -> tuple[list[float], float, Memory, int]:
    """Rates, seconds until ready, the memory at the end and bytes of the features."""
    env, seconds = _ready(path, sizes)
    items = env.simulator.catalog
    found = rates(vector_step(env, len(items)), effort, lambda done: None)
    features = sum(len(items) * modality.dim * 4 for modality in items.modalities.values())
    return found, seconds, Memory.now(), features


def _ready(path: Path, sizes: Sizes) -> tuple[SlateVectorEnv, float]:
    """An environment of the saved items that was reset, and the seconds until then."""
    started = time.perf_counter()
    env = SlateVectorEnv(sizes.n, catalog=Catalog.load(path), slate_size=sizes.k)
    env.reset()
    return env, time.perf_counter() - started


def _step_users(sizes: Sizes, effort: Effort) -> tuple[list[float], Memory]:
    with threads(1), input_errors():
        items = load_catalog(sizes.catalog)
        env = SlateVectorEnv(sizes.n_users, catalog=items, slate_size=sizes.k)
        found = rates(vector_step(env, len(items)), effort, lambda done: None)
    return found, Memory.now()
