"""Conversions that arrive late: when they count, and that nothing else depends on it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.envs.single import SlateEnv
from recsim.envs.vector import SlateVectorEnv
from recsim.logs import collect
from recsim.policy import uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator, Step
from recsim.streams import Streams
from recsim.users.contract import Response
from recsim.users.interest import InterestConfig, InterestState, InterestUsers

K, HORIZON = 4, 8
OFTEN = {"click_offset": 0.0, "conversion_offset": 0.0}


def world(catalog: Catalog, delay: float = 3.0) -> Simulator:
    users = InterestUsers(catalog, InterestConfig(conversion_delay=delay, **OFTEN))  # type: ignore[arg-type]
    return Simulator(catalog, users, slate_size=K, horizon=HORIZON, seed=4)


class Shop:
    """Users who click everything, and buy the item `step` only, which arrives as many steps later as its number."""

    def __init__(self, stays: int = 100, delay: Any = None) -> None:
        self.stays, self.delay = stays, delay

    def sample(self, users: Streams) -> InterestState:
        seen = np.zeros(len(users), np.float32)
        return InterestState(*([seen] * 11))

    def respond(self, state: InterestState, slate: np.ndarray, users: Streams) -> tuple[Response, InterestState]:
        click, patience = slate >= 0, state.patience + 1
        conversion = slate == users.step.astype(np.int64)[:, None]
        delay = slate.clip(0) if self.delay is None else self.delay
        return Response(click, conversion, patience >= self.stays, delay=delay), replace(state, patience=patience)


def arrivals(simulator: Simulator, steps: int) -> list[float]:
    """Conversions of the first user, step by step, with observation and reward checked against them."""
    simulator.reset(2)
    came = []
    for _ in range(steps):
        step = simulator.step(np.tile(np.arange(K), (2, 1)))
        check(simulator, step)
        came.append(float(step.objectives[0, 1]))
    return came


def check(simulator: Simulator, step: Step) -> None:
    """Reward and observation agree with the objectives, for which clicks count at once."""
    np.testing.assert_allclose(step.reward, step.objectives @ simulator.objectives.weights)
    seen = simulator.layout.read(step.observation, "last_conversions")[:, 0]
    np.testing.assert_allclose(seen, step.objectives[:, 1] / K, rtol=1e-6)
    assert np.array_equal(step.objectives[:, 0], step.response.click.sum(axis=1))


def test_conversions_arrive_by_hand(catalog: Catalog) -> None:
    """Bought at steps 0 to 3 with delays 0 to 3: they arrive at steps 0, 2, 4 and 6."""
    assert arrivals(Simulator(catalog, Shop(), slate_size=K, horizon=8), 8) == [1, 0, 1, 0, 1, 0, 1, 0]


def test_what_is_under_way_arrives_with_the_last_step(catalog: Catalog) -> None:
    at_horizon = Simulator(catalog, Shop(), slate_size=K, horizon=4)
    assert arrivals(at_horizon, 4) == [1, 0, 1, 2]
    leaving = Simulator(catalog, Shop(stays=3), slate_size=K, horizon=8)
    assert arrivals(leaving, 3) == [1, 0, 2]


def test_the_next_user_in_the_row_gets_none_of_them(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Shop(), slate_size=K, horizon=8)
    came = arrivals(simulator, 4)
    simulator.renew(np.array([True, False]))
    after = [simulator.step(np.tile(np.arange(K), (2, 1))).objectives[:, 1].tolist() for _ in range(4)]
    assert came == [1, 0, 1, 0]
    assert after == [[1, 1], [0, 0], [1, 1], [0, 0]]


def test_an_answer_without_delay_comes_at_once_even_among_late_ones(catalog: Catalog) -> None:
    class Moody(Shop):
        def respond(self, state: InterestState, slate: np.ndarray, users: Streams) -> tuple[Response, InterestState]:
            answer, after = super().respond(state, slate, users)
            return replace(answer, delay=None if users.step[0] == 1 else answer.delay + 1), after

    # Bought at 0 (a step late), 1 (at once), 2 (3 steps late) and 3 (4 steps late, which the horizon cuts).
    assert arrivals(Simulator(catalog, Moody(), slate_size=K, horizon=6), 6) == [0, 2, 0, 0, 0, 2]


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.int8])
def test_the_longest_delay_ends_with_the_session(catalog: Catalog, kind: type[np.integer[Any]]) -> None:
    longest = np.full((2, K), np.iinfo(kind).max, kind)
    assert arrivals(Simulator(catalog, Shop(delay=longest), slate_size=K, horizon=3), 3) == [0, 0, 3]
    assert arrivals(Simulator(catalog, Shop(delay=longest), slate_size=K, horizon=300), 3) == [0, 0, 0]


def test_a_session_earns_the_same_with_and_without_delay(catalog: Catalog) -> None:
    policy = uniform(catalog, K)
    late, prompt = (rollout(world(catalog, delay), policy, 300) for delay in (3.0, 0.0))
    np.testing.assert_allclose(late.objectives, prompt.objectives)
    assert np.array_equal(late.length, prompt.length)
    assert late.objectives[:, 1].sum() > 500
    delayed, at_once = world(catalog, 3.0), world(catalog, 0.0)
    slate = np.tile(np.arange(K), (300, 1))
    delayed.reset(300), at_once.reset(300)
    first, second = delayed.step(slate), at_once.step(slate)
    assert np.array_equal(first.response.conversion, second.response.conversion)
    assert first.objectives[:, 1].sum() < second.objectives[:, 1].sum()


def test_delays_are_geometric(catalog: Catalog) -> None:
    mean = 2.5
    users, streams = world(catalog, mean).users, Streams.of(7, 20_000)
    response, _ = users.respond(users.sample(streams), np.tile(np.arange(K), (20_000, 1)), streams)
    assert response.delay is not None
    delay = response.delay[response.conversion]
    n, success = len(delay), 1 / (1 + mean)
    assert n > 10_000
    assert not response.delay[~response.conversion].any()
    deviation = np.sqrt(1 - success) / success
    assert abs(delay.mean() - mean) < 4 * deviation / np.sqrt(n)
    for steps in range(4):
        share = success * (1 - success) ** steps
        assert abs((delay == steps).mean() - share) < 4 * np.sqrt(share * (1 - share) / n)


def test_the_log_credits_the_slate_that_earned_it(catalog: Catalog) -> None:
    policy = uniform(catalog, K)
    log, prompt = (collect(world(catalog, delay), policy, 60) for delay in (3.0, 0.0))
    late = log.observation[:, world(catalog).layout["last_conversions"]]
    assert np.array_equal(log.conversion, prompt.conversion)
    assert np.array_equal(log.objectives, prompt.objectives)
    assert not np.array_equal(late, prompt.observation[:, world(catalog).layout["last_conversions"]])


def test_company_and_keeping_do_not_matter(catalog: Catalog) -> None:
    simulator, n = world(catalog), 30
    draw = np.random.Generator(np.random.Philox(0))
    slates = draw.integers(0, len(catalog), (HORIZON, K))
    simulator.reset(n)
    row, together = np.arange(n), {user: [] for user in range(n)}  # type: dict[int, list[Any]]
    for slate in slates:
        step = simulator.step(np.tile(slate, (len(row), 1)))
        check(simulator, step)
        for place, user in enumerate(row):
            together[user].append((step.objectives[place].tolist(), step.observation[place].tolist()))
        row = row[~simulator.ended]
        simulator.keep(~simulator.ended)
    renewed: dict[int, list[Any]] = {}
    simulator.reset(3)
    taken = [0, 0, 0]
    while int(simulator.streams.user.min()) < n:
        who = simulator.streams.user.astype(int).tolist()
        step = simulator.step(slates[taken])
        for place, user in enumerate(who):
            renewed.setdefault(user, []).append((step.objectives[place].tolist(), step.observation[place].tolist()))
        taken = [0 if over else so_far + 1 for so_far, over in zip(taken, simulator.ended, strict=True)]
        simulator.renew(simulator.ended)
    assert {user: renewed[user] for user in range(n)} == together


def test_single_environments_are_rows_of_the_vector(catalog: Catalog) -> None:
    arguments: dict[str, Any] = {"catalog": catalog, "slate_size": K, "horizon": HORIZON, "seed": 4}
    arguments["user_options"] = {"conversion_delay": 3.0, **OFTEN}
    vector, single = SlateVectorEnv(3, **arguments), SlateEnv(**arguments)
    slates = np.random.Generator(np.random.Philox(1)).integers(0, len(catalog), (30, 3, K))
    vector.reset()
    taken = [vector.step(slate) for slate in slates]
    came = 0.0
    for row in range(3):
        user = row
        single.reset(options={"user": user})
        for slate, (_, reward, terminated, truncated, infos) in zip(slates, taken, strict=True):
            _, earned, left, cut, info = single.step(slate[row])
            assert (earned, left, cut) == (reward[row], terminated[row], truncated[row])
            assert np.array_equal(info["objectives"], infos["objectives"][row])
            came += info["objectives"][1]
            if left or cut:
                user += 3
                single.reset(options={"user": user})
    assert came > 20


@pytest.mark.parametrize(
    "delay",
    [np.zeros((2, K + 1), int), np.zeros((2, K)), np.zeros((2, K), bool), np.full((2, K), -1), np.zeros(2, int)],
)
def test_what_is_no_delay_is_refused_and_changes_nothing(catalog: Catalog, delay: np.ndarray) -> None:
    users = Shop(delay=delay)
    simulator = Simulator(catalog, users, slate_size=K, horizon=4)
    simulator.reset(2)
    slate = np.tile(np.arange(K), (2, 1))
    with pytest.raises(ValueError, match=r"Shop\.respond gave delay as an array .*; \(2, 4\) whole numbers from 0 up"):
        simulator.step(slate)
    users.delay = np.zeros((2, K), np.int64)
    step = simulator.step(slate)
    assert simulator.streams.step.tolist() == [1, 1]
    assert step.objectives[:, 1].tolist() == [1, 1]
