"""What the columns of a table mean: the mapping `columns` of `recsim.ope.evaluate`, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.ope.checks import LARGEST_REWARD
from recsim.ope.evaluation.inputs import TOTAL, with_total
from recsim.ope.tables.columns import label_column, number_column, number_of_groups, refuse_rows
from recsim.spelling import did_you_mean

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

KEYS = (
    *("reward", "propensity", "joint", "action", "position", "slate", "session", "time", "context"),
    *("propensities", "group", "logger", "propensity_by"),
)
OF_ACTIONS = ("propensities", "group", "logger", "propensity_by")  # not of slates


@dataclass(frozen=True)
class Named:
    """The columns of a table by what they mean; names of columns, None or empty where there is none.

    Attributes:
        rewards: by objective.
        propensity: probability of the row's action under the policy that was in force; in slates, given those above.
        joint: the same of a whole slate.
        action: the action, or the item at a position.
        position: where it stood.
        slate: the slate, one or several columns.
        session: what is independent of the rest, one or several columns.
        time: the order of rows within a session.
        context: what was known before the choice; None where no model of it is wanted.
        propensities: by action, its probability in every row under the policy that was in force.
        group: the group of the row's action.
        logger: which of several policies wrote the row.
        propensity_by: by logger, its probability of the row's action.
    """

    rewards: dict[str, str]
    propensity: str | None
    joint: str | None
    action: str | None
    position: str | None
    slate: tuple[str, ...]
    session: tuple[str, ...]
    time: tuple[str, ...]
    context: tuple[str, ...] | None
    propensities: dict[Any, str]
    group: str | None
    logger: str | None
    propensity_by: dict[Any, str]

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Named:
        """Read the mapping.

        Raises:
            ValueError: if a key is unknown, one that is needed is missing or two contradict each other.
            TypeError: if `columns` is no mapping, or a name is none.
        """
        given = _keys(columns)
        if "reward" not in given:
            raise ValueError("columns names no `reward`; name the column with what the action earned.")
        context = given.get("context")
        _refuse_contradictions(given)
        return cls(
            rewards=_rewards(given["reward"]),
            propensity=_one(given, "propensity"),
            joint=_one(given, "joint"),
            action=_one(given, "action"),
            position=_one(given, "position"),
            slate=_several("slate", given.get("slate", ())),
            session=_several("session", given.get("session", ())),
            time=_several("time", given.get("time", ())),
            context=None if context is None else _several("context", context),
            propensities=_by_label(given, "propensities", "action"),
            group=_one(given, "group"),
            logger=_one(given, "logger"),
            propensity_by=_by_label(given, "propensity_by", "logger"),
        )


def objectives_of(
    table: pd.DataFrame, named: Named, weights: Mapping[str, float] | None
) -> tuple[tuple[str, ...], tuple[float, ...], Floats]:
    """Names of the objectives with the total, weights without it, and the rewards with it: (n, o + 1).

    A single objective called `reward` is its own total and stands once.

    Raises:
        ValueError: if a weight or a reward cannot be.
        TypeError: if a reward is no number.
    """
    names = tuple(named.rewards)
    factors = _weights(names, weights)
    parts = []
    for column in named.rewards.values():
        values = number_column(table, column, "reward")
        wrong = np.abs(values) > LARGEST_REWARD
        refuse_rows(table, wrong, values, column, "reward", f"at most {LARGEST_REWARD:g} can be averaged. Rescale it.")
        parts.append(values)
    reward = np.stack(parts, axis=1)
    if names == (TOTAL,) and factors == (1.0,):
        return names, factors, reward
    if TOTAL in names:
        raise ValueError(
            f"an objective is called {TOTAL!r}, the name of the weighted sum; give it another name, "
            f"reward={{'value': {named.rewards[TOTAL]!r}}}."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        total = with_total(reward[:, None, :], factors)[:, 0]
    wrong = ~(np.abs(total[:, -1]) <= LARGEST_REWARD)
    column = " + ".join(named.rewards.values())
    refuse_rows(table, wrong, total[:, -1], column, "weighted sum", f"at most {LARGEST_REWARD:g} can be averaged.")
    return (*names, TOTAL), factors, total


def groups_of(table: pd.DataFrame, names: Sequence[str], role: str) -> tuple[Integers, int]:
    """The number (n,) of each row's group, in the order of the columns' values, and how many there are."""
    return number_of_groups([label_column(table, name, role)[0] for name in names])


def _keys(columns: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns is {type(columns).__name__}; pass a dictionary such as {{'reward': 'click', ...}}.")
    given = {("action" if key == "item" else key): value for key, value in columns.items() if value is not None}
    for key in given:
        if key not in KEYS:
            raise ValueError(f"columns has no meaning {key!r}; {did_you_mean(key, KEYS)}")
    if "action" in columns and "item" in columns:
        raise ValueError("columns names both `action` and `item`, which mean the same; keep one.")
    return given


def _refuse_contradictions(given: Mapping[str, Any]) -> None:
    for key in OF_ACTIONS:
        if key in given and "slate" in given:
            raise ValueError(f"columns names `{key}`, which is of single actions, and `slate`; leave out one of them.")
    for key in ("propensities", "group"):
        if key in given and "action" not in given:
            raise ValueError(f"columns names `{key}`, which is of actions, but no `action`; name it.")
    if ("logger" in given) != ("propensity_by" in given):
        one, other = ("logger", "propensity_by") if "logger" in given else ("propensity_by", "logger")
        raise ValueError(
            f"columns names `{one}` but no `{other}`; name both: who wrote each row, and by logger the column with its "
            "probability of the logged action."
        )
    for key in ("propensity", "propensities"):
        if key in given and "logger" in given:
            raise ValueError(
                f"columns names both `{key}` and `propensity_by`, of one policy and of several; keep one of them."
            )


def _by_label(given: Mapping[str, Any], key: str, what: str) -> dict[Any, str]:
    value = given.get(key, {})
    if not isinstance(value, Mapping) or not all(isinstance(column, str) and column for column in value.values()):
        raise TypeError(f"columns[{key!r}] is {value!r}; it must be a dictionary from {what} to the name of a column.")
    if key in given and not value:
        raise ValueError(f"columns[{key!r}] is empty; name a column for every {what}, or leave it out.")
    return dict(value)


def _one(given: Mapping[str, Any], key: str) -> str | None:
    value = given.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise TypeError(f"columns[{key!r}] is {value!r}; it must be the name of one column.")
    return value


def _several(key: str, value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"columns[{key!r}] is {value!r}; it must be the name of a column or a list of names.")
    if len(set(names)) < len(names):
        raise ValueError(f"columns[{key!r}] names a column twice: {', '.join(names)}; name each once.")
    return tuple(names)


def _rewards(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        named = {str(name): column for name, column in value.items()}
    else:
        named = {name: name for name in _several("reward", value)}
    if not named or not all(isinstance(column, str) for column in named.values()):
        raise TypeError(f"columns['reward'] is {value!r}; name a column, several, or a dictionary of objectives.")
    return named


def _weights(names: tuple[str, ...], weights: Mapping[str, float] | None) -> tuple[float, ...]:
    if weights is None:
        return (1.0,) * len(names)
    if not isinstance(weights, Mapping):
        raise TypeError(f"weights is {type(weights).__name__}; pass a dictionary of objectives and their weights.")
    for name in weights:
        if name not in names:
            raise ValueError(f"weights names {name!r}, which is no objective; they are {', '.join(names)}.")
    for name in names:
        if name not in weights:
            raise ValueError(f"weights has none for {name!r}; give every objective one (0 leaves it out of the sum).")
        if not np.isfinite(weights[name]):
            raise ValueError(f"the weight of {name!r} is {weights[name]}; every weight must be finite. Correct it.")
    return tuple(float(weights[name]) for name in names)
