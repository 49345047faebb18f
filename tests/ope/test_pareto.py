from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import genpareto

from recsim.ope.pareto import generalised_pareto_shape, pareto_k


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3, 0.8, 1.5])
def test_the_shape_of_made_up_tails(shape):
    """Over 50 samples of 400: the mean is right, and so is the spread, (1 + k) / sqrt(n) for a good estimator."""
    rng = np.random.default_rng(0)
    found = [
        generalised_pareto_shape(np.sort(genpareto.rvs(shape, scale=3.0, size=400, random_state=rng)))
        for _ in range(50)
    ]
    assert np.mean(found) == pytest.approx(shape, abs=0.05)
    assert np.std(found) < 1.5 * (1 + max(shape, 0.0)) / np.sqrt(400)


def test_it_is_near_the_most_likely_shape():
    sample = np.sort(genpareto.rvs(0.6, size=2000, random_state=np.random.default_rng(1)))
    likeliest, _, _ = genpareto.fit(sample, 0.5, floc=0)
    assert generalised_pareto_shape(sample) == pytest.approx(likeliest, abs=0.02)


def test_the_prior_by_hand():
    """The tail of 1,000 weights is 95 of them (3 sqrt(1000) = 94.9), and ten of shape 1/2 are added."""
    weight = np.random.default_rng(2).random(1000) ** -0.9
    ordered = np.sort(weight)
    raw = generalised_pareto_shape(ordered[-95:] - ordered[-96])
    assert pareto_k(weight) == pytest.approx((95 * raw + 5) / 105)


def test_neither_scale_nor_order_matter():
    weight = np.random.default_rng(3).random(2000) ** -0.6
    k = pareto_k(weight)
    assert k is not None
    assert pareto_k(weight[::-1] * 1e6) == pytest.approx(k)


def test_no_shape_where_there_is_no_tail():
    assert pareto_k(np.ones(1000)) is None
    assert pareto_k(np.arange(1.0, 101.0)) is None  # a tail of 20
    assert pareto_k(np.repeat([1.0, 2.0], 500)) is None  # all of the tail is equal
    assert pareto_k(np.concatenate([np.ones(990), np.full(10, 100.0)])) is None  # ten above the cutoff
    assert pareto_k(np.zeros(1000)) is None


def test_weights_below_zero_that_are_equal_are_no_tail():
    weight = np.concatenate([np.full(900, -0.5), np.linspace(1, 5, 100)])
    assert pareto_k(weight) is not None
    assert pareto_k(np.where(weight > 4.9, weight, -0.5)) is None
