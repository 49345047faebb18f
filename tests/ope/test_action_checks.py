from __future__ import annotations

import re

import numpy as np
import pytest

from recsim.ope.action_checks import (
    action_logged_array,
    action_models_like,
    action_reward_array,
    action_target_array,
    code_array,
    probability_table,
    refuse_rows,
    weight_array,
)
from recsim.ope.checks import refuse_heavy


def with_value(value: float) -> np.ndarray:
    return np.array([np.log(0.5), value, np.log(0.5)])


def test_rewards_get_an_objectives_axis():
    assert action_reward_array([True, False]).tolist() == [[1.0], [0.0]]
    assert action_reward_array(np.ones((3, 2), np.int8)).dtype == np.float64


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308])
def test_rewards_must_be_finite(value):
    reward = np.zeros((3, 2))
    reward[2, 1] = value
    message = rf"row 2, objective 1 of reward is {re.escape(str(value))};.*Drop the row or record"
    with pytest.raises(ValueError, match=message):
        action_reward_array(reward)


def test_rewards_are_per_action():
    with pytest.raises(ValueError, match=r"reward has shape \(1, 2, 3\); it must be \(rows,\) or .*recsim.ope.slate"):
        action_reward_array(np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match=r"reward is empty \(shape \(0, 1\)\); an evaluation needs at least one"):
        action_reward_array(np.zeros(0))
    with pytest.raises(TypeError, match=r"reward holds <U1; it must hold numbers"):
        action_reward_array(["a"])


def test_models_agree_with_the_rewards():
    reward = np.zeros((3, 2))
    first, second = action_models_like(reward, first=np.ones((3, 2)), second=np.zeros((3, 2), int))
    assert (first == 1).all()
    assert second.dtype == np.float64
    with pytest.raises(ValueError, match=r"model has 4 rows but reward has 3; all arrays need one row per logged"):
        action_models_like(reward, model=np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"model has 1 objectives but reward has 2; model every objective"):
        action_models_like(reward, model=np.zeros(3))
    with pytest.raises(ValueError, match=r"row 1, objective 0 of model is nan"):
        action_models_like(reward[:, :1], model=[0.0, np.nan, 0.0])


def test_a_logged_action_had_a_probability():
    with pytest.raises(ValueError, match=r"^row 1 of .* is -inf; a logged choice cannot.*Drop the row or pass"):
        action_logged_array(with_value(-np.inf))
    with pytest.raises(ValueError, match=r"^row 1 of .* is nan; that is no log-probability"):
        action_logged_array(with_value(np.nan))


def test_a_target_may_never_act_so_but_must_say_so():
    assert action_target_array(with_value(-np.inf))[1] == -np.inf
    with pytest.raises(ValueError, match=r"^row 1 of target log_prob is nan.*every logged action.*Return -inf"):
        action_target_array(with_value(np.nan))


@pytest.mark.parametrize("check", [action_logged_array, action_target_array])
def test_log_probabilities_are_one_number_a_row(check):
    with pytest.raises(ValueError, match=r"row 1 of .* is 0.25, a probability above 1.*pass their logarithms"):
        check(with_value(0.25))
    with pytest.raises(ValueError, match=r"has shape \(3, 1\); it must be \(rows,\)"):
        check(np.zeros((3, 1)))
    with pytest.raises(TypeError, match=r"log_prob holds int64; it must hold floating-point numbers"):
        check(np.zeros(3, int))
    with pytest.raises(ValueError, match=r"log_prob is empty"):
        check(np.zeros(0))


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (-0.25, "-0.25"), (1.5, "1.5"), (np.inf, "inf")])
def test_tables_hold_probabilities(value, shown):
    table = np.full((3, 4), 0.25)
    table[1, 2] = value
    with pytest.raises(ValueError, match=rf"row 1, item 2 of target_table is {shown}, which is no probability"):
        probability_table(table, "target_table")


def test_rows_of_tables_sum_to_one():
    table = np.full((3, 4), 0.25)
    table[2, 0] = 0.2
    with pytest.raises(ValueError, match=r"row 2 of target_table sums to 0.95 over its 4 items;.*Divide the row"):
        probability_table(table, "target_table")
    table[2, 0] = 0.25 + 5e-7  # rounding of float32
    assert probability_table(table, "target_table") is table


def test_negative_probabilities_that_sum_to_one_are_noticed():
    with pytest.raises(ValueError, match=r"row 0, item 0 of table is -0.5, which is no probability"):
        probability_table(np.array([[-0.5, 0.75, 0.75]]), "table")


def test_tables_have_two_axes_and_floats():
    with pytest.raises(ValueError, match=r"table has shape \(2,\); it must be \(rows, items\)"):
        probability_table(np.array([0.5, 0.5]), "table")
    with pytest.raises(TypeError, match=r"table holds int64"):
        probability_table(np.array([[0, 1]]), "table")
    with pytest.raises(ValueError, match=r"table is empty"):
        probability_table(np.zeros((0, 3)), "table")


def test_codes_are_numbers_of_something():
    assert code_array(np.array([0, 2], np.uint8), 3, "action").dtype == np.int64
    with pytest.raises(ValueError, match=r"row 1 of action is 3, but there are 3 items, numbered from 0"):
        code_array([0, 3], 3, "action")
    with pytest.raises(ValueError, match=r"row 0 of logger is -1, but there are 3 loggers"):
        code_array([-1, 2], 3, "logger", kind="logger")
    with pytest.raises(TypeError, match=r"action holds float64; it must hold whole numbers"):
        code_array([0.0, 1.0], 3, "action")
    with pytest.raises(ValueError, match=r"action has shape \(1, 2\); it must be one-dimensional"):
        code_array([[0, 1]], 3, "action")
    with pytest.raises(ValueError, match=r"action is empty"):
        code_array(np.zeros(0, int), 3, "action")


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5])
def test_weights_are_ratios_of_probabilities(value):
    with pytest.raises(ValueError, match=rf"row 1 of weight is {value:g}; a weight is a ratio"):
        weight_array([1.0, value])
    with pytest.raises(ValueError, match=r"weight has shape \(1, 1\)"):
        weight_array([[1.0]])


def test_rows_must_agree():
    refuse_rows(first=np.zeros((3, 2)), second=np.zeros(3))
    with pytest.raises(ValueError, match=r"second has 4 rows but first has 3"):
        refuse_rows(first=np.zeros(3), second=np.zeros(4))


def test_weights_beyond_float64_are_refused():
    with pytest.raises(ValueError, match=r"^row 1: the weight is e\^650, so the action was logged with almost"):
        refuse_heavy(np.array([1.0, 650.0]))
