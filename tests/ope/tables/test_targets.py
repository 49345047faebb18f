from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsim.ope.tables.targets import targets_of

ACTION = np.array([0, 1, 2, 0])
ACTIONS = ["a", "b", "c"]
TABLE = pd.DataFrame({"item": [ACTIONS[i] for i in ACTION], "p": [0.5, 0.25, 0.0, 1.0], "bad": [0.5, 1.5, 0.0, 1.0]})
SHARES = {"a": 0.5, "b": 0.3, "c": 0.2}


def read(policy):
    return targets_of(policy, TABLE, ACTION, ACTIONS)


def only(policy):
    (target,) = read(policy).values()
    return target


def test_a_column():
    assert list(read("p")) == ["p"]
    assert only("p").probability.tolist() == [0.5, 0.25, 0.0, 1.0]
    assert only("p").table is None
    with pytest.raises(ValueError, match=r"row 1: column 'bad' \(policy\) is 1.5; a probability is between 0 and 1"):
        read("bad")
    with pytest.raises(ValueError, match=r"the table has no column 'q', named as policy"):
        read("q")


def test_a_number_is_the_uniform_policy_where_it_adds_up():
    assert only(0.25).probability.tolist() == [0.25] * 4
    assert only(0.25).table is None
    assert only(1 / 3).table.tolist() == [[1 / 3] * 3] * 4
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"policy 'target' is .*; a probability is between 0 and 1"):
            read(wrong)


def test_shares_of_actions():
    target = only(SHARES)
    assert target.probability.tolist() == [0.5, 0.3, 0.2, 0.5]
    assert target.table.tolist() == [[0.5, 0.3, 0.2]] * 4
    assert target.elsewhere == 0.0
    target = only({"a": 0.5, "new": 0.5})
    assert target.probability.tolist() == [0.5, 0.0, 0.0, 0.5]
    assert target.elsewhere == pytest.approx(0.5)
    assert only({"c": 0.1, "a": 0.2, "b": 0.7}).elsewhere == 0.0  # exactly: rounding is no unknown action
    with pytest.raises(
        ValueError, match=r"about actions such as 0, the log about such as 'a'; they have none in common"
    ):
        read(pd.DataFrame([[0.5, 0.5]] * 4, columns=[0, 1]))
    with pytest.raises(ValueError, match=r"row 0: the probabilities of policy 'target' add up to 0.8; over all"):
        read({"a": 0.5, "b": 0.3})
    with pytest.raises(ValueError, match=r"row 0, action 'b': policy 'target' gives -0.5; a probability is between"):
        read({"a": 0.5, "b": -0.5, "c": 1.0})


def test_arrays_row_by_row():
    assert only([0.1, 0.2, 0.3, 0.4]).probability.tolist() == [0.1, 0.2, 0.3, 0.4]
    table = np.array([[0.2, 0.3, 0.5]] * 3 + [[1.0, 0.0, 0.0]])
    assert only(table).probability.tolist() == [0.2, 0.3, 0.5, 1.0]
    assert only(table.astype(np.float32)).table.dtype == np.float64
    frame = pd.DataFrame(table[:, ::-1], columns=["c", "b", "a"])
    assert (only(frame).table == table).all()
    for shape in ((3,), (4, 2), (4, 3, 1)):
        with pytest.raises(ValueError, match=r"has shape .*; for this table it must be \(4,\) or \(4, 3\)"):
            read(np.full(shape, 0.5))
    with pytest.raises(ValueError, match=r"row 2, action 'c': policy 'target' gives nan"):
        read(np.where(np.arange(12).reshape(4, 3) == 8, np.nan, table))
    with pytest.raises(ValueError, match=r"row 3: the probabilities of policy 'target' add up to 2"):
        read(np.vstack([table[:3], [1.0, 1.0, 0.0]]))
    with pytest.raises(ValueError, match=r"row 1: policy 'target' gives 2.0; a probability is between"):
        read([0.1, 2.0, 0.3, 0.4])
    with pytest.raises(TypeError, match=r"policy 'target' holds something that is no number"):
        read(np.array([0.1, "x", 0.3, 0.4], object))
    with pytest.raises(TypeError, match=r"policy 'target' holds <U3; pass probabilities as numbers"):
        read(["0.1", "0.2", "0.3", "0.4"])


def test_an_index_in_another_order_is_no_surprise():
    series = pd.Series([0.1, 0.2, 0.3, 0.4], index=[3, 2, 1, 0])
    with pytest.raises(ValueError, match=r"the table's index in another order; pass policy.reindex\(table.index\)"):
        read(series)
    assert only(series.reindex(TABLE.index)).probability.tolist() == [0.4, 0.3, 0.2, 0.1]
    frame = pd.DataFrame([[0.2, 0.3, 0.5]] * 4, columns=ACTIONS, index=[3, 2, 1, 0])
    with pytest.raises(ValueError, match=r"index in another order"):
        read(frame)


def test_frames_that_do_not_fit():
    frame = pd.DataFrame([[0.2, 0.3, 0.5]] * 4, columns=ACTIONS)
    with pytest.raises(ValueError, match=r"has 3 rows for a table of 4; it needs one for each"):
        read(frame[:3])
    with pytest.raises(ValueError, match=r"has two columns for one action"):
        read(frame.set_axis(["a", "b", "b"], axis=1))
    with pytest.raises(ValueError, match=r"gives probabilities of actions, but no column is named as `action`"):
        targets_of(frame, TABLE)


def test_functions_of_the_table():
    def greedy(table):
        return (table["item"] == "a").to_numpy(float)

    assert list(read(greedy)) == ["greedy"]
    assert only(greedy).probability.tolist() == [1.0, 0.0, 0.0, 1.0]
    assert only(lambda table: SHARES).probability.tolist() == [0.5, 0.3, 0.2, 0.5]
    assert list(read(lambda table: "p")) == ["target"]


def test_several_by_name():
    found = read({"logged": "p", "even": 1 / 3, "shares": SHARES})
    assert list(found) == ["logged", "even", "shares"]
    assert found["shares"].probability.tolist() == [0.5, 0.3, 0.2, 0.5]
    assert list(read({"one": 0.25, "two": 0.75})) == ["one", "two"]  # no action is called so
    with pytest.raises(ValueError, match="no policies were given"):
        read({})
    with pytest.raises(TypeError, match=r"policy 'one' is given as NoneType; pass the name of a column"):
        read({"one": None})
    with pytest.raises(TypeError, match=r"policy 'one' is a mapping, but not from actions to probabilities"):
        read({"one": {"a": "b"}})
