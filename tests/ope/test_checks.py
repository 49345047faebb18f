from __future__ import annotations

import re

import numpy as np
import pytest

from recsim.ope.checks import logged_array, refuse_heavy, refuse_lengths, reward_array, target_array

HALF = np.log(np.full((3, 2), 0.5))


def with_value(value: float) -> np.ndarray:
    out = HALF.copy()
    out[1, 1] = value
    return out


def test_rewards_get_an_objectives_axis():
    assert reward_array([[True, False]]).shape == (1, 2, 1)
    assert reward_array(np.ones((1, 2, 3), np.int8)).dtype == np.float64


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308])
def test_rewards_must_be_finite(value):
    reward = np.zeros((3, 2, 2))
    reward[2, 1, 0] = value
    with pytest.raises(
        ValueError, match=rf"row 2, position 1, objective 0 of reward is {re.escape(str(value))};.*Drop the slate"
    ):
        reward_array(reward)


@pytest.mark.parametrize("reward", [np.zeros(3), np.zeros((1, 2, 3, 4))])
def test_rewards_must_be_per_position(reward):
    with pytest.raises(ValueError, match=r"reward has shape .* must be \(slates, positions\)"):
        reward_array(reward)


@pytest.mark.parametrize("check", [reward_array, logged_array, target_array])
def test_nothing_is_no_log(check):
    with pytest.raises(ValueError, match=r"is empty \(shape \(0, 2.*\); an evaluation needs at least one"):
        check(np.zeros((0, 2)))


@pytest.mark.parametrize("values", [[["a", "b"]], np.array([[None, 1.0]]), np.array([[1j, 0]])])
def test_only_numbers_are_rewards(values):
    with pytest.raises(TypeError, match=r"reward holds .*; it must hold numbers"):
        reward_array(values)


@pytest.mark.parametrize("check", [logged_array, target_array])
def test_only_floats_are_log_probabilities(check):
    with pytest.raises(TypeError, match=r"step_log_prob holds int64; it must hold floating-point numbers"):
        check(np.zeros((3, 2), np.int64))


def test_a_logged_choice_had_a_probability():
    with pytest.raises(
        ValueError, match=r"row 1, position 1 of .* is -inf; a logged choice cannot have had probability 0"
    ):
        logged_array(with_value(-np.inf))
    with pytest.raises(ValueError, match=r"row 1, position 1 of .* is nan; that is no log-probability.*in force"):
        logged_array(with_value(np.nan))
    with pytest.raises(ValueError, match=r"row 1, position 1 of .* is inf; that is no"):
        logged_array(with_value(np.inf))


@pytest.mark.parametrize("check", [logged_array, target_array])
def test_probabilities_instead_of_their_logarithms_are_noticed(check):
    with pytest.raises(
        ValueError, match=r"row 1, position 1 of .* is 0.25, a probability above 1.*pass their logarithms"
    ):
        check(with_value(0.25))
    assert check(with_value(1e-12))[1, 1] == 1e-12  # rounding is no offence


@pytest.mark.parametrize("check", [logged_array, target_array])
def test_log_probabilities_are_per_position(check):
    with pytest.raises(ValueError, match=r"has shape \(3,\); it must be \(slates, positions\)"):
        check(np.zeros(3))


def test_a_target_may_never_show_a_slate_but_must_say_so():
    assert target_array(with_value(-np.inf))[1, 1] == -np.inf
    with pytest.raises(ValueError, match=r"row 1, position 1 of target step_log_prob is nan.*Return -inf"):
        target_array(with_value(np.nan))


def test_lengths_must_agree():
    refuse_lengths(first=np.zeros((3, 2)), second=np.zeros((3, 2, 5)), rows=np.zeros(3))
    with pytest.raises(ValueError, match=r"second has shape \(4, 2\) but first has shape \(3, 2\)"):
        refuse_lengths(first=np.zeros((3, 2)), second=np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"user has shape \(4,\) but slate has shape \(3, 2\)"):
        refuse_lengths(slate=np.zeros((3, 2)), user=np.zeros(4))


def test_weights_beyond_float64_are_refused():
    with pytest.raises(
        ValueError, match=r"row 0, position 1: the weight is e\^650, so the slate was logged with almost"
    ):
        refuse_heavy(np.array([[1.0, 650.0]]))
