"""The stages of a run, in order. Each reads what earlier ones made and writes into a scratch folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recsim import logs
from recsim.experiments import evaluation, results, training
from recsim.experiments.choice import judged_policies
from recsim.experiments.config import LinUCBPolicy, LogSettings, PolicyConfig, PPOPolicy, RunConfig, needs_fusion
from recsim.experiments.errors import input_errors
from recsim.experiments.policies import FUSION_FILE, build, model_file
from recsim.experiments.progress import Advance
from recsim.experiments.world import World

LAUNCH_LOG, REPORT = "logs/launch.parquet", "report.html"


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: in the manifest and on the progress bars.
        total: how much work it is, in the unit of its progress.
        outputs: files and folders that it makes, relative to the run folder.
        work: makes them: `work(world, run folder to read from, scratch folder to write to, progress)`.
    """

    name: str
    total: int
    outputs: tuple[str, ...]
    work: Callable[[World, Path, Path, Advance], None]


def stages_of(config: RunConfig) -> list[Stage]:
    """All stages of a run, in order."""
    fusion = [launch_stage(config), fusion_stage()] if config.needs_fusion else []
    learners = [policy for policy in config.policies if isinstance(policy, LinUCBPolicy | PPOPolicy)]
    return [
        *fusion,
        Stage("production log", config.production_log.n_users, (evaluation.PRODUCTION_LOG,), _collect_production_log),
        *map(learning_stage, learners),
        *_judgement(config),
        Stage("report", 1, (REPORT,), _report),
    ]


def training_stages(config: RunConfig, policy: PolicyConfig) -> list[Stage]:
    """The stages that must be finished for one policy to act."""
    found = [launch_stage(config), fusion_stage()] if needs_fusion(policy) else []
    return [*found, learning_stage(policy)] if isinstance(policy, LinUCBPolicy | PPOPolicy) else found


def launch_stage(config: RunConfig) -> Stage:
    """The stage that collects the launch log."""
    return Stage("launch log", config.launch_log.n_users, (LAUNCH_LOG,), _collect_launch_log)


def fusion_stage() -> Stage:
    """The stage that fits the static fusion."""
    return Stage("fit static fusion", 1, (FUSION_FILE,), _fit_fusion)


def learning_stage(policy: LinUCBPolicy | PPOPolicy) -> Stage:
    """The stage that trains a policy which learns by acting."""
    name, model = f"train {policy.title}", str(model_file(policy))
    if isinstance(policy, LinUCBPolicy):
        return Stage(name, policy.n_users, (model,), partial(training.train_linucb, policy))
    outputs = (model, training.curve_file(policy), f"tensorboard/{policy.slug}")
    return Stage(name, policy.timesteps, outputs, partial(training.train_ppo, policy))


def _judgement(config: RunConfig) -> list[Stage]:
    users, judged = config.evaluation.n_users * len(config.policies), judged_policies(config)
    replayed = config.production_log.n_users * len(judged)
    tables = (results.METRICS, results.METRICS_TABLE, results.LEARNING_CURVE)
    return [
        Stage("evaluate", users, (evaluation.SESSIONS, evaluation.EXPOSURE), evaluation.run_sessions),
        Stage("replay the log", replayed, (evaluation.SLATE_TRUTH,), evaluation.measure_slate_truth),
        Stage("evaluate offline", evaluation.OFFLINE_TICKS, (evaluation.OFFLINE,), evaluation.estimate_offline),
        Stage("examples", len(config.policies), (evaluation.EXAMPLES,), evaluation.show_examples),
        Stage("metrics", 1, tables, results.write_results),
    ]


def _collect_launch_log(world: World, run: Path, into: Path, progress: Advance) -> None:
    logs.write_log(_collected("launch", world.config.launch_log, world, run, progress), into / LAUNCH_LOG)


def _collect_production_log(world: World, run: Path, into: Path, progress: Advance) -> None:
    log = _collected("production", world.config.production_log, world, run, progress)
    logs.write_log(log, into / evaluation.PRODUCTION_LOG)


def _collected(name: str, settings: LogSettings, world: World, run: Path, progress: Advance) -> logs.Log:
    simulator = world.simulator(f"the {name} log")
    policy = build(settings.collector(name), world, run, simulator)
    return logs.collect(simulator, policy, settings.n_users, batch=world.config.evaluation.batch, progress=progress)


def _fit_fusion(world: World, run: Path, into: Path, progress: Advance) -> None:
    from recsim.agents.fusion.static import StaticFusion

    log = logs.read_log(run / LAUNCH_LOG)
    with input_errors("the static fusion cannot be fitted on the launch log: "):
        fusion = StaticFusion.fit(log, world.catalog, world.layout)
    fusion.save(into / FUSION_FILE)
    progress(1)


def _report(world: World, run: Path, into: Path, progress: Advance) -> None:
    from recsim.report import write_report

    write_report(run, world.catalog, out=into / REPORT)
    progress(1)
