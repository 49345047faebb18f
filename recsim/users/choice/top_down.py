"""Users who go through a slate from the top: position-based, cascade, dependent click and dynamic Bayesian models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.jit import row_kernel
from recsim.policy import top_k
from recsim.streams import Moments, Streams, drawn
from recsim.users.choice.best import best_order
from recsim.users.choice.browsing import KEYS, Browsing, stops, went_on
from recsim.users.choice.checks import number, one_each, table
from recsim.users.contract import Appeal, Choices, Flags, Floats, Items


class TopDown(ABC):
    """What these models share: all is said by their `browsing`."""

    @abstractmethod
    def browsing(self, slate_size: int) -> Browsing:
        """The model as kernels read it, for slates of k positions."""

    def probabilities(self, appeal: Appeal, slate: Items) -> Choices:
        """Exact probabilities (see `ChoiceModel`), by a recursion from the top over who is still browsing."""
        browsing = self.browsing(slate.shape[1])
        examined, click = np.zeros((2, *slate.shape))
        _probabilities(np.ascontiguousarray(slate), *_tables(appeal, slate.shape, browsing), browsing, examined, click)
        return Choices(examined, click)

    def sample(self, appeal: Appeal, slate: Items, users: Streams) -> tuple[Flags, Flags]:
        """What is examined and what is clicked (see `ChoiceModel`)."""
        one_each(users, slate)
        browsing = self.browsing(slate.shape[1])
        examined, click = np.zeros((2, *slate.shape), bool)
        _sample(
            np.ascontiguousarray(slate),
            *_tables(appeal, slate.shape, browsing),
            browsing,
            users.moments,
            examined,
            click,
        )
        return examined, click

    def best_slate(self, appeal: Appeal, worth: Floats, slate_size: int) -> Items:
        """The slate that earns most (see `best_order`)."""
        browsing = self.browsing(slate_size)
        return best_order(*_tables(appeal, worth.shape, browsing), np.ascontiguousarray(worth, np.float64), browsing)


@dataclass(frozen=True)
class PositionBased(TopDown):
    """Position-based model (PBM): position j is examined with probability theta_j = (j + 1)**-decay.

    A click is an examined position whose item appeals: P(click at j) = theta_j * appeal. Several clicks a slate are
    possible.
    Source: Craswell et al. 2008 (examination hypothesis); the power law as in Joachims, Swaminathan & Schnabel 2017,
        section 7.

    >>> PositionBased(decay=1.0).theta(4).tolist()
    [1.0, 0.5, 0.3333333333333333, 0.25]
    """

    decay: float = 0.5

    def __post_init__(self) -> None:
        number("decay of the examination", self.decay, 0.0)

    def theta(self, slate_size: int) -> NDArray[np.float64]:
        """(k,) float64, the examination probability of each position."""
        theta: NDArray[np.float64] = np.arange(1, slate_size + 1, dtype=np.float64) ** -self.decay
        return theta

    def browsing(self, slate_size: int) -> Browsing:
        """The model as kernels read it (see `TopDown`)."""
        return Browsing(self.theta(slate_size), 1.0, 1.0, False, False, 0.0)

    def best_slate(self, appeal: Appeal, worth: Floats, slate_size: int) -> Items:
        """The slate that earns most: theta falls from the top, so items sorted by what they earn once examined."""
        return top_k(appeal.click * worth, slate_size)


@dataclass(frozen=True)
class Cascade(TopDown):
    """Cascade model: the user looks from the top, and the first click ends it.

    P(click at j) = appeal_j * prod over positions i above of (1 - appeal_i).
    Source: Craswell et al. 2008, section 3.4.

    >>> appeal = Appeal(click=np.array([[0.5, 0.5, 0.5]]), conversion=np.zeros((1, 3)))
    >>> Cascade().probabilities(appeal, np.array([[7, 8, 9]])).click.tolist()
    [[0.5, 0.25, 0.125]]
    """

    def browsing(self, slate_size: int) -> Browsing:
        """The model as kernels read it (see `TopDown`)."""
        return Browsing(np.ones(slate_size), 1.0, 0.0, False, False, 0.0)


@dataclass(frozen=True)
class DependentClick(TopDown):
    """Dependent click model (DCM): as a cascade, but after a click the user goes on with probability lambda.

    P(click at j) = appeal_j * prod over positions i above of (1 - (1 - lambda) * appeal_i); lambda is the same at every
    position. 0 is the cascade model.
    Source: Guo, Liu & Wang 2009, section 3.

    Attributes:
        continuation: lambda.

    >>> appeal = Appeal(click=np.array([[0.5, 0.5, 0.5]]), conversion=np.zeros((1, 3)))
    >>> DependentClick(continuation=0.5).probabilities(appeal, np.array([[7, 8, 9]])).examined.tolist()
    [[1.0, 0.75, 0.5625]]
    """

    continuation: float = 0.6

    def __post_init__(self) -> None:
        number("continuation of the dependent click model", self.continuation, 0.0, 1.0)

    def browsing(self, slate_size: int) -> Browsing:
        """The model as kernels read it (see `TopDown`)."""
        return Browsing(np.ones(slate_size), 1.0, float(self.continuation), False, False, 0.0)


@dataclass(frozen=True)
class DynamicBayesian(TopDown):
    """Dynamic Bayesian network (DBN): a click that satisfies ends it, else the user goes on with probability gamma.

    P(click at j) = appeal_j * prod over positions i above of gamma * (1 - appeal_i * satisfaction_i).
    Source: Chapelle & Zhang 2009, section 3.

    Attributes:
        perseverance: gamma.

    >>> half = np.array([[0.5, 0.5]])
    >>> appeal = Appeal(click=half, conversion=half, satisfaction=half)
    >>> DynamicBayesian(perseverance=0.5).probabilities(appeal, np.array([[7, 8]])).examined.tolist()
    [[1.0, 0.375]]
    """

    perseverance: float = 0.9

    def __post_init__(self) -> None:
        number("perseverance of the dynamic Bayesian network", self.perseverance, 0.0, 1.0)

    def browsing(self, slate_size: int) -> Browsing:
        """The model as kernels read it (see `TopDown`)."""
        return Browsing(np.ones(slate_size), float(self.perseverance), float(self.perseverance), True, False, 0.0)


def _tables(appeal: Appeal, shape: tuple[int, ...], browsing: Browsing) -> tuple[Floats, Floats]:
    """Appeal and satisfaction as kernels need them; the latter is not read where no satisfaction stops anybody."""
    click = table("click", appeal.click, shape)
    if not browsing.stops_satisfied:
        return click, click
    if appeal.satisfaction is None:
        raise ValueError(
            "the dynamic Bayesian network needs to know how likely a click satisfies, and these users' appeal has no "
            "satisfaction. Give it one, or take another choice model."
        )
    return click, table("satisfaction", appeal.satisfaction, shape)


@row_kernel
def _probabilities(
    slate: Items, appeal: Floats, satisfaction: Floats, browsing: Browsing, examined: Floats, click: Floats
) -> None:
    """Fill the probabilities (n, k) of a look and of a click; 0 at empty positions."""
    n, k = slate.shape
    for row in numba.prange(n):
        still = 1.0
        for position in range(k):
            if slate[row, position] < 0:
                continue
            look = still * browsing.look[position]
            examined[row, position], click[row, position] = look, look * appeal[row, position]
            still -= look * stops(appeal[row, position], satisfaction[row, position], browsing)


@row_kernel
def _sample(
    slate: Items,
    appeal: Floats,
    satisfaction: Floats,
    browsing: Browsing,
    moments: Moments,
    examined: Flags,
    click: Flags,
) -> None:
    """Fill what is examined and what is clicked (n, k)."""
    n, k = slate.shape
    for row in numba.prange(n):
        for position in range(k):
            item, look = slate[row, position], browsing.look[position]
            if item < 0:
                continue
            if look < 1.0 and not drawn(moments, row, KEYS.examine, position) < look:
                continue
            clicked = drawn(moments, row, KEYS.click, item) < appeal[row, position]
            examined[row, position], click[row, position] = True, clicked
            content = satisfaction[row, position]
            if not went_on(clicked, content, browsing, item, moments, row):
                break
