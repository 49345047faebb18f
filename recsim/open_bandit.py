"""The Open Bandit Dataset: real clicks on a fashion shop's front page with the propensities that were in force.

A folder `<policy>/<campaign>/` holds `<campaign>.csv`, one row per shown item, and `item_context.csv`; policies are
`random` and `bts` (Bernoulli Thompson sampling), campaigns `all`, `men` and `women`. Every row is one position of an
impression; the rows of an impression are not kept together, so that rows are evaluated as single actions.

Source: Saito et al. 2021, "Open Bandit Dataset and Pipeline: towards realistic and reproducible off-policy evaluation".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.paths import absent

USER_FEATURES = tuple(f"user_feature_{i}" for i in range(4))
COLUMNS: dict[str, Any] = {
    "reward": "click",
    "action": "item_id",
    "position": "position",
    "propensity": "propensity_score",
    "time": "timestamp",
    "context": list(USER_FEATURES),
}  # of `recsim.ope.evaluate` on what `read_open_bandit` returns

_REQUIRED = ("timestamp", "item_id", "position", "click", "propensity_score", *USER_FEATURES)
_N_POSITIONS = 3
_HEADER = 2  # rows count from 0, lines of a file from 1 and the first one holds the names


def read_open_bandit(folder: str | Path, policy: str = "bts", campaign: str = "women") -> pd.DataFrame:
    """The checked log of one policy and campaign, one row per shown item, in the order of the file.

    Args:
        folder: that which holds the policies' folders.
        policy: `random` or `bts`.
        campaign: `all`, `men` or `women`.

    Returns:
        The file's columns: `timestamp` as datetimes (UTC), `item_id`, `position` (1 to 3: left, centre, right) and
        `click` (0 or 1) as int64, `propensity_score`, the probability of the item at that position, as float64, four
        `user_feature_*` as text, and `user-item_affinity_*` as float64 where the file has them.

    Raises:
        FileNotFoundError: if there is no such file; the message says what there is.
        ValueError: if a column is missing or a value cannot be; the message names file, line and column.
    """
    path = _place(folder, policy, campaign) / f"{campaign}.csv"
    table = _read(path, _REQUIRED)
    affinities = [name for name in table.columns if name.startswith("user-item_affinity_")]
    items = read_item_context(folder, policy, campaign)["item_id"]
    checked: dict[str, Any] = {"timestamp": _times(table, path)}
    for name in ("item_id", "position", "click"):
        checked[name] = _whole(table, name, path)
    checked["propensity_score"] = _numbers(table, "propensity_score", path)
    for name in USER_FEATURES:
        checked[name] = _text(table, name, path)
    for name in affinities:
        checked[name] = _numbers(table, name, path)
    _refuse(
        ~np.isin(checked["item_id"], items), checked["item_id"], "item_id", path, "no item of item_context.csv; add it"
    )
    _refuse(
        (checked["position"] < 1) | (checked["position"] > _N_POSITIONS),
        checked["position"],
        "position",
        path,
        f"no position; they are 1 to {_N_POSITIONS}. Correct or drop the line",
    )
    _refuse(
        ~np.isin(checked["click"], (0, 1)), checked["click"], "click", path, "neither 0 nor 1. Correct or drop the line"
    )
    propensity = checked["propensity_score"]
    _refuse(
        ~((propensity > 0) & (propensity <= 1)),
        propensity,
        "propensity_score",
        path,
        "no probability that a shown item can have had; it must be above 0 and at most 1. Drop the line or write the "
        "propensity that was in force",
    )
    return pd.DataFrame(checked)


def read_item_context(folder: str | Path, policy: str = "bts", campaign: str = "women") -> pd.DataFrame:
    """The items of a campaign: `item_id` int64, `item_feature_0` float64, three more `item_feature_*` as text.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a column is missing, a value cannot be or an item stands there twice.
    """
    path = _place(folder, policy, campaign) / "item_context.csv"
    features = tuple(f"item_feature_{i}" for i in range(4))
    table = _read(path, ("item_id", *features))
    checked: dict[str, Any] = {"item_id": _whole(table, "item_id", path)}
    checked[features[0]] = _numbers(table, features[0], path)
    for name in features[1:]:
        checked[name] = _text(table, name, path)
    items = pd.DataFrame(checked)
    twice = items["item_id"].duplicated().to_numpy()
    _refuse(twice, checked["item_id"], "item_id", path, "there a second time. Keep one line per item")
    return items


def _place(folder: str | Path, policy: str, campaign: str) -> Path:
    place = Path(folder) / policy / campaign
    if not place.is_dir():
        found = sorted(str(path.parent.relative_to(folder)) for path in Path(folder).glob("*/*/item_context.csv"))
        raise FileNotFoundError(
            f"there is no folder {place}; {folder} holds {', '.join(found) or 'no log of the Open Bandit Dataset'}. "
            "Pass the folder that holds random/ and bts/."
        )
    return place


def _read(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(absent("file", path, "copy the data set's folder whole"))
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is no table of comma-separated values ({str(error).strip()}). Copy it again."
        ) from error
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]!r}; it needs {', '.join(required)}. Copy it again.")
    if table.empty:
        raise ValueError(f"{path} has no rows; an evaluation needs at least one. Copy it again.")
    return table


def _numbers(table: pd.DataFrame, name: str, path: Path) -> NDArray[np.float64]:
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
    shown = table[name].to_numpy(object)
    _refuse(~np.isfinite(values), shown, name, path, "no finite number. Correct or drop the line")
    return values


def _whole(table: pd.DataFrame, name: str, path: Path) -> NDArray[np.int64]:
    values = _numbers(table, name, path)
    _refuse(values != np.round(values), values, name, path, "no whole number. Correct or drop the line")
    return values.astype(np.int64)


def _times(table: pd.DataFrame, path: Path) -> pd.Series[Any]:
    times = pd.to_datetime(table["timestamp"], errors="coerce", utc=True, format="ISO8601")
    shown = table["timestamp"].to_numpy(object)
    _refuse(times.isna().to_numpy(), shown, "timestamp", path, "no date and time. Correct or drop the line")
    return times


def _text(table: pd.DataFrame, name: str, path: Path) -> pd.Series[Any]:
    column = table[name]
    _refuse(column.isna().to_numpy(), column.to_numpy(object), name, path, "missing. Fill or drop the line")
    return column.astype(str)


def _refuse(wrong: NDArray[np.bool_], values: NDArray[Any], name: str, path: Path, why: str) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        row = int(rows[0])
        raise ValueError(f"line {row + _HEADER:,} of {path}: {name} is {values[row]}, which is {why}.")
