"""How a user goes through a slate, as numbers and rules that kernels share."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsim.jit import inline_kernel
from recsim.streams import Moments, drawn, purpose_key

Doubles = NDArray[np.float64]
Items = NDArray[np.int64]
Real = TypeVar("Real", float, Doubles)

_ALMOST_ONE = 1.0 - 2.0**-53  # the largest appeal with finite odds


class Browsing(NamedTuple):
    """A built-in choice model, as kernels read it.

    From the top: a user still browsing looks at position j with probability look[j], and only then may click. After a
    look the user goes on with probability `goes_on`; an empty position or one not looked at never stops anybody.

    Unless `one_choice`: then the user looks at everything and makes the one choice of `chosen`.
    """

    look: Doubles  # (k,) probability of a look by a user still browsing
    after_pass: float  # probability of going on after no click
    after_click: float  # probability of going on after a click (unless satisfied)
    stops_satisfied: bool  # a click that satisfies ends the search
    one_choice: bool  # one click at most, chosen among all
    outside_odds: float  # odds of clicking nothing, for one choice


class _Keys(NamedTuple):
    """Keys of the draws that choices need."""

    examine: np.uint64  # by position
    click: np.uint64  # by item
    go_on: np.uint64  # by item
    choose: np.uint64  # by item
    stay_away: np.uint64  # one a slate


KEYS = _Keys(*map(purpose_key, ("examine", "click", "go on", "choose", "stay away")))


@inline_kernel
def goes_on(clicked: bool, satisfaction: float, browsing: Browsing) -> float:
    """Probability that a user who has looked at an item goes on below it."""
    if not clicked:
        return browsing.after_pass
    if browsing.stops_satisfied:
        return browsing.after_click * (1.0 - satisfaction)
    return browsing.after_click


@inline_kernel
def stops(appeal: float, satisfaction: float, browsing: Browsing) -> float:
    """Probability that an item, once looked at, is the last."""
    clicking, passing = goes_on(True, satisfaction, browsing), goes_on(False, satisfaction, browsing)
    return appeal * (1.0 - clicking) + (1.0 - appeal) * (1.0 - passing)


@inline_kernel
def went_on(clicked: bool, satisfaction: float, browsing: Browsing, item: int, moments: Moments, row: int) -> bool:
    """Whether the user goes on below `item`: one draw, keyed by the item, and none where it is certain."""
    chance = goes_on(clicked, satisfaction, browsing)
    return chance >= 1.0 or drawn(moments, row, KEYS.go_on, item) < chance


def odds(appeal: Real) -> Real:
    """Odds of an appeal, a number or an array; finite even where it is 1."""
    held: Real = np.minimum(appeal, _ALMOST_ONE)
    return held / (1.0 - held)


_odds = inline_kernel(odds)


@inline_kernel
def chosen(slate: Items, appeal: Doubles, outside_odds: float, moments: Moments, row: int) -> int:
    """The position that one user chooses from a slate (k,) of the given appeal (k,), -1 for none.

    Gumbel-max: the largest log(odds) - log(-log(u)). Its exponential wins where -log(u) / odds is smallest, which takes
    one logarithm an item and knows no infinities.
    """
    choice = -1
    least = -math.log(drawn(moments, row, KEYS.stay_away, 0)) / outside_odds
    for position in range(len(slate)):
        if slate[position] < 0:
            continue
        unit = drawn(moments, row, KEYS.choose, slate[position])
        wait = -math.log(unit) / _odds(appeal[position])
        if wait < least:
            choice, least = position, wait
    return choice
