"""The interest users as a slow, obvious loop: one user, one slate, plain Python. The kernel must agree with it."""

import math
from dataclasses import dataclass

import numpy as np

from recsim.catalog import Catalog
from recsim.streams import purpose_key
from recsim.users.interest import InterestConfig, InterestState, InterestUsers


@dataclass
class Answer:
    """What one user did with a slate, and who the user is afterwards."""

    examined: list[bool]
    click: list[bool]
    conversion: list[bool]
    leave: bool
    interest: list[float]
    satiation: list[float]
    patience: float


def draw(seed: int, purpose: str, user: int, session: int, step: int, lane: int) -> float:
    """Draw number `lane` of a stream, from numpy's own generator."""
    key = np.array([seed, purpose_key(purpose)], np.uint64)
    counter = np.array([lane // 4, step, session, user], np.uint64)
    word = int(np.random.Philox(key=key, counter=counter).random_raw(4)[lane % 4])
    return (word >> 11) * 2.0**-53 + 2.0**-54


def logistic(x: float) -> float:
    """Logistic function."""
    return 1 / (1 + math.exp(-x))


def parts(catalog: Catalog) -> list[range]:
    """The columns of each modality."""
    return [range(start, stop) for start, stop in zip(catalog.offsets[:-1], catalog.offsets[1:], strict=True)]


def utility(users: InterestUsers, state: InterestState, row: int, item: int) -> float:
    """True utility of an item, in logits."""
    catalog, c = users.catalog, users.config
    match = 0.0
    for number, columns in enumerate(parts(catalog)):
        similarity = sum(float(state.interest[row, j]) * float(catalog.taste[item, j]) for j in columns)
        match += float(state.weight[row, number]) * similarity
    return (
        c.interest_scale * match
        + c.quality_scale * float(users.quality[item])
        - float(state.price_sensitivity[row]) * float(catalog.price_level[item])
        + float(state.appetite[row]) * (float(catalog.novelty[item]) - 0.5)
        - c.satiation_cost * float(state.satiation[row, catalog.category[item]])
    )


def click_probability(users: InterestUsers, true_utility: float, item: int) -> float:
    """Probability of a click on an examined item."""
    return logistic(users.config.click_offset + true_utility + users.config.bait_lure * float(users.bait[item]))


def conversion_probability(
    users: InterestUsers, state: InterestState, row: int, true_utility: float, item: int
) -> float:
    """Probability of a conversion of a clicked item."""
    c = users.config
    price = float(state.price_sensitivity[row]) * float(users.catalog.price_level[item])
    wish = c.conversion_offset + c.conversion_slope * true_utility
    return logistic(wish - c.conversion_price * price - c.bait_regret * float(users.bait[item]))


def respond(
    users: InterestUsers,
    state: InterestState,
    row: int,
    slate: list[int],
    seed: int,
    user: int,
    session: int,
    step: int,
) -> Answer:
    """One slate for the user in `row` of `state`."""
    c, catalog, k = users.config, users.catalog, len(slate)
    answer = Answer([False] * k, [False] * k, [False] * k, False, [], [], 0.0)
    pleasure = 0.0
    for position, item in enumerate(slate):
        theta = (position + 1) ** -c.choice.decay
        if item < 0 or draw(seed, "examine", user, session, step, position) >= theta:
            continue
        answer.examined[position] = True
        true_utility = utility(users, state, row, item)
        if draw(seed, "click", user, session, step, item) >= click_probability(users, true_utility, item):
            continue
        answer.click[position] = True
        chance = conversion_probability(users, state, row, true_utility, item)
        answer.conversion[position] = draw(seed, "conversion", user, session, step, item) < chance
        pleasure += c.enjoyment * logistic(true_utility) - c.disappointment * float(users.bait[item])
    answer.satiation = _satiation(c, catalog, state.satiation[row], slate, answer)
    answer.interest = _interest(c, catalog, state.interest[row], slate, answer)
    seen = [
        answer.satiation[catalog.category[item]] for item, looked in zip(slate, answer.examined, strict=True) if looked
    ]
    sameness = sum(seen) / len(seen) if seen else 0.0
    change = pleasure - c.boredom - c.monotony * sameness
    answer.patience = min(float(state.patience[row]) + change, c.patience_limit)
    answer.leave = answer.patience <= 0
    return answer


def _satiation(
    c: InterestConfig, catalog: Catalog, before: np.ndarray, slate: list[int], answer: Answer
) -> list[float]:
    after = [float(level) * (1 - c.satiation_recovery) for level in before]
    for item, looked, clicked in zip(slate, answer.examined, answer.click, strict=True):
        if looked:
            after[catalog.category[item]] += c.satiation_seen + c.satiation_click * clicked
    return after


def _interest(c: InterestConfig, catalog: Catalog, before: np.ndarray, slate: list[int], answer: Answer) -> list[float]:
    after = [float(value) for value in before]
    for item, clicked in zip(slate, answer.click, strict=True):
        if not clicked:
            continue
        for columns in parts(catalog):
            target = [float(catalog.taste[item, j]) for j in columns]
            if not any(target):
                continue
            moved = [after[j] + c.drift * (t - after[j]) for j, t in zip(columns, target, strict=True)]
            length = math.sqrt(sum(value**2 for value in moved))
            for j, value in zip(columns, moved, strict=True):
                after[j] = value / length if length > 0 else value
    return after
