"""Prices as people write them, and what is far out among them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim.catalogs.importing.prices import currency_of, decimal_sign, far_out, is_ambiguous, parse_price

GROUPS = {".": ["", ",", " ", "\u00a0", "\u202f", "'"], ",": ["", ".", " ", "\u00a0", "’"]}


@st.composite
def written_prices(draw: st.DrawFn) -> tuple[str, int]:
    """A price in words of some country with two decimals, and its cents."""
    cents = draw(st.integers(0, 10**11))
    decimal = draw(st.sampled_from(sorted(GROUPS)))
    group = draw(st.sampled_from(GROUPS[decimal]))
    digits = f"{cents // 100:,}".replace(",", group) + f"{decimal}{cents % 100:02d}"
    before = draw(st.sampled_from(["", "$", "€ ", "USD ", "US$", "CHF ", "£"]))
    after = draw(st.sampled_from(["", " €", "€", " kr", " EUR", " zł"])) if not before else ""
    return f"{draw(st.sampled_from(['', ' ']))}{before}{digits}{after}", cents


@given(written_prices(), st.sampled_from([".", ","]))
def test_two_decimals_are_read_in_every_country(written: tuple[str, int], decimal: str) -> None:
    text, cents = written
    assert parse_price(text, decimal) == cents / 100
    assert not is_ambiguous(text)


@given(st.integers(1, 999), st.integers(0, 999), st.sampled_from([".", ","]), st.sampled_from([".", ","]))
def test_three_digits_are_thousands_unless_the_sign_is_that_of_decimals(
    whole: int, rest: int, sign: str, decimal: str
) -> None:
    text = f"{whole}{sign}{rest:03d}"
    assert parse_price(text, decimal) == (float(f"{whole}.{rest:03d}") if sign == decimal else 1000 * whole + rest)
    assert is_ambiguous(text)


@given(st.text(max_size=20) | st.text(alphabet="0123456789.,'- €$e+", max_size=14))
def test_any_text_is_a_finite_number_or_none(text: str) -> None:
    for decimal in (".", ","):
        value = parse_price(text, decimal)
        assert value is None or math.isfinite(value)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0))
def test_numbers_of_programs_are_read_to_the_last_bit(value: float) -> None:
    if not is_ambiguous(repr(value)):
        assert parse_price(repr(value)) == value
    assert parse_price(repr(value), ".") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.299,00 €", 1299.0),
        ("$1,299.00", 1299.0),
        ("1.299.000", 1299000.0),
        ("1,299,000.5", 1299000.5),
        ("CHF 1'299.-", None),
        ("12,- €", 12.0),
        ("−5 €", -5.0),
        ("$-5", -5.0),
        ("1e3", 1000.0),
        ("0,125", 0.125),
        ("1 299", 1299.0),
        ("1 2", None),
        ("1.299,00,00", None),
        ("12.50-13.00", None),
        ("1,2,3", None),
        ("1e999", None),
        ("abc 12", None),
        ("12 abc", None),
        ("free", None),
        ("nan", None),
        ("", None),
        ("€", None),
    ],
)
def test_by_hand(text: str, value: float | None) -> None:
    assert parse_price(text) == value


def test_the_sign_of_decimals_is_what_clear_prices_agree_on() -> None:
    assert decimal_sign(["12,50", "1.299"]) == ","
    assert decimal_sign(["1.299.000", ""]) == ","
    assert decimal_sign(["12.5", "7", "1,299,000"]) == "."
    assert decimal_sign(["12.5", "12,5"]) is None
    assert decimal_sign(["1.299", "7", "free"]) is None


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("12,50 €", "EUR"),
        ("EUR 3", "EUR"),
        ("US$ 1,299.00", "USD"),
        ("$5", "USD"),
        ("CHF 1'299.50", "CHF"),
        ("Rs. 500", "INR"),
        ("¥1200", "¥"),
        ("12.5", ""),
        ("ask us in EUR", ""),
    ],
)
def test_one_currency_has_one_name(text: str, currency: str) -> None:
    assert currency_of(text) == currency


def test_far_out_is_the_modified_z_score_of_logarithms() -> None:
    prices = np.exp([0.0, 1.0, 2.0, 3.0, 4.0, 9.0])
    # median 2.5, absolute deviations 2.5 1.5 0.5 0.5 1.5 6.5: their median is 1.5
    expected = [0.6745 * (x - 2.5) / 1.5 for x in (0.0, 1.0, 2.0, 3.0, 4.0, 9.0)]
    np.testing.assert_allclose(far_out(prices), expected)
    np.testing.assert_allclose(far_out(np.append(prices, 0.0)), [*expected, 0.0])
    assert (far_out(np.array([5.0, 5.0, 5.0, 80.0])) == 0).all()
    assert (far_out(np.zeros(3)) == 0).all()
