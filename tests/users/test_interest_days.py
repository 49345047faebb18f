"""Items that appear over time and age."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.envs.single import SlateEnv
from recsim.envs.vector import SlateVectorEnv
from recsim.oracle import MyopicOracle
from recsim.planning import PlanningOracle
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.interest import InterestConfig, InterestUsers

K = 4
NEWS = {"arriving": 0.6, "ageing": 1.0, "slate_days": 1.0, "period": 10.0}


def world(catalog: Catalog, **constants: Any) -> Simulator:
    users = InterestUsers(catalog, InterestConfig(**NEWS | constants), seed=5)
    return Simulator(catalog, users, slate_size=K, horizon=8, seed=5)


def test_items_arrive_in_the_period_or_were_there_before() -> None:
    many = Catalog.synthetic(n_items=4000, n_categories=4, dims={"text": 2}, seed=1)
    born = InterestUsers(many, InterestConfig(arriving=0.6, period=10.0), seed=5).born
    assert born is not None
    assert born.dtype == np.float32
    late = born > 0
    assert abs(late.mean() - 0.6) < 4 * np.sqrt(0.6 * 0.4 / 4000)
    assert (born.min(), born.max()) == pytest.approx((-10.0, 10.0), abs=0.1)
    for part in (born[late], born[~late] + 10.0):
        assert abs(part.mean() - 5.0) < 4 * 10 / np.sqrt(12 * len(part))
    assert InterestUsers(many, InterestConfig()).born is None
    everything = InterestUsers(many, InterestConfig(arriving=1.0)).born
    assert everything is not None
    assert (everything > 0).all()


def test_users_arrive_over_the_period_and_days_pass(catalog: Catalog) -> None:
    users, streams = world(catalog).users, Streams.of(0, 4000)
    state = users.sample(streams)
    assert abs(state.day.mean() - 5.0) < 4 * 10 / np.sqrt(12 * 4000)
    assert (state.day.min(), state.day.max()) == pytest.approx((0.0, 10.0), abs=0.1)
    _, after = users.respond(state, np.tile(np.arange(K), (4000, 1)), streams)
    np.testing.assert_allclose(after.day, state.day + 1.0, rtol=1e-6)
    assert not InterestUsers(catalog).sample(streams).day.any()


def test_nobody_sees_an_item_before_its_birth(catalog: Catalog) -> None:
    simulator, n = world(catalog), 200
    born = simulator.born
    assert born is not None
    draw = np.random.Generator(np.random.Philox(3))
    simulator.reset(n)
    hidden = 0
    for _ in range(8):
        today = simulator.state.day
        asked = draw.permuted(np.tile(np.arange(len(catalog)), (simulator.n, 1)), axis=1)[:, :K]
        unborn = born[asked] > today[:, None]
        assert (simulator.examination(asked)[unborn] == 0).all()
        assert (simulator.expected(asked)[unborn] == 0).all()
        step = simulator.step(asked)
        assert np.array_equal(step.slate, np.where(unborn, -1, asked))
        assert not step.response.examined[unborn].any()
        hidden += unborn.sum()
        simulator.keep(~simulator.ended)
    assert hidden > 200


def test_agents_are_told_the_day(catalog: Catalog) -> None:
    simulator = world(catalog)
    observation = simulator.reset(6)
    assert simulator.layout.columns["day"] == slice(simulator.layout.size - 1, simulator.layout.size)
    for number in range(6):
        assert np.array_equal(simulator.layout.read(observation, "day")[:, 0], simulator.state.day)
        step = simulator.step(np.tile(np.arange(K) + number, (6, 1)))
        assert np.array_equal(simulator.layout.read(step.observation, "day")[:, 0], simulator.state.day)
        observation = simulator.renew(simulator.ended, step.observation)
    assert np.array_equal(observation, simulator.keep(np.arange(6)))
    assert "day" not in world(catalog, arriving=0.0, ageing=0.0).layout.columns


def test_the_spaces_contain_the_day(catalog: Catalog) -> None:
    arguments: dict[str, Any] = {"catalog": catalog, "users": "news", "slate_size": K, "horizon": 6, "sessions": 2}
    single, vector = SlateEnv(**arguments), SlateVectorEnv(3, **arguments)
    assert "day" in single.simulator.layout.columns
    assert single.reset()[0] in single.observation_space
    assert vector.reset()[0] in vector.observation_space
    for number in range(20):
        observation, *_ = vector.step(np.tile(np.arange(K) + number % 20, (3, 1)))
        assert observation in vector.observation_space


def test_utility_falls_with_the_log_of_the_age(catalog: Catalog) -> None:
    users = world(catalog, ageing=1.5).users
    fresh = world(catalog, ageing=0.0).users
    assert isinstance(users, InterestUsers)
    assert isinstance(fresh, InterestUsers)
    state = replace(users.sample(Streams.of(0, 30)), day=np.linspace(0, 40, 30, dtype=np.float32))
    every = np.tile(np.arange(len(catalog)), (30, 1))
    aged, plain = users.appeal(state, every).click, fresh.appeal(state, every).click
    assert users.born is not None
    assert np.array_equal(users.born, fresh.born)
    age = np.maximum(state.day[:, None].astype(float) - users.born, 0.0)
    logits = np.log(aged / (1 - aged)) - np.log(plain / (1 - plain))
    np.testing.assert_allclose(logits, -1.5 * np.log1p(age), atol=1e-4)


def test_items_age_even_where_none_arrive(catalog: Catalog) -> None:
    users, fresh = (world(catalog, arriving=0.0, ageing=ageing).users for ageing in (1.5, 0.0))
    assert isinstance(users, InterestUsers)
    assert isinstance(fresh, InterestUsers)
    state = users.sample(Streams.of(0, 30))
    every = np.tile(np.arange(len(catalog)), (30, 1))
    aged, plain = users.appeal(state, every).click, fresh.appeal(state, every).click
    age = np.expm1((np.log(plain / (1 - plain)) - np.log(aged / (1 - aged))) / 1.5)
    assert age.min() > 0
    assert age.max() < 20  # the items came in ten days before the period, the users come within its ten
    np.testing.assert_allclose(age - age[:1], np.tile((state.day - state.day[0])[:, None], 24), atol=1e-2)
    assert np.ptp(age[0]) > 5


@pytest.mark.parametrize("kind", [MyopicOracle, PlanningOracle])
def test_oracles_never_show_what_is_not_there_yet(catalog: Catalog, kind: Any) -> None:
    simulator = world(catalog, arriving=1.0, ageing=0.0)
    assert simulator.born is not None
    oracle = kind(simulator)
    observation = simulator.reset(12)
    empty = 0
    for _ in range(3):
        slate = oracle.act(observation, simulator.streams).slate
        there = simulator.born <= simulator.state.day[:, None]
        shown = slate >= 0
        assert np.take_along_axis(there, slate.clip(0), axis=1)[shown].all()
        most = np.minimum(there.sum(axis=1), K)  # the planner rather shows nothing than what will cost more
        assert np.array_equal(shown.sum(axis=1), most) if kind is MyopicOracle else (shown.sum(axis=1) <= most).all()
        empty += (~shown).sum()
        assert np.array_equal(simulator.step(slate).slate, slate)
        observation = simulator.keep(~simulator.ended)
    assert empty > 0


def test_sessions_do_not_depend_on_the_company(catalog: Catalog) -> None:
    simulator = world(catalog)
    slates = np.random.Generator(np.random.Philox(3)).integers(0, len(catalog), (8, K))
    simulator.reset(40)
    together = []
    for slate in slates:
        step = simulator.step(np.tile(slate, (40, 1)))
        together.append((step.observation, step.slate, step.reward))
        simulator.ended[:] = False
    for user in (0, 17, 39):
        simulator.reset(np.array([user]))
        for slate, parts in zip(slates, together, strict=True):
            step = simulator.step(slate[None])
            for alone, all_of_them in zip((step.observation, step.slate, step.reward), parts, strict=True):
                assert np.array_equal(alone[0], all_of_them[user])
            simulator.ended[:] = False
