"""Long tables of slates, one row per slate and position, in any order of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count as count_from

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.ope.evaluation.inputs import Inputs
from recsim.ope.tables.arrays import NO_SESSION, Table, log_targets
from recsim.ope.tables.columns import label_column, number_column, place_of, probability_column, refuse_rows
from recsim.ope.tables.named_columns import Named, groups_of, objectives_of
from recsim.ope.tables.targets import Policies, targets_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

STEPWISE = ("sips", "rips", "snsips", "snrips")
JOINT = ("sips", "snsips")


def slates_of(table: pd.DataFrame, named: Named, policy: Policies, weights: Mapping[str, float] | None) -> Table:
    """The arrays of a table with one row per slate and position; arguments as in `recsim.ope.evaluate_table`.

    With `joint` in place of step-wise propensities the probabilities, the policies' too, are those of whole slates,
    repeated at every position; then only estimators that weight whole slates are available.

    Raises:
        ValueError: if a slate lacks a position or has one twice, or a value cannot be.
        TypeError: if a column does not hold what it is named as.
    """
    column, role = _propensity(named)
    objectives, factors, reward = objectives_of(table, named, weights)
    if named.action:
        label_column(table, named.action, "action")
    slate, _ = groups_of(table, named.slate, "slate")
    rows = _placed(table, named, slate)  # (n, k)
    session = groups_of(table, named.session, "session")[0] if named.session else slate
    time = groups_of(table, named.time, "time")[0] if named.time else slate
    for codes, names in ((session, named.session), (time, named.time)):
        _refuse_varying(table, rows, codes, names, "the session and time of a slate are the same at all its positions")
    first = rows[:, 0]
    rows = rows[np.lexsort([slate[first], time[first], session[first]])]
    logged = probability_column(table, column, role, never=False)
    probability = {name: target.probability for name, target in targets_of(policy, table).items()}
    if named.joint:
        _refuse_varying(table, rows, logged, (column,), "the probability of a slate is the same at all its positions")
        logged = _first_only(logged, rows)
        for name, values in probability.items():
            _refuse_varying(table, rows, values, (name,), "the probability of a slate is the same at all its positions")
            probability[name] = _first_only(values, rows)
    _, cluster = np.unique(session[rows[:, 0]], return_inverse=True)
    if not named.session:
        cluster = np.arange(len(rows))
    log_propensity = np.log(logged[rows])
    inputs = Inputs(
        objectives=objectives,
        weights=factors,
        reward=reward[rows],
        logged=log_propensity,
        cluster=cluster.astype(np.int64),
        n_clusters=int(cluster.max()) + 1,
        order=np.arange(len(rows)),
        estimated=False,
    )
    return Table(
        inputs=inputs,
        targets=log_targets(table, {name: p[rows] for name, p in probability.items()}, rows, log_propensity),
        estimators=JOINT if named.joint else STEPWISE,
        notes=() if named.session else (NO_SESSION,),
    )


def _propensity(named: Named) -> tuple[str, str]:
    if named.propensity and named.joint:
        raise ValueError("columns names both `propensity` and `joint`; keep `propensity` if it is given those above.")
    if named.joint:
        return named.joint, "joint"
    if named.propensity:
        return named.propensity, "propensity"
    raise ValueError(
        "columns names neither `propensity` (of an item given those above) nor `joint` (of the slate); theirs "
        "are not estimated, and slates cannot be evaluated without. Name the column."
    )


def _placed(table: pd.DataFrame, named: Named, slate: Integers) -> Integers:
    """(n, k) the table's row of every slate and position."""
    if not named.position:
        raise ValueError("columns names a `slate` but no `position`; name the column that says where an item stood.")
    name = named.position
    position = number_column(table, name, "position")
    wrong = position != np.round(position)
    refuse_rows(table, wrong, position, name, "position", "positions are whole numbers. Number them from the top.")
    start, last = position.min(), position.max()
    if start not in (0, 1):
        row = int(position.argmin())
        raise ValueError(
            f"{place_of(table, row)}: column {name!r} (position) is {start:g}, and none is smaller; positions start at "
            "0 or 1. Keep every position from the top down."
        )
    order = np.lexsort([position, slate])
    same = (np.diff(slate[order]) == 0) & (np.diff(position[order]) == 0)
    if same.any():
        one, two = sorted(int(row) for row in order[int(same.argmax()) : int(same.argmax()) + 2])
        raise ValueError(
            f"{place_of(table, two)}: slate {_label(table, named, two)} has position {position[two]:g} a second time, "
            f"first in row {one:,}; keep one row per slate and position."
        )
    size, count = int(last - start) + 1, np.bincount(slate)
    if (count != size).any():
        short = int((count != size).argmax())
        own = np.flatnonzero(slate == short)
        there = {int(value) for value in position[own]}
        lost = next(number for number in count_from(int(start)) if number not in there)
        raise ValueError(
            f"{place_of(table, int(own[0]))}: slate {_label(table, named, int(own[0]))} has no position {lost}, as "
            f"others have; add the missing row. Where a slate was shown shorter, give the rows below it reward 0 and "
            "probability 1 under all policies."
        )
    placed: Integers = order.reshape(-1, size)
    return placed


def _label(table: pd.DataFrame, named: Named, row: int) -> str:
    return ", ".join(repr(table[name].tolist()[row]) for name in named.slate)


def _refuse_varying(
    table: pd.DataFrame, rows: Integers, values: Floats | Integers, names: tuple[str, ...], why: str
) -> None:
    by_slate = values[rows]
    other = by_slate != by_slate[:, :1]
    if names and other.any():
        slate, position = (int(i) for i in np.argwhere(other)[0])
        row, first = int(rows[slate, position]), int(rows[slate, 0])
        raise ValueError(
            f"{place_of(table, row)}: {', '.join(names)} differs from row {first:,} of the same slate; {why}. "
            "Correct it."
        )


def _first_only(probability: Floats, rows: Integers) -> Floats:
    """The probability of a slate at its first position, and 1 below: their product is that of the slate."""
    out = np.ones(len(probability))
    out[rows[:, 0]] = probability[rows[:, 0]]
    return out
