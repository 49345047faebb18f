"""Choice models: how a slate turns into clicks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PositionBased:
    """Position-based model (PBM): position j is examined with probability theta_j = (j + 1)**-decay.

    A click is an examined position whose item appeals: P(click at j) = theta_j * appeal. Several clicks a slate are
    possible.
    Source: Craswell et al. 2008 (examination hypothesis); the power law as in Joachims, Swaminathan & Schnabel 2017,
        section 7.

    >>> PositionBased(decay=1.0).examination(4).tolist()
    [1.0, 0.5, 0.3333333333333333, 0.25]
    """

    decay: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.decay < np.inf:
            raise ValueError(f"decay of the examination is {self.decay!r}; it is a finite number from 0 up.")

    def examination(self, slate_size: int) -> NDArray[np.float64]:
        """(k,) float64, the examination probability of each position."""
        theta: NDArray[np.float64] = np.arange(1, slate_size + 1, dtype=np.float64) ** -self.decay
        return theta
