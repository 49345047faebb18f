"""How fast PPO trains: the simulator's share, and the time until it beats the best static fusion in the quickstart.

Seconds are CPU-seconds of one thread, so that other work on the machine does not count. Kernels are compiled before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from recsim.experiments.bench.measures import SECONDS, SHARE
from recsim.experiments.config import CatalogConfig, RunConfig
from recsim.experiments.config_file import read_config
from recsim.experiments.learner import Learner
from recsim.experiments.learning.claims import LEVEL
from recsim.experiments.learning.serving import best_fusion, choosing
from recsim.experiments.learning.size import Size
from recsim.experiments.policies import build, warm_start_of
from recsim.experiments.policy_settings import PPOPolicy, StaticFusionPolicy
from recsim.experiments.ppo import make_ppo, ppo_learner
from recsim.experiments.presets import ratio_interval
from recsim.experiments.progress import Advance
from recsim.experiments.stages import Stage
from recsim.experiments.training import LAUNCH_LOG
from recsim.experiments.world import World
from recsim.files import write_json
from recsim.logs import read_log
from recsim.metrics import paired_interval
from recsim.policy import Policy
from recsim.rollout import rollout
from recsim.simulator import Simulator
from recsim.torch_threads import one_torch_thread

QUICKSTART = Path(__file__).parents[1] / "quickstart.yaml"
MOST_SHARE, LOWEST_RATIO, MOST_SECONDS = 0.15, 0.85, 90.0


class Timed(VecEnvWrapper):
    """An environment that adds up the seconds spent in `step`.

    Attributes:
        seconds: so far.
    """

    def __init__(self, venv: VecEnv) -> None:
        """Nothing spent yet."""
        super().__init__(venv)
        self.seconds = 0.0

    def reset(self) -> Any:
        """As the environment."""
        return self.venv.reset()

    def step_async(self, actions: NDArray[Any]) -> None:
        """As the environment."""
        started = time.process_time()
        self.venv.step_async(actions)
        self.seconds += time.process_time() - started

    def step_wait(self) -> Any:
        """As the environment."""
        started = time.process_time()
        found = self.venv.step_wait()
        self.seconds += time.process_time() - started
        return found


class Constant(VecEnvWrapper):
    """The spaces of an environment, whose first observation is all that is ever seen; nothing is earned.

    Attributes:
        position_reward: (n, k) float64, zeros.
    """

    def __init__(self, venv: VecEnv, slate_size: int) -> None:
        """Looks at the environment once."""
        super().__init__(venv)
        n = venv.num_envs
        self._observation = venv.reset()
        self._step = np.zeros(n), np.zeros(n, bool), [{} for _ in range(n)]  # type: ignore[var-annotated]
        self.position_reward = np.zeros((n, slate_size))

    def reset(self) -> Any:
        """The observation."""
        return self._observation

    def step_async(self, actions: NDArray[Any]) -> None:
        """Nothing."""

    def step_wait(self) -> Any:
        """The observation, no reward and no end."""
        return self._observation, *self._step


def quickstart(size: Size) -> RunConfig:
    """The quickstart with its PPO, and with the fusions to compare."""
    config = read_config(QUICKSTART)
    changed = {
        "catalog": CatalogConfig(name=size.catalog),
        "slate_size": size.slate_size,
        "horizon": size.horizon,
        "recent": size.recent,
        "policies": (StaticFusionPolicy(kind="static_fusion"), *size.fusions(), _ppo_of(config)),
    }
    return config.model_copy(update=changed)


def stages_of(config: RunConfig, size: Size) -> list[Stage]:
    """All stages of the run that measures speed."""
    work = partial(_measure, size)
    named = f"speed of {size.rounds} updates and {size.timesteps} slates with {size.n_selecting} users"
    return [*choosing(config, config.policies[:-1], size), Stage(named, size.timesteps, (size.speed,), work)]


def _ppo_of(config: RunConfig) -> PPOPolicy:
    (ppo,) = (policy for policy in config.policies if isinstance(policy, PPOPolicy))
    return ppo


def _measure(size: Size, world: World, run: Path, into: Path, progress: Advance) -> None:
    settings = _ppo_of(world.config)
    start, log = warm_start_of(settings, world, run), read_log(run / LAUNCH_LOG)
    with one_torch_thread():
        share, ratio = _simulator(partial(make_ppo, settings, world, start), world.config.slate_size, size.rounds)
        simulator = world.simulator("comparing with the best fusion")
        best = build(best_fusion(size, world, run), world, run, simulator)
        learner = partial(ppo_learner, settings, world, start, log)
        seconds = _until_better(learner, simulator, best, size, progress)
    rows = [
        _within("share", "simulator's share of PPO's training", share, SHARE, "ceiling", MOST_SHARE),
        _within("ratio", "PPO's speed by that on constants", ratio, SHARE, "floor", LOWEST_RATIO),
        asked("beats", f"quickstart: PPO beats {best.name} after", seconds, SECONDS, "ceiling", MOST_SECONDS),
    ]
    write_json(into / size.speed, rows)


def asked(name: str, label: str, value: float | None, unit: str, kind: str, bound: float) -> dict[str, Any]:
    """A row of the document: a value that must not be beyond a floor or a ceiling; None never keeps it."""
    kept = value is not None and (value >= bound if kind == "floor" else value <= bound)
    return {"name": name, "label": label, "value": value, "unit": unit, kind: bound, "kept": kept}


def _within(name: str, label: str, ratio: dict[str, float], unit: str, kind: str, bound: float) -> dict[str, Any]:
    """A row whose whole interval must not be beyond it."""
    worst = asked(name, label, ratio["low" if kind == "floor" else "high"], unit, kind, bound)
    return worst | {"value": ratio["ratio"], "low": ratio["low"], "high": ratio["high"]}


def _simulator(make: Callable[[], PPO], slate_size: int, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """The share of training that is spent in `step`, and the speed of training by that where `step` does nothing.

    Both models are trained in turns, update by update, so that they share the machine's better and worse moments: the
    intervals are over such rounds. The first update of each, which compiles, does not count.
    """
    real, still = make(), make()
    timed = Timed(_env(real))
    real.set_env(timed)
    constant = Constant(_env(still), slate_size)
    still.set_env(constant)
    if hasattr(still.rollout_buffer, "env"):  # credit by position
        still.rollout_buffer.env = constant
    for model in (real, still):
        _update(model)
    in_step, updating, on_constants = (np.zeros(rounds) for _ in range(3))
    for number in range(rounds):
        timed.seconds = 0.0
        updating[number], on_constants[number] = _update(real), _update(still)
        in_step[number] = timed.seconds
    share, ratio = ratio_interval(in_step, updating, LEVEL), ratio_interval(on_constants, updating, LEVEL)
    assert share is not None
    assert ratio is not None
    return share, ratio


def _until_better(
    make: Callable[[], Learner], simulator: Simulator, fusion: Policy, size: Size, progress: Advance
) -> float | None:
    """Seconds of making and training after which PPO earns more than a fusion on the same users; None: never.

    They are compared after every update, in time that does not count; it earns more where the whole interval of the
    paired difference is above 0, for the first time.
    """
    static = rollout(simulator, fusion, size.n_selecting)
    started = time.process_time()
    learner = make()
    spent = time.process_time() - started
    while learner.model.num_timesteps < size.timesteps:
        spent += _update(learner.model)
        trained = rollout(simulator, learner.policy(learner.model), size.n_selecting)
        if paired_interval(trained.reward, static.reward, LEVEL).low > 0.0:
            return spent
        progress(learner.model.num_timesteps)
    return None


def _update(model: PPO) -> float:
    """Seconds of one more update."""
    started = time.process_time()
    model.learn(model.n_steps * model.n_envs, reset_num_timesteps=False)
    return time.process_time() - started


def _env(model: PPO) -> VecEnv:
    env = model.get_env()
    assert env is not None
    return env
