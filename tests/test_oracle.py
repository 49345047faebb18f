"""The myopic oracle against every other slate."""

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.objectives import Objectives
from recsim.oracle import MyopicOracle
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.choice import PositionBased, choice_model
from recsim.users.contract import Appeal, ChoiceModel, Response
from recsim.users.interest import InterestConfig, InterestUsers

OBSERVATION = np.zeros((5, 0), np.float32)  # the oracle does not look at it


@pytest.mark.parametrize("decay", [0.0, 0.7])
@pytest.mark.parametrize("objectives", [Objectives(), Objectives(0.0, 1.0, 0.0), Objectives(0.2, 0.0, 3.0)])
def test_no_slate_is_expected_to_earn_more(decay: float, objectives: Objectives) -> None:
    catalog = Catalog.synthetic(6, 2, {"text": 4})
    users = InterestUsers(catalog, InterestConfig(choice=PositionBased(decay)))
    simulator = Simulator(catalog, users, slate_size=3, objectives=objectives)
    oracle = MyopicOracle(simulator)
    simulator.reset(5)
    for _ in range(3):
        best = simulator.expected(oracle.act(OBSERVATION, simulator.streams).slate).sum(axis=1) @ objectives.weights
        every = [
            simulator.expected(np.tile(slate, (5, 1))).sum(axis=1) @ objectives.weights
            for slate in permutations(range(6), 3)
        ]
        assert len(every) == 120
        np.testing.assert_allclose(best, np.max(every, axis=0), rtol=1e-9)
        simulator.step(np.tile([0, 1, 2], (5, 1)))
        simulator.ended[:] = False


@dataclass
class Wishes:
    """How each of m items appeals to n users: click, conversion and satisfaction."""

    wish: np.ndarray  # (n, 3, m)


class Wishers:
    """Users who know at birth what they think of every item, and choose by any model."""

    def __init__(self, choice: ChoiceModel, n_items: int) -> None:
        self.choice, self.n_items = choice, n_items

    def sample(self, users: Streams) -> Wishes:
        return Wishes(users.uniform("wish", 3 * self.n_items).reshape(-1, 3, self.n_items) ** 2)

    def respond(self, state: Wishes, slate: np.ndarray, users: Streams) -> tuple[Response, Wishes]:
        appeal = self.appeal(state, slate)
        examined, click = self.choice.sample(appeal, slate, users)
        conversion = click & (users.uniform("conversion", items=slate) < appeal.conversion)
        return Response(click, conversion, np.zeros(len(slate), bool), examined), state

    def appeal(self, state: Wishes, items: np.ndarray) -> Appeal:
        wish = np.where(items[:, None] >= 0, np.take_along_axis(state.wish, items[:, None], axis=2), 0.0)
        return Appeal(wish[:, 0], wish[:, 1], wish[:, 2])


@pytest.mark.parametrize("choice", ["pbm", "cascade", "dcm", "dbn", "mnl"])
@pytest.mark.parametrize("objectives", [Objectives(), Objectives(-1.0, 3.0, 0.5)])
def test_random_slates_earn_less_by_any_choice_model(choice: str, objectives: Objectives, catalog: Catalog) -> None:
    n = 20
    simulator = Simulator(catalog, Wishers(choice_model(choice), len(catalog)), slate_size=4, objectives=objectives)
    simulator.reset(n)
    best = MyopicOracle(simulator).act(OBSERVATION, simulator.streams).slate
    draw = np.random.Generator(np.random.Philox(3))

    def earned(slate: np.ndarray) -> np.ndarray:
        return simulator.expected(slate).sum(axis=1) @ objectives.weights

    for _ in range(200):
        assert (earned(draw.random((n, 24)).argsort(axis=1)[:, :4]) <= earned(best) + 1e-12).all()
    one_changed = best.copy()
    one_changed[:, 3] = [np.setdiff1d(np.arange(24), row)[0] for row in best]
    assert (earned(one_changed) < earned(best)).all()
    assert simulator.step(best).response.click.any()


def test_decision_is_certain_and_draws_nothing() -> None:
    catalog = Catalog.synthetic(8, 2, {"text": 4})
    simulator = Simulator(catalog, InterestUsers(catalog), slate_size=3)
    simulator.reset(5)
    oracle = MyopicOracle(simulator)
    decision = oracle.act(OBSERVATION, simulator.streams)
    assert np.array_equal(decision.slate, oracle.act(OBSERVATION, Streams.of(99, 5)).slate)
    assert decision.step_log_prob.tolist() == [[0.0] * 3] * 5
    assert oracle.log_prob(OBSERVATION, decision.slate).tolist() == [0.0] * 5
    changed = decision.slate.copy()
    changed[:, 1], changed[:, 2] = decision.slate[:, 2], decision.slate[:, 1]
    assert oracle.step_log_prob(OBSERVATION, changed).tolist() == [[0.0, -np.inf, -np.inf]] * 5


@dataclass
class Nothing:
    """No hidden state."""


class Silent:
    """Users who declare no probabilities."""

    def sample(self, users: Streams) -> Nothing:
        return Nothing()

    def respond(self, state: Nothing, slate: object, users: Streams) -> None: ...


class Doubled(Objectives):
    """The same objectives in another order: nothing may know which one is the conversion."""

    def per_position(self, click: Any, conversion: Any, slate: Any, catalog: Catalog) -> Any:
        return super().per_position(conversion, click, slate, catalog)


def test_the_objectives_say_what_a_conversion_is_worth() -> None:
    catalog = Catalog.synthetic(30, 2, {"text": 4})
    simulator = Simulator(catalog, InterestUsers(catalog), slate_size=1, objectives=Doubled(1.0, 0.0, 0.0))
    simulator.reset(5)
    every = np.tile(np.arange(30), (5, 1))
    appeal = simulator.users.appeal(simulator.state, every)  # type: ignore[attr-defined]
    shown = MyopicOracle(simulator).act(OBSERVATION, simulator.streams).slate[:, 0]
    assert shown.tolist() == (appeal.click * appeal.conversion).argmax(axis=1).tolist()
    assert shown.tolist() != appeal.click.argmax(axis=1).tolist()


def test_an_oracle_has_a_name(catalog: Catalog) -> None:
    simulator = Simulator(catalog, InterestUsers(catalog), slate_size=3)
    assert MyopicOracle(simulator).name == "myopic oracle"
    assert MyopicOracle(simulator, name="best slate").name == "best slate"


def test_users_who_declare_nothing_have_no_oracle(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Silent(), slate_size=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Silent declares no probabilities.*give it a method appeal"):
        MyopicOracle(simulator)
    simulator.reset(2)
    with pytest.raises(TypeError, match="Silent declares no probabilities"):
        simulator.expected(np.zeros((2, 3), int))
