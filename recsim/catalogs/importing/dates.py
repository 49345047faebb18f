"""Dates as people and programs write them, turned into ``2024-05-31``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Literal

DayFirst = Literal["day", "month"]

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?", flags=re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", flags=re.ASCII)
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[T ].*)?", flags=re.ASCII)
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})(?:[T ].*)?", flags=re.ASCII)
_EPOCH = re.compile(r"(\d{9,10})(?:\.\d*)?|(\d{12,13})", flags=re.ASCII)
_NAMED = re.compile(r"(?:(\d{1,2})\.? )?([A-Za-z]{3,9})\.? (?:(\d{1,2}),? )?(\d{4})", flags=re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def parse_date(text: str, order: DayFirst | None = None) -> date | None:
    """The day that a text means, or None where it means none.

    Args:
        text: such as ``2024-05-31``, ``2024-05-31T10:00:00Z``, ``31.05.2024``, ``May 31, 2024``, ``05/31/2024`` or
            seconds or milliseconds since 1970 (UTC).
        order: which comes first in a date with slashes, where both numbers are 12 or less.

    >>> parse_date("31.05.2024"), parse_date("05/31/2024"), parse_date("05/06/2024"), parse_date("05/06/2024", "day")
    (datetime.date(2024, 5, 31), datetime.date(2024, 5, 31), None, datetime.date(2024, 6, 5))
    """
    text = text.strip()
    if match := _ISO.fullmatch(text) or _COMPACT.fullmatch(text):
        return _day(int(match[1]), int(match[2]), int(match[3]))
    if match := _DOTTED.fullmatch(text):
        return _day(int(match[3]), int(match[2]), int(match[1]))
    if match := _EPOCH.fullmatch(text):
        seconds = int(match[1]) if match[1] else int(match[2]) / 1000
        return datetime.fromtimestamp(seconds, UTC).date()
    if match := _NAMED.fullmatch(text):
        return _named(match)
    if match := _SLASHED.fullmatch(text):
        return _slashed(int(match[1]), int(match[2]), int(match[3]), order)
    return None


def is_ambiguous(text: str) -> bool:
    """Whether day and month of a date could be told apart by other dates of its column only."""
    return parse_date(text) is None and parse_date(text, "day") is not None and parse_date(text, "month") is not None


def order_of(texts: Iterable[str]) -> DayFirst | None:
    """Which comes first in the dates with slashes of a column; None where nothing says so, or some say otherwise."""
    seen: set[DayFirst] = set()
    for text in texts:
        if match := _SLASHED.fullmatch(text.strip()):
            first, second = int(match[1]), int(match[2])
            if first > 12 >= second:
                seen.add("day")
            elif second > 12 >= first:
                seen.add("month")
    return seen.pop() if len(seen) == 1 else None


def _slashed(first: int, second: int, year: int, order: DayFirst | None) -> date | None:
    if first > 12:
        return _day(year, second, first)
    if second > 12 or first == second:
        return _day(year, first, second)
    if order is None:
        return None
    return _day(year, second, first) if order == "day" else _day(year, first, second)


def _named(match: re.Match[str]) -> date | None:
    """A date such as 31 May 2024 or May 31, 2024, with one day and an English month."""
    days = [one for one in (match[1], match[3]) if one]
    month = match[2][:3].lower()
    if len(days) != 1 or month not in _MONTHS:
        return None
    return _day(int(match[4]), _MONTHS.index(month) + 1, int(days[0]))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
