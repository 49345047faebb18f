"""Counterfactuals: the very same user meets other slates."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.replay import Replay
from recsim.simulator import Simulator, Step
from recsim.users.choice import PositionBased
from recsim.users.interest import InterestConfig, InterestUsers

K, HORIZON = 4, 12


def world(catalog: Catalog, sessions: int = 1, **constants: Any) -> Simulator:
    users = InterestUsers(catalog, InterestConfig(**constants), seed=3)
    return Simulator(catalog, users, slate_size=K, horizon=HORIZON, sessions=sessions, seed=3)


@pytest.fixture(scope="module")
def simulator(catalog: Catalog) -> Simulator:
    return world(catalog, conversion_delay=2.0, click_offset=-1.0, conversion_offset=-1.0, monotony=1.0)


@pytest.fixture(scope="module")
def slates(catalog: Catalog) -> np.ndarray:
    """(3, HORIZON, K) series of slates, some with repeats."""
    return np.random.Generator(np.random.Philox(2)).integers(0, len(catalog), (3, HORIZON, K))


def lived(simulator: Simulator, user: int, session: int, slates: np.ndarray) -> list[Step]:
    """What the user does with slates (t, k) until the session ends."""
    simulator.reset(np.array([user]), session=session)
    taken = []
    for slate in slates:
        taken.append(simulator.step(slate[None]))
        if simulator.ended[0]:
            break
    return taken


def same(left: Replay, right: Replay) -> bool:
    return all(np.array_equal(getattr(left, f.name), getattr(right, f.name)) for f in fields(left))


@pytest.mark.parametrize(("user", "session"), [(0, 0), (5, 0), (5, 2), (40, 1)])
def test_a_sessions_own_slates_give_what_happened(
    simulator: Simulator, slates: np.ndarray, user: int, session: int
) -> None:
    taken = lived(simulator, user, session, slates[0])
    replay = simulator.counterfactual((user, session), slates[0])
    length = len(taken)
    assert replay.length.tolist() == [length]
    assert replay.click.shape == (1, HORIZON, K)
    for name, parts in {
        "slate": [step.slate for step in taken],
        "click": [step.response.click for step in taken],
        "conversion": [step.response.conversion for step in taken],
        "objectives": [step.objectives for step in taken],
        "reward": [step.reward for step in taken],
    }.items():
        assert np.array_equal(getattr(replay, name)[0, :length], np.concatenate(parts)), name
    assert (replay.slate[0, length:] == -1).all()
    for nothing in (replay.click, replay.conversion, replay.objectives, replay.reward):
        assert not nothing[0, length:].any()


def test_some_sessions_are_cut_short_and_some_last(simulator: Simulator, slates: np.ndarray) -> None:
    length = np.concatenate([simulator.counterfactual(user, slates).length for user in range(30)])
    assert length.min() < HORIZON / 2
    assert length.max() == HORIZON


def test_several_series_at_once_are_each_alone(simulator: Simulator, slates: np.ndarray) -> None:
    together = simulator.counterfactual(7, slates)
    for number, series in enumerate(slates):
        alone = simulator.counterfactual(7, series)
        for f in fields(alone):
            assert np.array_equal(getattr(together, f.name)[[number]], getattr(alone, f.name)), f.name
    assert not np.array_equal(together.slate[0], together.slate[1])


def test_only_what_depends_on_the_other_slate_changes(catalog: Catalog, slates: np.ndarray) -> None:
    """Nothing shown matters later here, and every position is seen: each item then meets the same luck anywhere."""
    nothing = ("satiation_cost", "drift", "boredom", "monotony", "enjoyment", "disappointment")
    constant = world(catalog, choice=PositionBased(0.0), click_offset=-1.0, **dict.fromkeys(nothing, 0.0))
    other = slates[0].copy()
    other[4] = other[4, ::-1]
    other[7] = 20, 21, 22, 23
    replay = constant.counterfactual(3, np.stack([slates[0], other]))
    apart = np.arange(HORIZON) != 7
    assert np.array_equal(
        replay.click[0, apart & (np.arange(HORIZON) != 4)], replay.click[1, apart & (np.arange(HORIZON) != 4)]
    )
    clicked = [set(replay.slate[series, 4][replay.click[series, 4]].tolist()) for series in (0, 1)]
    assert clicked[0] == clicked[1]
    np.testing.assert_allclose(replay.objectives[0, apart], replay.objectives[1, apart])
    everyone = [constant.counterfactual(user, np.stack([slates[0], other])) for user in range(20)]
    assert any(not np.array_equal(one.click[0, 7], one.click[1, 7]) for one in everyone)


def test_until_the_first_other_slate_nothing_differs(simulator: Simulator, slates: np.ndarray) -> None:
    other = slates[0].copy()
    other[3:] = slates[1, 3:]
    differs = 0
    for user in range(20):
        replay = simulator.counterfactual(user, np.stack([slates[0], other]))
        for part in (replay.click, replay.conversion, replay.slate):
            assert np.array_equal(part[0, :3], part[1, :3])
        differs += not np.array_equal(replay.click[0], replay.click[1])
    assert differs > 10


def test_running_sessions_go_on_untouched(simulator: Simulator, slates: np.ndarray) -> None:
    outcomes = []
    for disturbed in (False, True):
        simulator.reset(6)
        simulator.step(slates[0, :1].repeat(6, axis=0))
        simulator.keep(~simulator.ended)
        if disturbed:
            simulator.counterfactual((2, 1), slates)
        outcomes.append(simulator.step(slates[0, 1:2].repeat(simulator.n, axis=0)))
    left, right = outcomes
    assert np.array_equal(left.observation, right.observation)
    assert np.array_equal(left.objectives, right.objectives)
    assert np.array_equal(left.response.click, right.response.click)


def test_no_session_need_be_running(catalog: Catalog, slates: np.ndarray) -> None:
    fresh = world(catalog)
    replay = fresh.counterfactual(4, slates)
    assert fresh.n == 0
    fresh.reset(3)
    assert same(fresh.counterfactual(4, slates), replay)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((3, K + 1), int), r"slates have shape \(3, 5\); \(t, 4\) or \(c, t, 4\) is needed, with t from 1 to"),
        (np.zeros(K, int), r"slates have shape \(4,\)"),
        (np.zeros((0, K), int), r"slates have shape \(0, 4\)"),
        (np.zeros((0, 3, K), int), r"slates have shape \(0, 3, 4\)"),
        (np.zeros((HORIZON + 1, K), int), r"slates have shape \(13, 4\); .* the horizon, 12"),
        ([[0, 1, 2, 3], [0, 1, 2]], "rows of different length"),
        (np.full((2, K), 24), r"row 0, position 0 of the slate is item 24; items of 'synthetic' are 0 to 23"),
        (np.full((2, K), 0.5), r"row 0, position 0 of the slate is 0\.5"),
    ],
)
def test_wrong_slates(simulator: Simulator, given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulator.counterfactual(0, given)


@pytest.mark.parametrize("session", [-1, 1.5, "17", (0, -1), (0, 0.5)])
def test_wrong_sessions(simulator: Simulator, slates: np.ndarray, session: Any) -> None:
    with pytest.raises(ValueError, match="(user|session) numbers must be whole numbers from 0 up"):
        simulator.counterfactual(session, slates)


def test_an_unknown_item_is_refused_even_after_the_session_has_ended(simulator: Simulator, slates: np.ndarray) -> None:
    user = next(user for user in range(30) if simulator.counterfactual(user, slates[0]).length[0] < HORIZON)
    wrong = slates[:1].copy()
    wrong[0, -1, 2] = 99
    with pytest.raises(ValueError, match="row 11, position 2 of the slate is item 99"):
        simulator.counterfactual(user, wrong)


def test_a_later_session_depends_on_those_before(catalog: Catalog, slates: np.ndarray) -> None:
    returning = world(catalog, sessions=3)
    with pytest.raises(ValueError, match="session 1 of user 7 depends on the ones before.*replay session 0"):
        returning.counterfactual((7, 1), slates)
    first = returning.counterfactual((7, 0), slates)
    assert same(first, world(catalog).counterfactual(7, slates))
