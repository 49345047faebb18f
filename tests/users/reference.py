"""The interest users as a slow, obvious loop: one user, one slate, plain Python. The kernel must agree with it."""

import math
from dataclasses import dataclass

import numpy as np

from recsim.catalog import Catalog
from recsim.streams import purpose_key
from recsim.users.choice import Cascade, DependentClick, DynamicBayesian, MultinomialLogit, PositionBased
from recsim.users.contract import ChoiceModel
from recsim.users.interest import InterestConfig, InterestState, InterestUsers


@dataclass
class Answer:
    """What one user did with a slate, and who the user is afterwards."""

    examined: list[bool]
    click: list[bool]
    conversion: list[bool]
    delay: list[int]
    leave: bool
    interest: list[float]
    satiation: list[float]
    patience: float
    trust: float
    pleasure: float
    day: float


@dataclass(frozen=True)
class Moment:
    """When and to whom: what decides a draw."""

    seed: int
    user: int
    session: int
    step: int

    def draw(self, purpose: str, lane: int) -> float:
        """Draw number `lane` of a stream, from numpy's own generator."""
        key = np.array([self.seed, purpose_key(purpose)], np.uint64)
        counter = np.array([lane // 4, self.step, self.session, self.user], np.uint64)
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
    match = age = 0.0
    for number, columns in enumerate(parts(catalog)):
        similarity = sum(float(state.interest[row, j]) * float(catalog.taste[item, j]) for j in columns)
        match += float(state.weight[row, number]) * similarity
    if users.born is not None:
        age = max(float(state.day[row]) - float(users.born[item]), 0.0)
    return (
        c.interest_scale * match
        + c.quality_scale * float(users.quality[item])
        - float(state.price_sensitivity[row]) * float(catalog.price_level[item])
        + float(state.appetite[row]) * (float(catalog.novelty[item]) - 0.5)
        - c.satiation_cost * float(state.satiation[row, catalog.category[item]])
        + c.trust_scale * float(state.trust[row])
        - c.ageing * math.log(1 + age)
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


def satisfaction_probability(users: InterestUsers, true_utility: float, item: int) -> float:
    """Probability that a click on the item ends the search."""
    return logistic(true_utility) * (1 - float(users.bait[item]))


def respond(users: InterestUsers, state: InterestState, row: int, slate: list[int], moment: Moment) -> Answer:
    """One slate for the user in `row` of `state`."""
    c, catalog, k = users.config, users.catalog, len(slate)
    worth = [utility(users, state, row, item) if item >= 0 else 0.0 for item in slate]
    examined, click = _chosen(users, slate, worth, moment)
    answer = Answer(examined, click, [False] * k, [0] * k, False, [], [], 0.0, 0.0, 0.0, 0.0)
    pleasure, honesty = 0.0, []
    for position in (position for position in range(k) if click[position]):
        item, bait = slate[position], float(users.bait[slate[position]])
        chance = conversion_probability(users, state, row, worth[position], item)
        answer.conversion[position] = moment.draw("conversion", item) < chance
        if answer.conversion[position] and c.conversion_delay > 0:
            answer.delay[position] = _delay(moment.draw("conversion delay", item), c.conversion_delay)
        pleasure += c.enjoyment * logistic(worth[position]) - c.disappointment * bait
        honesty.append(1 - 2 * bait)
    answer.satiation = _satiation(c, catalog, state.satiation[row], slate, answer)
    answer.interest = _interest(c, catalog, state.interest[row], slate, answer)
    seen = [answer.satiation[catalog.category[item]] for item, looked in zip(slate, examined, strict=True) if looked]
    sameness = sum(seen) / len(seen) if seen else 0.0
    change = pleasure - c.boredom - c.monotony * sameness
    answer.patience = min(float(state.patience[row]) + change, c.patience_limit)
    answer.leave = answer.patience <= 0
    answer.pleasure = float(state.pleasure[row]) + pleasure
    answer.trust = float(state.trust[row])
    if honesty:
        answer.trust = c.trust_memory * answer.trust + (1 - c.trust_memory) * sum(honesty) / len(honesty)
    answer.day = float(state.day[row]) + c.slate_days
    return answer


def _chosen(
    users: InterestUsers, slate: list[int], worth: list[float], moment: Moment
) -> tuple[list[bool], list[bool]]:
    """Which positions are examined and which are clicked."""
    if isinstance(users.choice, MultinomialLogit):
        return _one_choice(users, slate, worth, moment)
    examined, click = [False] * len(slate), [False] * len(slate)
    for position, item in enumerate(slate):
        if item < 0:
            continue
        theta = (position + 1) ** -users.choice.decay if isinstance(users.choice, PositionBased) else 1.0
        if moment.draw("examine", position) >= theta:
            continue
        examined[position] = True
        click[position] = moment.draw("click", item) < click_probability(users, worth[position], item)
        satisfaction = satisfaction_probability(users, worth[position], item)
        if moment.draw("go on", item) >= _goes_on(users.choice, click[position], satisfaction):
            break
    return examined, click


def _goes_on(choice: ChoiceModel, clicked: bool, satisfaction: float) -> float:
    """Probability of going on below an examined item."""
    if isinstance(choice, DynamicBayesian):
        return choice.perseverance * (1 - clicked * satisfaction)
    if isinstance(choice, DependentClick):
        return choice.continuation if clicked else 1.0
    return 0.0 if clicked and isinstance(choice, Cascade) else 1.0


def _one_choice(
    users: InterestUsers, slate: list[int], worth: list[float], moment: Moment
) -> tuple[list[bool], list[bool]]:
    """The largest of log(odds) and Gumbel noise wins, among the items and leaving it at that (position -1)."""

    def gumbel(unit: float) -> float:
        return -math.log(-math.log(unit))

    wish = {-1: users.choice.outside + gumbel(moment.draw("stay away", 0))}
    for position, item in enumerate(slate):
        if item >= 0:
            appeal = click_probability(users, worth[position], item)
            wish[position] = math.log(appeal / (1 - appeal)) + gumbel(moment.draw("choose", item))
    best = max(wish, key=lambda position: wish[position])
    return [item >= 0 for item in slate], [position == best for position in range(len(slate))]


def _delay(unit: float, mean: float) -> int:
    """The number of failures before the first success, each with probability 1 / (1 + mean), by inversion."""
    success, steps, later = 1 / (1 + mean), 0, 1.0
    while unit <= later * (1 - success):
        later *= 1 - success
        steps += 1
    return steps


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
            if not any(target) or not any(after[j] for j in columns):
                continue
            moved = [after[j] + c.drift * (t - after[j]) for j, t in zip(columns, target, strict=True)]
            length = math.sqrt(sum(value**2 for value in moved))
            for j, value in zip(columns, moved, strict=True):
                after[j] = value / length if length > 0 else value
    return after
