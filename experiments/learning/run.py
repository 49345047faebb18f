"""The whole of `recsim bench learn`, in one document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from recsim.experiments.bench.machine import machine
from recsim.experiments.bench.measures import SECONDS
from recsim.experiments.config import RunConfig
from recsim.experiments.learning import serving, speed
from recsim.experiments.learning.claims import CLAIMS, LEVEL, judged
from recsim.experiments.learning.outcome import BEST_ALONE, BEST_FUSION, PLANNER, PPO, Outcome
from recsim.experiments.learning.size import Size
from recsim.experiments.over_seeds import earned, mean
from recsim.experiments.policies import check_agents
from recsim.experiments.progress import Advance, Display
from recsim.experiments.run_folder import RunFolder, all_versions
from recsim.experiments.runner import finish
from recsim.experiments.stages import Stage
from recsim.experiments.threads import threads
from recsim.experiments.world import World
from recsim.files import read_json

PARTS = 1000  # of a stage, on the progress bar
MOST_TRAINING = 600.0


def learn(size: Size, runs: Path, *, n_threads: int, display: Display) -> dict[str, Any]:
    """Everything that is measured; what is finished in the folder `runs` is read from there.

    Raises:
        UserError: if it cannot be measured, or a run in the folder was started with other settings.
    """
    size.check()
    presets: dict[str, Any] = {}
    claims, trained = [], []
    with threads(n_threads):
        for preset in size.presets:
            outcomes = []
            for seed in range(size.seeds):
                config, run = size.config(preset, seed), runs / f"{preset}-{seed}"
                _finish(config, run, serving.stages_of(config, size), display)
                outcomes.append(Outcome.read(run, seed, size))
            presets[preset] = {"policies": _policies(outcomes), "fusions": _fusions(outcomes)}
            claims += [judged(claim, preset, outcomes) for claim in CLAIMS]
            trained.append(_slowest(preset, outcomes))
    with threads(1):
        config = speed.quickstart(size)
        _finish(config, runs / "speed", speed.stages_of(config, size), display)
    return {
        **asdict(size),
        "level": LEVEL,
        "presets": presets,
        "claims": claims,
        "speed": [*read_json(runs / "speed" / size.speed), *trained],
        "machine": machine(),
        "versions": all_versions(),
    }


def _finish(config: RunConfig, run: Path, stages: Sequence[Stage], display: Display) -> None:
    """Do what a run lacks, on one bar for the whole run."""
    world = World.of(config)
    check_agents(world)
    folder = RunFolder.start(run, config, resume=True)
    lacking = sum(not folder.has(stage.name, stage.outputs) for stage in stages)
    with display.stage(run.name, PARTS * max(lacking, 1)) as advance:
        finish(folder, world, stages, _Parts(display, advance))


class _Parts:
    """Tells stages as parts of one bar."""

    def __init__(self, display: Display, advance: Advance) -> None:
        self._display, self._advance, self._done = display, advance, 0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        start = self._done
        yield lambda done: self._advance(start + PARTS * min(done, total) // total)
        self._done += PARTS
        self._advance(self._done)

    def note(self, sentence: str) -> None:
        self._display.note(sentence)


def _policies(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row for each policy on the fresh users, in the order of what they know."""
    alone = [name for name in outcomes[0].sessions["policy"].unique() if name.endswith(" alone")]
    roles = ["uniform", "popularity", *alone, BEST_ALONE, BEST_FUSION, PPO, "myopic oracle", PLANNER]
    rows = []
    for role in roles:
        row = _row(role, outcomes, lambda outcome, role=role: outcome.sessions_of(role))  # type: ignore[misc]
        names = [outcome.named(role) for outcome in outcomes]
        seconds = [outcome.training_seconds(name) for outcome, name in zip(outcomes, names, strict=True)]
        rows.append(row | {"training_seconds": mean(seconds)} | ({} if set(names) == {role} else {"chosen": names}))
    return rows


def _fusions(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row for each fusion on the users on whom the best one was chosen."""
    rows = []
    for name in outcomes[0].fusions:
        row = _row(name, outcomes, lambda one, name=name: one.compared[one.compared["policy"] == name])  # type: ignore[misc]
        seconds = [outcome.training_seconds(name) for outcome in outcomes]
        best = sum(outcome.named(BEST_FUSION) == name for outcome in outcomes)
        rows.append(row | {"training_seconds": mean(seconds), "times_best": best})
    return rows


def _row(name: str, outcomes: Sequence[Outcome], of: Callable[[Outcome], pd.DataFrame]) -> dict[str, Any]:
    return earned(name, [outcome.seed for outcome in outcomes], [of(outcome) for outcome in outcomes], LEVEL)


def _slowest(preset: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How long PPO trained, by the clock and its learning curve included, in the world where it took longest."""
    seconds = [outcome.training_seconds(PPO) for outcome in outcomes]
    longest = None if None in seconds else max(filter(None, seconds))
    return speed.asked(
        f"trained {preset}", f"{preset}: longest training, by the clock", longest, SECONDS, "ceiling", MOST_TRAINING
    )
