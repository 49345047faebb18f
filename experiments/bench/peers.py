"""Other simulators, each stepped by a driver of ours in a virtual environment of its own; none is imported here."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from recsim.experiments.bench.measures import Effort
from recsim.experiments.progress import Display
from recsim.report.format import listed

FOLDER = Path(".peers")
_SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "peers"  # only a checkout has them
DRIVERS = {path.stem.removeprefix("step_"): path for path in sorted(_SCRIPTS.glob("step_*.py"))}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def peers(folder: Path, effort: Effort, display: Display, ours: float | None) -> list[dict[str, Any]]:
    """What the drivers of the peers in `folder` print; those that are missing or fail are told and left out.

    Args:
        folder: a virtual environment a peer, as scripts/install_peers.py makes them.
        effort: how many times and how long.
        display: where the progress is told.
        ours: user-steps per CPU-second to compare with, if they were measured.
    """
    pythons = {name: folder / name / "bin" / "python" for name in DRIVERS}
    missing = [name for name, python in pythons.items() if not python.is_file()]
    if missing or not DRIVERS:
        names = listed(missing or ["peers"])
        display.note(f"{names} left out, as not in {folder}: `make peers` in a checkout of recsim installs the peers.")
    found = []
    for name in DRIVERS:
        if name in missing:
            continue
        with display.stage(f"bench {name}", 1):
            done = _drive(pythons[name], DRIVERS[name], effort)
        if done.returncode:
            display.note(f"{name} is left out, as it failed: {(done.stderr.splitlines() or ['no message'])[-1]}")
            continue
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        found += [row | _compared(ours, row["user_steps_per_cpu_second"]) for row in rows]
    return found


def _drive(python: Path, driver: Path, effort: Effort) -> subprocess.CompletedProcess[str]:
    command = [str(python.absolute()), "-E", str(driver), str(effort.repeats), str(effort.seconds)]
    with tempfile.TemporaryDirectory() as folder:  # some write logs where they run
        return subprocess.run(
            command, cwd=folder, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False
        )


def _compared(ours: float | None, theirs: float) -> dict[str, float]:
    return {} if ours is None else {"ratio": float(f"{ours / theirs:.3g}")}
