"""All rows of `recsim bench ope`: estimates of a log in memory and of one larger than memory, and marginals."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.experiments.bench.large import STATUS, Memory, alone
from recsim.experiments.bench.machine import machine
from recsim.experiments.bench.made_up_log import BYTES, ROWS, TARGET, make_slates, write_file
from recsim.experiments.bench.measures import CONTEXTS, CPU_SECONDS, GIB, SECONDS, Effort, measure, rates
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Advance, Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads
from recsim.ope import Resamples, Terms, bootstrap, slate
from recsim.ope.folders.folder import evaluate_folder
from recsim.ope.folders.workers import crew
from recsim.streams import sub_seed

Floats = NDArray[np.float64]

SMALL_ERROR = 1e-9  # of a marginal against enumeration
CONTEXTS_AT_ONCE = 64


@dataclass(frozen=True)
class OpeSizes:
    """What is evaluated. The promises hold for the default sizes.

    Attributes:
        n: slates of the log in memory, each a session of its own.
        n_folder: slates of the log in a folder, in sessions of 10.
        k: slate size.
        n_boot: bootstrap draws.
        n_items: items of a policy whose marginals are computed.
        workers: processes that share the folder.
    """

    n: int = 100_000
    n_folder: int = 10_000_000
    k: int = 10
    n_boot: int = 200
    n_items: int = 1852
    workers: int = 2


def bench(rows: Sequence[str], sizes: OpeSizes, effort: Effort, display: Display) -> dict[str, Any]:
    """Medians over the repeats, after a first time that compiles; the folder is evaluated once.

    Raises:
        UserError: if a row is unknown, or the folder does not fit on the disk.
    """
    for row in rows:
        if row not in ROWS_OF:
            raise UserError(f"there is no row {row!r} to measure; choose from {', '.join(ROWS_OF)}.")
    measures: list[dict[str, Any]] = []
    with threads(1):
        for row in (row for row in ROWS_OF if row in rows):
            total = 100 if row == "folder" else effort.repeats
            with display.stage(f"bench {row}", total) as progress:
                measures += ROWS_OF[row](sizes, effort, progress)
    return {
        **asdict(sizes),
        **asdict(effort),
        "measures": measures,
        "machine": machine(),
        "versions": all_versions(),
    }


def memory(sizes: OpeSizes, effort: Effort, progress: Advance) -> list[dict[str, Any]]:
    """CPU-seconds for six estimators of arrays in memory, each with its bootstrap interval."""
    found = make_slates(sizes.n, sizes.k, 0)
    logs, model = (found.reward, found.target, found.logged), (found.model_logged, found.model_target)

    def once() -> float:
        started = time.process_time()
        resamples = Resamples.draw(sizes.n, sizes.n_boot, 0)
        estimators: list[Callable[[], Terms]] = [
            *(lambda one=one: one(*logs) for one in (slate.sips, slate.rips, slate.snsips, slate.snrips)),
            lambda: slate.dm(model[1]),
            lambda: slate.dr(*logs, *model),
        ]
        for estimator in estimators:
            bootstrap(estimator(), resamples)
        return time.process_time() - started

    once()
    repeats = []
    for done in range(1, effort.repeats + 1):
        repeats.append(once())
        progress(done)
    label = f"{sizes.n:,} slates of {sizes.k} in memory: 6 estimators with intervals"
    return [measure("ope_memory", label, CPU_SECONDS, repeats, sizes)]


def folder(sizes: OpeSizes, effort: Effort, progress: Advance) -> list[dict[str, Any]]:
    """Seconds by the clock and peak memory for six estimators of a folder of Parquet files with their intervals."""
    with tempfile.TemporaryDirectory() as place:
        _refuse_full_disk(Path(place), sizes)
        jobs = [(Path(place), number, sizes.n_folder, sizes.k, 0) for number in range(math.ceil(sizes.n_folder / ROWS))]
        with crew(sizes.workers) as run:
            written = []
            for part in run(write_file, jobs):
                written.append(part)
                progress(50 * len(written) // len(jobs))
        size = sum(path.stat().st_size for path in Path(place).iterdir())
        found = alone(_evaluate, Path(place), sizes)
        progress(100)
    label = f"{sizes.n_folder:,} slates of {sizes.k} from Parquet on {sizes.workers} processes"
    value = sum(rows * value for rows, value in written) / sizes.n_folder
    estimate = {name: found.pop(name) for name in ("value", "se")}
    more = {"file_bytes": size, "truth": value, "estimate": estimate} | found
    peak = found["peak_bytes"] / 2**30
    return [
        measure("ope_folder", label, SECONDS, [more.pop("seconds")], sizes, **more),
        measure("ope_folder_memory", f"{label}: memory", GIB, [peak], sizes),
    ]


def marginals(sizes: OpeSizes, effort: Effort, progress: Advance) -> list[dict[str, Any]]:
    """How many contexts a second get the chances of the items of their slates, and how exact these are in small."""
    from recsim.marginals import plackett_luce_marginal_log_prob

    generator = np.random.Generator(np.random.Philox(sub_seed(0, "marginals")))
    logits = generator.normal(0.0, 2.0, (CONTEXTS_AT_ONCE, sizes.n_items))
    items = np.argsort(-logits - generator.gumbel(size=logits.shape), axis=1)[:, : sizes.k]

    def step() -> int:
        plackett_luce_marginal_log_prob(logits, items)
        return len(items)

    found = rates(step, effort, progress)
    error = enumeration_error(generator)
    exact = error <= SMALL_ERROR
    label = f"marginals of {sizes.n_items:,} items at {sizes.k} positions, {'exact' if exact else 'OFF'} to {error:.0e}"
    return [measure("marginals", label, CONTEXTS, found, sizes, error=error, equal_results=exact)]


def enumeration_error(generator: np.random.Generator) -> float:
    """The largest error of a marginal of 7 items at 4 positions against all slates, over 20 policies."""
    from recsim.marginals import plackett_luce_marginal_log_prob

    slates = np.array(list(permutations(range(7), 4)))  # (840, 4)
    largest = 0.0
    for _ in range(20):
        weight = np.exp(generator.normal(0.0, 3.0, 7))
        left = weight.sum() - np.cumsum(weight[slates], axis=1) + weight[slates]
        chance = np.prod(weight[slates] / left, axis=1)
        exact = np.array([[chance[slates[:, place] == item].sum() for place in range(4)] for item in range(7)])
        logits = np.broadcast_to(np.log(weight), (len(slates), 7))
        found = np.exp(plackett_luce_marginal_log_prob(np.ascontiguousarray(logits), slates))
        largest = max(largest, float(np.abs(found - exact[slates, np.arange(4)]).max()))
    return largest


ROWS_OF: dict[str, Callable[[OpeSizes, Effort, Advance], list[dict[str, Any]]]] = {
    "memory": memory,
    "folder": folder,
    "marginals": marginals,
}


def _evaluate(place: Path, sizes: OpeSizes) -> dict[str, float]:
    """Seconds by the clock and of all processors, the sum of the peaks of all processes, and the estimate by dr."""
    peaks: dict[int, int] = {}

    def watch(done: int, total: int, what: str) -> None:
        if STATUS.is_file():
            ours = (os.getpid(), *(child.pid for child in active_children()))
            peaks.update((process, Memory.now(process).peak) for process in ours if process)

    started = time.perf_counter()
    found = evaluate_folder(place, [TARGET], seed=0, n_boot=sizes.n_boot, workers=sizes.workers, progress=watch)
    seconds = time.perf_counter() - started
    cpu = sum(os.times()[:4])  # of this process and of those that it has waited for
    (dr,) = (one for one in found.estimates if (one.estimator, one.objective) == ("dr", "reward"))
    peak = sum(peaks.values())
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak, "value": dr.value, "se": dr.se}


def _refuse_full_disk(place: Path, sizes: OpeSizes) -> None:
    needed, free = sizes.n_folder * sizes.k * BYTES // 10, shutil.disk_usage(place).free
    if needed > free:
        raise UserError(
            f"a log of {sizes.n_folder:,} slates takes up to {needed / 2**30:.1f} GiB, and {place.parent} has "
            f"{free / 2**30:.1f} GiB left. Evaluate fewer slates, or name another place as TMPDIR."
        )
