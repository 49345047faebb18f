"""Checks of a catalogue's table: every rule has a message that names the row and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

TEXT_COLUMNS = ("item_id", "title", "text", "category", "created")
NEVER_EMPTY = ("item_id", "category")
REQUIRED_COLUMNS = ("item_id", "title", "text", "category", "price")
TABLE_COLUMNS = (*TEXT_COLUMNS[:4], "price", "created", "popularity")
FINDING_COLUMNS = ("item_id", "what", "found", "done")
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def check_table(table: pd.DataFrame) -> pd.DataFrame:
    """A copy of the table with plain row numbers, checked columns in a fixed order, and defaults filled in.

    Args:
        table: as in `recsim.catalog.Catalog`.

    Returns:
        The columns of `TABLE_COLUMNS` first, then all others as they came.
    """
    if len(table) == 0:
        raise ValueError("the catalogue's table is empty: it needs at least one item.")
    missing = [name for name in REQUIRED_COLUMNS if name not in table.columns]
    if missing:
        raise ValueError(
            f"the catalogue's table has no column {missing[0]!r} (columns: {', '.join(map(str, table.columns))}): "
            f"it needs {', '.join(REQUIRED_COLUMNS)}."
        )
    checked = table.reset_index(drop=True)
    if "created" not in checked.columns:
        checked["created"] = ""
    if "popularity" not in checked.columns:
        checked["popularity"] = 1.0
    for name in (*TABLE_COLUMNS, "image"):
        if name in checked.columns:
            checked[name] = check_column(checked[name], name)
    others = [name for name in checked.columns if name not in TABLE_COLUMNS]
    return checked[[*TABLE_COLUMNS, *others]]


def check_column(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    """A checked copy of one of `TABLE_COLUMNS`, or of ``image``.

    Raises:
        ValueError: naming the first row that is wrong, and the remedy.
    """
    if name == "price":
        return pd.Series(_price(column))
    if name == "popularity":
        return pd.Series(_popularity(column))
    text = _text(column, name)
    if name == "item_id":
        _check_unique(text)
    if name == "created":
        _check_dates(text)
    return text


def findings_table(findings: Iterable[tuple[str, str, str, str]]) -> pd.DataFrame:
    """The table of findings that are given as (item_id, what, found, done); all its columns are text."""
    return pd.DataFrame(list(findings), columns=list(FINDING_COLUMNS), dtype="str")


def check_findings(findings: pd.DataFrame | None) -> pd.DataFrame:
    """A copy of a table of findings: ``item_id`` ("" for all items), ``what`` (the kind), ``found`` and ``done``.

    Raises:
        ValueError: if a column is missing or holds something else than text.
    """
    if findings is None:
        return findings_table(())
    missing = [name for name in FINDING_COLUMNS if name not in findings.columns]
    if missing:
        raise ValueError(f"the table of findings has no column {missing[0]!r}: it needs {', '.join(FINDING_COLUMNS)}.")
    plain = findings.reset_index(drop=True)
    return pd.DataFrame({name: _text(plain[name], f"findings: {name}") for name in FINDING_COLUMNS})


def check_images(table: pd.DataFrame, image_dir: Path) -> None:
    """Raises unless every file that column ``image`` names lies inside the folder."""
    if "image" not in table.columns:
        raise ValueError(
            f"images are said to be in {image_dir}, but the table has no column 'image': "
            "add one with a file name for each item, empty where there is none."
        )
    lost: list[int] = []
    for row, file_name in enumerate(table["image"].to_list()):
        if not file_name:
            continue
        path = Path(file_name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(
                f"image of row {row} is {file_name!r}, which leads out of {image_dir}: "
                "use file names relative to that folder."
            )
        if not (image_dir / path).is_file():
            lost.append(row)
    if lost:
        raise FileNotFoundError(
            f"image of row {lost[0]}, {table['image'].iloc[lost[0]]!r}, is not in {image_dir} "
            f"({len(lost)} images are missing): add the file, or leave the name empty for an item without an image."
        )


def _text(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    known = isinstance(column.dtype, pd.StringDtype)  # then what is no text is missing
    broken = column.isna() if known else column.map(lambda value: not isinstance(value, str)).astype(bool)
    if broken.any():
        row = int(broken.argmax())
        raise ValueError(
            f"{name} of row {row} is {column.to_numpy(dtype=object)[row]!r}, not text: "
            f"convert the column with .astype(str), and fill what is missing{_filler(name)}."
        )
    text = column.astype("str")
    if name in NEVER_EMPTY and (blank := text.str.strip() == "").any():
        raise ValueError(f"{name} of row {blank.argmax()} is empty: every item needs one.")
    return text


def _filler(name: str) -> str:
    return "" if name in NEVER_EMPTY else " with ''"


def _check_unique(item_id: pd.Series[str]) -> None:
    repeated = item_id[item_id.duplicated(keep=False)]
    if len(repeated):
        value = repeated.iloc[0]
        rows = repeated.index[repeated == value]
        raise ValueError(
            f"item_id {value!r} stands in rows {', '.join(map(str, rows[:5]))} ({repeated.nunique()} ids are "
            "repeated): keep one row for each item."
        )


def _check_dates(created: pd.Series[str]) -> None:
    for value in created.unique():
        if value and not _is_date(value):
            row = int((created == value).argmax())
            raise ValueError(f"created of row {row} is {value!r}: write a date as 2024-05-31, or leave it empty.")


def _is_date(value: str) -> bool:
    if not ISO_DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _numbers(column: pd.Series[Any], name: str) -> npt.NDArray[np.float64]:
    try:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {name} of the catalogue's table does not hold numbers ({error}).") from error
    _refuse(~np.isfinite(values), values, name, "is not a finite number: fill it or drop the item")
    return values


def _price(column: pd.Series) -> npt.NDArray[np.float64]:
    values = _numbers(column, "price")
    _refuse(values < 0, values, "price", "is negative: prices are 0 or more")
    return values


def _popularity(column: pd.Series) -> npt.NDArray[np.float64]:
    values = _numbers(column, "popularity")
    _refuse(
        values <= 0, values, "popularity", "is not above 0: an item nobody can meet has no novelty; add a small number"
    )
    total = values.sum()
    return values if abs(total - 1.0) < 1e-9 else values / total


def _refuse(wrong: npt.NDArray[np.bool_], values: npt.NDArray[np.float64], name: str, why: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise ValueError(f"{name} of row {rows[0]} is {values[rows[0]]} ({len(rows)} such rows), which {why}.")
