"""Texts without what is no text: broken letters, markup, stray spaces, ids."""

from __future__ import annotations

import html
import re

from recsim.report.plain_text import COMMAND

_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->", flags=re.DOTALL)
_SPACES = re.compile(r"\s+")
_SPACE_BEFORE = re.compile(r"\s+([,.;:!?])(?=\s|$)")
_WORD = re.compile(r"[^\s,;|]+")
_HEXADECIMAL = re.compile(r"[0-9a-f]{8,}|[0-9a-f]{4,}(-[0-9a-f]{4,})+", flags=re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\d{7,}")
_MIXED = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]*\d{3,}[A-Za-z0-9_-]*")
_EMPTY_PLACES = re.compile(r"(^|[,;|])(?:\s*[,;|])+")
LETTERS_AND_DIGITS = 7  # characters from which a word of letters and at least three digits is an id, as DSC00123 is


def cleaned(text: str, *, ids: bool = False) -> str:
    """The text with letters mended and entities resolved, without markup, commands to a terminal and stray spaces.

    Letters that were read in the wrong encoding are mended by ftfy (Speer 2019, https://doi.org/10.5281/zenodo.2591652).

    >>> cleaned("CafÃ© &amp;amp; bar <br/>  at&nbsp;night")
    'Café & bar at night'

    Args:
        text: as it came.
        ids: whether words that look like ids are taken out, see `looks_like_id`.
    """
    import ftfy

    text = html.unescape(html.unescape(ftfy.fix_text(COMMAND.sub("", text))))
    text = _MARKUP.sub(" ", text)
    if ids:
        text = _WORD.sub(lambda word: "" if looks_like_id(word[0].strip(".:()[]\"'#")) else word[0], text)
        text = _EMPTY_PLACES.sub(r"\1", text)
    return _SPACE_BEFORE.sub(r"\1", _SPACES.sub(" ", text)).strip(" ,;|")


def looks_like_id(word: str) -> bool:
    """Whether a word is a name for machines: hexadecimal of 8 or more, a long number, or letters and 3 or more digits.

    >>> [looks_like_id(word) for word in ("a3f90b12", "20061231", "DSC00123", "beaded", "mp3", "1984", "facade00")]
    [True, True, True, False, False, False, True]
    """
    if _LONG_NUMBER.fullmatch(word):
        return True
    if _HEXADECIMAL.fullmatch(word) and any(character.isdigit() for character in word):
        return True
    return len(word) >= LETTERS_AND_DIGITS and _MIXED.fullmatch(word) is not None
