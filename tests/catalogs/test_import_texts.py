"""Titles, dates and categories as shops export them."""

import datetime

import pytest

from recsim.catalogs.importing.categories import merged_spellings, spelling_key
from recsim.catalogs.importing.dates import is_ambiguous, order_of, parse_date
from recsim.catalogs.importing.texts import TITLE, beginning, is_empty


def test_only_markers_are_empty() -> None:
    assert all(map(is_empty, ["", "NULL", "n/a", "NaN", "-"]))
    assert not any(map(is_empty, ["0", "nothing", "None of it"]))


def test_the_beginning_of_a_text_ends_with_a_word() -> None:
    assert beginning("short") == "short"
    words = "word " * 40
    assert beginning(words) == "word " * 15 + "word…"
    assert len(beginning(words)) <= TITLE + 1
    assert beginning("x" * 200) == "x" * 80 + "…"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-05-31", (2024, 5, 31)),
        ("2024-05-31T10:00:00Z", (2024, 5, 31)),
        ("2024/5/1", (2024, 5, 1)),
        ("20240531", (2024, 5, 31)),
        ("31.05.2024", (2024, 5, 31)),
        ("31.05.2024 10:00", (2024, 5, 31)),
        ("31/05/2024", (2024, 5, 31)),
        ("05/31/2024", (2024, 5, 31)),
        ("05-05-2024", (2024, 5, 5)),
        ("May 31, 2024", (2024, 5, 31)),
        ("31 May 2024", (2024, 5, 31)),
        ("1717113600", (2024, 5, 31)),
        ("1717113600000", (2024, 5, 31)),
        ("05/06/2024", None),
        ("2024-02-30", None),
        ("31/31/2024", None),
        ("31 Foo 2024", None),
        ("May 2024", None),
        ("soon", None),
    ],
)
def test_dates(text: str, day: tuple[int, int, int] | None) -> None:
    assert parse_date(text) == (None if day is None else datetime.date(*day))


def test_the_order_of_day_and_month_is_what_clear_dates_say() -> None:
    assert order_of(["05/06/2024", "31/05/2024"]) == "day"
    assert order_of(["05/06/2024", "05/31/2024"]) == "month"
    assert order_of(["05/06/2024"]) is None
    assert order_of(["31/05/2024", "05/31/2024"]) is None
    assert parse_date("05/06/2024", "day") == datetime.date(2024, 6, 5)
    assert parse_date("05/06/2024", "month") == datetime.date(2024, 5, 6)
    assert is_ambiguous("05/06/2024")
    assert not is_ambiguous("05/31/2024")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Shirt", "shirts", True),
        ("T-Shirt", "t  shirts", True),
        ("Accessories", "accessory", True),
        ("Dress", "Dresses", True),
        ("Box", "boxes", True),
        ("Shoes", "shoe", True),
        ("Bus", "buses", False),
        ("Glass", "Gas", False),
        ("Pants", "Pan", False),
        ("Men", "Women", False),
    ],
)
def test_spellings_of_one_category(one: str, other: str, same: bool) -> None:
    assert (spelling_key(one) == spelling_key(other)) == same


def test_the_most_frequent_spelling_wins_and_of_equals_the_first() -> None:
    assert merged_spellings(["shirt", "Shirts", "Shirts", "hat"]) == {"shirt": "Shirts"}
    assert merged_spellings(["Hats", "hat"]) == {"hat": "Hats"}
    assert merged_spellings(["a", "b"]) == {}
