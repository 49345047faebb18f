"""What SlateQ learns from: logged slates, and what followed them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from recsim.logs import Log


@dataclass(frozen=True)
class Transitions:
    """n slates with what followed.

    Attributes:
        observation: (n, d) float32, before the slate.
        slate: (n, k) int64, -1 an empty position.
        click: (n, k) bool.
        reward: (n, k) float32, of each position, 0 where nothing was clicked.
        ended: (n,) bool, the session ends with this slate.
        next_observation: (n, d) float32, after the slate; not read where `ended`.
        next_slate: (n, k) int64, what was shown then.
    """

    observation: torch.Tensor
    slate: torch.Tensor
    click: torch.Tensor
    reward: torch.Tensor
    ended: torch.Tensor
    next_observation: torch.Tensor
    next_slate: torch.Tensor


@dataclass(frozen=True)
class Experience:
    """n logged slates in the order of their sessions; the row after one that does not end its session goes on with it.

    Attributes: as in `Transitions`.
    """

    observation: NDArray[np.float32]
    slate: NDArray[np.int64]
    click: NDArray[np.bool_]
    reward: NDArray[np.float32]
    ended: NDArray[np.bool_]

    @classmethod
    def of(cls, log: Log) -> Experience:
        """The experience in a log. A session ends with its last row, whether the user left or the horizon came."""
        reward = (log.objectives @ np.array(log.info.weights)).astype(np.float32)
        ended = np.ones(len(log), bool)
        ended[:-1] = (log.user[1:] != log.user[:-1]) | (log.session[1:] != log.session[:-1])
        return cls(log.observation, log.slate, log.click, reward, ended)

    def __len__(self) -> int:
        """The number of slates n."""
        return len(self.ended)

    def followed_by(self, later: Experience, most: int) -> Experience:
        """Both, of which the last `most` rows are kept."""
        both = ((getattr(self, f.name), getattr(later, f.name)) for f in fields(self))
        return Experience(*(np.concatenate(parts)[-most:] for parts in both))

    def at(self, rows: NDArray[np.int64]) -> Transitions:
        """Some of the slates, with what followed them."""
        after = np.where(self.ended[rows], rows, rows + 1)
        parts = [getattr(self, f.name)[rows] for f in fields(self)]
        return Transitions(*map(torch.from_numpy, [*parts, self.observation[after], self.slate[after]]))
