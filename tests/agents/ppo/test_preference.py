"""One policy learns every trade-off that it is told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO

from recsim.agents.ppo.policy import PlackettLucePolicy
from recsim.agents.ppo.scorer import PPOScorer, save_ppo
from recsim.envs import Preference, SlateVecEnv, SlateVectorEnv
from recsim.metrics import paired_interval
from recsim.policy import Ranking
from recsim.preference import conditioned
from recsim.rollout import rollout
from recsim.simulator import Simulator


@pytest.mark.slow
def test_one_policy_earns_more_of_what_its_preference_asks_for(cautious: dict[str, Any], tmp_path: Path) -> None:
    env = Preference(SlateVectorEnv(128, **cautious), concentration=0.3)
    model = PPO(
        PlackettLucePolicy,
        SlateVecEnv(env),
        policy_kwargs={"network": {"hidden": 32, "tower": 8}},
        n_steps=16,
        batch_size=512,
        n_epochs=4,
        learning_rate=1e-2,
        gamma=0.95,
        gae_lambda=0.8,
        clip_range=1.0,
        vf_coef=0.05,
        seed=0,
        device="cpu",
    ).learn(60_000)
    save_ppo(model, tmp_path / "model.zip")
    simulator = Simulator(**cautious | {"seed": 3})
    scorer = PPOScorer.load(tmp_path / "model.zip", simulator.catalog, env.layout)
    clicks, novelty = (
        rollout(simulator, Ranking("conditioned", conditioned(scorer, weights), 4, 1.0), 500).objectives
        for weights in (np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    )
    assert paired_interval(novelty[:, 2], clicks[:, 2]).low > 0.5
    assert paired_interval(clicks[:, 0], novelty[:, 0]).low > 0.5
