"""Cells that say nothing, and what stands for a missing title."""

from __future__ import annotations

LONGEST = 10_000  # characters that an encoder sees; the longest context of the built-in ones is 256 tokens
TITLE = 80  # characters of a text that may stand for a title
EMPTY_MARKERS = frozenset({"null", "none", "nan", "n/a", "#n/a", "<na>", "nil", "-", "--"})


def is_empty(text: str) -> bool:
    """Whether a cell says that there is nothing."""
    return not text or text.lower() in EMPTY_MARKERS


def beginning(text: str) -> str:
    """What stands for a missing title: the first `TITLE` characters, up to the end of a word."""
    if len(text) <= TITLE:
        return text
    head = text[: TITLE + 1].rpartition(" ")[0] or text[:TITLE]
    return f"{head}…"
