"""Bars of prices and years: every item is counted once, and axes bear round numbers."""

import numpy as np
import pytest

from recsim.report.bars import MOST_COLUMNS, MOST_TICKS, Columns, price_columns, year_columns


def counts(found: Columns | None) -> list[int]:
    assert found is not None
    return [bar.count for bar in found.bars]


def test_every_price_above_0_is_counted_once() -> None:
    prices = np.array([0.0, 1.0, 1.0, 10.0, 100.0])
    found = price_columns(prices)
    assert found is not None
    assert (len(found.bars), sum(counts(found))) == (8, 4)
    assert (found.bars[0].count, found.bars[0].height, found.bars[-1].count) == (2, 1.0, 1)
    assert found.bars[0].label == "1 to 1.78"  # 100 ** (1 / 8)
    assert [(tick.label, tick.place) for tick in found.ticks] == [("1", 0.0), ("10", 0.5), ("100", 1.0)]


def test_a_narrow_range_of_prices_has_finer_ticks() -> None:
    found = price_columns(np.array([10.0, 20.0, 60.0]))
    assert found is not None
    assert [tick.label for tick in found.ticks] == ["10", "20", "50"]
    assert found.ticks[1].place == pytest.approx(np.log(2) / np.log(6))


def test_a_range_without_round_prices_has_its_ends() -> None:
    found = price_columns(np.array([11.0, 12.0]))
    assert found is not None
    assert [tick.label for tick in found.ticks] == ["11", "12"]


def test_prices_over_many_powers_of_ten() -> None:
    found = price_columns(np.logspace(-3, 9, 5_000))
    assert found is not None
    assert len(found.ticks) <= MOST_TICKS
    assert sum(counts(found)) == 5_000


@pytest.mark.parametrize("prices", [[0.0, 0.0], [5.0, 5.0], [5.0, 0.0]])
def test_prices_that_do_not_differ_are_not_drawn(prices: list[float]) -> None:
    assert price_columns(np.array(prices)) is None


def test_years_without_items_are_columns_of_height_0() -> None:
    found = year_columns(np.array([2003, 2001, 2003]))
    assert found is not None
    assert [(bar.label, bar.count, bar.height) for bar in found.bars] == [
        ("2001", 1, 0.5),
        ("2002", 0, 0.0),
        ("2003", 2, 1.0),
    ]
    assert [(tick.label, tick.place) for tick in found.ticks] == [
        ("2001", 0.5 / 3),
        ("2002", 1.5 / 3),
        ("2003", 2.5 / 3),
    ]


@pytest.mark.parametrize(("first", "last", "width"), [(1985, 2024, 1), (1984, 2024, 2), (1, 9999, 500)])
def test_many_years_are_counted_together(first: int, last: int, width: int) -> None:
    found = year_columns(np.array([first, last]))
    assert found is not None
    assert len(found.bars) <= MOST_COLUMNS + 1
    assert sum(counts(found)) == 2
    start = first // width * width
    assert found.bars[0].label == (str(start) if width == 1 else f"{start} to {start + width - 1}")
    assert len(found.ticks) <= MOST_TICKS


def test_no_years() -> None:
    assert year_columns(np.array([], np.int64)) is None
