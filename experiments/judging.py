"""Off-policy evaluation of a config's policies on any log of the same catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsim.catalog import Catalog
from recsim.experiments.choice import chosen_policy, judged_policies
from recsim.experiments.config import PolicyConfig, RunConfig
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.evaluation import OFFLINE_TICKS, off_policy
from recsim.experiments.policies import build, model_file
from recsim.experiments.progress import Advance, Display
from recsim.experiments.threads import threads
from recsim.experiments.world import World
from recsim.files import read_json
from recsim.logs import Log, LogInfo, read_log
from recsim.logs_parquet import info_of
from recsim.ope import Evaluation
from recsim.ope.folders.folder import evaluate_folder
from recsim.ope.folders.parts import open_part, parts_of
from recsim.policy import Policy
from recsim.report.examples import logged_examples
from recsim.simulator import Simulator
from recsim.streams import sub_seed

CHECKED_ROWS = 256  # of a log, to tell whether a policy wrote it


@dataclass(frozen=True)
class Judging:
    """How a log is judged.

    Attributes:
        names: of the policies, with commas; None for all that need no training or are trained in `run`.
        estimators: of the estimators, with commas; None for those of the config.
        logging: the policy that wrote the log, by name; None to look for it in the config.
        run: folder with trained models.
        workers: processes that share a folder of logs.
        ray: `local` or the address of a Ray cluster that shares it instead.
    """

    names: str | None = None
    estimators: str | None = None
    logging: str | None = None
    run: Path | None = None
    workers: int = 1
    ray: str | None = None


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a log says of policies.

    Attributes:
        evaluation: the estimates.
        info: what holds for the log.
        log: the log, where it is one file.
        catalog: its items.
    """

    evaluation: Evaluation
    info: LogInfo
    log: Log | None
    catalog: Catalog


def judge(config: RunConfig, path: Path, how: Judging, *, n_threads: int, display: Display) -> Judgement:
    """Estimates of policies of the config from the log in a file, or in a folder of files larger than memory.

    Raises:
        UserError: if the log does not fit the config, a policy named must be trained first, or something named is not
            there.
    """
    world = World.of(config)
    with input_errors():
        log = None if path.is_dir() else read_log(path)
        info = info_of(open_part(parts_of(path)[0]).schema_arrow, path) if log is None else log.info
    _refuse_foreign(info, path, world)
    _refuse_training(info, path, world)
    with threads(n_threads), display.stage("evaluate offline", OFFLINE_TICKS) as progress:
        judged = judged_policies(config, how.names)
        if how.names is None:
            judged = _ready(judged, how.run, display)
        simulator = world.simulator("nobody")
        with input_errors():
            policies = [build(policy, world, how.run, simulator) for policy in judged]
            wanted = config.evaluation.estimators if how.estimators is None else tuple(how.estimators.split(","))
            if log is None:
                found = _folder(world, path, policies, wanted, how, progress)
                return Judgement(found, info, None, world.catalog)
            if log.observation.shape[1] != world.layout.size:
                raise UserError(
                    f"{path} has observations of {log.observation.shape[1]} numbers, but the config's world has "
                    f"{world.layout.size}; choose the matching one."
                )
            if how.workers > 1 or how.ray:
                raise UserError("--workers and --ray share the files of a folder; pass a folder of logs.")
            logging = _logging(config, world, log, how, simulator)
            found = off_policy(world, log, policies, progress, estimators=wanted, logging=logging)
            return Judgement(found, info, log, world.catalog)


def document(judged: Judgement, path: Path) -> dict[str, Any]:
    """What the report of a judgement is made of, with slates of the log where it is one file."""
    found = {**judged.evaluation.to_dict(), "source": {"log": path.name, "policy": judged.info.policy}}
    if judged.log is not None:
        found["examples"] = logged_examples(judged.log, judged.catalog)
    return found


def measured_coverage(path: Path) -> Any:
    """What `recsim bench coverage --out` wrote.

    Raises:
        UserError: if there is no such file, or it holds something else.
    """
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); `recsim bench coverage --out` writes such files.") from error
    if not isinstance(found, dict) or not {"level", "intervals"} <= set(found):
        raise UserError(f"{path} holds no measured coverage; `recsim bench coverage --out` writes such files.")
    return found


def _folder(
    world: World,
    path: Path,
    policies: list[Policy],
    estimators: tuple[str, ...] | None,
    how: Judging,
    progress: Advance,
) -> Evaluation:
    settings = world.config.evaluation
    return evaluate_folder(
        path,
        policies,
        seed=sub_seed(world.config.seed, "offline evaluation"),
        estimators=estimators,
        n_boot=settings.n_boot,
        level=settings.level,
        workers=how.workers,
        ray=how.ray,
        progress=lambda done, total, what: progress(OFFLINE_TICKS * done // total),
    )


def _logging(config: RunConfig, world: World, log: Log, how: Judging, simulator: Simulator) -> Policy | None:
    """The policy that wrote the log, if the config has it: one that gives the logged propensities.

    Raises:
        UserError: if a policy is named that does not.
    """
    named = [chosen_policy(config, how.logging)] if how.logging else _namesakes(config, log.info.policy)
    some = slice(0, CHECKED_ROWS)
    for policy in named:
        if not _is_ready(policy, how.run):
            continue
        built = build(policy, world, how.run, simulator)
        found = built.step_log_prob(log.observation[some], log.slate[some])
        if np.allclose(found, log.step_log_prob[some], rtol=0.0, atol=1e-6):
            return built
    if how.logging:
        raise UserError(
            f"{how.logging!r} did not write the log: its propensities are others. Name the policy with the temperature "
            "that was in force, or leave --logging out."
        )
    return None


def _namesakes(config: RunConfig, name: str) -> list[PolicyConfig]:
    """Policies of the config that the log may be of: the one in production, and by name."""
    return [config.production_log.collector("production"), *(one for one in config.policies if one.title == name)]


def _ready(policies: list[PolicyConfig], run: Path | None, display: Display) -> list[PolicyConfig]:
    """The policies that can act now; the others are told of."""
    ready = []
    for policy in policies:
        if _is_ready(policy, run):
            ready.append(policy)
        else:
            display.note(f"{policy.title!r} is left out: it must be trained first (--run names a folder with models).")
    if not ready:
        raise UserError("all policies of the config must be trained first; name a run folder that has them with --run.")
    return ready


def _is_ready(policy: PolicyConfig, run: Path | None) -> bool:
    """Whether it needs no training, or is trained in `run`."""
    model = model_file(policy)
    return model is None or (run is not None and (run / model).exists())


def _refuse_foreign(info: LogInfo, path: Path, world: World) -> None:
    """Refuse a log of another catalogue or of slates of another size."""
    wanted = {
        "catalogue": (info.catalog, world.catalog.name),
        "slate size": (info.slate_size, world.config.slate_size),
    }
    for what, (found, needed) in wanted.items():
        if found != needed:
            raise UserError(f"{path} has {what} {found!r}, but the config has {needed!r}; choose the matching one.")
    if info.fingerprint != world.catalog.fingerprint:
        raise UserError(
            f"{path} shows other items than catalogue {world.catalog.name!r} has now; choose the matching one."
        )


def _refuse_training(info: LogInfo, path: Path, world: World) -> None:
    """Refuse the logs on which policies are fitted."""
    for name, fitted in (("launch", "the static fusion is"), ("training", "agents are")):
        if info.seed == world.simulator(f"the {name} log").seed:
            raise UserError(
                f"{path} is the {name} log, on which {fitted} fitted, and a policy cannot be judged by what it "
                "was fitted on; choose the production log or one of `recsim collect`."
            )
