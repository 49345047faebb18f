"""A stable-baselines3 PPO as a config describes it. Imports torch."""

from __future__ import annotations

from typing import Any

from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import VecMonitor

from recsim.agents.fusion import fit_fusion
from recsim.agents.fusion.static import StaticFusion
from recsim.agents.ppo.cloning import clone
from recsim.agents.ppo.credit import PositionRolloutBuffer
from recsim.agents.ppo.policy import PlackettLucePolicy
from recsim.agents.ppo.scorer import PPOScorer, save_ppo
from recsim.experiments.errors import input_errors
from recsim.experiments.learner import Learner, environment
from recsim.experiments.policies import even_preference, is_conditioned, layout_of
from recsim.experiments.policy_settings import PPOPolicy
from recsim.experiments.world import World
from recsim.logs import Log
from recsim.policy import Ranking, Scorer
from recsim.preference import conditioned
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
NETWORK_SETTINGS = {"hidden", "tower", "fusion", "encoder", "mask_bought", "modalities"}
POLICY_SETTINGS = {"start_temperature", "credit", "value_scale"}


def make_ppo(policy: PPOPolicy, world: World, warm_start: StaticFusion | None) -> PPO:
    """An untrained model."""
    env = environment(policy, world)
    kwargs: dict[str, Any] = {
        "catalog": world.catalog,
        "layout": layout_of(policy, world),
        "warm_start": warm_start,
        "born": env.simulator.born,
        "network": policy.model_dump(include=NETWORK_SETTINGS),
        "sampling_seed": sub_seed(world.config.seed, f"slates of {policy.slug}"),
        **policy.model_dump(include=POLICY_SETTINGS),
    }
    settings: dict[str, Any] = policy.model_dump(include=SB3_SETTINGS)
    if policy.credit == "position":
        settings |= {"rollout_buffer_class": PositionRolloutBuffer, "rollout_buffer_kwargs": {"env": env}}
    seed = env.simulator.seed  # SB3 seeds its environment too: with the same number, nothing changes
    with input_errors(f"{policy.title!r}: "):
        model = PPO(
            PlackettLucePolicy, VecMonitor(env), policy_kwargs=kwargs, seed=seed, device="cpu", verbose=0, **settings
        )
    model.set_logger(Logger(None, []))  # its own would leave an empty folder in the system's temporary one
    return model


def ppo_learner(
    policy: PPOPolicy, world: World, warm_start: StaticFusion | None, launch_log: Log | None = None
) -> Learner:
    """An untrained model, evaluated as the policy that it is going to be.

    Args:
        policy: its config.
        world: where it acts.
        warm_start: the static fusion where it starts.
        launch_log: the log on which its teacher is fitted, where it has one.
    """
    model = make_ppo(policy, world, warm_start)
    if policy.teacher is not None:
        assert launch_log is not None
        draws = sub_seed(world.config.seed, f"draws of {policy.slug}")
        teacher = fit_fusion(policy.teacher, launch_log, world.catalog, world.layout, seed=draws)
        ranker = PPOScorer.of(model).ranker
        clone(ranker, teacher, launch_log.observation, policy.start_temperature, seed=draws)

    def ranking(model: PPO) -> Ranking:
        scorer: Scorer = PPOScorer.of(model)
        if is_conditioned(policy):
            scorer = conditioned(scorer, even_preference(world))
        return Ranking(policy.title, scorer, world.config.slate_size, policy.temperature)

    return Learner(policy, model, ranking, save_ppo)
