"""The last items clicked and bought, as agents are told them, against a Python loop over the same answers."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from recsim import observation as observation_module
from recsim.catalog import Catalog
from recsim.envs.vector import SlateVectorEnv
from recsim.history import History, remember
from recsim.logs import collect
from recsim.observation import SCALARS, Layout
from recsim.policy import uniform
from recsim.simulator import Simulator, Step
from recsim.users.interest import InterestConfig, InterestUsers

K, N, RECENT = 4, 12, 5
WORLDS: dict[str, dict[str, Any]] = {
    "prompt": {},
    "late": {"conversion_delay": 2.0},
    "calendar": {"conversion_delay": 1.0, "arriving": 0.4, "ageing": 0.5, "slate_days": 1.0},
}


def world(catalog: Catalog, kind: str, recent: int = RECENT) -> Simulator:
    often = {"click_offset": -0.5, "conversion_offset": 0.5, "return_offset": 1.0}
    users = InterestUsers(catalog, InterestConfig(**often | WORLDS[kind]))
    return Simulator(catalog, users, slate_size=K, horizon=5, sessions=3, recent=recent, seed=1)


class Memory:
    """What one user clicked and bought, event by event."""

    def __init__(self) -> None:
        self.clicked: list[int] = []
        self.bought: list[int] = []
        self.under_way: list[tuple[int, int]] = []  # when it arrives, and what

    def take(self, step: Step, row: int, moment: int) -> None:
        answer, ended = step.response, bool(step.terminated[row] | step.truncated[row])
        for position in range(K):
            item = int(step.slate[row, position])
            if answer.click[row, position]:
                self.clicked.append(item)
            if answer.conversion[row, position]:
                wait = 0 if answer.delay is None else int(answer.delay[row, position])
                self.under_way.append((moment + wait, item))
        self.bought += [item for due, item in self.under_way if due <= moment or ended]
        self.under_way = [] if ended else [(due, item) for due, item in self.under_way if due > moment]

    def told(self) -> list[int]:
        return newest_first(self.clicked) + newest_first(self.bought)


def newest_first(items: list[int]) -> list[int]:
    return (items[::-1] + [-1] * RECENT)[:RECENT]


@pytest.mark.parametrize("kind", WORLDS)
def test_the_last_items_are_those_of_a_loop(catalog: Catalog, kind: str) -> None:
    simulator = world(catalog, kind)
    memory: dict[int, Memory] = defaultdict(Memory)
    columns = slice(simulator.layout["clicked"].start, simulator.layout["bought"].stop)
    seen, returned = simulator.reset(N), 0
    assert (seen[:, columns] == -1).all()
    for slate in np.random.Generator(np.random.Philox(2)).integers(-1, len(catalog), (40, N, K)):
        who, moment = simulator.streams.user.tolist(), simulator.streams.step.astype(int)
        step = simulator.step(slate)
        for row, user in enumerate(who):
            memory[user].take(step, row, moment[row])
        assert step.observation[:, columns].tolist() == [memory[user].told() for user in who]
        seen = simulator.renew(simulator.ended, step.observation)
        assert seen[:, columns].tolist() == [memory[user].told() for user in simulator.streams.user.tolist()]
        assert np.array_equal(simulator.keep(np.arange(N)), seen)
        returned += int(simulator.streams.session.sum())
    assert returned > 40
    assert sum(len(one.bought) > RECENT for one in memory.values()) > 5


def test_events_by_hand() -> None:
    recent = np.full((3, 2), -1)
    remember(np.array([1, 1, 2, 1]), np.array([7, 8, 9, 5]), recent)
    assert recent.tolist() == [[-1, -1], [5, 8], [9, -1]]


@pytest.mark.parametrize("kind", WORLDS)
def test_other_features_and_company_do_not_matter(catalog: Catalog, kind: str) -> None:
    """Rows are the same in batches of any size, and where nothing is remembered but for the last columns."""
    logs = [
        collect(world(catalog, kind, recent), uniform(catalog, K), 40, batch=batch)
        for recent, batch in ((RECENT, 512), (RECENT, 7), (0, 512))
    ]
    assert np.array_equal(logs[0].observation, logs[1].observation)
    assert np.array_equal(logs[0].observation[:, : -2 * RECENT], logs[2].observation)
    assert np.array_equal(logs[0].slate, logs[2].slate)


def test_one_row_may_be_dropped_with_what_is_under_way(catalog: Catalog) -> None:
    every, few = (world(catalog, "late") for _ in range(2))
    every.reset(N), few.reset(N)
    rows = np.array([7, 2, 9])
    slates = np.random.Generator(np.random.Philox(3)).integers(0, len(catalog), (3, N, K))
    every.step(slates[0]), few.step(slates[0])
    ended = every.ended
    every.renew(ended), few.renew(ended), few.keep(rows)
    left, right = every.step(slates[1]), few.step(slates[1][rows])
    assert np.array_equal(left.observation[rows], right.observation)
    assert (right.observation[:, few.layout["bought"]] >= 0).any()


def test_the_user_who_comes_next_is_unknown(catalog: Catalog) -> None:
    history = History.empty(3, catalog, 2)
    history.clicked[:], history.bought[:] = 4, 5
    history.restart(np.array([0]))
    history.clear(np.array([1]))
    assert history.clicked.tolist() == [[4, 4], [-1, -1], [4, 4]]
    assert history.bought.tolist() == [[5, 5], [-1, -1], [5, 5]]
    part = history[np.array([2])]
    part.clicked[:] = 9
    assert history.clicked[2].tolist() == [4, 4]


def test_item_numbers_end_the_row_and_are_no_quantities(catalog: Catalog) -> None:
    plain, layout = Layout.of(catalog, 3, day=True), Layout.of(catalog, 3, day=True, recent=2)
    assert list(layout.columns) == [*plain.columns, "clicked", "bought"]
    assert layout["clicked"] == slice(plain.size, plain.size + 2)
    assert layout["bought"] == slice(plain.size + 2, layout.size)
    assert layout.quantities.tolist() == plain.quantities.tolist() == list(range(plain.size))
    assert plain.size == 11 + 11 + 4 + 4 + len(SCALARS) + 3 + 1


def test_environments_bound_item_numbers(catalog: Catalog) -> None:
    env = SlateVectorEnv(N, catalog=catalog, slate_size=K, recent=3, user_options={"click_offset": 1.0})
    space, columns = env.single_observation_space, env.simulator.layout["clicked"]
    assert space.low[columns].tolist() == [-1.0] * 3
    assert space.high[columns].tolist() == [len(catalog) - 1.0] * 3
    env.reset(seed=0)
    for slate in np.random.Generator(np.random.Philox(4)).integers(0, len(catalog), (10, N, K)):
        observation = env.step(slate)[0]
        assert all(row in space for row in observation)
    assert (observation[:, columns] >= 0).any()


def test_what_cannot_be_remembered_is_refused(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="recent is -1; it counts remembered items, from 0 up"):
        world(catalog, "prompt", -1)
    monkeypatch.setattr(observation_module, "MOST_ITEMS", len(catalog) - 1)
    world(catalog, "prompt", 0)
    with pytest.raises(
        ValueError, match="recent is 1, but the catalogue .* has 24 items, and observations, float32, can"
    ):
        world(catalog, "prompt", 1)
