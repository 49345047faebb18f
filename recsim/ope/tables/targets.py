"""Policies to evaluate on a table, in the forms in which people have them: columns, arrays, shares, functions."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.ope.tables.columns import place_of, probability_column

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SUM_ROUNDING = 1e-6  # probabilities written with 6 digits may add up to so much more or less than 1


@dataclass(frozen=True, eq=False)
class Target:
    """One policy on a table.

    Attributes:
        probability: (n,) float64, of the logged action.
        table: (n, m) float64, of every action of the log in sorted order, read-only where it is the same for every
            row; None where only those of the logged actions are known.
        elsewhere: mean probability of actions that were never logged; 0 where these are not known.
    """

    probability: Floats
    table: Floats | None = None
    elsewhere: float = 0.0

    def ordered(self, order: Integers) -> Target:
        """The same with the table's rows in this order."""
        table = self.table
        if table is not None and table.strides[0] != 0:  # else all rows are one
            table = table[order]
        return Target(self.probability[order], table, self.elsewhere)


def targets_of(
    policy: Any, table: pd.DataFrame, action: Integers | None = None, actions: list[Any] | None = None
) -> dict[str, Target]:
    """The policies of `recsim.ope.evaluate` on a table, by name.

    Args:
        policy: the name of a column with the probability of the logged action (or of a slate's item, given those
            above); a number or an (n,) array, the same for every row or row by row; an (n, m) array of the
            probabilities of all actions in sorted order, or a DataFrame with actions as column labels; a mapping from
            action to probability; a function of the table that gives any of these; or several policies, as a
            dictionary of names and one of these each.
        table: the logged rows.
        action: (n,) int64, the number of each row's action.
        actions: labels of the actions, in their sorted order.

    Raises:
        ValueError: if a probability is none, a row's do not add up to 1 or a length differs.
        TypeError: if a policy has no such form.
    """
    if isinstance(policy, Mapping) and not _is_shares(policy, actions):
        if not policy:
            raise ValueError("no policies were given; pass at least one policy to evaluate.")
        return {str(name): _Reader(str(name), table, action, actions).read(one) for name, one in policy.items()}
    name = policy if isinstance(policy, str) else getattr(policy, "__name__", "target")
    name = "target" if name == "<lambda>" else name
    return {name: _Reader(name, table, action, actions).read(policy)}


def _is_shares(policy: Mapping[Any, Any], actions: list[Any] | None) -> bool:
    """Whether a mapping gives actions their probabilities; else its keys are names of policies."""
    if not actions or not all(_is_number(value) for value in policy.values()):
        return False
    return any(key in policy for key in actions)


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads one policy."""

    name: str
    table: pd.DataFrame
    action: Integers | None
    actions: list[Any] | None

    def read(self, policy: Any) -> Target:
        if callable(policy) and not isinstance(policy, type):
            policy = policy(self.table)
        if isinstance(policy, str):
            return Target(probability_column(self.table, policy, "policy", never=True))
        if _is_number(policy):
            return self._constant(float(policy))
        if isinstance(policy, Mapping):
            return self._shares(policy)
        if isinstance(policy, pd.DataFrame):
            return self._frame(policy)
        if isinstance(policy, (pd.Series, pd.Index, np.ndarray, list, tuple)):
            return self._array(policy)
        raise TypeError(
            f"policy {self.name!r} is given as {type(policy).__name__}; pass the name of a column, a number, an array, "
            "a mapping from action to probability or a function of the table that gives one of these."
        )

    def _constant(self, value: float) -> Target:
        if not 0 <= value <= 1:
            raise ValueError(f"policy {self.name!r} is {value}; a probability is between 0 and 1. Correct it.")
        n, m = len(self.table), len(self.actions or ())
        whole = abs(value * m - 1) < SUM_ROUNDING  # then it is the uniform policy over the log's actions
        return Target(np.full(n, value), np.broadcast_to(value, (n, m)) if whole else None)

    def _array(self, policy: Any) -> Target:
        if isinstance(policy, pd.Series):
            self._refuse_reordered(policy.index)
        values = self._numbers(policy)
        n, m = len(self.table), len(self.actions or ())
        if values.shape == (n,):
            self._refuse_wrong(values[:, None], [""])
            return Target(values)
        if values.shape != (n, m) or self.actions is None:
            wanted = f"({n:,},) or ({n:,}, {m:,})" if self.actions is not None else f"({n:,},)"
            raise ValueError(
                f"policy {self.name!r} has shape {values.shape}; for this table it must be {wanted}: the probability "
                "of each row's logged action, or of every action that is named as `action`, in sorted order."
            )
        self._refuse_wrong(values, self.actions)
        self._refuse_sums(values.sum(axis=1))
        return Target(self._of_logged(values), values)

    def _frame(self, policy: pd.DataFrame) -> Target:
        if len(policy) != len(self.table):
            raise ValueError(
                f"policy {self.name!r} has {len(policy):,} rows for a table of {len(self.table):,}; it needs one "
                "for each."
            )
        if not policy.columns.is_unique:
            raise ValueError(f"policy {self.name!r} has two columns for one action; keep one column per action.")
        self._refuse_reordered(policy.index)
        return self._by_label(self._numbers(policy), list(policy.columns))

    def _shares(self, policy: Mapping[Any, Any]) -> Target:
        if not policy or not all(_is_number(value) for value in policy.values()):
            raise TypeError(f"policy {self.name!r} is a mapping, but not from actions to probabilities; pass numbers.")
        return self._by_label(np.array([list(policy.values())], np.float64), list(policy))

    def _by_label(self, values: Floats, labels: list[Any]) -> Target:
        """Of probabilities (n, m') of actions, or (1, m') the same for every row."""
        if self.actions is None:
            raise ValueError(
                f"policy {self.name!r} gives probabilities of actions, but no column is named as `action`; name it."
            )
        self._refuse_wrong(values, labels)
        self._refuse_sums(values.sum(axis=1))
        place = {label: number for number, label in enumerate(labels)}
        known = [number for number, label in enumerate(self.actions) if label in place]
        if not known:
            raise ValueError(
                f"policy {self.name!r} is about actions such as {labels[0]!r}, the log about such as "
                f"{self.actions[0]!r}; they have none in common. Write them alike."
            )
        own = [place[self.actions[number]] for number in known]
        table = np.zeros((len(values), len(self.actions)))
        table[:, known] = values[:, own]
        elsewhere = float(np.delete(values, own, axis=1).sum(axis=1).mean())
        table = np.broadcast_to(table, (len(self.table), len(self.actions)))
        return Target(self._of_logged(table), table, elsewhere)

    def _numbers(self, policy: Any) -> Floats:
        try:
            array = np.asarray(policy)
            if array.dtype.kind == "O":
                array = np.asarray(policy, np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"policy {self.name!r} holds something that is no number ({error}); pass probabilities."
            ) from error
        if array.dtype.kind not in "biuf":
            raise TypeError(f"policy {self.name!r} holds {array.dtype}; pass probabilities as numbers.")
        return array.astype(np.float64)

    def _refuse_wrong(self, values: Floats, labels: list[Any]) -> None:
        wrong = ~((values >= 0) & (values <= 1))
        if wrong.any():
            row, column = (int(i) for i in np.argwhere(wrong)[0])
            action = f", action {labels[column]!r}" if len(labels) > 1 else ""
            raise ValueError(
                f"{place_of(self.table, row)}{action}: policy {self.name!r} gives {values[row, column]}; a probability "
                "is between 0 and 1. Correct the policy."
            )

    def _refuse_sums(self, total: Floats) -> None:
        wrong = np.abs(total - 1) > SUM_ROUNDING
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"{place_of(self.table, row)}: the probabilities of policy {self.name!r} add up to {total[row]:.6g}; "
                "over all its actions they must add up to 1. Actions that were never logged can be named in a "
                "DataFrame's columns or a mapping's keys."
            )

    def _refuse_reordered(self, index: pd.Index[Any]) -> None:
        """An index with the table's labels in another order would be misread row by row."""
        own = self.table.index
        if len(index) == len(own) and not index.equals(own) and own.is_unique and set(index) == set(own):
            raise ValueError(
                f"policy {self.name!r} has the table's index in another order; pass policy.reindex(table.index), or "
                ".to_numpy() to take it row by row."
            )

    def _of_logged(self, values: Floats) -> Floats:
        assert self.action is not None
        picked: Floats = values[np.arange(len(values)), self.action]
        return picked


def _is_number(value: Any) -> bool:
    return isinstance(value, (numbers.Real, np.bool_)) and not isinstance(value, (bool, np.bool_))


Policies = str | float | Mapping[Any, Any] | Callable[[pd.DataFrame], Any] | NDArray[Any] | pd.DataFrame | pd.Series
