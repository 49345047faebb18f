"""Prices as people write them: currency signs, thousands separators, decimal commas."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

Decimal = Literal[".", ","]

# Codes of ISO 4217, each with other words and signs for it; and what may mean one or another.
_CURRENCIES = {
    **dict.fromkeys("AED BGN CHF DKK IDR JPY MXN MYR NOK SAR SEK ZAR".split(), ""),  # noqa: SIM905
    "AUD": "A$ AU$",
    "BRL": "R$",
    "CAD": "C$ CA$",
    "CNY": "RMB",
    "CZK": "kč",
    "EUR": "€",
    "GBP": "£",
    "HKD": "HK$",
    "HUF": "Ft",
    "ILS": "₪",
    "INR": "₹ Rs",
    "KRW": "₩",
    "NZD": "NZ$",
    "PHP": "₱",
    "PLN": "zł",
    "RON": "lei",
    "RUB": "₽",
    "SGD": "S$",
    "THB": "฿",
    "TRY": "₺ TL",
    "UAH": "₴",
    "USD": "$ US$",
    "VND": "₫",
}
_SEVERAL = "¥ ₦ ¢ kr"
_CODE_OF = {sign.upper(): code for code, signs in _CURRENCIES.items() for sign in (code, *signs.split())}
_CURRENCY = "|".join(  # the longest first, as KRW begins as kr does; a word may end in a point
    rf"{re.escape(sign)}\.?" if sign.isalpha() else re.escape(sign)
    for sign in sorted((*_CODE_OF, *_SEVERAL.upper().split()), key=len, reverse=True)
)
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", flags=re.ASCII)
_WRITTEN = re.compile(
    rf"(?P<sign>[-+−]?)\s*(?:(?:{_CURRENCY})\s*)?(?P<inner>[-+−]?)"
    rf"(?P<digits>[0-9.,][0-9.,'’\s]*?)(?:,[-–])?\s*(?:{_CURRENCY})?",
    flags=re.IGNORECASE,
)
_SIGN = re.compile(_CURRENCY, flags=re.IGNORECASE)
_SPACED = re.compile(r"[0-9]{1,3}(?:[\s'’][0-9]{3})+")
_NUMBER = re.compile(r"\d*(?:\.\d*)?", flags=re.ASCII)
_GROUPED = {sign: re.compile(rf"\d{{1,3}}(?:{re.escape(sign)}\d{{3}})+", flags=re.ASCII) for sign in (".", ",")}
_TWO_WAYS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", flags=re.ASCII)
FAR_OUT = 3.5  # Iglewicz and Hoaglin, 1993, How to Detect and Handle Outliers, section 3.3
_TO_SD = 0.6745  # there, too: the 0.75 quantile of the standard normal distribution


def parse_price(text: str, decimal: Decimal = ".") -> float | None:
    """The number that a text means, or None where it means none; only finite numbers are returned.

    Args:
        text: such as ``1.299,00 €``, ``$1,299.00``, ``CHF 1'299.-`` or ``12.5``.
        decimal: what a single sign before three digits is where it may be either: ``1,299`` is 1299 where decimals
            are written with a point, and 1.299 where they are written with a comma.

    >>> parse_price("1.299,00 €"), parse_price("$1,299.00"), parse_price("1,299"), parse_price("1.299", ",")
    (1299.0, 1299.0, 1299.0, 1299.0)
    >>> parse_price("free"), parse_price("-5"), parse_price("12,50"), parse_price("1 299")
    (None, -5.0, 12.5, 1299.0)
    """
    text = text.strip()
    if is_plain(text) and not (decimal == "," and _TWO_WAYS.fullmatch(text)):
        return _finite(text)
    digits, negative = _digits(text)
    plain = None if digits is None else _with_point(digits, decimal)
    value = None if plain is None else _finite(plain)
    return -value if value is not None and negative else value


def is_plain(text: str) -> bool:
    """Whether a text is a number as programs write it."""
    return _PLAIN.fullmatch(text) is not None


def currency_of(text: str) -> str:
    """The code or the sign of the currency that stands beside a price, or nothing.

    >>> currency_of("12,50 €"), currency_of("EUR 12.50"), currency_of("12.50")
    ('EUR', 'EUR', '')
    """
    found = _SIGN.search(text) if _WRITTEN.fullmatch(text.strip()) else None
    sign = "" if found is None else found[0].rstrip(".").upper()
    return _CODE_OF.get(sign, sign)


def is_ambiguous(text: str) -> bool:
    """Whether a price could be read in two ways, such as ``1.299``."""
    digits, _ = _digits(text)
    return digits is not None and _TWO_WAYS.fullmatch(digits) is not None


def decimal_sign(texts: Iterable[str]) -> Decimal | None:
    """What stands before decimals in a column, judged by the prices that can be read in one way only.

    Returns:
        The sign, or None where nothing speaks for either or both are used.
    """
    seen = {sign for text in texts if (sign := _sign_of(text)) is not None}
    return seen.pop() if len(seen) == 1 else None


def far_out(prices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(m,) float64, modified z-scores of the logarithms of prices above 0: 0.6745 (x - median) / MAD; 0 for others.

    Iglewicz and Hoaglin, 1993, section 3.3. All 0 where more than half of the prices are the same.
    """
    scores = np.zeros(len(prices))
    given = prices > 0
    if not given.any():
        return scores
    logs = np.log(prices[given])
    away = logs - np.median(logs)
    spread = np.median(np.abs(away))
    if spread > 0:
        scores[given] = _TO_SD * away / spread
    return scores


def _digits(text: str) -> tuple[str | None, bool]:
    """What is left without currency, sign and spaces between thousands, and whether it is negative."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        return None, False
    digits = match["digits"].strip()
    whole, rest = re.match(r"([0-9\s'’]*)(.*)", digits, flags=re.DOTALL).groups()  # type: ignore[union-attr]
    if re.search(r"[\s'’]", digits):
        if not _SPACED.fullmatch(whole) or re.search(r"[\s'’]", rest):
            return None, False
        digits = re.sub(r"[\s'’]", "", whole) + rest
    return digits, "-" in (sign := match["sign"] + match["inner"]) or "−" in sign


def _with_point(digits: str, decimal: Decimal) -> str | None:
    """Digits with a decimal point, if any, and nothing else."""
    last = max((".", ","), key=digits.rfind)
    other = "," if last == "." else "."
    if other in digits:
        whole, _, rest = digits.rpartition(last)
        return f"{whole.replace(other, '')}.{rest}" if last not in whole and _GROUPED[other].fullmatch(whole) else None
    grouped = _GROUPED[last].fullmatch(digits) is not None
    if digits.count(last) > 1 or (grouped and last != decimal and _TWO_WAYS.fullmatch(digits)):
        return digits.replace(last, "") if grouped else None
    return digits.replace(last, ".")


def _sign_of(text: str) -> Decimal | None:
    """The sign before decimals in a price that can be read in one way only; None where it has none."""
    digits, _ = _digits(text)
    if digits is None or _TWO_WAYS.fullmatch(digits) or _with_point(digits, ".") is None:
        return None
    last: Decimal = "." if digits.rfind(".") > digits.rfind(",") else ","
    if last not in digits:
        return None
    if digits.count(last) > 1:
        return "," if last == "." else "."
    return last


def _finite(text: str) -> float | None:
    if not (_PLAIN.fullmatch(text) or (_NUMBER.fullmatch(text) and any(map(str.isdigit, text)))):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
