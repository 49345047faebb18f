from __future__ import annotations

import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recsim.ope.tables.columns import (
    column_of,
    context_array,
    label_column,
    number_column,
    number_of_groups,
    one_hot,
    probability_column,
)


def arrow(values, kind):
    return pd.array(values, dtype=pd.ArrowDtype(kind))


NUMBERS = {
    "int32": np.array([1, 0, 1], np.int32),
    "uint64": np.array([1, 0, 1], np.uint64),
    "bool": np.array([True, False, True]),
    "nullable bool": pd.array([True, False, True], dtype="boolean"),
    "nullable float": pd.array([1.0, 0.0, 1.0], dtype="Float64"),
    "arrow float": arrow([1.0, 0.0, 1.0], pa.float64()),
    "arrow int": arrow([1, 0, 1], pa.int32()),
    "arrow bool": arrow([True, False, True], pa.bool_()),
    "arrow decimal": arrow([decimal.Decimal(1), decimal.Decimal(0), decimal.Decimal(1)], pa.decimal128(5, 2)),
    "categories": pd.Categorical([1.0, 0.0, 1.0], categories=[1.0, 0.0]),
    "objects": np.array([1, False, decimal.Decimal(1)], object),
    "sparse": pd.arrays.SparseArray([1.0, 0.0, 1.0]),
}
NO_NUMBERS = {
    "text": ["1", "0", "1"],
    "arrow text": arrow(["1", "0", "1"], pa.string()),
    "dates": pd.to_datetime(["2024-05-31"] * 3),
    "durations": pd.to_timedelta([1, 2, 3], unit="h"),
    "complex": np.array([1j, 0, 1]),
    "categories of text": pd.Categorical(["1", "0", "1"]),
    "lists": [[1], [0], [1]],
}
MISSING = {
    "nan": [1.0, np.nan, 1.0],
    "none": np.array([1, None, 1], object),
    "nullable": pd.array([1.0, None, 1.0], dtype="Float64"),
    "arrow": arrow([1.0, None, 1.0], pa.float64()),
    "arrow nan": pd.array(pa.array([1.0, float("nan"), 1.0]), dtype=pd.ArrowDtype(pa.float64())),
    "categories": pd.Categorical([1, None, 1]),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_in_every_type(kind):
    values = number_column(pd.DataFrame({"x": NUMBERS[kind]}), "x", "reward")
    assert values.dtype == np.float64
    assert values.tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_what_is_no_number_is_named_with_row_and_remedy(kind):
    with pytest.raises(TypeError, match=r"row 0: column 'x' \(reward\) .*(convert|Convert).* pandas.to_numeric"):
        number_column(pd.DataFrame({"x": NO_NUMBERS[kind]}), "x", "reward")


@pytest.mark.parametrize("kind", MISSING)
def test_missing_values(kind):
    table = pd.DataFrame({"x": MISSING[kind]})
    for read in (number_column, label_column):
        with pytest.raises(ValueError, match=r"^row 1: column 'x' \(r\) is missing; fill it in or drop the row"):
            read(table, "x", "r")


def test_rows_are_named_by_number_and_by_label():
    table = pd.DataFrame({"x": [1.0, np.inf]}, index=["one", "two"])
    with pytest.raises(ValueError, match=r"row 1 \(index 'two'\): column 'x' \(r\) is inf; it must be finite. Correct"):
        number_column(table, "x", "r")
    mixed = pd.DataFrame({"x": np.array([1, "2"], object)})
    with pytest.raises(TypeError, match=r"row 1: column 'x' \(r\) is '2', which is no number; convert the column with"):
        number_column(mixed, "x", "r")


def test_probabilities():
    table = pd.DataFrame({"ok": [0.5, 1.0], "zero": [0.5, 0.0], "minus": [-0.1, 1.0], "above": [1.0, 1.0001]})
    assert probability_column(table, "ok", "propensity", never=False).tolist() == [0.5, 1.0]
    assert probability_column(table, "zero", "policy", never=True).tolist() == [0.5, 0.0]
    with pytest.raises(
        ValueError, match=r"row 1: column 'zero' \(propensity\) is 0.0; a logged action cannot have had"
    ):
        probability_column(table, "zero", "propensity", never=False)
    with pytest.raises(ValueError, match=r"row 0: column 'minus' \(policy\) is -0.1; a probability is between 0 and 1"):
        probability_column(table, "minus", "policy", never=True)
    with pytest.raises(ValueError, match=r"row 1: column 'above' \(policy\) is 1.0001; a probability is between"):
        probability_column(table, "above", "policy", never=True)


def test_labels_are_sorted_values_not_categories():
    table = pd.DataFrame(
        {
            "number": np.array([7, 3, 7], np.int32),
            "category": pd.Categorical(["b", "a", "b"], categories=["z", "b", "a"]),
            "dictionary": pd.array(pa.array(["b", "a", "b"]).dictionary_encode()),
            "text": ["b", "a", "b"],
            "date": pd.to_datetime(["2024-05-31", "2023-05-31", "2024-05-31"]),
        }
    )
    for name in table.columns:
        codes, labels = label_column(table, name, "action")
        assert codes.tolist() == [1, 0, 1]
        assert len(labels) == 2
    assert label_column(table, "number", "action")[1] == [3, 7]
    assert label_column(table, "category", "action")[1] == ["a", "b"]


def test_labels_that_cannot_be_told_apart():
    table = pd.DataFrame({"mixed": np.array([1, 2.5, "a"], object), "lists": [[1], [2], [3]]})
    with pytest.raises(
        TypeError, match=r"row 2: column 'mixed' \(action\) is 'a', of another type than 1 in the first"
    ):
        label_column(table, "mixed", "action")
    with pytest.raises(TypeError, match=r"column 'lists' \(action\) holds values such as \[1\], which cannot be told"):
        label_column(table, "lists", "action")


def test_columns_that_are_not_there_or_twice():
    table = pd.DataFrame([[1, 2, 3]], columns=["click", "item", "item"])
    with pytest.raises(ValueError, match=r"no column 'clicks', named as reward; did you mean 'click'\?"):
        column_of(table, "clicks", "reward")
    with pytest.raises(ValueError, match=r"no column 'zzz', named as reward; it has click, item"):
        column_of(table, "zzz", "reward")
    with pytest.raises(ValueError, match="the table has 2 columns called 'item', named as action; rename the others"):
        column_of(table, "item", "action")


def test_context_is_numbers_and_one_column_per_value():
    table = pd.DataFrame(
        {"age": pd.array([3, 4, 3], dtype="Int8"), "new": [True, False, True], "city": ["B", "A", "B"]}
    )
    assert context_array(table, ["age", "new", "city"]).tolist() == [[3, 1, 1, 0], [4, 0, 0, 1], [3, 1, 1, 0]]
    assert context_array(table, []).shape == (3, 0)
    with pytest.raises(
        TypeError, match=r"column 'd' \(context\) holds datetime64.*Derive numbers from it, such as the"
    ):
        context_array(pd.DataFrame({"d": pd.to_datetime(["2024-05-31"])}), ["d"])
    with pytest.raises(ValueError, match=r"row 0: column 'x' \(context\) is 1e\+31; that is too large for a model"):
        context_array(pd.DataFrame({"x": [1e31]}), ["x"])


def test_rare_values_share_a_row_of_zeros():
    codes = np.array([0, 1, 1, 2, 2, 3])
    assert one_hot(codes, 4, 2).tolist() == [[0, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 0]]


def test_groups_are_numbered_in_the_order_of_their_values():
    group, n = number_of_groups([np.array([1, 0, 1, 0]), np.array([0, 5, 0, 2])])
    assert (group.tolist(), n) == ([2, 1, 2, 0], 3)
