"""The planning oracle in worlds whose best policy is known, and against the myopic oracle in the default world."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog, load_catalog
from recsim.objectives import Objectives
from recsim.oracle import MyopicOracle
from recsim.planning import PlanningOracle
from recsim.rollout import rollout
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.choice import PositionBased
from recsim.users.contract import Appeal, Response
from recsim.users.interest import InterestConfig, InterestUsers

OBSERVATION = np.zeros((5, 0), np.float32)  # no oracle looks at it
CATALOG = Catalog.synthetic(6, 2, {"text": 4})
TEMPTING = 4  # the item that ends a session once it is clicked


@dataclass
class Visits:
    """How many slates each of n users has seen."""

    seen: np.ndarray


class Tempted:
    """Users who like one item best, and leave once they have clicked it. Declares nothing."""

    def __init__(self) -> None:
        self.seeds: set[int] = set()

    def sample(self, users: Streams) -> Visits:
        return Visits(np.zeros(len(users), np.int64))

    def respond(self, state: Visits, slate: np.ndarray, users: Streams) -> tuple[Response, Visits]:
        self.seeds.add(int(users.seed))
        click = (users.uniform("click", items=slate) < self.liked(slate)) & (slate >= 0)
        leave = (click & (slate == TEMPTING)).any(axis=1)
        return Response(click, np.zeros(slate.shape, bool), leave), Visits(state.seen + 1)

    def liked(self, items: np.ndarray) -> np.ndarray:
        return np.where(items == TEMPTING, 0.8, 0.6) * (items >= 0)


class OpenlyTempted(Tempted):
    """The same users, who declare what they like."""

    choice = PositionBased(decay=0.0)

    def appeal(self, state: Visits, items: np.ndarray) -> Appeal:
        return Appeal(self.liked(items), np.zeros(items.shape))


def _temptation(users: Any, **planner: Any) -> tuple[Simulator, PlanningOracle]:
    simulator = Simulator(CATALOG, users, slate_size=1, horizon=4, objectives=Objectives(novelty=0.0))
    simulator.reset(5)
    return simulator, PlanningOracle(simulator, **{"budget": 640, "shortlist": 6, **planner})


@pytest.mark.parametrize("users", [Tempted, OpenlyTempted])
def test_it_resists_what_ends_a_session_until_the_last_slate(users: Any) -> None:
    simulator, oracle = _temptation(users())
    tempted = []
    for _ in range(4):
        slate = oracle.act(OBSERVATION, simulator.streams).slate
        tempted.append((slate == TEMPTING).ravel().tolist())
        simulator.step(slate)
    assert tempted == [[False] * 5] * 3 + [[True] * 5]


def test_it_sees_no_further_than_its_depth() -> None:
    simulator, oracle = _temptation(OpenlyTempted(), depth=1)
    assert oracle.slates().tolist() == MyopicOracle(simulator).slates().tolist() == [[TEMPTING]] * 5


def test_it_knows_no_future_luck() -> None:
    users = Tempted()
    simulator, oracle = _temptation(users)
    users.seeds.clear()
    oracle.slates()
    assert users.seeds
    assert simulator.seed not in users.seeds


def _interest(n: int, **options: Any) -> Simulator:
    catalog = Catalog.synthetic(60, 4, {"text": 8}, seed=3)
    simulator = Simulator(catalog, InterestUsers(catalog, InterestConfig(**options)), slate_size=3, horizon=8, seed=2)
    simulator.reset(n)
    return simulator


@pytest.mark.parametrize("hidden", [False, True])
def test_a_user_is_planned_for_alike_in_any_company(hidden: bool) -> None:
    def planned(users: list[int]) -> np.ndarray:
        simulator = _interest(1)
        if hidden:
            simulator.users = replace_appeal(simulator.users)
        simulator.reset(users)
        simulator.step(np.tile([0, 1, 2], (len(users), 1)))
        simulator.ended[:] = False
        return PlanningOracle(simulator, budget=30, shortlist=12).slates()

    together = planned([4, 0, 7, 2])
    assert len(np.unique(together, axis=0)) > 1
    for row, user in enumerate([4, 0, 7, 2]):
        assert planned([user]).tolist() == [together[row].tolist()]


class replace_appeal:
    """A user model without its probabilities."""

    def __init__(self, users: Any) -> None:
        self.sample, self.respond = users.sample, users.respond


def test_decisions_repeat_and_change_nothing() -> None:
    simulator = _interest(5)
    oracle = PlanningOracle(simulator, budget=20, shortlist=12)
    before = replace(simulator.state, patience=simulator.state.patience.copy())
    decision = oracle.act(OBSERVATION, simulator.streams)
    assert oracle.act(OBSERVATION, Streams.of(99, 5)).slate.tolist() == decision.slate.tolist()
    assert PlanningOracle(simulator, budget=20, shortlist=12).slates().tolist() == decision.slate.tolist()
    assert simulator.state.patience.tolist() == before.patience.tolist()
    assert simulator.history.step.tolist() == [0] * 5
    assert oracle.log_prob(OBSERVATION, decision.slate).tolist() == [0.0] * 5
    assert oracle.step_log_prob(OBSERVATION, decision.slate[:, ::-1])[0, 0] == -np.inf


def test_another_seed_plans_with_other_luck() -> None:
    simulator = _interest(5)
    one, other = (PlanningOracle(simulator, budget=10, shortlist=12, seed=seed).slates() for seed in (0, 1))
    assert one.tolist() != other.tolist()


def test_where_nothing_pays_later_it_is_the_myopic_oracle() -> None:
    stays = {"boredom": 0.0, "monotony": 0.0, "enjoyment": 0.0, "disappointment": 0.0}
    simulator = _interest(8, drift=0.0, satiation_cost=0.0, **stays)
    assert PlanningOracle(simulator, budget=40).slates().tolist() == MyopicOracle(simulator).slates().tolist()


@pytest.mark.parametrize("oracle", [MyopicOracle, PlanningOracle])
def test_items_that_have_not_appeared_are_never_shown(oracle: Any) -> None:
    simulator = _interest(20, arriving=0.9)
    assert simulator.born is not None
    slate = oracle(simulator).slates()
    today = simulator.users.now(simulator.state)  # type: ignore[attr-defined]
    assert (simulator.born[slate] <= today[:, None])[slate >= 0].all()
    assert (slate >= 0).any(axis=1).all()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"budget": 9}, "budget is 9; a decision needs at least 10 rollouts"),
        ({"depth": 0}, "depth is 0; a rollout needs at least 1 slate"),
        ({"shortlist": 2}, "shortlist is 2; slates have 3 items"),
    ],
)
def test_bad_settings_are_named(options: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PlanningOracle(_interest(1), **options)


@pytest.mark.slow
def test_thinking_ahead_pays_in_the_default_world() -> None:
    catalog = load_catalog("openclipart")
    simulator = Simulator(catalog, InterestUsers(catalog, seed=0), seed=0)
    myopic = rollout(simulator, MyopicOracle(simulator), 16).reward
    planned = rollout(simulator, PlanningOracle(simulator, budget=160), 16).reward
    assert planned.mean() > 1.3 * myopic.mean()
