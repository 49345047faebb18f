"""Plackett-Luce marginals against enumeration, for logits however far apart, and against what marginals add up to."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.jit import set_threads
from recsim.marginals import (
    plackett_luce_marginal_log_prob,
    plackett_luce_marginals,
    plackett_luce_position_log_prob,
)
from recsim.policy import plackett_luce_log_prob, plackett_luce_sample
from recsim.streams import Streams

NEVER = -1e9


def enumerated(logits: np.ndarray, k: int) -> np.ndarray:
    """(k, m), the chance of every slate added up by hand."""
    slates = np.array(list(permutations(range(len(logits)), k)))
    chance = np.exp(plackett_luce_log_prob(np.tile(logits, (len(slates), 1)), slates).sum(axis=1))
    return np.array([np.bincount(slates[:, j], chance, len(logits)) for j in range(k)])


def drawn_logits(n: int, m: int, spread: float) -> np.ndarray:
    return spread * np.random.default_rng(0).normal(size=(n, m))


@given(logits=st.integers(1, 6).flatmap(lambda m: st.lists(st.floats(-30, 30), min_size=m, max_size=m)), data=st.data())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_marginals_equal_enumeration(logits: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(logits)))
    expected = enumerated(np.array(logits), k)
    found = plackett_luce_marginals(np.array([logits]), k)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=0.0)  # relative: the small ones divide rewards


@given(logits=st.lists(st.floats(-2000, 2000), min_size=5, max_size=5), slate=st.permutations(range(5)))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_cold_policies_lose_only_what_no_float_holds(logits: list[float], slate: list[int]) -> None:
    shown = np.array(slate[:3])
    expected = enumerated(np.array(logits), 3)[np.arange(3), shown]
    found = np.exp(plackett_luce_marginal_log_prob(np.array([logits]), shown[None])[0])
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-290)


@pytest.mark.parametrize("k", [2, 10, 25])
@pytest.mark.parametrize("spread", [0.0, 1.0, 20.0])
def test_every_position_holds_one_item_and_no_item_stands_twice(k: int, spread: float) -> None:
    table = plackett_luce_marginals(drawn_logits(3, 40, spread), k)
    np.testing.assert_allclose(table.sum(axis=2), 1.0, rtol=1e-10)
    assert (table.sum(axis=1) <= 1.0 + 1e-10).all()


def test_whole_rankings_hold_every_item_once() -> None:
    table = plackett_luce_marginals(drawn_logits(4, 12, 3.0), 12)
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-10)


def test_equal_items_are_alike_at_every_position() -> None:
    log_prob = plackett_luce_position_log_prob(np.full((2, 300), 7.0), np.array([[5, 299], [0, 1]]), 30)
    np.testing.assert_allclose(log_prob, -math.log(300), rtol=1e-11)


def test_the_three_forms_agree() -> None:
    logits = drawn_logits(20, 60, 2.0)
    slate = plackett_luce_sample(logits, 8, Streams.of(1, 20))
    own = plackett_luce_marginal_log_prob(logits, slate)
    everywhere = plackett_luce_position_log_prob(logits, slate, 8)
    table = plackett_luce_marginals(logits, 8)
    places = np.arange(8)
    np.testing.assert_allclose(everywhere[:, places, places], own, rtol=1e-12)
    np.testing.assert_allclose(table[np.arange(20)[:, None], places, slate], np.exp(own), rtol=1e-10)
    np.testing.assert_allclose(
        np.take_along_axis(table, slate[:, None, :], 2), np.exp(everywhere).swapaxes(1, 2), 1e-10
    )


def test_the_first_position_is_a_softmax() -> None:
    logits = drawn_logits(5, 30, 5.0)
    slate = plackett_luce_sample(logits, 4, Streams.of(0, 5))
    step = plackett_luce_log_prob(logits, slate)
    np.testing.assert_allclose(plackett_luce_marginal_log_prob(logits, slate)[:, 0], step[:, 0], rtol=1e-12)
    np.testing.assert_allclose(plackett_luce_marginal_log_prob(logits, slate[:, :1]), step[:, :1], rtol=1e-12)


def test_draws_have_these_frequencies() -> None:
    n, logits = 40_000, drawn_logits(1, 15, 1.0)
    slates = plackett_luce_sample(np.broadcast_to(logits, (n, 15)), 5, Streams.of(3, n))
    table = plackett_luce_marginals(logits, 5)[0]
    counts = np.array([np.bincount(slates[:, j], minlength=15) for j in range(5)])
    error = np.sqrt(n * table * (1.0 - table))
    assert (np.abs(counts - n * table) < 4.5 * error).all()  # 75 cells


def test_what_is_not_there_yet_takes_no_room() -> None:
    there = drawn_logits(1, 6, 1.0)
    padded = np.concatenate([there, np.full((1, 50), NEVER)], axis=1)
    table = plackett_luce_marginals(padded, 4)
    np.testing.assert_allclose(table[:, :, :6], plackett_luce_marginals(there, 4), rtol=1e-10)
    assert (table[:, :, 6:] == 0.0).all()


def test_what_is_not_there_fills_up_short_slates() -> None:
    logits = np.array([[0.0, NEVER, 0.0, NEVER, NEVER]])
    half, third = 1 / 2, 1 / 3
    expected = [[half, 0, half, 0, 0], [half, 0, half, 0, 0], [0, third, 0, third, third], [0, third, 0, third, third]]
    np.testing.assert_allclose(plackett_luce_marginals(logits, 4)[0], expected, rtol=1e-10)


def test_a_shift_changes_nothing() -> None:
    logits, slate = drawn_logits(3, 9, 2.0), np.array([[0, 4, 8], [3, 2, 1], [5, 0, 6]])
    expected = plackett_luce_marginal_log_prob(logits, slate)
    for shift in (-800.0, 800.0):
        np.testing.assert_allclose(plackett_luce_marginal_log_prob(logits + shift, slate), expected, rtol=1e-9)


def test_rows_depend_neither_on_each_other_nor_on_threads() -> None:
    logits = drawn_logits(200, 30, 3.0)
    slate = plackett_luce_sample(logits, 5, Streams.of(2, 200))
    together = plackett_luce_marginal_log_prob(logits, slate)
    order = np.random.default_rng(1).permutation(200)
    assert np.array_equal(plackett_luce_marginal_log_prob(logits[order], slate[order]), together[order])
    alone = [plackett_luce_marginal_log_prob(logits[i : i + 1], slate[i : i + 1])[0] for i in range(0, 200, 50)]
    assert np.array_equal(alone, together[::50])
    set_threads(2)
    try:
        assert np.array_equal(plackett_luce_marginal_log_prob(logits, slate), together)
    finally:
        set_threads(1)


def test_what_cannot_be_answered() -> None:
    logits = np.zeros((2, 4))
    with pytest.raises(ValueError, match=r"row 1 is the slate \[2, 2\]; it needs distinct items 0 to 3"):
        plackett_luce_marginal_log_prob(logits, np.array([[0, 1], [2, 2]]))
    with pytest.raises(ValueError, match=r"slates have shape \(1, 2\); for 2 rows of logits \(2, k\) is needed"):
        plackett_luce_position_log_prob(logits, np.array([[0, 1]]), 2)
    with pytest.raises(ValueError, match="slates of 5 items asked for among 4; 1 to 4 are possible"):
        plackett_luce_marginals(logits, 5)
    logits[1, 3] = -np.inf
    with pytest.raises(ValueError, match=r"the logit of row 1, item 3 is -inf; logits are finite. Give items that are"):
        plackett_luce_marginals(logits, 2)
