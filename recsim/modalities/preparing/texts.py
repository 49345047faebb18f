"""Texts without words that look like ids."""

from __future__ import annotations

import re

_SPACES = re.compile(r"\s+")
_SPACE_BEFORE = re.compile(r"\s+([,.;:!?])(?=\s|$)")
_WORD = re.compile(r"[^\s,;|]+")
_HEXADECIMAL = re.compile(r"[0-9a-f]{8,}|[0-9a-f]{4,}(-[0-9a-f]{4,})+", flags=re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\d{7,}")
_MIXED = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]*\d{3,}[A-Za-z0-9_-]*")
_EMPTY_PLACES = re.compile(r"(^|[,;|])(?:\s*[,;|])+")
LETTERS_AND_DIGITS = 7  # characters from which a word of letters and at least three digits is an id, as DSC00123 is


def without_ids(text: str) -> str:
    """The text without words that look like ids, see `looks_like_id`, and without the places that they leave empty.

    >>> without_ids("cat, DSC00123, animal")
    'cat, animal'
    """
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
