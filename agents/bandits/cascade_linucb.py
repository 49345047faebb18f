"""Cascading LinUCB: a linear bandit that learns only from the positions that a user went through."""

from __future__ import annotations

import numpy as np

from recsim.agents.bandits.bandit import Feedback, Floats
from recsim.agents.bandits.linucb import LinUCB


class CascadeLinUCB(LinUCB):
    """LinUCB under the cascade model: users go through a slate from the top and stop at what satisfies them.

    What was examined follows from the clicks: every position down to the last click, and the whole slate where there
    was none (Kveton et al. 2015, where the first click is the last; Katariya et al. 2016 for several clicks). These
    positions count in full and the others not at all (Zong et al. 2016, CascadeLinUCB). The response is the reward
    of a position; with `Objectives(click=1, conversion=0, novelty=0)` it is the paper's attractiveness.

    Users who skip positions are outside the model: what they did not look at above their last click, and the whole of
    a slate that they did not click, is then taken for dislike.
    """

    PARTS = ("posterior",)

    def weights(self, feedback: Feedback, x: Floats) -> Floats:
        """(n, k) float64, 1 where a position was examined."""
        return examined(feedback.click).astype(np.float64)


def examined(click: np.typing.NDArray[np.bool_]) -> np.typing.NDArray[np.bool_]:
    """(n, k) bool, the positions down to the last click (n, k), and all of a slate without one.

    >>> examined(np.array([[False, True, False], [False, False, False]])).tolist()
    [[True, True, False], [True, True, True]]
    """
    below = np.logical_or.accumulate(click[:, ::-1], axis=1)[:, ::-1]
    return below | ~click.any(axis=1, keepdims=True)
