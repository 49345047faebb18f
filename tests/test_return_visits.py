"""Users who come back: who does, as whom, and what covers their later sessions."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from recsim.catalog import Catalog
from recsim.envs.single import SlateEnv
from recsim.envs.vector import SlateVectorEnv
from recsim.logs import Log, collect
from recsim.policy import popularity, uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.truth import value_on_log
from recsim.users.contract import Response
from recsim.users.interest import InterestConfig, InterestUsers

K, HORIZON, SESSIONS = 4, 5, 3
OFTEN = {"return_offset": 1.0, "conversion_delay": 1.0, "arriving": 0.3, "ageing": 0.5, "slate_days": 0.5}


def world(catalog: Catalog, sessions: int = SESSIONS, horizon: int = HORIZON, **constants: Any) -> Simulator:
    users = InterestUsers(catalog, InterestConfig(**OFTEN | constants), seed=2)
    return Simulator(catalog, users, slate_size=K, horizon=horizon, sessions=sessions, seed=2)


@pytest.fixture(scope="module")
def log(catalog: Catalog) -> Log:
    return collect(world(catalog), uniform(catalog, K), 200)


@dataclass
class Calls:
    """How many slates a user has seen, in all sessions."""

    seen: np.ndarray


class Regulars:
    """Users who click everything, leave after two slates and come back u % 3 times."""

    def sample(self, users: Streams) -> Calls:
        return Calls(np.zeros(len(users), np.int64))

    def respond(self, state: Calls, slate: np.ndarray, users: Streams) -> tuple[Response, Calls]:
        seen = state.seen + 1
        return Response(slate >= 0, slate < -1, seen % 2 == 0), Calls(seen)

    def come_back(self, state: Calls, users: Streams) -> tuple[np.ndarray, Calls]:
        assert (users.step == 2).all()
        assert (state.seen == 2 * (users.session.astype(int) + 1)).all()
        return users.session < users.user % np.uint64(3), Calls(state.seen.copy())


def test_regulars_by_hand(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Regulars(), slate_size=K, horizon=9, sessions=3)
    slate = np.tile(np.arange(K), (3, 1))
    simulator.reset(3)
    who = []
    for _ in range(8):
        who.append(
            [*zip(*(part.tolist() for part in (simulator.streams.user, simulator.streams.session)), strict=True)]
        )
        simulator.step(slate)
        simulator.renew(simulator.ended)
    first, second, third = [(0, 0), (1, 0), (2, 0)], [(3, 0), (1, 1), (2, 1)], [(6, 0), (4, 0), (2, 2)]
    assert who == [first, first, second, second, third, third, *[[(9, 0), (4, 1), (5, 0)]] * 2]


def test_nobody_has_more_sessions_than_asked_for(catalog: Catalog) -> None:
    for sessions in (1, 2, 3, 5):
        simulator = Simulator(catalog, Regulars(), slate_size=K, horizon=9, sessions=sessions)
        length = rollout(simulator, uniform(catalog, K), 6).length
        assert length.tolist() == [2 * min(visits, sessions) for visits in (1, 2, 3, 1, 2, 3)]


def test_agents_remember_likes_and_forget_steps(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Regulars(), slate_size=K, horizon=9, sessions=3)
    simulator.reset(np.array([1, 3]))
    slate = np.tile(np.arange(K), (2, 1))
    simulator.step(slate)
    before = simulator.step(slate).observation
    after = simulator.renew(simulator.ended)
    assert simulator.streams.session.tolist() == [1, 0]
    assert simulator.streams.step.tolist() == [0, 0]
    assert not simulator.ended.any()
    anew = ("progress", "last_clicks", "last_conversions")
    for name in simulator.layout.columns:
        old, new = (simulator.layout.read(rows, name)[0] for rows in (before, after))
        assert np.array_equal(new, np.zeros_like(new) if name in anew else old), name
    assert simulator.layout.read(before, "progress")[0] > 0
    assert not after[1].any()  # user 3 does not come back: user 6 has never been seen


def test_revisit_leaves_those_who_stay_away(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Regulars(), slate_size=K, horizon=9, sessions=3)
    simulator.reset(3)
    for _ in range(2):
        simulator.step(np.tile(np.arange(K), (3, 1)))
    assert simulator.revisit().tolist() == [False, True, True]
    assert simulator.ended.tolist() == [True, False, False]
    assert simulator.streams.user.tolist() == [0, 1, 2]
    simulator.keep(~simulator.ended)
    simulator.step(np.tile(np.arange(K), (2, 1)))
    assert not simulator.revisit().any()


def test_who_comes_back_is_in_the_state_that_the_model_gave(catalog: Catalog) -> None:
    simulator = world(catalog)
    simulator.reset(40)
    while not simulator.ended.any():
        simulator.step(np.tile(np.arange(K), (40, 1)))
    ended = simulator.ended
    back, later = simulator.users.come_back(simulator.state, simulator.streams)  # type: ignore[attr-defined]
    before = simulator.state
    came = simulator.revisit()
    assert np.array_equal(came, ended & back)
    assert 0 < came.sum() < ended.sum()
    for f in fields(before):
        now, given, old = (getattr(state, f.name) for state in (simulator.state, later, before))
        assert np.array_equal(now[came], given[came]), f.name
        assert np.array_equal(now[~came], old[~came]), f.name


def test_the_next_user_begins_with_the_first_session_of_the_row(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Regulars(), slate_size=K, horizon=9)
    simulator.reset(np.array([3, 4, 6]), session=np.array([0, 2, 1]))
    simulator.keep(np.array([False, True, True]))
    simulator.renew(np.array([True, True]))
    assert simulator.streams.session.tolist() == [2, 1]


def test_reset_begins_the_first_session_again(catalog: Catalog) -> None:
    simulator = world(catalog)
    first = simulator.reset(8)
    for number in range(6):
        simulator.step(np.tile(np.arange(K) + number, (8, 1)))
        simulator.renew(simulator.ended)
    assert simulator.streams.session.any()
    assert np.array_equal(simulator.reset(8), first)
    assert not simulator.streams.session.any()


def test_users_who_never_come_back_have_one_session(catalog: Catalog) -> None:
    with pytest.raises(
        TypeError, match="sessions is 2, but NoReturn never come back: give the class a method come_back"
    ):
        Simulator(catalog, NoReturn(), slate_size=K, sessions=2)
    Simulator(catalog, NoReturn(), slate_size=K, sessions=1)
    with pytest.raises(ValueError, match="sessions is 0; a user has at least 1"):
        Simulator(catalog, Regulars(), slate_size=K, sessions=0)


class NoReturn:
    """Regulars without `come_back`."""

    def __init__(self) -> None:
        self.sample, self.respond = Regulars().sample, Regulars().respond


@pytest.mark.parametrize("back", [np.ones(2, int), np.ones((2, 1), bool), np.ones(3, bool), [True, False]])
def test_what_does_not_say_who_comes_back_is_refused(catalog: Catalog, back: Any) -> None:
    class Vague(Regulars):
        def come_back(self, state: Calls, users: Streams) -> tuple[Any, Calls]:
            return back, state

    simulator = Simulator(catalog, Vague(), slate_size=K, horizon=1, sessions=2)
    simulator.reset(2)
    simulator.step(np.tile(np.arange(K), (2, 1)))
    with pytest.raises(ValueError, match=r"Vague\.come_back gave .*; \(2,\) bool is needed, a flag a user"):
        simulator.revisit()
    assert simulator.ended.all()
    assert not simulator.streams.session.any()


@pytest.mark.parametrize("pleasure", [-1.0, 0.0, 2.0])
def test_who_comes_back_depends_on_pleasure(catalog: Catalog, pleasure: float) -> None:
    n = 50_000
    users = InterestUsers(catalog, InterestConfig(return_offset=-0.5, return_pleasure=1.5, return_days=2.0))
    streams = Streams.of(0, n)
    state = replace(users.sample(streams), pleasure=np.full(n, pleasure, np.float32))
    back, later = users.come_back(state, streams.at(4))
    chance = expit(-0.5 + 1.5 * pleasure)
    assert abs(back.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / n)
    days = (later.day - state.day).astype(float)
    assert abs(days.mean() - 2.0) < 4 * 2.0 / np.sqrt(n)
    assert days.min() > 0
    assert not later.pleasure.any()


def test_who_comes_back_is_the_same_person_rested(catalog: Catalog) -> None:
    config = InterestConfig(satiation_recovery=0.2, slate_days=0.5, return_days=1.0)
    users, streams = InterestUsers(catalog, config), Streams.of(0, 50)
    state = users.sample(streams)
    for step in range(3):
        _, state = users.respond(state, np.tile(np.arange(K), (50, 1)), streams.at(step))
    _, later = users.come_back(state, streams.at(3))
    for f in fields(state):
        if f.name not in ("satiation", "patience", "pleasure", "day"):
            assert np.array_equal(getattr(later, f.name), getattr(state, f.name)), f.name
    slates = (later.day - state.day) / 0.5
    np.testing.assert_allclose(later.satiation, state.satiation * 0.8 ** slates[:, None], rtol=1e-3)
    fresh = users.sample(Streams.of(0, 50, session=1)).patience
    assert np.array_equal(later.patience, fresh)


def test_pleasure_is_what_the_sessions_clicks_gave_back(catalog: Catalog) -> None:
    config = InterestConfig(click_offset=60.0, patience_limit=1e6, boredom=0.0, monotony=0.0, bait_share=0.4)
    users, streams = InterestUsers(catalog, config), Streams.of(0, 30)
    state = start = users.sample(streams)
    for step in range(2):
        _, state = users.respond(state, np.tile(np.arange(K), (30, 1)), streams.at(step))
    assert not start.pleasure.any()
    assert state.pleasure.any()
    np.testing.assert_allclose(state.pleasure, state.patience - start.patience, atol=1e-5)


def test_a_rollout_covers_all_sessions_of_a_user(catalog: Catalog, log: Log) -> None:
    sessions = rollout(world(catalog), uniform(catalog, K), 200)
    assert np.array_equal(np.bincount(log.user), sessions.length)
    total = np.zeros_like(sessions.objectives)
    np.add.at(total, log.user, log.objectives.sum(axis=1))
    np.testing.assert_allclose(sessions.objectives, total)
    assert sessions.length.max() > 2 * HORIZON
    alone = rollout(world(catalog), uniform(catalog, K), np.array([17, 4]))
    assert np.array_equal(alone.objectives, sessions.objectives[[17, 4]])
    assert np.array_equal(rollout(world(catalog), uniform(catalog, K), 200, batch=33).objectives, sessions.objectives)


def test_the_log_tells_the_sessions_apart(log: Log) -> None:
    assert np.array_equal(np.unique(log.session), np.arange(SESSIONS))
    key = np.stack([log.user, log.session, log.step])
    assert np.array_equal(np.lexsort(key[::-1]), np.arange(len(log)))
    assert len(np.unique(key, axis=1).T) == len(log)
    follows = (np.diff(log.user) == 0) & (np.diff(log.session) == 1)
    assert (log.step[1:][follows] == 0).all()
    assert follows.sum() > 50
    assert (np.diff(log.session)[np.diff(log.user) == 0] <= 1).all()


def test_the_truth_replays_later_sessions(catalog: Catalog, log: Log) -> None:
    simulator = world(catalog)
    truth = value_on_log(simulator, log, uniform(catalog, K))
    luck = log.objectives.sum(axis=1) - truth
    assert (np.abs(luck.mean(axis=0)) < 4 * luck.std(axis=0) / np.sqrt(len(log))).all()
    assert np.array_equal(value_on_log(simulator, log, uniform(catalog, K), batch=17), truth)
    other = popularity(catalog, K)
    user = int(log.user[log.session == 2][0])
    rows = np.flatnonzero(log.user == user)
    by_hand = value_on_log(simulator, log[rows], other)
    simulator.reset(np.array([user]))
    for expected, row in zip(by_hand, rows, strict=True):
        slate = other.act(log.observation[[row]], simulator.streams).slate
        np.testing.assert_allclose(simulator.expected(slate)[0].sum(axis=0), expected)
        simulator.step(log.slate[[row]])
        simulator.revisit()


@pytest.mark.parametrize(
    "other",
    [
        {"return_offset": -60.0},
        {"sessions": 2},
        {"sessions": 1},
        {"horizon": HORIZON + 1},
        {"horizon": HORIZON - 1},
        {"arriving": 0.8},
    ],
)
def test_a_log_of_other_sessions_is_noticed(catalog: Catalog, log: Log, other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"row [\d,]+ of the log: user \d+ .* when replayed. .* number of sessions"):
        value_on_log(world(catalog, **other), log, uniform(catalog, K))


def test_single_environments_are_rows_of_the_vector(catalog: Catalog) -> None:
    arguments: dict[str, Any] = {
        "catalog": catalog,
        "slate_size": K,
        "horizon": HORIZON,
        "sessions": SESSIONS,
        "seed": 2,
    }
    arguments["user_options"] = OFTEN
    vector, single = SlateVectorEnv(4, **arguments), SlateEnv(**arguments)
    slates = np.random.Generator(np.random.Philox(1)).integers(0, len(catalog), (60, 4, K))
    vector.reset()
    taken = [(*vector.step(slate), vector.simulator.streams) for slate in slates]
    later = 0
    for row in range(4):
        user = row
        single.reset(options={"user": user})
        for slate, (observations, rewards, terminated, truncated, _, streams) in zip(slates, taken, strict=True):
            observation, reward, left, cut, _ = single.step(slate[row])
            assert (reward, left, cut) == (rewards[row], terminated[row], truncated[row])
            if left or cut:
                observation, _ = single.reset()
                if not single.simulator.streams.session[0]:
                    user += 4
                    observation, _ = single.reset(options={"user": user})
            assert np.array_equal(observation, observations[row])
            assert single.simulator.streams.user[0] == streams.user[row]
            assert single.simulator.streams.session[0] == streams.session[row]
            later += int(streams.session[row])
    assert later > 60
