"""Users who choose one item from the whole slate, or none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from recsim.jit import row_kernel
from recsim.policy import top_k
from recsim.streams import Moments, Streams
from recsim.users.choice.browsing import Browsing, chosen, odds
from recsim.users.choice.checks import number, one_each, table
from recsim.users.contract import Appeal, Choices, Flags, Floats, Items

_MOST_ODDS = 1e8


@dataclass(frozen=True)
class MultinomialLogit:
    """Multinomial logit (MNL) with an outside option: everything shown is examined and one item at most is clicked.

    P(click at j) = odds_j / (exp(outside) + sum over the slate of odds), where odds = appeal / (1 - appeal): alone on a
    slate, with outside 0, an item is clicked with its appeal.
    Source: McFadden 1974.

    Attributes:
        outside: logits of clicking nothing.

    >>> appeal = Appeal(click=np.array([[0.5, 0.75]]), conversion=np.zeros((1, 2)))
    >>> MultinomialLogit().probabilities(appeal, np.array([[7, 8]])).click.tolist()  # odds 1 and 3
    [[0.2, 0.6]]
    """

    outside: float = 0.0

    def __post_init__(self) -> None:
        number("outside of the multinomial logit", self.outside, -100.0, 100.0)

    @property
    def outside_odds(self) -> float:
        """Odds of the outside option."""
        return math.exp(self.outside)

    def browsing(self, slate_size: int) -> Browsing:
        """The model as kernels read it."""
        return Browsing(np.ones(slate_size), 1.0, 1.0, False, True, self.outside_odds)

    def probabilities(self, appeal: Appeal, slate: Items) -> Choices:
        """Exact probabilities (see `ChoiceModel`)."""
        shown = (slate >= 0).astype(np.float64)
        weight = shown * odds(table("click", appeal.click, slate.shape))
        return Choices(shown, weight / (self.outside_odds + weight.sum(axis=1, keepdims=True)))

    def sample(self, appeal: Appeal, slate: Items, users: Streams) -> tuple[Flags, Flags]:
        """What is examined and what is clicked (see `ChoiceModel`)."""
        one_each(users, slate)
        click = np.zeros(slate.shape, bool)
        _choose(
            np.ascontiguousarray(slate),
            table("click", appeal.click, slate.shape),
            self.outside_odds,
            users.moments,
            click,
        )
        return slate >= 0, click

    def best_slate(self, appeal: Appeal, worth: Floats, slate_size: int) -> Items:
        """The slate that earns most (see `ChoiceModel`); its order does not matter.

        A set earns sum(odds * worth) / (outside + sum(odds)). It earns more than v if and only if sum(odds * (worth -
        v)) > outside * v, and the left side is largest for the k largest terms: Dinkelbach's iteration raises v until
        no set earns more. Odds are held at 1e8, where what they lose against certainty is less than their rounding.
        Source: Rusmevichientong, Shen & Shmoys 2010, section 2.1.
        """
        weight = np.minimum(odds(table("click", appeal.click, worth.shape)), _MOST_ODDS)
        slate = top_k(weight * worth, slate_size)
        value = self._earned(weight, worth, slate)
        while True:
            better = top_k(weight * (worth - value[:, None]), slate_size)
            earned = self._earned(weight, worth, better)
            rises = earned > value
            if not rises.any():
                return slate
            slate[rises], value[rises] = better[rises], earned[rises]

    def _earned(self, weight: Floats, worth: Floats, slate: Items) -> Floats:
        """(n,) float64, what slates (n, k) earn."""
        shown = np.take_along_axis(weight, slate, axis=1)
        earned: Floats = (shown * np.take_along_axis(worth, slate, axis=1)).sum(axis=1)
        earned /= self.outside_odds + shown.sum(axis=1)
        return earned


@row_kernel
def _choose(slate: Items, appeal: Floats, outside_odds: float, moments: Moments, click: Flags) -> None:
    """Fill the one click, if any, of each row."""
    for row in numba.prange(len(slate)):
        position = chosen(slate[row], appeal[row], outside_odds, moments, row)
        if position >= 0:
            click[row, position] = True
