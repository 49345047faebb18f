"""`SlateEnv`: the checkers, episodes, seeds, options, errors."""

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from recsim.envs.single import SlateEnv
from recsim.testing.global_random import seeded_globally
from recsim.users.choice import BUILT_IN


@pytest.fixture
def env(world: dict[str, Any]) -> SlateEnv:
    return SlateEnv(**world)


def play(env: SlateEnv, slates: np.ndarray) -> list[Any]:
    """Steps as plain values, with a reset where an episode ends."""
    seen: list[Any] = []
    for slate in slates:
        observation, reward, terminated, truncated, info = env.step(slate)
        seen.append((observation.tolist(), reward, terminated, truncated, info["objectives"].tolist()))
        if terminated or truncated:
            seen.append(env.reset()[0].tolist())
    return seen


@pytest.fixture
def slates(env: SlateEnv) -> np.ndarray:
    return np.random.Generator(np.random.Philox(6)).integers(0, 24, (25, 4))


LATER = {"users": "news", "sessions": 2, "user_options": {"conversion_delay": 2.0, "return_offset": 3.0}}


@pytest.mark.parametrize("options", [{}, LATER], ids=["plain", "news of two sessions"])
def test_the_checkers(world: dict[str, Any], options: dict[str, Any]) -> None:
    check_env(gymnasium.make("recsim/Slate-v0", **world | options).unwrapped)
    check_env_for_sb3(SlateEnv(**world | options))


def test_an_episode_by_hand(clockwork: dict[str, Any]) -> None:
    env = SlateEnv(**clockwork, objectives={"click": 1.0, "conversion": 10.0, "novelty": 0.0})
    env.reset(options={"user": 2})
    taken = [env.step(np.array(slate)) for slate in ([5, 2, 7, 8], [5, 6, 7, 8], [2, 6, 7, 8])]
    novelty = env.simulator.catalog.novelty
    objectives = [[2, 1, novelty[5] + novelty[2]], [1, 0, novelty[5]], [1, 1, novelty[2]]]
    assert [step[1] for step in taken] == [12.0, 1.0, 11.0]
    assert all(type(step[1]) is float and type(step[2]) is bool and type(step[3]) is bool for step in taken)
    np.testing.assert_allclose([step[4]["objectives"] for step in taken], objectives, rtol=1e-6)
    assert [step[2] for step in taken] == [False, False, True]  # user 2 leaves after three slates
    assert [step[3] for step in taken] == [False, False, False]


def test_the_horizon_truncates(clockwork: dict[str, Any]) -> None:
    env = SlateEnv(**clockwork)
    env.reset(options={"user": 3})  # would stay for four slates
    ends = [env.step(np.arange(4))[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


def test_each_episode_is_the_next_user(clockwork: dict[str, Any]) -> None:
    env = SlateEnv(**clockwork)
    lengths = []
    for _ in range(6):
        env.reset()
        lengths.append(1)
        while not any(env.step(np.arange(4))[2:4]):
            lengths[-1] += 1
    assert lengths == [1, 2, 3, 3, 1, 2]
    env.reset()  # also in the middle of a session
    assert env.simulator.streams.user.tolist() == [6]
    env.reset(options={"user": 17})
    env.reset()
    assert env.simulator.streams.user.tolist() == [18]
    env.reset(seed=5)
    assert env.simulator.streams.user.tolist() == [0]


def test_a_repeated_item_is_shown_once(clockwork: dict[str, Any]) -> None:
    env = SlateEnv(**clockwork)
    env.reset(options={"user": 7})
    observation, _, _, _, info = env.step(np.array([7, 7, 7, 3]))
    assert info["objectives"][:2].tolist() == [1, 1]
    exposure = env.simulator.layout.read(observation[None], "exposure")
    assert exposure.sum() == pytest.approx(0.2 * 2 / 4)


def test_same_seed_same_episodes(env: SlateEnv, world: dict[str, Any], slates: np.ndarray) -> None:
    env.reset(seed=42)
    first = play(env, slates)
    env.reset(seed=42)
    assert play(env, slates) == first
    other = SlateEnv(**world | {"seed": 3})
    other.reset(seed=42)
    assert play(other, slates) == first
    env.reset(seed=43)
    assert play(env, slates) != first


def test_the_seed_of_the_world_is_the_first_seed(env: SlateEnv, slates: np.ndarray) -> None:
    env.reset()
    first = play(env, slates)
    env.reset(seed=3)
    assert play(env, slates) == first


def test_reset_keeps_the_seed_and_the_hidden_side_of_the_items(env: SlateEnv) -> None:
    quality = env.simulator.users.quality.copy()  # type: ignore[attr-defined]
    env.reset(seed=42)
    env.reset()
    assert env.simulator.seed == 42
    assert env.np_random_seed == 42
    assert np.array_equal(env.simulator.users.quality, quality)  # type: ignore[attr-defined]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
@pytest.mark.parametrize("choice", BUILT_IN)
def test_copies_go_on_alike_and_apart(world: dict[str, Any], slates: np.ndarray, choice: str, copied: Any) -> None:
    env = SlateEnv(**world | LATER | {"user_options": LATER["user_options"] | {"choice": choice}})
    with seeded_globally(0) as touched:
        env.reset(seed=1)
        play(env, slates[:4])
        twin = copied(env)
        ahead = play(env, slates[4:])
        assert play(twin, slates[4:]) == ahead
    assert twin.observation_space == env.observation_space
    assert touched == []


BAD_ACTIONS = [
    (np.array([0, 1, 2]), r"the action has shape \(3,\); \(4,\) is needed: an item number for every position"),
    (np.array([[0, 1, 2, 3]]), r"the action has shape \(1, 4\); \(4,\) is needed"),
    (7, r"the action has shape \(\); \(4,\) is needed"),
    (np.array([0, 1, 24, 3]), r"row 0, position 2 of the slate is item 24; items of 'synthetic' are 0 to 23"),
    (np.array([0, -1, 2, 3]), r"row 0, position 1 of the slate is item -1; items of 'synthetic' are 0 to 23"),
    (np.array([0.0, 1.0, 2.5, 3.0]), r"row 0, position 2 of the slate is 2\.5, in an array of float64"),
    (np.array([0.0, np.nan, 2.0, 3.0]), r"row 0, position 1 of the slate is nan"),
    (np.array(["a", "b", "c", "d"]), r"row 0, position 0 of the slate is a"),
    (np.array([True, False, True, False]), r"row 0, position 0 of the slate is True, in an array of bool"),
    (np.array([0, 1, 2, 2**63], np.uint64), r"row 0, position 3 of the slate is item 9223372036854775808"),
    ([[0, 1], [2]], r"slate has rows of different length"),
]


@pytest.mark.parametrize(("action", "message"), BAD_ACTIONS)
def test_a_wrong_action_is_named_and_changes_nothing(
    env: SlateEnv, slates: np.ndarray, action: Any, message: str
) -> None:
    env.reset(seed=1)
    expected = play(env, slates)
    env.reset(seed=1)
    with pytest.raises(ValueError, match=message):
        env.step(action)
    assert play(env, slates) == expected


def test_step_before_reset(env: SlateEnv) -> None:
    with pytest.raises(RuntimeError, match="step before reset: there are no users yet"):
        env.step(np.arange(4))
    env.reset()
    env.step(np.arange(4))


def test_step_after_the_end(clockwork: dict[str, Any]) -> None:
    env = SlateEnv(**clockwork)
    env.reset()
    assert env.step(np.arange(4))[2]
    with pytest.raises(RuntimeError, match="step after the end: this session is over. Call reset for the next user"):
        env.step(np.arange(4))
    env.reset()
    env.step(np.arange(4))


@pytest.mark.parametrize("user", [-1, 1.5, "17", True])
def test_wrong_users(env: SlateEnv, user: Any) -> None:
    with pytest.raises(ValueError, match=f"option 'user' of reset is {user!r}; it is a whole number from 0 up"):
        env.reset(options={"user": user})


def test_unknown_options(env: SlateEnv) -> None:
    env.reset(options={})
    env.reset(options=None)
    with pytest.raises(ValueError, match="reset has no option 'users'; there are 'user'"):
        env.reset(options={"users": 3})


def test_observations_and_infos_are_the_callers(env: SlateEnv) -> None:
    first, _ = env.reset(seed=1)
    first += 1
    observation, _, _, _, info = env.step(np.arange(4))
    kept = observation.copy(), info["objectives"].copy()
    env.step(np.arange(4, 8))
    assert np.array_equal(observation, kept[0])
    assert np.array_equal(info["objectives"], kept[1])
