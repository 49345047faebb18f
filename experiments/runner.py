"""Running a config: stage after stage, each recorded when it is whole, so that a run can stop anywhere and go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recsim.experiments.config import PolicyConfig, RunConfig
from recsim.experiments.policies import check_agents
from recsim.experiments.progress import Display, Silent
from recsim.experiments.run_folder import RunFolder, current_versions
from recsim.experiments.stages import Stage, stages_of, training_stages
from recsim.experiments.threads import threads
from recsim.experiments.world import World


def run(
    config: RunConfig,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    n_threads: int = 1,
    display: Display | None = None,
) -> RunFolder:
    """Run everything that a config asks for.

    Args:
        config: what to run.
        out: the run folder.
        resume: go on with the folder that is there; results are bit-equal to those of an uninterrupted run.
        overwrite: replace the run folder that is there.
        n_threads: threads of the row kernels; no result depends on it.
        display: where progress is told; nowhere by default.

    Raises:
        UserError: if the folder cannot be used, or the config asks for something that does not exist.
    """
    world = World.of(config)
    check_agents(world)
    with threads(n_threads):
        folder = RunFolder.start(out, config, resume=resume, overwrite=overwrite)
        finish(folder, world, stages_of(config), display or Silent())
    return folder


def train(
    config: RunConfig, policy: PolicyConfig, out: Path, *, n_threads: int = 1, display: Display | None = None
) -> RunFolder:
    """Run the stages that one policy needs, in a new or unfinished folder of this config; `run` can go on from there.

    Raises:
        UserError: as `run`.
    """
    world = World.of(config)
    check_agents(world)
    with threads(n_threads):
        folder = RunFolder.start(out, config, resume=True)
        finish(folder, world, training_stages(config, policy), display or Silent())
    return folder


def finish(folder: RunFolder, world: World, stages: Sequence[Stage], display: Display) -> None:
    """Do the stages that are not finished yet."""
    with folder.locked():
        folder.check_items(world.catalog)
        if world.items is not world.catalog:
            folder.check_items(world.items, "true items")
        _tell_other_versions(folder, display)
        for stage in stages:
            if folder.has(stage.name, stage.outputs):
                continue
            with folder.scratch() as scratch, display.stage(stage.name, stage.total) as progress:
                with folder.timed(stage.name):
                    stage.work(world, folder.path, scratch, progress)
                folder.commit(stage.name, stage.outputs, scratch)


def _tell_other_versions(folder: RunFolder, display: Display) -> None:
    now = current_versions()
    other = [name for name, version in folder.versions.items() if now.get(name) != version]
    if other and folder.finished:
        display.note(
            f"{folder.path} was started with {other[0]} {folder.versions[other[0]]}, this is {now.get(other[0])}: "
            "the result may differ from that of an uninterrupted run."
        )
