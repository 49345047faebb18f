"""Kernels of the interest users: one pass over the users, everything of one user in one place.

The same equations stand in `tests/users/reference.py` as a slow per-user loop. All arrays are float32 unless said.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.history import ItemFeatures, Sums
from recsim.jit import dot, inline_kernel, row_kernel, shrink
from recsim.ledger import Page, enter
from recsim.streams import Moments, block_of, drawn, purpose_key, to_unit, word_of
from recsim.users.choice.browsing import KEYS, Browsing, chosen, went_on
from recsim.users.interest.market import Market
from recsim.users.interest.people import Rows, drift_toward

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Items = NDArray[np.int64]
Flags = NDArray[np.bool_]

_CONVERSION, _DELAY = purpose_key("conversion"), purpose_key("conversion delay")


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
    trust_scale: float
    trust_memory: float
    ageing: float
    slate_days: float
    conversion_delay: float


class Answer(NamedTuple):
    """What n users do, to be filled: (n, k) flags that are false, and `leave` (n,).

    `delay` and `wish` are (n, k) where conversions come late and where users make one choice, and (0, 0) elsewhere.
    """

    examined: Flags
    click: Flags
    conversion: Flags
    leave: Flags
    delay: Items
    seen: NDArray[np.uint16]  # (n, k) scratch: the positions looked at, one after another
    wish: Doubles  # how much the shown items appeal


@inline_kernel
def sigmoid(x: float) -> float:
    """Logistic function."""
    return 1.0 / (1.0 + math.exp(-x))


@inline_kernel
def ageing(days: float, c: Constants) -> float:
    """Logits that an item has lost since it appeared."""
    lost: float = c.ageing * math.log1p(max(days, 0.0))
    return lost


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
        + c.trust_scale * users.trust[row]
    )
    if c.ageing > 0.0:
        logits -= ageing(users.day[row] - market.born[item], c)
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
def satisfaction_appeal(true_utility: float, item: int, market: Market) -> float:
    """Probability that a click on the item ends the search: bait never does."""
    honest: float = 1.0 - market.bait[item]
    return sigmoid(true_utility) * honest


@inline_kernel
def _browse(
    row: int,
    slate: Items,
    users: Rows,
    market: Market,
    c: Constants,
    browsing: Browsing,
    moments: Moments,
    answer: Answer,
) -> None:
    """What a user who goes through the slate from the top examines and clicks."""
    for position in range(slate.shape[1]):
        if position % 4 == 0:
            words = block_of(moments, row, KEYS.examine, position // 4)
        item = slate[row, position]
        if item < 0 or not (to_unit(word_of(words, np.uint64(position))) < browsing.look[position]):
            continue
        answer.examined[row, position] = True
        true_utility = utility(row, item, users, market, c)
        clicked = drawn(moments, row, KEYS.click, item) < click_appeal(true_utility, item, market, c)
        answer.click[row, position] = clicked
        content = satisfaction_appeal(true_utility, item, market) if browsing.stops_satisfied else 0.0
        if not went_on(clicked, content, browsing, item, moments, row):
            break


@inline_kernel
def _skim(
    row: int,
    slate: Items,
    users: Rows,
    market: Market,
    c: Constants,
    browsing: Browsing,
    moments: Moments,
    answer: Answer,
) -> None:
    """`_browse` of a user whom nothing stops: first all looks, then all clicks, which processors run side by side."""
    looks = 0
    for position in range(slate.shape[1]):
        if position % 4 == 0:
            words = block_of(moments, row, KEYS.examine, position // 4)
        look = slate[row, position] >= 0 and to_unit(word_of(words, np.uint64(position))) < browsing.look[position]
        answer.examined[row, position] = look
        answer.seen[row, looks] = position
        looks += look
    for number in range(looks):
        position = answer.seen[row, number]
        item = slate[row, position]
        wish = click_appeal(utility(row, item, users, market, c), item, market, c)
        answer.click[row, position] = drawn(moments, row, KEYS.click, item) < wish


@inline_kernel
def _choose(
    row: int,
    slate: Items,
    users: Rows,
    market: Market,
    c: Constants,
    browsing: Browsing,
    moments: Moments,
    answer: Answer,
) -> None:
    """What a user who makes one choice from the whole slate examines and clicks."""
    for position in range(slate.shape[1]):
        item = slate[row, position]
        if item >= 0:
            answer.examined[row, position] = True
            answer.wish[row, position] = click_appeal(utility(row, item, users, market, c), item, market, c)
    choice = chosen(slate[row], answer.wish[row], browsing.outside_odds, moments, row)
    if choice >= 0:
        answer.click[row, choice] = True


@inline_kernel
def _settle(
    row: int, slate: Items, users: Rows, market: Market, c: Constants, moments: Moments, answer: Answer
) -> None:
    """What clicks lead to: conversions, and what the slate does to the user. `users` is overwritten."""
    pleasure = honesty = 0.0
    looks = clicks = 0
    for position in range(slate.shape[1]):
        looks += answer.examined[row, position]
        if not answer.click[row, position]:
            continue
        clicks += 1
        item = slate[row, position]
        true_utility = utility(row, item, users, market, c)
        chance = conversion_appeal(row, true_utility, item, users, market, c)
        answer.conversion[row, position] = drawn(moments, row, _CONVERSION, item) < chance
        if c.conversion_delay > 0.0 and answer.conversion[row, position]:
            wait = math.log(drawn(moments, row, _DELAY, item)) / math.log(1.0 - 1.0 / (1.0 + c.conversion_delay))
            answer.delay[row, position] = int(wait)
        pleasure += c.enjoyment * sigmoid(true_utility) - c.disappointment * market.bait[item]
        honesty += 1.0 - 2.0 * market.bait[item]
    satiation, seen, clicked = users.satiation[row], np.float32(c.satiation_seen), np.float32(c.satiation_click)
    shrink(satiation, np.float32(1.0 - c.satiation_recovery))
    for position in range(slate.shape[1]):
        if answer.examined[row, position]:
            item = slate[row, position]
            satiation[market.category[item]] += seen
            if answer.click[row, position]:
                satiation[market.category[item]] += clicked
                drift_toward(users.interest[row], market.taste[item], market.offsets, c.drift)
    sameness = 0.0
    for position in range(slate.shape[1]):
        if answer.examined[row, position]:
            sameness += satiation[market.category[slate[row, position]]]
    change = pleasure - c.boredom - c.monotony * sameness / max(looks, 1)
    users.patience[row] = np.float32(min(users.patience[row] + change, c.patience_limit))
    users.pleasure[row] += np.float32(pleasure)
    if clicks > 0:
        users.trust[row] += np.float32((1.0 - c.trust_memory) * (honesty / clicks - users.trust[row]))
    users.day[row] += np.float32(c.slate_days)
    answer.leave[row] = users.patience[row] <= 0.0


@inline_kernel
def _respond(
    row: int,
    slate: Items,
    users: Rows,
    market: Market,
    c: Constants,
    browsing: Browsing,
    moments: Moments,
    answer: Answer,
) -> None:
    if browsing.one_choice:
        _choose(row, slate, users, market, c, browsing, moments, answer)
    elif browsing.after_pass < 1.0 or browsing.after_click < 1.0 or browsing.stops_satisfied:
        _browse(row, slate, users, market, c, browsing, moments, answer)
    else:
        _skim(row, slate, users, market, c, browsing, moments, answer)
    _settle(row, slate, users, market, c, moments, answer)


@row_kernel
def respond(
    slate: Items, users: Rows, market: Market, c: Constants, browsing: Browsing, moments: Moments, answer: Answer
) -> None:
    """One slate for n users: fills the answer and overwrites the users' state."""
    for row in numba.prange(len(slate)):
        _respond(row, slate, users, market, c, browsing, moments, answer)


@row_kernel
def respond_and_enter(
    slate: Items,
    users: Rows,
    market: Market,
    c: Constants,
    browsing: Browsing,
    moments: Moments,
    answer: Answer,
    items: ItemFeatures,
    sums: Sums,
    page: Page,
) -> None:
    """`respond`, and each row is entered in the ledger at once."""
    for row in numba.prange(len(slate)):
        _respond(row, slate, users, market, c, browsing, moments, answer)
        enter(row, slate, answer.click, answer.conversion, items, sums, page)


@row_kernel
def settle(slate: Items, users: Rows, market: Market, c: Constants, moments: Moments, answer: Answer) -> None:
    """The part of `respond` that follows the choice: `answer` has what was examined and clicked."""
    for row in numba.prange(len(slate)):
        _settle(row, slate, users, market, c, moments, answer)


@row_kernel
def appeal(
    items: Items,
    users: Rows,
    market: Market,
    c: Constants,
    click: Doubles,
    conversion: Doubles,
    satisfaction: Doubles,
) -> None:
    """Fill the probabilities of `Appeal` for `items` (n, c); 0 for item -1."""
    n, count = items.shape
    for row in numba.prange(n):
        for column in range(count):
            item = items[row, column]
            if item < 0:
                continue
            true_utility = utility(row, item, users, market, c)
            click[row, column] = click_appeal(true_utility, item, market, c)
            conversion[row, column] = conversion_appeal(row, true_utility, item, users, market, c)
            satisfaction[row, column] = satisfaction_appeal(true_utility, item, market)
