"""`Preference`: what counts in a session is drawn with it, seen in it and rewarded."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import check_env

from recsim.envs import Preference, ProtoAction, Reveal, SlateEnv, SlateVecEnv, SlateVectorEnv
from recsim.preference import drawn_preferences
from recsim.scalarize import chebyshev
from recsim.streams import Streams


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped", "ignore:.*alternative render")
def test_gymnasium_accepts_it(world: dict[str, Any]) -> None:
    check_env(Preference(SlateEnv(**world)))


def test_observations_end_with_the_session_s_own_preference(world: dict[str, Any]) -> None:
    env, plain = Preference(SlateVectorEnv(4, **world)), SlateVectorEnv(4, **world)
    env.action_space.seed(1)
    seen, _ = env.reset()
    bare, _ = plain.reset()
    assert env.single_observation_space.layout is env.layout
    user = np.arange(4)
    for _ in range(30):
        assert seen in env.observation_space
        assert np.array_equal(seen[:, :-3], bare)
        expected = drawn_preferences(Streams.of(3, user), 3)
        np.testing.assert_allclose(env.layout.read(seen, "preference"), expected, rtol=1e-6)
        action = env.action_space.sample()
        seen, reward, terminated, truncated, infos = env.step(action)
        bare, plain_reward, *_, plain_infos = plain.step(action)
        np.testing.assert_allclose(reward, (infos["objectives"] * expected).sum(axis=1))
        assert np.array_equal(infos["reward"], plain_reward)
        ended = terminated | truncated
        for row in np.flatnonzero(ended):
            last = infos["final_obs"][row]
            assert np.array_equal(last[:-3], plain_infos["final_obs"][row])
            np.testing.assert_allclose(last[-3:], expected[row], rtol=1e-6)
        user = env.simulator.streams.user
    assert user.min() > 3  # every row has met its next user


def test_one_row_is_a_single_environment(world: dict[str, Any]) -> None:
    one, rows = Preference(SlateEnv(**world)), Preference(SlateVectorEnv(1, **world))
    seen, batch = one.reset()[0], rows.reset()[0]
    one.action_space.seed(1)
    for _ in range(20):
        assert np.array_equal(seen, batch[0])
        action = one.action_space.sample()
        seen, reward, terminated, truncated, info = one.step(action)
        batch, rewards, *_, infos = rows.step(action[None])
        assert type(reward) is float
        assert reward == rewards[0]
        assert info["reward"] == infos["reward"][0]
        if terminated or truncated:
            assert np.array_equal(seen, infos["final_obs"][0])
            seen, _ = one.reset()


def test_rewards_of_a_session_sum_to_the_utility_of_its_totals(world: dict[str, Any]) -> None:
    most, unit = np.full(3, 24.0), np.array([1.0, 0.25, 0.5])
    utility = partial(chebyshev, ideal=most / unit, augmentation=0.05)
    env = Preference(SlateEnv(**world), [1, 2, 1], unit=unit, utility=utility)
    env.action_space.seed(1)
    for _ in range(3):
        env.reset()
        totals, earned, ended = np.zeros(3), 0.0, False
        while not ended:
            _, reward, terminated, truncated, info = env.step(env.action_space.sample())
            totals, earned, ended = totals + info["objectives"], earned + reward, terminated or truncated
        weights = np.array([0.25, 0.5, 0.25])
        start = utility(np.zeros((1, 3)), weights)[0]
        assert earned == pytest.approx(utility(totals[None] / unit, weights)[0] - start)


def test_a_preference_can_be_given_at_reset_and_taken_back(world: dict[str, Any]) -> None:
    env = Preference(SlateVectorEnv(2, **world))
    fixed, _ = env.reset(options={"preference": [2, 0, 2]})
    assert env.layout.read(fixed, "preference").tolist() == [[0.5, 0.0, 0.5]] * 2
    again, _ = env.reset(options={"user": 0})
    assert np.array_equal(again, fixed)
    drawn, _ = env.reset(options={"user": 0, "preference": None})
    np.testing.assert_allclose(drawn[:, -3:], drawn_preferences(Streams.of(3, 2), 3), rtol=1e-6)


def test_stable_baselines_and_other_actions_take_it(world: dict[str, Any]) -> None:
    env = SlateVecEnv(ProtoAction(Preference(SlateVectorEnv(3, **world))))
    env.action_space.seed(1)
    seen = env.reset()
    for _ in range(10):
        assert seen.shape == (3, env.observation_space.shape[0])
        seen, _, ended, infos = env.step(np.stack([env.action_space.sample() for _ in range(3)]))
        for row in np.flatnonzero(ended):
            assert infos[row]["terminal_observation"].shape == seen[row].shape
    assert isinstance(env.observation_space, Box)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"weights": [1, 1]}, r"the preference is \[1.0, 1.0\]"),
        ({"concentration": 0.0}, "concentration is 0.0; it is a number from 0.1 up"),
        ({"unit": [1, 0, 1]}, r"unit is \[1.0, 0.0, 1.0\]; it is a number above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(world: dict[str, Any], options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Preference(SlateEnv(**world), **options)


def test_it_needs_a_layout_and_stands_alone(world: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="Preference needs observations with a layout"):
        Preference(Reveal(SlateEnv(**world), observation=True))
    with pytest.raises(ValueError, match="has a preference already"):
        Preference(Preference(SlateEnv(**world)))
