"""Training, a function for each way to learn. Torch and SB3 are imported only where an agent needs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from recsim.agents.fusion import fit_fusion
from recsim.experiments.agent_classes import agent_class, keywords, taken
from recsim.experiments.config import LearnedPolicy
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.kinds import Way
from recsim.experiments.policies import build, draws_of, model_file, untrained, warm_start_of
from recsim.experiments.policy_settings import (
    CustomPolicy,
    FusionPolicy,
    LoggedSettings,
    OnlineSettings,
    PPOPolicy,
    StockPolicy,
    TrainedPolicy,
)
from recsim.experiments.progress import Advance
from recsim.experiments.world import World
from recsim.logs import read_log
from recsim.torch_threads import one_torch_thread
from recsim.users import BUILT_IN

CURVE_COLUMNS = ["policy", "timesteps", "reward", "low", "high", "kept"]
LAUNCH_LOG, TRAINING_LOG = "logs/launch.parquet", "logs/training.parquet"


def curve_file(policy: TrainedPolicy) -> str:
    """Where in a run folder the learning curve of a policy is."""
    return f"results/learning_curve/{policy.slug}.parquet"


def fit_on_log(policy: LearnedPolicy, world: World, run: Path, into: Path, progress: Advance) -> None:
    """An agent fitted on a log of the run."""
    assert isinstance(policy, LoggedSettings)
    log = read_log(run / (LAUNCH_LOG if policy.log == "launch" else TRAINING_LOG))
    with _one_thread():
        if isinstance(policy, CustomPolicy):
            agent = untrained(policy, world)
            agent.fit(log)
        else:
            fit = partial(fit_fusion, policy.method) if isinstance(policy, FusionPolicy) else agent_class(policy).fit
            told = taken(fit, {"warm_start": warm_start_of(policy, world, run)}) | keywords(policy)
            with input_errors(f"{policy.title!r} cannot be fitted on the {policy.log} log: "):
                agent = fit(log, world.catalog, world.layout, seed=draws_of(policy, world), **told)
        _keep(agent, policy, world, into)
    progress(1)


def train_online(policy: LearnedPolicy, world: World, run: Path, into: Path, progress: Advance) -> None:
    """An agent that learns while it serves users."""
    assert isinstance(policy, OnlineSettings)
    with _one_thread():
        agent = untrained(policy, world, warm_start_of(policy, world, run))
        simulator = world.simulator(f"training {policy.slug}", training=True)
        ours = not isinstance(policy, CustomPolicy) and world.config.users.model in BUILT_IN
        with input_errors(f"{policy.title!r} cannot be trained: ") if ours else nullcontext():
            agent.train(simulator, policy.n_users, **taken(agent.train, {"progress": progress}))
        _keep(agent, policy, world, into)


def train_on_environment(policy: LearnedPolicy, world: World, run: Path, into: Path, progress: Advance) -> None:
    """A model of Stable-Baselines3, with its learning curve and TensorBoard events."""
    from recsim.experiments.learner import learn
    from recsim.experiments.ppo import ppo_learner
    from recsim.experiments.sb3 import sb3_learner

    with one_torch_thread():
        if isinstance(policy, StockPolicy):
            learner = sb3_learner(policy, world)
        else:
            assert isinstance(policy, PPOPolicy)
            log = read_log(run / LAUNCH_LOG) if policy.teacher else None
            learner = ppo_learner(policy, world, warm_start_of(policy, world, run), log)
        learn(learner, world, run, into, progress)


WAYS: Mapping[Way | None, Callable[..., None]] = {
    "log": fit_on_log,
    "users": train_online,
    "environment": train_on_environment,
}


def _one_thread() -> AbstractContextManager[None]:
    """Torch on one thread, for agents that have imported it."""
    return one_torch_thread() if "torch" in sys.modules else nullcontext()


def _keep(agent: Any, policy: LearnedPolicy, world: World, into: Path) -> None:
    """Save an agent; somebody's own must be able to act once it is loaded again."""
    path = into / str(model_file(policy))
    path.parent.mkdir(parents=True, exist_ok=True)
    agent.save(path)
    if isinstance(policy, CustomPolicy):
        if not path.exists():
            raise UserError(
                f"agent {policy.agent!r}: save wrote nothing at the path that it was given; write there, and let no "
                "ending be added to the name."
            )
        build(policy, world, into, world.simulator("check"))
