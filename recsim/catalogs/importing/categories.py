"""Spellings of one category brought together: case, spaces, hyphens and an English plural make no other category."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

UNKNOWN = "unknown"
_BETWEEN = re.compile(r"[\s_\-]+")
_HISSES = ("sses", "shes", "ches", "xes", "zes")
_NO_PLURAL = ("ss", "us", "is")


def spelling_key(name: str) -> str:
    """What all spellings of a category share.

    >>> spelling_key("T-Shirts") == spelling_key("t shirt"), spelling_key("Dresses"), spelling_key("Accessories")
    (True, 'dress', 'accessory')
    """
    words = _BETWEEN.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()
    if words.endswith("ies") and len(words) > 4:
        return f"{words[:-3]}y"
    if words.endswith(_HISSES):
        return words[:-2]
    if words.endswith("s") and not words.endswith(_NO_PLURAL) and len(words) > 3:
        return words[:-1]
    return words


def merged_spellings(names: Sequence[str]) -> dict[str, str]:
    """The spelling to use for each that is not the most frequent of its kind; of equals, the first in the list is."""
    counted = Counter(names)
    groups: dict[str, list[str]] = {}
    for name in counted:  # in the order in which they come first
        groups.setdefault(spelling_key(name), []).append(name)
    chosen = {key: max(group, key=lambda name: counted[name]) for key, group in groups.items()}
    return {name: chosen[key] for key, group in groups.items() for name in group if name != chosen[key]}
