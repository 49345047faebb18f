"""Users whose clicks are misreported: what they do is true, what is said of it is not always."""

from dataclasses import dataclass, fields

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.testing import check_user_model
from recsim.users import BUILT_IN, Response, make_users
from recsim.users.contract import DeclaresAppeal, HasCalendar, HasProfile, ReturnsLater, UpdatesState
from recsim.users.interest import InterestState, InterestUsers
from recsim.users.misreporting import Misreporting


@dataclass
class Nothing:
    """A state without content."""

    zero: np.ndarray


class Silent:
    """Users who click and buy everything at even positions, and do not say what they looked at."""

    def sample(self, users: Streams) -> Nothing:
        return Nothing(np.zeros(len(users)))

    def respond(self, state: Nothing, slate: np.ndarray, users: Streams) -> tuple[Response, Nothing]:
        even = (slate >= 0) & (np.arange(slate.shape[1]) % 2 == 0)
        return Response(even, even & (slate % 2 == 0), np.zeros(len(slate), bool)), Nothing(state.zero.copy())


@pytest.mark.parametrize("name", BUILT_IN)
def test_wrapped_built_in_users_keep_every_rule(catalog: Catalog, name: str) -> None:
    report = check_user_model(lambda items: Misreporting(make_users(name, items), 0.1), catalog, slate_size=6)
    outcomes = {check.rule: check.outcome for check in report.checks}
    assert report.ok
    for rule in ("respond is pure", "rows are independent", "conversion implies click", "a click is examined"):
        assert outcomes[rule] == "passed"


def test_what_is_done_is_true_and_what_is_reported_is_wrong_at_the_rate(users: InterestUsers, catalog: Catalog) -> None:
    rate, n = 0.1, 4000
    people = Streams.of(2, n)
    draw = np.random.Generator(np.random.Philox(4))
    slate = np.argsort(draw.random((n, len(catalog))), axis=1)[:, :6].astype(np.int64)
    slate[::7, 2] = -1
    state = users.sample(people)
    true, after = users.respond(state, slate, people)
    told, after_told = Misreporting(users, rate).respond(state, slate, people)
    for f in fields(InterestState):
        np.testing.assert_array_equal(getattr(after, f.name), getattr(after_told, f.name))
    assert true.examined is not None
    for name in ("conversion", "leave", "examined"):
        np.testing.assert_array_equal(getattr(told, name), getattr(true, name))
    wrong = told.click != true.click
    assert not wrong[true.conversion | ~true.examined].any()
    could = true.examined & ~true.conversion
    for clicked in (True, False):
        among = could & (true.click == clicked)
        assert wrong[among].mean() == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / among.sum()))


def test_a_report_belongs_to_the_item_and_is_wrong_again_at_a_higher_rate(
    users: InterestUsers, streams: Streams, state: InterestState, slates: np.ndarray
) -> None:
    true, _ = users.respond(state, slates, streams)
    wrong = [Misreporting(users, rate).respond(state, slates, streams)[0].click != true.click for rate in (0.1, 0.3)]
    assert wrong[0].any()
    assert not (wrong[0] & ~wrong[1]).any()
    assert wrong[1].sum() > wrong[0].sum()


def test_without_looks_anything_shown_may_be_misreported() -> None:
    slate = np.array([[0, 1, 2, 3, -1], [4, 5, -1, 7, 9]]).repeat(500, axis=0)
    told, _ = Misreporting(Silent(), 0.5).respond(Nothing(np.zeros(1000)), slate, Streams.of(0, 1000))
    assert not told.click[slate < 0].any()
    assert told.click[slate == 0].all()  # bought
    assert not told.click[slate == 9].all()
    assert told.click[slate == 1].any()


def test_only_what_the_users_offer_is_handed_on(catalog: Catalog) -> None:
    plain, wrapped = Misreporting(Silent(), 0.1), Misreporting(InterestUsers(catalog), 0.1)
    for offer in (HasProfile, ReturnsLater, HasCalendar):
        assert not isinstance(plain, offer)
        assert isinstance(wrapped, offer)
    for other in (DeclaresAppeal, UpdatesState):  # a report is no choice, and no pass around the report
        assert not isinstance(wrapped, other)


def test_sessions_of_several_visits_are_the_true_ones(catalog: Catalog) -> None:
    sides = [
        Simulator(catalog, model, slate_size=5, horizon=4, sessions=3, seed=6)
        for model in (make_users("news", catalog, seed=1), Misreporting(make_users("news", catalog, seed=1), 0.2))
    ]
    slate = np.tile(np.arange(5), (30, 1))
    lost = 0
    for simulator in sides:
        simulator.reset(30)
    for moment in range(20):
        steps = [simulator.step((slate + moment) % len(catalog)) for simulator in sides]
        np.testing.assert_array_equal(steps[0].terminated, steps[1].terminated)
        lost += int((steps[0].response.click != steps[1].response.click).sum())
        for simulator in sides:
            simulator.renew(simulator.ended)
        for f in fields(sides[0].state):
            np.testing.assert_array_equal(getattr(sides[0].state, f.name), getattr(sides[1].state, f.name))
    assert lost > 0


def test_a_rate_is_a_probability(users: InterestUsers) -> None:
    with pytest.raises(ValueError, match=r"rate is 1.5; it is the probability of a wrong report"):
        Misreporting(users, 1.5)
