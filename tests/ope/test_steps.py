from __future__ import annotations

import numpy as np
import pytest

from recsim.ope.steps import Steps, carried, discounts

MIXED = Steps.of([7, 2, 7, 2, 5, 7], [1, 1, 0, 0, 0, 2])


def test_sessions_are_laid_out_by_number():
    assert MIXED.number.tolist() == [2, 5, 7]
    assert MIXED.length.tolist() == [2, 1, 3]
    assert MIXED.order.tolist() == [3, 1, 4, 2, 0, 5]
    assert MIXED.table(np.arange(6.0), after=-1.0).tolist() == [[3, 1, -1], [4, -1, -1], [2, 0, 5]]
    assert MIXED.table(np.ones((6, 4))).shape == (3, 3, 4)


def test_the_last_row_of_a_session_has_no_follower():
    assert MIXED.following.tolist() == [5, -1, 0, 1, -1, -1]


def test_sessions_are_never_divided_by_folds():
    assert MIXED.folds(2).tolist() == [0, 0, 0, 0, 1, 0]
    (train, scored), (other_train, other_scored) = MIXED.splits(2)
    assert train.tolist() == other_scored.tolist() == [False, False, False, False, True, False]
    assert scored.tolist() == other_train.tolist() == (~train).tolist()
    ((everybody, same),) = MIXED.splits(1)
    assert everybody.all()
    assert same.all()
    for wrong in (0, 4):
        with pytest.raises(ValueError, match=rf"n_folds is {wrong} and the log has 3 session\(s\)"):
            MIXED.splits(wrong)


def test_numbers_may_be_of_any_whole_kind():
    steps = Steps.of(np.array([3, 3], np.uint8), np.array([1, 0], np.int16))
    assert steps.step.dtype == np.int64
    assert steps.table(np.array([2.0, 1.0])).tolist() == [[1, 2]]


def test_weights_multiply_and_stay():
    log_ratio = np.log(np.array([2.0, 3.0, 5.0, 7.0, 11.0, 13.0]))
    assert carried(MIXED, log_ratio) == pytest.approx(np.array([[7, 21, 21], [11, 11, 11], [5, 10, 130]]))
    assert carried(MIXED, np.where(np.arange(6) == 0, -np.inf, 0.0))[2].tolist() == [1, 0, 0]


def test_discounts():
    assert discounts(0.5, 3).tolist() == [1, 0.5, 0.25]
    assert discounts(np.float32(0), 2).tolist() == [1, 0]
    assert discounts(1, 2).tolist() == [1, 1]


def test_columns_are_read_with_or_without_an_axis_of_objectives():
    assert MIXED.values(np.arange(6), "reward").shape == (6, 1)
    assert MIXED.values(np.ones((6, 2), bool), "reward").dtype == np.float64
    assert MIXED.values(np.ones((6, 4)), "target_features", axes=2).shape == (6, 4, 1)
    with pytest.raises(
        ValueError, match=r"row 4, column 1, 0 of x \(session 5, step 0\) is nan; .*drop the whole session"
    ):
        MIXED.values(np.where(np.arange(24).reshape(6, 2, 2) == 18, np.nan, 0.0), "x", axes=2)
    with pytest.raises(ValueError, match=r"x has shape \(\) but session has 6 rows"):
        MIXED.values(1.0, "x")
