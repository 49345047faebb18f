"""Kernels of the interest users: one pass over the users, everything of one user in one place.

The same equations stand in `tests/users/reference.py` as a slow per-user loop. All arrays are float32 unless said.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.jit import dot, frozen, inline_kernel, row_kernel
from recsim.streams import philox, to_normal, to_unit, unit_at

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Items = NDArray[np.int64]
Flags = NDArray[np.bool_]
Words = NDArray[np.uint64]


class Constants(NamedTuple):
    """Numbers of `InterestConfig` that the kernels read, in its words."""

    interest_scale: float
    quality_scale: float
    satiation_cost: float
    click_offset: float
    bait_lure: float
    conversion_offset: float
    conversion_slope: float
    conversion_price: float
    bait_regret: float
    drift: float
    satiation_seen: float
    satiation_click: float
    satiation_recovery: float
    boredom: float
    monotony: float
    enjoyment: float
    disappointment: float
    patience_limit: float


class Market(NamedTuple):
    """Items as the users see them."""

    taste: Floats  # (m, D)
    offsets: Items  # (M + 1,)
    category: Items  # (m,)
    quality: Floats  # (m,)
    bait: Floats  # (m,)
    price: Floats  # (m,) standardised log price
    novelty: Floats  # (m,)

    def __reduce__(self) -> tuple[Any, ...]:
        return frozen, (type(self), *self)


class Rows(NamedTuple):
    """Hidden state of n users, as arrays."""

    interest: Floats  # (n, D)
    weight: Floats  # (n, M)
    satiation: Floats  # (n, C)
    patience: Floats  # (n,)
    price_sensitivity: Floats  # (n,)
    appetite: Floats  # (n,)


class Purposes(NamedTuple):
    """Keys of the draws."""

    seed: np.uint64
    examine: np.uint64
    click: np.uint64
    conversion: np.uint64


@inline_kernel
def sigmoid(x: float) -> float:
    """Logistic function."""
    return 1.0 / (1.0 + math.exp(-x))


@inline_kernel
def utility(row: int, item: int, users: Rows, market: Market, c: Constants) -> float:
    """True utility of an item for a user (the equation in `InterestUsers`)."""
    match = 0.0
    for part in range(len(market.offsets) - 1):
        start, stop = market.offsets[part], market.offsets[part + 1]
        match += users.weight[row, part] * dot(users.interest[row], market.taste[item], start, stop)
    logits: float = (
        c.interest_scale * match
        + c.quality_scale * market.quality[item]
        - users.price_sensitivity[row] * market.price[item]
        + users.appetite[row] * (market.novelty[item] - 0.5)
        - c.satiation_cost * users.satiation[row, market.category[item]]
    )
    return logits


@inline_kernel
def click_appeal(true_utility: float, item: int, market: Market, c: Constants) -> float:
    """Probability of a click on an examined item: bait lures."""
    return sigmoid(c.click_offset + true_utility + c.bait_lure * market.bait[item])


@inline_kernel
def conversion_appeal(row: int, true_utility: float, item: int, users: Rows, market: Market, c: Constants) -> float:
    """Probability of a conversion once clicked: bait is found out, and the price is looked at again."""
    return sigmoid(
        c.conversion_offset
        + c.conversion_slope * true_utility
        - c.conversion_price * users.price_sensitivity[row] * market.price[item]
        - c.bait_regret * market.bait[item]
    )


@inline_kernel
def drift_toward(row: int, item: int, interest: Floats, market: Market, rate: float) -> None:
    """Move the interest of every modality that the item has toward it, and back to unit length."""
    for part in range(len(market.offsets) - 1):
        start, stop = market.offsets[part], market.offsets[part + 1]
        wish, target = interest[row][start:stop], market.taste[item][start:stop]
        size = len(wish)
        if dot(target, target, 0, size) == 0.0:
            continue
        for j in range(size):
            wish[j] += np.float32(rate) * (target[j] - wish[j])
        length = math.sqrt(dot(wish, wish, 0, size))
        if length > 0.0:
            scale = np.float32(1.0 / length)
            for j in range(size):
                wish[j] *= scale


@row_kernel
def draw_interest(
    anchor: Items,
    share: Doubles,
    noise: float,
    market: Market,
    seed: np.uint64,
    purpose: np.uint64,
    user: Words,
    session: Words,
    step: Words,
    interest: Floats,
) -> None:
    """Interests of n new users: `anchor` items (n, a) in the given shares plus noise, of unit length per modality.

    Lane j of the noise belongs to column j; its length is about `noise` times that of what it is added to.
    """
    for row in numba.prange(len(anchor)):
        words = (np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0))
        for part in range(len(market.offsets) - 1):
            start, stop = market.offsets[part], market.offsets[part + 1]
            wish = interest[row][start:stop]
            size = len(wish)
            for j in range(size):
                wish[j] = 0.0
            for number in range(anchor.shape[1]):
                target, weight = market.taste[anchor[row, number]][start:stop], np.float32(share[row, number])
                for j in range(size):
                    wish[j] += weight * target[j]
            spread = np.float32(noise * math.sqrt(dot(wish, wish, 0, size) / size))
            for j in range(size):
                lane = start + j
                if lane % 4 == 0 or j == 0:
                    words = philox(seed, purpose, np.uint64(lane // 4), step[row], session[row], user[row])
                wish[j] += spread * np.float32(to_normal(to_unit(words[lane % 4])))
            scale = np.float32(1.0 / max(math.sqrt(dot(wish, wish, 0, size)), 1e-12))
            for j in range(size):
                wish[j] *= scale


@row_kernel
def respond(
    slate: Items,
    users: Rows,
    market: Market,
    c: Constants,
    theta: Doubles,
    keys: Purposes,
    user: Words,
    session: Words,
    step: Words,
    interest: Floats,
    satiation: Floats,
    patience: Floats,
    examined: Flags,
    click: Flags,
    conversion: Flags,
    leave: Flags,
) -> None:
    """One slate for n users. Reads `users`; fills the response and the new interest, satiation, patience (copies)."""
    n, k = slate.shape
    for row in numba.prange(n):
        pleasure = 0.0
        for position in range(k):
            if position % 4 == 0:
                block = np.uint64(position // 4)
                words = philox(keys.seed, keys.examine, block, step[row], session[row], user[row])
            item = slate[row, position]
            if item < 0 or not (to_unit(words[position % 4]) < theta[position]):
                continue
            examined[row, position] = True
            true_utility = utility(row, item, users, market, c)
            lane = np.uint64(item)
            luck = unit_at(keys.seed, keys.click, user[row], session[row], step[row], lane)
            if not (luck < click_appeal(true_utility, item, market, c)):
                continue
            click[row, position] = True
            luck = unit_at(keys.seed, keys.conversion, user[row], session[row], step[row], lane)
            conversion[row, position] = luck < conversion_appeal(row, true_utility, item, users, market, c)
            pleasure += c.enjoyment * sigmoid(true_utility) - c.disappointment * market.bait[item]
        for category in range(satiation.shape[1]):
            satiation[row, category] *= np.float32(1.0 - c.satiation_recovery)
        looks = 0
        for position in range(k):
            if not examined[row, position]:
                continue
            looks += 1
            item = slate[row, position]
            satiation[row, market.category[item]] += np.float32(
                c.satiation_seen + (c.satiation_click if click[row, position] else 0.0)
            )
            if click[row, position]:
                drift_toward(row, item, interest, market, c.drift)
        sameness = 0.0
        for position in range(k):
            if examined[row, position]:
                sameness += satiation[row, market.category[slate[row, position]]] / looks
        change = pleasure - c.boredom - c.monotony * sameness
        patience[row] = np.float32(min(users.patience[row] + change, c.patience_limit))
        leave[row] = patience[row] <= 0.0


@row_kernel
def appeal(items: Items, users: Rows, market: Market, c: Constants, click: Doubles, conversion: Doubles) -> None:
    """Fill the probabilities of click (if examined) and conversion (if clicked) of `items` (n, c); 0 for item -1."""
    n, count = items.shape
    for row in numba.prange(n):
        for column in range(count):
            item = items[row, column]
            if item < 0:
                continue
            true_utility = utility(row, item, users, market, c)
            click[row, column] = click_appeal(true_utility, item, market, c)
            conversion[row, column] = conversion_appeal(row, true_utility, item, users, market, c)
