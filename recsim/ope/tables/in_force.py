"""What a table says of what was in force beside the propensities of what was logged: of all actions, by all loggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.ope.loggers import balanced_log_prob, own_log_prob
from recsim.ope.tables.calibration import of_logged
from recsim.ope.tables.columns import label_column, place_of, probability_column, refuse_rows
from recsim.ope.tables.named_columns import Named
from recsim.ope.tables.targets import SUM_ROUNDING

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Loggers:
    """The policies that wrote a table.

    Attributes:
        names: their labels in sorted order.
        code: (n,) int64, who wrote each row.
        log_prob_by: (n, l) float64, log-propensities of the logged action under every logger.
    """

    names: tuple[Any, ...]
    code: Integers
    log_prob_by: Floats

    @classmethod
    def of(cls, table: pd.DataFrame, named: Named) -> Loggers:
        """The columns `logger` and `propensity_by` of a table.

        Raises:
            ValueError: if a logger has no column of propensities, or its own row no propensity above 0.
            TypeError: if a column does not hold what it is named as.
        """
        assert named.logger
        code, labels = label_column(table, named.logger, "logger")
        columns = _columns_of(table, named.logger, "logger", code, labels, named.propensity_by)
        parts = []
        for number, (label, column) in enumerate(zip(labels, columns, strict=True)):
            role = f"propensity by {label!r}"
            values = probability_column(table, column, role, never=True)
            wrong = (code == number) & (values == 0)
            why = "a logged action cannot have had probability 0. Drop the row or pass the propensities in force."
            refuse_rows(table, wrong, values, column, role, why)
            parts.append(values)
        with np.errstate(divide="ignore"):
            return cls(tuple(labels), code, np.log(np.stack(parts, axis=1)))

    def ordered(self, order: Integers) -> Loggers:
        """The same with the table's rows in this order."""
        return replace(self, code=self.code[order], log_prob_by=self.log_prob_by[order])

    @property
    def keys(self) -> list[NDArray[Any]]:
        """What tells rows apart that are else the same, to sort by."""
        return [*self.log_prob_by.T, self.code]

    @property
    def balanced(self) -> Floats:
        """(n,) propensities under the mixture of the loggers, as it wrote the log."""
        return np.exp(balanced_log_prob(self.log_prob_by, self.code))

    @property
    def own(self) -> Floats:
        """(n,) log-propensities under the logger that wrote the row."""
        return own_log_prob(self.log_prob_by, self.code)

    @property
    def sentence(self) -> str:
        """Which propensities are used."""
        share = np.bincount(self.code, minlength=len(self.names)) / len(self.code)
        wrote = ", ".join(f"{name!r} {part:.0%}" for name, part in zip(self.names, share, strict=True))
        return (
            f"the rows were written by several policies ({wrote}): propensities are those of this mixture (balanced); "
            "only the estimator `weighted` weighs each row by the policy that wrote it."
        )


def known_table(table: pd.DataFrame, named: Named) -> tuple[Floats, Integers, list[Any]]:
    """The probabilities (n, m) of all actions under the policy in force, the logged actions (n,), and all labels (m,).

    Raises:
        ValueError: if an action has no column, a row is no distribution, or `propensity` says something else.
        TypeError: if a column does not hold probabilities.
    """
    assert named.action
    code, labels = label_column(table, named.action, "action")
    _columns_of(table, named.action, "action", code, labels, named.propensities)
    try:
        actions = sorted(named.propensities)
    except TypeError as error:
        raise TypeError(
            f"columns['propensities'] names actions that cannot be put in order ({error}); write all of them alike."
        ) from error
    columns = [named.propensities[label] for label in actions]
    place = {label: number for number, label in enumerate(actions)}
    action = np.array([place[label] for label in labels], np.int64)[code]
    parts = [
        probability_column(table, column, f"propensity of {label!r}", never=True)
        for label, column in zip(actions, columns, strict=True)
    ]
    found = np.stack(parts, axis=1)
    _refuse_sums(table, found.sum(axis=1))
    logged = of_logged(found, action)
    wrong = logged == 0
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{place_of(table, row)}: column {columns[action[row]]!r} (propensity of {actions[action[row]]!r}) is 0; a "
            "logged action cannot have had probability 0. Drop the row or pass the propensities that were in force."
        )
    if named.propensity:
        values = probability_column(table, named.propensity, "propensity", never=False)
        wrong = np.abs(values - logged) > SUM_ROUNDING
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"{place_of(table, row)}: column {named.propensity!r} (propensity) is {values[row]:g}, but column "
                f"{columns[action[row]]!r} says {logged[row]:g} of the logged action {actions[action[row]]!r}; both "
                "are the probability of one choice. Correct one, or name only one of them."
            )
    return found, action, actions


def logged_propensities(
    table: pd.DataFrame, named: Named, known: Floats | None, action: Integers, loggers: Loggers | None
) -> Floats | None:
    """(n,) propensities of the logged actions; None where they are to be estimated.

    Raises:
        ValueError: if a value cannot be, or there is nothing to estimate them from.
        TypeError: if the column does not hold probabilities.
    """
    if loggers is not None:
        return loggers.balanced
    if named.propensity:
        return probability_column(table, named.propensity, "propensity", never=False)
    if known is not None:
        return of_logged(known, action)
    if not named.action:
        raise ValueError(
            "columns names no `propensity` and no `action` to estimate it from; name the column with the "
            "probability of the logged action, or that of the action itself."
        )
    return None


def groups_of_actions(table: pd.DataFrame, column: str, action: Integers, actions: Sequence[Any]) -> Integers:
    """(m,) the group of every action, from 0 up in the order of the column's values; -1 where it was never logged.

    Raises:
        ValueError: if an action has two groups.
        TypeError: if the column's values cannot be told apart.
    """
    group, labels = label_column(table, column, "group")
    seen, first = np.unique(action, return_index=True)
    of_action = np.full(len(actions), -1)
    of_action[seen] = group[first]
    other = group != of_action[action]
    if other.any():
        row = int(other.argmax())
        before = int((action == action[row]).argmax())
        raise ValueError(
            f"{place_of(table, row)}: column {column!r} (group) is {labels[group[row]]!r}, but action "
            f"{actions[action[row]]!r} has {labels[of_action[action[row]]]!r} in row {before:,}; every action "
            "has one group. Correct the column."
        )
    return of_action


def _columns_of(
    table: pd.DataFrame, name: str, role: str, code: Integers, labels: Sequence[Any], columns: Mapping[Any, str]
) -> list[str]:
    """The columns that a mapping names for the values `labels` of the column `name`."""
    for number, label in enumerate(labels):
        if label not in columns:
            row = int((code == number).argmax())
            key = "propensity_by" if role == "logger" else "propensities"
            raise ValueError(
                f"{place_of(table, row)}: column {name!r} ({role}) is {label!r}, of which columns[{key!r}] names no "
                f"column; it knows {', '.join(repr(known) for known in list(columns)[:12])}. Name it, too."
            )
    return [columns[label] for label in labels]


def _refuse_sums(table: pd.DataFrame, total: Floats) -> None:
    wrong = np.abs(total - 1) > SUM_ROUNDING
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{place_of(table, row)}: the columns of columns['propensities'] add up to {total[row]:.6g}; over all "
            "actions they must add up to 1. Name the columns of actions that were never logged, too."
        )
