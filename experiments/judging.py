"""Off-policy evaluation of a config's policies on any log of the same catalogue."""

from __future__ import annotations

from pathlib import Path

from recsim.experiments.choice import judged_policies
from recsim.experiments.config import PolicyConfig, RunConfig
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.evaluation import OFFLINE_TICKS, off_policy
from recsim.experiments.policies import build, model_file
from recsim.experiments.progress import Display
from recsim.experiments.threads import threads
from recsim.experiments.world import World
from recsim.logs import Log, read_log
from recsim.ope import Evaluation


def judge(
    config: RunConfig, path: Path, *, run: Path | None, names: str | None, n_threads: int, display: Display
) -> Evaluation:
    """Estimates of the policies that `names` names, or of all that need no training or are trained in `run`.

    Raises:
        UserError: if the log does not fit the config, or a policy named must be trained first.
    """
    world = World.of(config)
    with input_errors():
        log = read_log(path)
    _refuse_foreign(log, path, world)
    _refuse_training(log, path, world)
    with threads(n_threads), display.stage("evaluate offline", OFFLINE_TICKS) as progress:
        chosen = judged_policies(config, names)
        if names is None:
            chosen = _ready(chosen, run, display)
        simulator = world.simulator("nobody")
        with input_errors():
            policies = [build(policy, world, run, simulator) for policy in chosen]
            return off_policy(world, log, policies, progress)


def _ready(policies: list[PolicyConfig], run: Path | None, display: Display) -> list[PolicyConfig]:
    """The policies that can act now; the others are told of."""
    ready = []
    for policy in policies:
        model = model_file(policy)
        if model is None or (run is not None and (run / model).exists()):
            ready.append(policy)
        else:
            display.note(f"{policy.title!r} is left out: it must be trained first (--run names a folder with models).")
    if not ready:
        raise UserError("all policies of the config must be trained first; name a run folder that has them with --run.")
    return ready


def _refuse_foreign(log: Log, path: Path, world: World) -> None:
    """Refuse a log of another catalogue or of slates of another size."""
    wanted = {
        "catalogue": (log.info.catalog, world.catalog.name),
        "slate size": (log.info.slate_size, world.config.slate_size),
        "observation size": (log.observation.shape[1], world.layout.size),
    }
    for what, (found, needed) in wanted.items():
        if found != needed:
            raise UserError(f"{path} has {what} {found!r}, but the config has {needed!r}; choose the matching one.")
    if log.info.fingerprint != world.catalog.fingerprint:
        raise UserError(
            f"{path} shows other items than catalogue {world.catalog.name!r} has now; choose the matching one."
        )


def _refuse_training(log: Log, path: Path, world: World) -> None:
    """Refuse the logs on which policies are fitted."""
    for name, fitted in (("launch", "the static fusion is"), ("training", "agents are")):
        if log.info.seed == world.simulator(f"the {name} log").seed:
            raise UserError(
                f"{path} is the {name} log, on which {fitted} fitted, and a policy cannot be judged by what it "
                "was fitted on; choose the production log or one of `recsim collect`."
            )
