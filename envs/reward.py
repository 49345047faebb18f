"""`VectorReward`: the objectives as they are, for multi-objective reinforcement learning."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box

from recsim.envs.wrapper import SlateWrapper


class VectorReward(SlateWrapper):
    """Rewards are the objectives, (o,) float64 or (n, o), instead of their weighted sum, which `info["reward"]` holds.

    This is the convention of MO-Gymnasium (Felten et al. 2023), whose wrappers take the result. They look for
    `reward_space` in the unwrapped environment, which is therefore where it is set.
    """

    def __init__(self, env: Any) -> None:
        """Wrap `env`, single or vector."""
        super().__init__(env)
        # Clicks, conversions and novelty are at most 1 a position; conversions that come late may come at once.
        most = float(self.simulator.slate_size * self.simulator.horizon)
        self.reward_space = Box(0.0, most, (len(self.simulator.objectives.names),), np.float64)
        env.unwrapped.reward_space = self.reward_space

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """The wrapped environment's step with the vector reward."""
        observation, reward, terminated, truncated, info = super().step(action)
        info["reward"] = reward
        if isinstance(reward, np.ndarray):
            info["_reward"] = np.ones(len(reward), bool)
        return observation, info["objectives"].copy(), terminated, truncated, info
