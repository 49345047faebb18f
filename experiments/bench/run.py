"""All rows of `recsim bench env`, in one document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numba

from recsim.catalog import load_catalog
from recsim.envs import SlateVectorEnv
from recsim.experiments.bench import large, steps
from recsim.experiments.bench.machine import machine
from recsim.experiments.bench.measures import Effort, Sizes
from recsim.experiments.bench.peers import peers
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.progress import Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads

STEPS = {"vector": steps.vector, "threads": steps.threads, "single": steps.single}
LARGE = {"items": large.items, "users": large.users}
PEERS = "peers"
ROWS = (*STEPS, *LARGE, PEERS)


def bench(rows: Sequence[str], sizes: Sizes, effort: Effort, peer_folder: Path, display: Display) -> dict[str, Any]:
    """Medians over the repeats, after a warm-up that compiles; rows that this machine cannot measure are told.

    Raises:
        UserError: if a row is unknown, there is no such catalogue, or the slate does not fit it.
    """
    for row in rows:
        if row not in ROWS:
            raise UserError(f"there is no row {row!r} to measure; choose from {', '.join(ROWS)}.")
    with input_errors():
        items = load_catalog(sizes.catalog)
        SlateVectorEnv(1, catalog=items, slate_size=sizes.k)
    measures: list[dict[str, Any]] = []
    with threads(1):
        for row in _possible(rows, display):
            with display.stage(f"bench {row}", effort.repeats) as progress:
                if row in STEPS:
                    measures.append(STEPS[row](items, sizes, effort, progress))
                else:
                    measures += LARGE[row](sizes, effort, progress)
    ours = next((one["value"] for one in measures if one["name"] == "vector"), None)
    return {
        **asdict(sizes),
        "catalog": items.name,
        "items": len(items),
        **asdict(effort),
        "measures": measures,
        "peers": peers(peer_folder, effort, display, ours) if PEERS in rows else [],
        "machine": machine(),
        "versions": all_versions(),
    }


def _possible(rows: Sequence[str], display: Display) -> list[str]:
    """The rows of our own that this machine can measure, in their order."""
    impossible = {}
    config: Any = numba.config
    if config.NUMBA_NUM_THREADS < 2:
        impossible["threads"] = "numba can use one thread here"
    if not large.STATUS.is_file():
        impossible |= dict.fromkeys(LARGE, "memory is read from /proc, which this system lacks")
    for row in rows:
        if row in impossible:
            display.note(f"{row} is left out, as {impossible[row]}.")
    return [row for row in ROWS if row in rows and row not in impossible and row != PEERS]
