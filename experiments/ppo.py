"""A stable-baselines3 PPO as a config describes it, and its learning curve. Imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecMonitor

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.ppo.policy import PlackettLucePolicy
from recsim.agents.ppo.scorer import PPOScorer
from recsim.envs import SlateVecEnv
from recsim.experiments.config import PPOPolicy
from recsim.experiments.progress import Advance
from recsim.experiments.training import CURVE_COLUMNS
from recsim.experiments.world import World
from recsim.files import write_table
from recsim.metrics import mean_interval
from recsim.policy import Ranking
from recsim.rollout import rollout
from recsim.streams import sub_seed

SB3_SETTINGS = {
    "n_steps",
    "batch_size",
    "n_epochs",
    "learning_rate",
    "gamma",
    "gae_lambda",
    "clip_range",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
    "target_kl",
}
POLICY_SETTINGS = {"start_temperature", "hidden", "tower", "value_scale"}


def make_ppo(policy: PPOPolicy, world: World, warm_start: StaticFusion | None, events: Path) -> PPO:
    """An untrained model; TensorBoard events go into the folder `events`."""
    env = environment(policy, world)
    kwargs: dict[str, Any] = {
        "catalog": world.catalog,
        "layout": world.layout,
        "warm_start": warm_start,
        "sampling_seed": sub_seed(world.config.seed, f"slates of {policy.slug}"),
        **policy.model_dump(include=POLICY_SETTINGS),
    }
    settings: dict[str, Any] = policy.model_dump(include=SB3_SETTINGS)
    seed = env.simulator.seed  # SB3 seeds its environment too: with the same number, nothing changes
    model = PPO(
        PlackettLucePolicy, VecMonitor(env), policy_kwargs=kwargs, seed=seed, device="cpu", verbose=0, **settings
    )
    model.set_logger(configure(str(events), ["tensorboard"]))
    return model


def environment(policy: PPOPolicy, world: World) -> SlateVecEnv:
    """The training environment: the run's world with users of its own."""
    return SlateVecEnv(
        policy.n_envs,
        catalog=world.catalog,
        users=world.users,
        slate_size=world.config.slate_size,
        horizon=world.config.horizon,
        objectives=world.objectives,
        seed=sub_seed(world.config.seed, f"users of training {policy.slug}"),
    )


class LearningCurve(BaseCallback):
    """Evaluates the policy on the same users before training, every `eval_every` slates, and at the end."""

    def __init__(self, policy: PPOPolicy, world: World, progress: Advance) -> None:
        """The curve of `policy` while it is trained; `progress` takes the slates trained on."""
        super().__init__()
        self._settings, self._world, self._progress = policy, world, progress
        self._simulator = world.simulator(f"learning curve of {policy.slug}")
        self._points: list[dict[str, Any]] = []
        self._next = 0

    def _on_rollout_start(self) -> None:
        """Between two updates; the policy is that of the last update."""
        if self.num_timesteps >= self._next:
            self._measure()
            self._next = (self.num_timesteps // self._settings.eval_every + 1) * self._settings.eval_every

    def _on_step(self) -> bool:
        self._progress(self.num_timesteps)
        return True

    def _on_training_end(self) -> None:
        self._measure()

    def write(self, path: Path) -> None:
        """Write the points measured so far."""
        write_table(path, pd.DataFrame(self._points, columns=CURVE_COLUMNS))

    def _measure(self) -> None:
        assert isinstance(self.model, PPO)
        settings, config = self._settings, self._world.config
        ranking = Ranking(settings.title, PPOScorer.of(self.model), config.slate_size, settings.temperature)
        found = rollout(self._simulator, ranking, settings.eval_users, batch=config.evaluation.batch)
        interval = mean_interval(found.reward, config.evaluation.level)
        point = (settings.title, self.num_timesteps, interval.mean, interval.low, interval.high)
        self._points.append(dict(zip(CURVE_COLUMNS, point, strict=True)))
        self.logger.record("evaluation/reward", interval.mean)
        self.logger.dump(self.num_timesteps)
