"""Credit by position: what a position earned counts for its own item, not for all items of the slate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples

Floats = NDArray[np.float32]


class PositionRewards(Protocol):
    """An environment that tells which position earned what: `SlateVecEnv`."""

    @property
    def position_reward(self) -> NDArray[np.float64]:
        """(n, k) float64, what each position of the last slates added to the last rewards."""
        ...


class PositionRolloutBuffer(RolloutBuffer):
    """PPO's rollout buffer with log-probabilities and advantages by position; for a policy with `credit="position"`.

    The advantage of position j is that of the slate (generalised advantage estimation; Schulman et al. 2016, equation
    16) without the luck of the other positions at this step:

        A_j = A - sum over l != j of (r_l - b_l)

    with r_l the reward of position l and b_l what the critic expects of it. What comes later is shared by all
    positions. It leaves out what an item does to the clicks of the same slate's other positions: nothing under
    position-based users, something under users who stop at a click.

    Attributes:
        position_reward: (t, n, k) float32.
        position_value: (t, n, k) float32, b.
        position_log_prob: (t, n, k) float32.
        position_advantage: (t, n, k) float32.
    """

    def __init__(self, *args: Any, env: PositionRewards, **kwargs: Any) -> None:
        """As `RolloutBuffer`; `env` is the environment whose rollouts are collected, without wrappers."""
        self.env = env
        super().__init__(*args, **kwargs)

    def reset(self) -> None:
        """Empty it."""
        super().reset()
        shape = (self.buffer_size, self.n_envs, self.action_dim)
        self.position_reward, self.position_value, self.position_log_prob, self.position_advantage = np.zeros(
            (4, *shape), np.float32
        )

    def add(
        self,
        obs: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        episode_start: NDArray[Any],
        value: torch.Tensor,
        log_prob: torch.Tensor,
    ) -> None:
        """Add a step; `value` is (n, 1 + k), of the situation and its positions, `log_prob` (n, k)."""
        self.position_reward[self.pos] = self.env.position_reward
        self.position_value[self.pos] = value[:, 1:].cpu().numpy()
        self.position_log_prob[self.pos] = log_prob.cpu().numpy()
        super().add(obs, action, reward, episode_start, value[:, 0], log_prob.sum(dim=1))

    def compute_returns_and_advantage(self, last_values: torch.Tensor, dones: NDArray[Any]) -> None:
        """Fill the returns and the advantages."""
        super().compute_returns_and_advantage(last_values, dones)
        luck = self.position_reward - self.position_value
        self.position_advantage = self.advantages[..., None] - luck.sum(axis=2, keepdims=True) + luck

    def get(self, batch_size: int | None = None) -> Iterator[RolloutBufferSamples]:  # type: ignore[override]
        """Batches in random order. Values and returns, of the situation and its positions, are flattened."""
        count = self.buffer_size * self.n_envs
        columns = (
            self.observations,
            self.actions,
            np.concatenate([self.values[..., None], self.position_value], axis=2),
            self.position_log_prob,
            self.position_advantage,
            np.concatenate([self.returns[..., None], self.position_reward], axis=2),
        )
        rows = [self.to_torch(column.reshape(count, *column.shape[2:]), copy=False) for column in columns]
        order = torch.from_numpy(np.random.permutation(count))  # noqa: NPY002 (SB3 seeds it, and draws batches from it)
        for start in range(0, count, batch_size or count):
            part = order[start : start + (batch_size or count)]
            observation, action, value, log_prob, advantage, target = (column[part] for column in rows)
            yield RolloutBufferSamples(observation, action, value.flatten(), log_prob, advantage, target.flatten())
