from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.ope.support import contribution_range, largest_slate_weights, largest_weight, unsupported_mass
from recsim.policy import plackett_luce_log_prob


def enumerated(target, logged, size: int) -> np.ndarray:
    """(k,) the largest weight of any prefix, over all slates."""
    every = np.array(list(permutations(range(target.shape[1]), size)))
    ratios = [
        plackett_luce_log_prob(np.tile(row, (len(every), 1)), every)
        - plackett_luce_log_prob(np.tile(other, (len(every), 1)), every)
        for row, other in zip(target, logged, strict=True)
    ]
    return np.exp(np.cumsum(ratios, axis=2)).max(axis=(0, 1))


def test_a_table_by_hand():
    target, logged = [[0.5, 0.5, 0.0], [0.2, 0.2, 0.6]], [[0.25, 0.5, 0.25], [0.1, 0.5, 0.4]]
    assert largest_weight(target, logged) == pytest.approx(2.0)
    assert unsupported_mass(target, logged).tolist() == [0.0, 0.0]


def test_what_could_not_be_logged():
    target, logged = [[0.5, 0.5], [0.2, 0.8]], [[1.0, 0.0], [1.0, 0.0]]
    assert largest_weight(target, logged) == np.inf
    assert unsupported_mass(target, logged) == pytest.approx([0.5, 0.8])


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([0.2, 1.0, 3.0]))
def test_slates_are_never_above_the_bound(seed, size, spread):
    rng = np.random.default_rng(seed)
    target, logged = spread * rng.normal(size=(2, 3, 5))
    bound, exact = largest_slate_weights(target, logged, size), enumerated(target, logged, size)
    assert (bound >= exact * (1 - 1e-9)).all()
    assert bound[0] == pytest.approx(exact[0])


def test_the_bound_is_near_for_policies_that_are_near():
    rng = np.random.default_rng(0)
    logged = rng.normal(0.0, 0.5, (4, 6))
    target = logged + rng.normal(0.0, 0.5, (4, 6))
    ratio = largest_slate_weights(target, logged, 3) / enumerated(target, logged, 3)
    assert (ratio < 1.5).all()


def test_equal_policies_have_weight_one():
    logits = np.random.default_rng(1).normal(size=(600, 8))
    assert largest_slate_weights(logits, logits + 5.0, 3) == pytest.approx(np.ones(3), rel=1e-6)


def test_logits_far_apart_are_bounded_not_nan():
    bound = largest_slate_weights(np.array([[0.0, -900.0, -900.0]]), np.zeros((1, 3)), 2)
    assert bound[0] == pytest.approx(3.0)
    assert bound[1] >= 3.0


def test_ranges_of_contributions():
    assert contribution_range(4.0, 0.0, 3.0) == (0.0, 12.0)
    assert contribution_range(4.0, 1.0, 3.0) == (0.0, 12.0)  # a weight can be 0
    assert contribution_range(4.0, -1.0, 0.0) == (-4.0, 0.0)
    assert contribution_range([2.0, 3.0], 0.0, 1.0, modelled=True) == (-5.0, 7.0)  # two models of at most 1 each


def test_the_range_of_a_doubly_robust_contribution_is_never_left():
    rng = np.random.default_rng(2)
    weight, reward, model, under_target = rng.random((4, 1000, 2))
    least, top = contribution_range([6.0, 9.0], modelled=True)
    value = (under_target + weight * [6.0, 9.0] * (np.round(reward) - np.round(model))).sum(axis=1)
    assert (least <= value).all()
    assert (value <= top).all()


def test_errors():
    with pytest.raises(ValueError, match="row 1 of logged is no distribution: it sums to 0.9"):
        largest_weight([[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.4, 0.5]])
    with pytest.raises(ValueError, match=r"row 0 of target is no distribution: .* its least value is -0.5"):
        unsupported_mass([[1.5, -0.5]], [[0.5, 0.5]])
    with pytest.raises(ValueError, match=r"row 0 of target is no distribution: it sums to nan"):
        unsupported_mass([[np.nan, 0.5]], [[0.5, 0.5]])
    with pytest.raises(ValueError, match=r"target has shape \(1, 2\) and logged has shape \(1, 3\)"):
        largest_weight([[0.5, 0.5]], [[0.5, 0.25, 0.25]])
    with pytest.raises(ValueError, match="slates of 4 items asked for among 3"):
        largest_slate_weights(np.zeros((1, 3)), np.zeros((1, 3)), 4)
    with pytest.raises(ValueError, match="'logged' gave nan for row 0, item 1"):
        largest_slate_weights(np.zeros((1, 2)), np.array([[0.0, np.nan]]), 1)
    with pytest.raises(ValueError, match="rewards are said to lie between 1 and 1"):
        contribution_range(2.0, 1, 1)
    with pytest.raises(ValueError, match=r"the largest weights are \[-2.0\]; weights are at least 0"):
        contribution_range(-2.0)
