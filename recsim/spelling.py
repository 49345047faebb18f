"""What somebody may have meant by a word that is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: object, known: Iterable[str], otherwise: str | None = None) -> str:
    """The end of a sentence about an unknown word: the closest known one, or `otherwise`, by default all of them.

    >>> did_you_mean("tytle", ["title", "text"]), did_you_mean("cost", ["title", "text"])
    ("did you mean 'title'?", 'choose from title, text.')
    """
    names = list(known)
    close = get_close_matches(str(word), names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"choose from {', '.join(names)}." if otherwise is None else otherwise
