"""Columns of anybody's table as checked arrays: what is certain is converted, everything else is refused by its row."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.spelling import did_you_mean

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ONE_HOT_LEVELS = 32  # of a context column with text; rarer values share the remaining level
_NUMBERS = (numbers.Real, Decimal, np.bool_)
_LARGEST_CONTEXT = 1e30  # models work in float32


def column_of(table: pd.DataFrame, name: str, role: str) -> pd.Series[Any]:
    """The column `name` of the table, with categories replaced by their values and nothing missing.

    Args:
        table: any table.
        name: of the column.
        role: what it is meant as, for messages.

    Raises:
        ValueError: if there is no such column, there are two, or a value is missing.
    """
    if name not in table.columns:
        known = [str(column) for column in table.columns]
        hint = did_you_mean(name, known, otherwise=f"it has {', '.join(known[:12])}.")
        raise ValueError(f"the table has no column {name!r}, named as {role}; {hint}")
    same = int((table.columns == name).sum())
    if same > 1:
        raise ValueError(f"the table has {same} columns called {name!r}, named as {role}; rename the others.")
    column = table[name]
    if isinstance(column.dtype, pd.CategoricalDtype) or str(column.dtype).startswith("dictionary<"):
        column = pd.Series(list(column), index=column.index, name=column.name)
    missing = column.isna().to_numpy()
    if pd.api.types.is_float_dtype(column.dtype):
        missing = np.isnan(column.to_numpy(np.float64, na_value=np.nan))  # Arrow keeps NaN apart from missing
    if missing.any():
        place = place_of(table, int(missing.argmax()))
        raise ValueError(f"{place}: column {name!r} ({role}) is missing; fill it in or drop the row.")
    return column


def number_column(table: pd.DataFrame, name: str, role: str) -> Floats:
    """(n,) float64 finite numbers of a column of numbers or truth values, in whatever type they are kept.

    Raises:
        TypeError: if a value is no number: text is never read as numbers, dates are not counted.
        ValueError: as in `column_of`, or if a value is not finite.
    """
    column = column_of(table, name, role)
    if pd.api.types.is_object_dtype(column.dtype):
        for row, value in enumerate(column):
            if not isinstance(value, _NUMBERS):
                raise TypeError(
                    f"{place_of(table, row)}: column {name!r} ({role}) is {value!r}, which is no number; convert the "
                    "column with pandas.to_numeric, or drop the row."
                )
    elif not _holds_numbers(column.dtype):
        raise TypeError(
            f"{place_of(table, 0)}: column {name!r} ({role}) holds {column.dtype}, here {column.iloc[0]!r}; it must "
            "hold numbers. Convert text with pandas.to_numeric."
        )
    values = column.to_numpy(np.float64)
    refuse_rows(table, ~np.isfinite(values), values, name, role, "it must be finite. Correct it or drop the row.")
    return values


def probability_column(table: pd.DataFrame, name: str, role: str, *, never: bool) -> Floats:
    """(n,) float64 probabilities; 0 only where `never` allows that something is never done.

    Raises:
        TypeError: as in `number_column`.
        ValueError: as there, or if a value is no probability.
    """
    values = number_column(table, name, role)
    refuse_rows(
        table, (values < 0) | (values > 1), values, name, role, "a probability is between 0 and 1. Correct the column."
    )
    if not never:
        refuse_rows(
            table,
            values == 0,
            values,
            name,
            role,
            "a logged action cannot have had probability 0. Drop the row or pass the propensities that were in force.",
        )
    return values


def label_column(table: pd.DataFrame, name: str, role: str) -> tuple[Integers, list[Any]]:
    """The numbers (n,) of a column's values among its sorted distinct values, and these.

    Raises:
        TypeError: if the values cannot be compared: lists, or text among numbers.
        ValueError: as in `column_of`.
    """
    column = column_of(table, name, role)
    if pd.api.types.is_object_dtype(column.dtype):
        types = column.map(lambda value: numbers.Real if isinstance(value, numbers.Real) else type(value))
        other = (types != types.iloc[0]).to_numpy()
        if other.any():
            row = int(other.argmax())
            raise TypeError(
                f"{place_of(table, row)}: column {name!r} ({role}) is {column.iloc[row]!r}, of another type than "
                f"{column.iloc[0]!r} in the first row; write all of them alike, for example with .astype(str)."
            )
    try:
        codes, labels = pd.factorize(column, sort=True)
    except TypeError as error:
        raise TypeError(
            f"column {name!r} ({role}) holds values such as {column.iloc[0]!r}, which cannot be told apart ({error}); "
            "use numbers or text."
        ) from error
    return np.asarray(codes, np.int64), list(labels)


def number_of_groups(codes: Sequence[Integers]) -> tuple[Integers, int]:
    """Numbers 0..g-1 of the rows' groups, which share every one of the `codes`, in the order of these; and g."""
    _, group = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    return group.reshape(-1).astype(np.int64), int(group.max()) + 1


def row_codes(values: Floats) -> Integers:
    """Numbers (n,) of the rows of `values` (n, m) that are the same for equal rows alone: one key to sort by, not m.

    >>> one, two, three = row_codes(np.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]))
    >>> bool(one == three), bool(one == two)
    (True, False)
    """
    rows = np.ascontiguousarray(values + 0.0)  # which makes 0 of -0
    whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    return np.unique(whole, return_inverse=True)[1].astype(np.int64)


def context_array(table: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """(n, d) float32 what was known before the choice: numbers as they are, text as one column per frequent value.

    Raises:
        TypeError: if a column holds neither numbers nor text.
        ValueError: as in `column_of`.
    """
    parts = [np.empty((len(table), 0), np.float32)]
    for name in names:
        column = column_of(table, name, "context")
        if _is_number_like(column):
            values = number_column(table, name, "context")
            wrong = np.abs(values) > _LARGEST_CONTEXT
            refuse_rows(table, wrong, values, name, "context", "that is too large for a model. Use another unit.")
            parts.append(values.astype(np.float32)[:, None])
        elif pd.api.types.is_string_dtype(column.dtype) or pd.api.types.is_object_dtype(column.dtype):
            codes, labels = label_column(table, name, "context")
            parts.append(one_hot(codes, len(labels), ONE_HOT_LEVELS))
        else:
            raise TypeError(
                f"column {name!r} (context) holds {column.dtype}; it must hold numbers or text. Derive numbers "
                "from it, such as the hour of a date."
            )
    return np.concatenate(parts, axis=1)


def one_hot(codes: Integers, n_levels: int, most: int) -> NDArray[np.float32]:
    """(n, min(n_levels, most)) float32, 1 in the column of the row's value; rarer ones have a row of zeros."""
    frequent = np.argsort(-np.bincount(codes, minlength=n_levels), kind="stable")[:most]
    indicator: NDArray[np.float32] = (codes[:, None] == frequent[None, :]).astype(np.float32)
    return indicator


def refuse_rows(
    table: pd.DataFrame, wrong: NDArray[np.bool_], values: NDArray[Any], name: str, role: str, why: str
) -> None:
    """Raise ValueError for the first row that is `wrong`, with its value in the column `name` and the remedy."""
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{place_of(table, row)}: column {name!r} ({role}) is {values[row]}; {why}")


def place_of(table: pd.DataFrame, row: int) -> str:
    """The row's number from 0, and its label in the index where that is another."""
    (label,) = table.index[[row]].tolist()
    return f"row {row:,}" if isinstance(label, int) and label == row else f"row {row:,} (index {label!r})"


def _is_number_like(column: pd.Series[Any]) -> bool:
    if pd.api.types.is_object_dtype(column.dtype):
        return all(isinstance(value, _NUMBERS) for value in column)
    return _holds_numbers(column.dtype)


def _holds_numbers(dtype: Any) -> bool:
    kind = pd.api.types
    return kind.is_bool_dtype(dtype) or (kind.is_numeric_dtype(dtype) and not kind.is_complex_dtype(dtype))
