"""Texts of other people as they can be shown: nothing in them steers a terminal or turns lines around."""

from __future__ import annotations

import unicodedata

from recsim.report.format import UNDEFINED
from recsim.text_cleaning import COMMAND

# Characters that turn the direction of what follows them, beyond the text they stand in (Unicode Annex 9; Boucher and
# Anderson 2021, "Trojan Source").
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
KEPT = frozenset("\n\t")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def plain(text: str) -> str:
    r"""The text without commands to a terminal, control characters and characters that turn its direction.

    Tabs and line breaks stay. Halves of a surrogate pair, which no file can hold,
    become the replacement character.

    >>> plain("\x1b[31mred\x1b(B\x1b[m\x07"), plain("a\u202eb"), plain("two\r\nlines")
    ('red', 'ab', 'two\nlines')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in COMMAND.sub("", text))


def line(text: str, most: int) -> str:
    r"""A text in one line of at most `most` characters.

    >>> line("a  long\ntext", 8), line(" ", 8)
    ('a long …', '—')
    """
    words = " ".join(plain(text).split())
    return (words if len(words) <= most else f"{words[: most - 1]}…") or UNDEFINED


def _shown(character: str) -> str:
    if character in KEPT:
        return character
    kind = unicodedata.category(character)
    if kind == "Cs":
        return REPLACEMENT
    return "" if kind == "Cc" or character in TURNING else character
