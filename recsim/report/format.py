"""Numbers as people read them: as many decimals as their uncertainty deserves, a real minus, commas in thousands."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
UNDEFINED = "\N{EM DASH}"


class Ends(Protocol):
    """Anything with the ends of an interval."""

    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def decimals(errors: Iterable[float | None]) -> int:
    """Decimals that show one digit of the typical one of some standard errors, two if it begins with 1; 0 to 4.

    >>> decimals([0.21, 0.34, 5.0]), decimals([0.17]), decimals([12.0]), decimals([0.0, None])
    (1, 2, 0, 2)
    """
    sizes = sorted(error for error in errors if error is not None and math.isfinite(error) and error > 0)
    if not sizes:
        return 2
    return min(4, max(0, -math.floor(math.log10(sizes[len(sizes) // 2] / 2))))


def telling(interval: Ends, places: int) -> int:
    """Decimals at which no end of an interval that is not 0 is rounded to 0, at least `places`, at most 4.

    >>> class Gain: low, high = 0.04, 0.61
    >>> telling(Gain, 1)
    2
    """
    while places < 4 and any(end and round(end, places) == 0 for end in (interval.low, interval.high)):
        places += 1
    return places


def number(value: float | None, places: int = 2) -> str:
    """A number, or a dash where it is undefined.

    >>> number(-1234.567, 1), number(None), number(-0.001, 2)
    ('−1,234.6', '—', '0.00')
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    rounded = round(value, places) + 0.0  # turns -0.0 into 0.0
    return f"{rounded:,.{places}f}".replace("-", MINUS)


def signed(value: float | None, places: int = 2) -> str:
    """A difference with its sign.

    >>> signed(1.5, 1), signed(-1.5, 1), signed(0.0, 1)
    ('+1.5', '−1.5', '0.0')
    """
    text = number(value, places)
    return f"+{text}" if value is not None and round(value, places) > 0 else text


def ends(interval: Ends, places: int = 2) -> str:
    """Both ends of an interval.

    >>> class Half: low, high = -0.5, 0.5
    >>> ends(Half, 1)
    '−0.5 to 0.5'
    """
    if interval.low is None or interval.high is None:
        return UNDEFINED
    return f"{number(interval.low, places)} to {number(interval.high, places)}"


def half(interval: Ends, places: int = 2) -> str:
    """Half the width of an interval.

    >>> class Wide: low, high = 1.0, 2.0
    >>> half(Wide, 1)
    '± 0.5'
    """
    if interval.low is None or interval.high is None:
        return ""
    return f"± {number((interval.high - interval.low) / 2, places)}"


def compact(value: float | None) -> str:
    """A number of any size in three significant digits.

    >>> compact(0.01234), compact(1.0), compact(52413.2), compact(3.2e9), compact(None)
    ('0.0123', '1', '52,413', '3.2e+09', '—')
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    if 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}".replace("-", MINUS)
    return f"{value:.3g}".replace("-", MINUS) if abs(value) >= 1e-4 or value == 0 else f"{value:.2g}"


def percent(share: float | None, places: int = 1) -> str:
    """A share in percent.

    >>> percent(0.1234), percent(None)
    ('12.3%', '—')
    """
    return UNDEFINED if share is None else f"{number(100 * share, places)}%"


def capitalised(sentence: str) -> str:
    """A sentence that began after a colon, as it stands on its own.

    >>> capitalised("the log is short."), capitalised("")
    ('The log is short.', '')
    """
    return sentence[:1].upper() + sentence[1:]


def listed(words: Iterable[str], last: str = "and") -> str:
    """Words as a list in a sentence.

    >>> listed(["a", "b", "c"]), listed(["a", "b"], "or"), listed(["a"])
    ('a, b and c', 'a or b', 'a')
    """
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"
