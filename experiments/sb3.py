"""Stock algorithms of stable-baselines3 and sb3-contrib as a config describes them. Imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stable_baselines3.common.vec_env import VecMonitor

from recsim.agents.sb3.files import ALGORITHMS, algorithm_class, save_sb3
from recsim.agents.sb3.policy import SB3Policy
from recsim.experiments.errors import UserError
from recsim.experiments.learner import Learner, environment, learn
from recsim.experiments.policy_settings import StockPolicy
from recsim.experiments.progress import Advance
from recsim.experiments.world import World
from recsim.torch_threads import one_torch_thread


def make_sb3(settings: StockPolicy, world: World) -> Any:
    """An untrained model.

    Raises:
        UserError: if its class does not take the options.
    """
    env = environment(settings, world, settings.action)
    seed = env.simulator.seed  # SB3 seeds its environment too: with the same number, nothing changes
    made = algorithm_class(settings.algorithm)
    try:
        return made(ALGORITHMS[settings.algorithm][2], VecMonitor(env), seed=seed, device="cpu", **settings.options)
    except (TypeError, ValueError, AssertionError) as error:
        raise UserError(f"{made.__name__} does not take the options of {settings.title!r}: {error}") from error


def sb3_learner(settings: StockPolicy, world: World) -> Learner:
    """An untrained model, evaluated as the policy that it is going to be."""

    def policy(model: Any) -> SB3Policy:
        k = world.config.slate_size
        return SB3Policy(settings.title, model.policy, settings.action, world.catalog, world.layout, k)

    def save(model: Any, path: Path) -> None:
        save_sb3(model, path, action=settings.action, catalog=world.catalog)

    return Learner(settings, make_sb3(settings, world), policy, save)


def train_sb3(settings: StockPolicy, world: World, run: Path, into: Path, progress: Advance) -> None:
    """The work of the stage that trains it."""
    with one_torch_thread():
        learn(sb3_learner(settings, world), world, run, into, progress)


def load_sb3(settings: StockPolicy, world: World, path: Path) -> SB3Policy:
    """The trained policy from its file in a run folder."""
    return SB3Policy.load(
        path,
        world.catalog,
        world.layout,
        algorithm=settings.algorithm,
        action=settings.action,
        slate_size=world.config.slate_size,
        name=settings.title,
    )
