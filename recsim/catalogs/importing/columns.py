"""Columns that can be read as a whole only: prices, dates, popularity and categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsim.catalogs.importing import dates
from recsim.catalogs.importing.categories import UNKNOWN, merged_spellings
from recsim.catalogs.importing.findings import Findings, quoted
from recsim.catalogs.importing.prices import (
    FAR_OUT,
    Decimal,
    currency_of,
    decimal_sign,
    far_out,
    is_ambiguous,
    is_plain,
    parse_price,
)

EQUAL_PRICE = 1.0  # where nothing is known of prices: any constant does, as users see differences only
EARLIEST = date(1970, 1, 1)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ColumnOptions:
    """How columns are read.

    Attributes:
        price: of items without one; by default the median of what is there.
        decimal: the sign before decimals; by default what the column's prices agree on.
        merge_categories: whether spellings of one category are brought together.
    """

    price: float | None = None
    decimal: str | None = None
    merge_categories: bool = True

    def __post_init__(self) -> None:
        if self.price is not None and not 0 <= self.price < float("inf"):
            raise ValueError(f"--price is {self.price}: prices are 0 or more.")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"--decimal is {self.decimal!r}: prices have a '.' or a ',' before their decimals.")


def finished_columns(
    table: pd.DataFrame, mapped: set[str], options: ColumnOptions, imported: date, findings: Findings
) -> pd.DataFrame:
    """The table with numbers, ISO dates and tidy categories.

    Args:
        table: of `recsim.catalogs.importing.rows.Items`.
        mapped: our columns that the source has.
        options: how to read.
        imported: the day after which dates are odd.
        findings: is added to.
    """
    cells = _Cells(table, findings)
    finished = table.assign(
        category=_categories(cells, "category" in mapped, options.merge_categories),
        price=_prices(cells, "price" in mapped, options),
        created=_dates(cells, imported) if "created" in mapped else "",
    )
    if "popularity" in mapped:
        return finished.assign(popularity=_popularity(cells, options.decimal))
    return finished.drop(columns="popularity")


@dataclass(frozen=True)
class _Cells:
    """Columns of text, and where to tell what is odd about them."""

    table: pd.DataFrame
    findings: Findings

    def of(self, column: str) -> list[str]:
        return [str(cell) for cell in self.table[column].to_list()]

    def with_rows(self, column: str) -> Iterator[tuple[int, str]]:
        return zip(self.table["row"].to_list(), self.of(column), strict=True)

    def tell(
        self, what: str, rows: npt.NDArray[np.bool_], found: Sequence[str], done: str | Sequence[str] = ""
    ) -> None:
        numbers = self.table["row"].to_list()
        for place in np.flatnonzero(rows).tolist():
            said = done if isinstance(done, str) else done[place]
            self.findings.add(what, found[place], row=int(numbers[place]), done=said)


def _categories(cells: _Cells, mapped: bool, merge: bool) -> list[str]:
    names = cells.of("category")
    if mapped:
        cells.tell("missing category", np.array([not name for name in names]), ["the category is empty"] * len(names))
    better = merged_spellings([name for name in names if name]) if merge else {}
    for row, name in cells.with_rows("category"):
        if name in better:
            done = f"put under {quoted(better[name])}"
            cells.findings.add("category spelling", f"category {quoted(name)}", row=row, done=done)
    return [better.get(name, name) or UNKNOWN for name in names]


def _prices(cells: _Cells, mapped: bool, options: ColumnOptions) -> Floats:
    texts = cells.of("price")
    agreed = _agreed(texts, options.decimal)
    read = [parse_price(text, agreed or ".") if text else None for text in texts]
    prices = np.array([np.nan if price is None else price for price in read])
    given = np.array([bool(text) for text in texts])
    told = [f"price {quoted(text)}" for text in texts]
    usable = np.isfinite(prices) & (prices >= 0)
    filler, source = _filler(prices[usable], options.price)
    if not mapped:
        cells.findings.add(
            "missing column", "there is no column for price", done=f"every price is {filler:g}, {source}"
        )
        return np.full(len(texts), filler)
    filled = f"filled with {filler:g}, {source}"
    cells.tell("missing price", ~given, ["the price is empty"] * len(texts), filled)
    cells.tell("unreadable price", given & np.isnan(prices), told, filled)
    cells.tell("negative price", prices < 0, told, filled)
    written = np.array([not is_plain(text) for text in texts])
    as_read = [f"read as {price:g}" for price in prices]
    cells.tell("price with signs", usable & written, told, as_read)
    currencies = Counter(filter(None, (currency_of(texts[row]) for row in np.flatnonzero(usable & written))))
    if len(currencies) > 1:
        counted = ", ".join(f"{name} in {count:,}" for name, count in currencies.most_common())
        cells.findings.add("several currencies", f"prices are in {counted}")
    if agreed is None:
        cells.tell("ambiguous price", usable & np.array([is_ambiguous(text) for text in texts]), told, as_read)
    cells.tell("price of zero", prices == 0, told)
    scores = far_out(np.where(usable, prices, 0.0))
    cells.tell("far-out price", np.abs(scores) > FAR_OUT, [f"{t}, {s:+.1f}" for t, s in zip(told, scores, strict=True)])
    return np.where(usable, prices, filler)


def _agreed(texts: Sequence[str], said: str | None) -> Decimal | None:
    """The sign before decimals, as somebody says or as the column shows."""
    return decimal_sign(texts) if said is None else "," if said == "," else "."


def _filler(prices: Floats, constant: float | None) -> tuple[float, str]:
    """The price of items without one, and where it comes from."""
    if constant is not None:
        return constant, "the value of --price"
    if len(prices):
        return float(np.median(prices)), "the median"
    return EQUAL_PRICE, "as nothing is known of prices; equal prices change nothing"


def _dates(cells: _Cells, imported: date) -> list[str]:
    order = dates.order_of(cells.of("created"))
    found = []
    for row, text in cells.with_rows("created"):
        day = dates.parse_date(text, order) if text else None
        if text and day is None:
            what = "ambiguous date" if dates.is_ambiguous(text) else "unreadable date"
            cells.findings.add(what, f"date {quoted(text)}", row=row)
        elif day and not EARLIEST <= day <= imported:
            cells.findings.add("odd date", f"date {quoted(text)}", row=row)
        found.append(day.isoformat() if day else "")
    return found


def _popularity(cells: _Cells, decimal: str | None) -> Floats:
    texts = cells.of("popularity")
    agreed = _agreed(texts, decimal) or "."
    read = [parse_price(text, agreed) if text else None for text in texts]
    values = np.array([np.nan if value is None else value for value in read])
    usable = np.isfinite(values) & (values > 0)
    filler = float(values[usable].min()) if usable.any() else 1.0
    told = [f"popularity {quoted(text)}" if text else "the popularity is empty" for text in texts]
    cells.tell("unusable popularity", ~usable, told, f"filled with {filler:g}, the smallest of the column")
    return np.where(usable, values, filler)
