"""Where the parts of a log are worked on: here, in several processes or on a Ray cluster; results in the same order."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

Run = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@contextmanager
def crew(workers: int = 1, ray: str | None = None) -> Iterator[Run]:
    """A function `run(function, jobs)` that yields the result for each job, in the order of the jobs.

    Args:
        workers: processes; with 1 everything happens in this one.
        ray: `local` starts Ray here with `workers` processes; an address joins that cluster, whose machines need recsim
            and must see the same files.

    Raises:
        ValueError: if there are fewer than 1 workers.
        ImportError: if Ray is asked for and not installed.
        RuntimeError: if a process dies.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; at least 1 process has to do the work.")
    if ray:
        with _cluster(workers, ray) as run:
            yield run
    elif workers == 1:
        yield map
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            try:
                yield pool.map
            except BrokenProcessPool as error:
                raise RuntimeError(
                    "a process died at work, most likely for want of memory. Use fewer workers or smaller batches."
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)


@contextmanager
def _cluster(workers: int, address: str) -> Iterator[Run]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray tells its makers otherwise
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise ImportError(
            "Ray is not installed; `pip install 'recsim-slate[ray]'` installs it. Several processes on one machine "
            "need no Ray: pass workers instead."
        ) from error
    ours = not ray.is_initialized()
    if ours:
        more = {"num_cpus": workers, "include_dashboard": False} if address == "local" else {}
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **more)

    def run(function: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[Any]:
        waiting = [ray.remote(function).remote(job) for job in jobs]
        for one in waiting:
            try:
                yield ray.get(one)
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None

    try:
        yield run
    finally:
        if ours:
            ray.shutdown()
