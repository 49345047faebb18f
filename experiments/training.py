"""Training policies that learn by acting. Torch and stable-baselines3 are imported only when a PPO is trained."""

from __future__ import annotations

from pathlib import Path

from recsim.experiments.config import LinUCBPolicy, PPOPolicy
from recsim.experiments.policies import load_fusion, model_file
from recsim.experiments.progress import Advance
from recsim.experiments.world import World

CURVE_COLUMNS = ["policy", "timesteps", "reward", "low", "high"]


def curve_file(policy: PPOPolicy) -> str:
    """Where in a run folder the learning curve of a policy is."""
    return f"results/learning_curve/{policy.slug}.parquet"


def train_linucb(policy: LinUCBPolicy, world: World, run: Path, into: Path, progress: Advance) -> None:
    """A linear bandit that learns while it serves users."""
    from recsim.agents.linucb import LinUCB

    bandit = LinUCB(world.catalog, world.layout, alpha=policy.alpha)
    bandit.train(world.simulator(f"training {policy.slug}"), policy.n_users, progress=progress)
    bandit.save(into / str(model_file(policy)))


def train_ppo(policy: PPOPolicy, world: World, run: Path, into: Path, progress: Advance) -> None:
    """Proximal policy optimisation, with its learning curve and TensorBoard events."""
    from recsim.agents.ppo.scorer import save_ppo
    from recsim.experiments.ppo import LearningCurve, make_ppo
    from recsim.experiments.threads import one_torch_thread

    warm_start = load_fusion(world, run) if policy.warm_start else None
    with one_torch_thread():
        model = make_ppo(policy, world, warm_start, into / "tensorboard" / policy.slug)
        curve = LearningCurve(policy, world, progress)
        model.learn(policy.timesteps, callback=curve)
        model.logger.close()
    save_ppo(model, into / str(model_file(policy)))
    curve.write(into / curve_file(policy))
