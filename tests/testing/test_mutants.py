"""A user model that keeps every rule, and mutants of it, each of which its rule must catch."""

import copy
import itertools
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from recsim.catalog import Catalog
from recsim.ledger import Ledger, enter_all
from recsim.streams import Streams
from recsim.testing import RULES, BrokenRules, check_user_model
from recsim.users.choice import PositionBased
from recsim.users.contract import Appeal, Choices, Response


@dataclass
class Mood:
    """Hidden state of n users."""

    taste: np.ndarray  # (n, categories)
    money: np.ndarray  # (n,)
    clicks: np.ndarray  # (n,) so far
    day: np.ndarray  # (n,)
    declared_age: np.ndarray  # (n,)
    diary: np.ndarray  # (n,) lists of what was clicked


class Healthy:
    """Users with every optional method, who examine by position and like categories."""

    choice = PositionBased()

    def __init__(self, catalog: Catalog) -> None:
        self.category, self.price, self.n_items = catalog.category, catalog.price, len(catalog)

    def sample(self, users: Streams) -> Mood:
        n = len(users)
        diary = np.empty(n, object)
        diary[:] = [[] for _ in range(n)]
        taste, age = users.normal("taste", self.category.max() + 1), 18 + 60 * users.uniform("age")
        return Mood(taste, 300 * users.uniform("money"), np.zeros(n, np.int64), np.ones(n, np.float32), age, diary)

    def respond(self, state: Mood, slate: np.ndarray, users: Streams) -> tuple[Response, Mood]:
        appeal = self.appeal(state, slate)
        examined, click = self.choice.sample(appeal, slate, users)
        conversion = click & (users.uniform("buy", items=slate) < appeal.conversion)
        money = state.money - (self.price[slate] * conversion).sum(axis=1)
        diary = copy.deepcopy(state.diary)
        for row, position in np.argwhere(click):
            diary[row].append(int(slate[row, position]))
        leave = (users.uniform("leave") < 0.1) | (money < 0)
        after = replace(state, money=money, clicks=state.clicks + click.sum(axis=1), day=state.day + 1, diary=diary)
        return Response(click, conversion, leave, examined, delay=np.where(conversion, 2, 0)), after

    def update(self, state: Mood, slate: np.ndarray, users: Streams, ledger: Ledger) -> Response:
        answer, after = self.respond(state, slate, users)
        vars(state).update(vars(after))
        enter_all(slate, answer.click, answer.conversion, *ledger)
        return answer

    def appeal(self, state: Mood, items: np.ndarray) -> Appeal:
        liked = np.take_along_axis(state.taste, self.category[items], axis=1) - 0.01 * state.clicks[:, None]
        often = np.array([[item in diary for item in row] for row, diary in zip(items, state.diary, strict=True)])
        probability = (items >= 0) / (1 + np.exp(-liked + often))
        return Appeal(probability, probability * (self.price[items] < state.money[:, None]))

    def profile(self, state: Mood) -> np.ndarray:
        return np.column_stack([state.declared_age / 100, state.taste.argmax(axis=1)]).astype(np.float32)

    def come_back(self, state: Mood, users: Streams) -> tuple[np.ndarray, Mood]:
        return users.uniform("back") < 0.5, replace(state, day=state.day + 1)

    @property
    def born(self) -> np.ndarray:
        return np.where(np.arange(self.n_items) < 30, 0.0, 9.0).astype(np.float32)

    def now(self, state: Mood) -> np.ndarray:
        return state.day


def test_the_healthy_model_keeps_every_rule() -> None:
    report = check_user_model(Healthy)
    assert [check.outcome for check in report.checks] == ["passed"] * len(RULES)
    assert [check.rule for check in report.checks] == [rule.name for rule in RULES]


MUTANTS: list[tuple[str, type[Healthy], str]] = []
CALLS, BUFFER = itertools.count(1), np.zeros((256, 5), bool)  # what two of them keep


def breaks(rule: str, detail: str) -> Callable[[Any], Any]:
    """Marks a mutant with the rule that must catch it and with what it must say.

    A function (answer, after, slate, users) stands for healthy users whose answers and states it changes.
    """

    def mark(mutant: Any) -> Any:
        MUTANTS.append((rule, mutant if isinstance(mutant, type) else changed(mutant), detail))
        return mutant

    return mark


def changed(change: Callable[..., Any]) -> type[Healthy]:
    def respond(self: Healthy, state: Mood, slate: np.ndarray, users: Streams) -> Any:
        return change(*Healthy.respond(self, state, slate, users), slate, users)

    return type(change.__name__, (Healthy,), {"respond": respond})


# state is rows


@breaks("state is rows", r"^sample gave state\.money as an array \(\) for 64 users$")
class SharedMoney(Healthy):
    def sample(self, users: Streams) -> Mood:
        return replace(super().sample(users), money=np.array(100.0))


@breaks("state is rows", r"^sample gave state\.money as list$")
class ListedMoney(Healthy):
    def sample(self, users: Streams) -> Mood:
        return replace(super().sample(users), money=[100.0] * len(users))


@breaks("state is rows", r"^sample gave ndarray$")
class Stateless(Healthy):
    def sample(self, users: Streams) -> Any:
        return np.zeros((len(users), 4))


@breaks("state is rows", r"^state\.money is an array \(64,\) float64 after sample and \(64,\) int64 after resp")
def rounding(answer, after, slate, users):
    return answer, replace(after, money=after.money.astype(int))


@breaks("state is rows", r"^respond gave state\.money as an array \(\d,\) for 64 users$")
def losing(answer, after, slate, users):
    return answer, replace(after, money=after.money[answer.leave])


@breaks("state is rows", r"^respond gave dict$")
def nameless(answer, after, slate, users):
    return answer, vars(after)


@breaks("state is rows", r"^respond gave Other, sample Mood$")
def renaming(answer, after, slate, users):
    return answer, type("Other", (Mood,), {})(**vars(after))


# answers have their form


@breaks("answers have their form", r"^click is an array \(64, 5\) float64 with least value 0\.0; \(64, 5\) b")
def float_clicks(answer, after, slate, users):
    return replace(answer, click=answer.click * 1.0), after


@breaks("answers have their form", r"^leave is an array \(64, 1\) bool; \(64,\) bool is needed$")
def leaving_column(answer, after, slate, users):
    return replace(answer, leave=answer.leave[:, None]), after


@breaks("answers have their form", r"^examined is list; \(64, 5\) bool is needed$")
def listed_looks(answer, after, slate, users):
    return replace(answer, examined=answer.examined.tolist()), after


@breaks("answers have their form", r"^delay is an array \(64, 5\) int64 with least value -1; \(64, 5\) w")
def early_conversions(answer, after, slate, users):
    return replace(answer, delay=-np.ones(slate.shape, int)), after


# same seed, same session


@breaks("same seed, same session", r"^leave of row \d+ at step \d is another when the session is played again$")
def counting(answer, after, slate, users):
    return replace(answer, leave=answer.leave | (next(CALLS) % 5 == 0)), after


@breaks("same seed, same session", r"^leave of row \d+ at step 0 is another when the session is played again$")
def unseeded(answer, after, slate, users):
    return replace(answer, leave=np.random.default_rng().random(len(slate)) < 0.5), after


@breaks("same seed, same session", r"of row \d+ at step 0 is another when the model is made again$")
class MadeByChance(Healthy):
    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self.price = self.price * np.random.default_rng().random(len(catalog))


# draws come only from the streams


@breaks("draws come only from the streams", r"^the global generator of np\.random was used$")
def global_numpy(answer, after, slate, users):
    return replace(answer, leave=np.random.rand(len(slate)) < 0.5), after  # noqa: NPY002


@breaks("draws come only from the streams", r"^the global generator of random was used$")
def global_random(answer, after, slate, users):
    return replace(answer, leave=np.array([random.random() < 0.5 for _ in slate])), after


@breaks("draws come only from the streams", r"^the global generator of torch was used$")
def global_torch(answer, after, slate, users):
    return replace(answer, leave=(torch.rand(len(slate)) < 0.5).numpy()), after


@breaks("draws come only from the streams", r"^the global generator of np\.random was used$")
class GlobalWorld(Healthy):
    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        np.random.seed(0)  # noqa: NPY002
        self.price = self.price * np.random.rand(len(catalog))  # noqa: NPY002


@breaks("draws come only from the streams", r"^leave of row \d at step 0 depends on the seed of a global gen")
def borrowing(answer, after, slate, users):
    """Puts the global generator back, so that only its effect can give it away."""
    kept = random.getstate()
    leave = np.array([random.random() < 0.5 for _ in slate])
    random.setstate(kept)
    return replace(answer, leave=leave), after


# respond is pure


@breaks("respond is pure", r"^state\.money of row 0 was written to at step 0$")
class InPlace(Healthy):
    def respond(self, state, slate, users):
        answer, after = super().respond(state, slate, users)
        state.money -= 1.0
        return answer, replace(after, money=state.money)


@breaks("respond is pure", r"^state\.taste of row \d+ was written to at step 0$")
class Forgetful(Healthy):
    def profile(self, state):
        told = super().profile(state)
        state.taste[:] = 0.0
        return told


@breaks("respond is pure", r"^the slate was written to at step 0$")
class WritingSlates(Healthy):
    def respond(self, state, slate, users):
        answer, after = super().respond(state, slate, users)
        slate[:, 0] = -1
        return answer, after


@breaks("respond is pure", r"^click of row \d+ at step 0, returned earlier, was changed by a later call$")
def one_buffer(answer, after, slate, users):
    BUFFER[: len(slate)] = answer.click
    return replace(answer, click=BUFFER[: len(slate)]), after


@breaks("respond is pure", r"of row \d+ at step \d is another when asked again with the same state$")
class SharedDiary(Healthy):
    def respond(self, state, slate, users):
        answer, after = super().respond(state, slate, users)
        for row, diary in enumerate(after.diary):
            state.diary[row][:] = diary
        return answer, after


# rows are independent


@breaks("rows are independent", r"^state\.taste of row \d+ at step 0 depends on who is in the other rows$")
def mean_of_all(answer, after, slate, users):
    return answer, replace(after, taste=after.taste - after.taste.mean())


@breaks("rows are independent", r"^leave of row \d+ at step 0 depends on who is in the other rows$")
def crowd(answer, after, slate, users):
    return replace(answer, leave=answer.leave | (after.money > np.median(after.money))), after


@breaks("rows are independent", r"^leave of row \d+ at step 0 depends on the order of the rows$")
def by_place(answer, after, slate, users):
    return replace(answer, leave=answer.leave | (np.arange(len(slate)) % 2 == 0)), after


# batch equals single


@breaks("batch equals single", r"^leave of row 0 at step 0 is another for the user alone than among 64$")
def alone_is_other(answer, after, slate, users):
    return replace(answer, leave=answer.leave | (len(slate) == 1)), after


@breaks("batch equals single", r"^leave, an array \(1,\) here and \(\) there is another for the user alone")
def squeezing(answer, after, slate, users):
    return replace(answer, leave=np.squeeze(answer.leave[:, None])), after


# users differ in luck


@breaks("users differ in luck", r"^16 users in the same state always answered alike, in each of 64 states; other seeds")
class OneForAll(Healthy):
    def respond(self, state, slate, users):
        return super().respond(state, slate, replace(users, user=0 * users.user, session=0 * users.session))


# luck does not depend on clicks


@breaks("luck does not depend on clicks", r"^the click of item \d+ in row \d+, position [1-4] at step 0 chang")
class Sequential(Healthy):
    """Draws one number after another from a generator of the user's and step's own."""

    def respond(self, state, slate, users):
        answer, after = super().respond(state, slate, users)
        appeal, theta = self.appeal(state, slate), self.choice.theta(slate.shape[1])
        examined, click, conversion = np.zeros((3, *slate.shape), bool)
        for row, seed in enumerate(users.uniform("seed")):
            draw = np.random.Generator(np.random.Philox(int(seed * 2**62)))
            for position in np.flatnonzero(slate[row] >= 0):
                examined[row, position] = draw.random() < theta[position]
                if examined[row, position] and draw.random() < appeal.click[row, position]:
                    click[row, position] = True
                    conversion[row, position] = draw.random() < appeal.conversion[row, position]
        return replace(answer, examined=examined, click=click, conversion=conversion), after


@breaks("luck does not depend on clicks", r"^the click of item \d+ in row \d+, position \d at step 1 chan")
class ByClicksSoFar(Healthy):
    """Reads from a strip of draws where the clicks of earlier slates ended."""

    def respond(self, state, slate, users):
        answer, after = super().respond(state, slate, users)
        strip = users.at(0).uniform("strip", 100)
        drawn = np.take_along_axis(strip, state.clicks[:, None] + np.arange(slate.shape[1]), axis=1)
        click = answer.examined & (drawn < self.appeal(state, slate).click)
        conversion = click & (users.uniform("buy", items=slate) < self.appeal(state, slate).conversion)
        after = replace(after, clicks=state.clicks + click.sum(axis=1))
        return replace(answer, click=click, conversion=conversion), after


# answers that cannot be


@breaks("an empty position is not clicked", r"^row \d, position \d \(item -1\) at step 0$")
def clicking_nothing(answer, after, slate, users):
    return replace(answer, click=answer.click | (slate < 0)), after


@breaks("conversion implies click", r"^row \d, position \d \(item \d+\) at step 0$")
def buying_unclicked(answer, after, slate, users):
    return replace(answer, conversion=users.uniform("buy", items=slate) < 0.5), after


@breaks("a click is examined", r"^row \d, position \d \(item \d+\) at step 0$")
def blind(answer, after, slate, users):
    return replace(answer, examined=answer.examined & (slate % 2 == 0)), after


# a probability is a probability


@breaks("a probability is a probability", r"^appeal\.click is 1\.\d+ in row \d+, column \d \(item \d+\) at step 0")
class Certain(Healthy):
    def appeal(self, state, items):
        appeal = super().appeal(state, items)
        return replace(appeal, click=1.5 * appeal.click)


@breaks("a probability is a probability", r"^appeal\.conversion is nan in row 0, column \d \(item -?\d+\)")
class Undefined(Healthy):
    def appeal(self, state, items):
        appeal = super().appeal(state, items)
        return replace(appeal, conversion=np.where(items % 2, np.nan, appeal.conversion))


@breaks("a probability is a probability", r"^appeal\.click is 0\.5 in row \d, .* where there is no item")
class SomethingOfNothing(Healthy):
    def appeal(self, state, items):
        return replace(super().appeal(state, items), click=np.full(items.shape, 0.5))


@breaks("a probability is a probability", r"^appeal\.satisfaction is float; \(64, 5\) float64 is needed$")
class ShapelessAppeal(Healthy):
    def appeal(self, state, items):
        return replace(super().appeal(state, items), satisfaction=0.5)


class Clairvoyant(PositionBased):
    def probabilities(self, appeal, slate):
        choices = super().probabilities(appeal, slate)
        return Choices(choices.examined * 0.1, choices.click)


@breaks("a probability is a probability", r"^a click is likelier than a look, 0\.\d+ to 0\.\d+, in row")
class ClicksWithoutLooks(Healthy):
    choice = Clairvoyant()


# declared probabilities are real


@breaks("declared probabilities are real", r"^a click at position \d.* is declared with probability 0\.\d{3}; \d")
def boasting(answer, after, slate, users):
    return replace(answer, click=answer.click & (users.uniform("thinned", items=slate) < 0.8)), after


@breaks("declared probabilities are real", r"^a conversion at position \d.* declared with .*; 0 of [\d,]+ users")
def penniless(answer, after, slate, users):
    return replace(answer, conversion=answer.conversion & False), after


@breaks("declared probabilities are real", r"^a look at position 4.* is declared with probability 0\.447; 256")
def looks_further(answer, after, slate, users):
    return replace(answer, examined=slate >= 0), after


@breaks("declared probabilities are real", r"^a click at position \d in the state of row \d+ is declared wit")
class AnothersTaste(Healthy):
    """Declares every other user's taste: right on average only."""

    def respond(self, state, slate, users):
        mirrored = replace(state, taste=state.taste[:, ::-1])
        answer, after = super().respond(mirrored, slate, users)
        return answer, replace(after, taste=state.taste)


# no hidden state reaches the observation


@breaks("no hidden state reaches the observation", r"^column 1 of the profile gives away state\.taste, column 1$")
class Candid(Healthy):
    def profile(self, state):
        return np.column_stack([np.zeros(len(state.money)), -2.0 * state.taste[:, 1]]).astype(np.float32)


@breaks("no hidden state reaches the observation", r"^the profile of row \d+ changes at step \d$")
class Telling(Healthy):
    def profile(self, state):
        return (state.clicks[:, None] > 3).astype(np.float32)


@breaks("no hidden state reaches the observation", r"^profile is an array \(64, 2\) float64 .* for 64 users$")
class Doubles(Healthy):
    def profile(self, state):
        return super().profile(state).astype(np.float64)


@breaks("no hidden state reaches the observation", r"^profile is nan in row 2, column 0$")
class Unknown(Healthy):
    def profile(self, state):
        return np.where(np.arange(len(state.day))[:, None] == 2, np.nan, super().profile(state)).astype(np.float32)


# copies, coming back, calendars


@breaks("a deep copy answers alike", r"^conversion of row \d+ at step 0 is another after copy\.deepcopy$")
class Uncopied(Healthy):
    def __deepcopy__(self, memo):
        other = copy.copy(self)
        other.price = 0 * self.price
        return other


@breaks("a pickle answers alike", r"^conversion of row \d+ at step 0 is another after pickle$")
class Unpickled(Healthy):
    def __setstate__(self, state):
        vars(self).update(state | {"price": 0 * state["price"]})


@breaks("coming back is pure", r"^come_back gave \(64,\) float64; \(64,\) bool is needed$")
class NumberedReturns(Healthy):
    def come_back(self, state, users):
        return np.zeros(len(users)), state


@breaks("coming back is pure", r"^come_back wrote to state\.money of row 0$")
class ForgettingReturns(Healthy):
    def come_back(self, state, users):
        state.money[:] = 100.0
        return super().come_back(state, users)


@breaks("coming back is pure", r"^come_back of row 0 is another when asked again with 1 users$")
class ReturnsTogether(Healthy):
    def come_back(self, state, users):
        return np.full(len(users), len(users) > 8), state


@breaks("coming back is pure", r"^come_back gave state\.money as list$")
class ReturnsAsList(Healthy):
    def come_back(self, state, users):
        return users.uniform("back") < 0.5, replace(state, money=state.money.tolist())


@breaks("a calendar is days", r"^born is an array \(40,\) float64 with least value 0\.0; \(40,\) float32 is")
class WideCalendar(Healthy):
    @property
    def born(self):
        return super().born.astype(np.float64)


@breaks("a calendar is days", r"^now is not finite in row 0$")
class Timeless(Healthy):
    def now(self, state):
        return state.day * np.float32(np.inf)


# update equals respond


@breaks("update equals respond", r"^row 0 was entered 0 times at step 0$")
class EntersNothing(Healthy):
    def update(self, state, slate, users, ledger):
        answer, after = self.respond(state, slate, users)
        vars(state).update(vars(after))
        return answer


@breaks("update equals respond", r"^row 63 was entered 0 times at step 0$")
class ForgetsTheLast(Healthy):
    def update(self, state, slate, users, ledger):
        answer, after = self.respond(state, slate, users)
        vars(state).update(vars(after))
        enter_all(slate[:-1], answer.click, answer.conversion, *ledger)
        return answer


@breaks("update equals respond", r"^row 0 was entered 2 times at step 0$")
class EntersTwice(Healthy):
    def update(self, state, slate, users, ledger):
        answer = super().update(state, slate, users, ledger)
        enter_all(slate, answer.click, answer.conversion, *ledger)
        return answer


@breaks("update equals respond", r"^last of row \d+ at step 0 is not what enter makes of the answer$")
class EntersNoConversions(Healthy):
    def update(self, state, slate, users, ledger):
        answer, after = self.respond(state, slate, users)
        vars(state).update(vars(after))
        enter_all(slate, answer.click, answer.click & False, *ledger)
        return answer


@breaks("update equals respond", r"^reward of row 0 at step 0 is not what enter makes of the answer$")
class KeepsTheReward(Healthy):
    def update(self, state, slate, users, ledger):
        page = ledger.page._replace(reward=np.zeros(len(slate)))
        return super().update(state, slate, users, ledger._replace(page=page))


@breaks("update equals respond", r"^click of row \d+ at step 0 is another after update than after respond$")
class ClicksAtTheTop(Healthy):
    def update(self, state, slate, users, ledger):
        answer = super().update(state, slate, users, ledger)
        top = np.arange(slate.shape[1]) == 0
        return replace(answer, click=answer.click & top, conversion=answer.conversion & top)


@breaks("update equals respond", r"^state\.day of row 0 at step 0 is another after update than after respond$")
class StandsStill(Healthy):
    def update(self, state, slate, users, ledger):
        day = state.day
        answer = super().update(state, slate, users, ledger)
        state.day = day
        return answer


@breaks("update equals respond", r"^click of row \d+ at step [12] is another after update than after respond$")
class LosesTheDiary(Healthy):
    """What objects hold shows in the next answers."""

    def update(self, state, slate, users, ledger):
        answer = super().update(state, slate, users, ledger)
        for diary in state.diary:
            diary.clear()
        return answer


@breaks("update equals respond", r"^state\.day of row 0 is sampled otherwise once update has overwritten an earlie")
class HandsOutItsOwn(Healthy):
    def __init__(self, catalog):
        super().__init__(catalog)
        self.first_day = np.ones(64, np.float32)

    def sample(self, users):
        return replace(super().sample(users), day=self.first_day[: len(users)])

    def update(self, state, slate, users, ledger):
        day = state.day
        answer = super().update(state, slate, users, ledger)
        day[:] = state.day
        state.day = day
        return answer


@pytest.mark.parametrize(("rule", "mutant", "detail"), MUTANTS, ids=[mutant.__name__ for _, mutant, _ in MUTANTS])
def test_a_mutant_is_caught_by_the_rule_meant_for_it(rule: str, mutant: type[Healthy], detail: str) -> None:
    with pytest.raises(BrokenRules) as caught:
        check_user_model(mutant)
    (check,) = (check for check in caught.value.report.checks if check.rule == rule)
    assert check.outcome == "failed"
    assert re.search(detail, check.detail), check.detail
    assert check.cause


def test_every_rule_has_a_mutant() -> None:
    assert {rule for rule, _, _ in MUTANTS} == {rule.name for rule in RULES}
