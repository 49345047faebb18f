"""Cells of any type as the text that a CSV would hold, so that every kind of file gives the same items."""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from typing import Any


def as_text(value: Any) -> str:
    """The text of a cell, empty for a missing one; lists of plain values are joined with commas.

    >>> as_text(2.5), as_text(None), as_text(["red", "blue"]), as_text({"a": 1}), as_text(True)
    ('2.5', '', 'red, blue', '{"a": 1}', 'True')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").strip()
    if isinstance(value, list) and not any(isinstance(part, dict | list) for part in value):
        return ", ".join(filter(None, map(as_text, value)))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
