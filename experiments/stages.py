"""The stages of a run, in order. Each reads what earlier ones made and writes into a scratch folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from recsim.experiments import evaluation, front, results, training
from recsim.experiments.agent_classes import way_of
from recsim.experiments.choice import judged_policies
from recsim.experiments.config import LearnedPolicy, LogSettings, PolicyConfig, RunConfig
from recsim.experiments.errors import input_errors
from recsim.experiments.policies import FUSION_FILE, build, model_file
from recsim.experiments.policy_settings import LoggedSettings, OnlineSettings, TrainedPolicy
from recsim.experiments.progress import Advance
from recsim.experiments.training import LAUNCH_LOG, TRAINING_LOG
from recsim.experiments.world import World
from recsim.logs import collect, read_log, write_log

REPORT = "report.html"
ESTIMATES = ("report.estimates.csv", "report.estimates.parquet")


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
    learners = _learners(config.policies)
    log = Stage("production log", config.production_log.n_users, (evaluation.PRODUCTION_LOG,), _collect_production_log)
    return [
        *_before(config, learners, fusion=config.needs_fusion),
        log,
        *map(learning_stage, learners),
        *_judgement(config),
        Stage("report", 1, (REPORT, *ESTIMATES), _report),
    ]


def training_stages(config: RunConfig, policy: PolicyConfig) -> list[Stage]:
    """The stages that must be finished for one policy to act."""
    learners = _learners([policy])
    served = "production" in _logs(learners) and config.production_log.policy == "static_fusion"
    return [*_before(config, learners, fusion=policy.builds_on_fusion or served), *map(learning_stage, learners)]


def learning_stage(policy: LearnedPolicy) -> Stage:
    """The stage that trains one policy."""
    way, outputs, total = way_of(policy), [str(model_file(policy))], 1
    if isinstance(policy, TrainedPolicy):
        outputs += [training.curve_file(policy), f"tensorboard/{policy.slug}"]
        total = policy.timesteps
    elif way == "users" and isinstance(policy, OnlineSettings):
        total = policy.n_users
    return Stage(f"train {policy.title}", total, tuple(outputs), partial(training.WAYS[way], policy))


def _learners(policies: Iterable[PolicyConfig]) -> list[LearnedPolicy]:
    """The policies that are trained each in a stage of its own."""
    return [policy for policy in policies if isinstance(policy, LearnedPolicy) and way_of(policy)]


def _logs(learners: Sequence[LearnedPolicy]) -> set[str]:
    """What logs are learned from."""
    return {policy.log for policy in learners if isinstance(policy, LoggedSettings) and way_of(policy) == "log"}


def _before(config: RunConfig, learners: Sequence[LearnedPolicy], *, fusion: bool) -> list[Stage]:
    """The stages before any policy acts or learns on its own."""
    logs, found = _logs(learners), []
    if fusion or "launch" in logs:
        found.append(Stage("launch log", config.launch_log.n_users, (LAUNCH_LOG,), _collect_launch_log))
    if fusion:
        found.append(Stage("fit static fusion", 1, (FUSION_FILE,), _fit_fusion))
    if "production" in logs:
        found.append(Stage("training log", config.production_log.n_users, (TRAINING_LOG,), _collect_training_log))
    return found


def _judgement(config: RunConfig) -> list[Stage]:
    users, judged = config.evaluation.n_users * len(config.policies), judged_policies(config)
    replayed = config.production_log.n_users * len(judged)
    tables = (results.METRICS, results.METRICS_TABLE, results.LEARNING_CURVE)
    fronts = []
    if config.front:
        fronts.append(Stage("front", front.n_rollouts(config, config.front), (front.FRONT,), front.run_front))
    return [
        Stage("evaluate", users, (evaluation.SESSIONS, evaluation.EXPOSURE), evaluation.run_sessions),
        *fronts,
        Stage("replay the log", replayed, (evaluation.SLATE_TRUTH,), evaluation.measure_slate_truth),
        Stage("evaluate offline", evaluation.OFFLINE_TICKS, (evaluation.OFFLINE,), evaluation.estimate_offline),
        Stage("examples", len(config.policies), (evaluation.EXAMPLES,), evaluation.show_examples),
        Stage("metrics", 1, tables, results.write_results),
    ]


def _collect_launch_log(world: World, run: Path, into: Path, progress: Advance) -> None:
    _collect("launch", world.config.launch_log, LAUNCH_LOG, world, run, into, progress)


def _collect_production_log(world: World, run: Path, into: Path, progress: Advance) -> None:
    _collect("production", world.config.production_log, evaluation.PRODUCTION_LOG, world, run, into, progress)


def _collect_training_log(world: World, run: Path, into: Path, progress: Advance) -> None:
    _collect("training", world.config.production_log, TRAINING_LOG, world, run, into, progress)


def _collect(
    name: str, settings: LogSettings, file: str, world: World, run: Path, into: Path, progress: Advance
) -> None:
    simulator = world.simulator(f"the {name} log", training=name != "production")
    policy = build(settings.collector(name), world, run, simulator)
    batch = world.config.evaluation.batch
    write_log(collect(simulator, policy, settings.n_users, batch=batch, progress=progress), into / file)


def _fit_fusion(world: World, run: Path, into: Path, progress: Advance) -> None:
    from recsim.agents.fusion.static import StaticFusion

    log = read_log(run / LAUNCH_LOG)
    with input_errors("the static fusion cannot be fitted on the launch log: "):
        fusion = StaticFusion.fit(log, world.catalog, world.layout)
    fusion.save(into / FUSION_FILE)
    progress(1)


def _report(world: World, run: Path, into: Path, progress: Advance) -> None:
    from recsim.report import write_report

    write_report(run, world.catalog, out=into / REPORT)
    progress(1)
