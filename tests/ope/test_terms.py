from __future__ import annotations

import numpy as np
import pytest

from recsim.ope.terms import Terms, sum_by, sum_of_ratios, value_of_columns


@pytest.fixture
def terms() -> Terms:
    rng = np.random.default_rng(0)
    return Terms(rng.normal(size=(50, 3, 2)), rng.uniform(0.5, 2.0, size=(50, 3)))


def test_value_adds_up_ratios_over_groups():
    numerator = np.array([[[1.0], [4.0]], [[3.0], [2.0]]])
    denominator = np.array([[1.0, 2.0], [1.0, 1.0]])
    assert Terms(numerator, denominator).value == pytest.approx([4.0 / 2.0 + 6.0 / 3.0])


def test_value_is_nan_without_any_weight():
    assert np.isnan(Terms(np.zeros((2, 1, 1)), np.zeros((2, 1))).value).all()
    assert np.isnan(sum_of_ratios(np.ones((2, 1)), np.array([1.0, 0.0]))).all()


def test_grouping_changes_no_value(terms):
    cluster = np.arange(50) % 7
    grouped = terms.grouped(cluster, 7)
    assert len(grouped) == 7
    assert grouped.value == pytest.approx(terms.value, rel=1e-13)
    assert grouped.influence.sum(axis=0) == pytest.approx([0.0, 0.0], abs=1e-13)
    assert grouped.influence[3] == pytest.approx(terms.influence[cluster == 3].sum(axis=0))


def test_influence_is_the_derivative_of_the_value(terms):
    step = 1e-6
    weight = np.ones(50)
    weight[4] += step
    heavier = Terms(terms.numerator * weight[:, None, None], terms.denominator * weight[:, None])
    assert (heavier.value - terms.value) / step == pytest.approx(terms.influence[4], rel=1e-4)


def test_sum_by_keeps_trailing_axes_and_empty_clusters():
    values = np.arange(12.0).reshape(3, 2, 2)
    out = sum_by(values, np.array([2, 0, 2]), 4)
    assert out.shape == (4, 2, 2)
    assert out[2] == pytest.approx(values[0] + values[2])
    assert not out[[1, 3]].any()


def test_sums_of_columns_give_the_value(terms):
    assert value_of_columns(terms.columns.sum(axis=0), 3, 2) == pytest.approx(terms.value, rel=1e-14)
    assert terms.columns.shape == (50, 3 * 2 + 3)


def test_clusters_that_cannot_be():
    for cluster in ([0, 1, 4], [-1, 0, 1]):
        with pytest.raises(ValueError, match=r"clusters are numbered -?\d to \d but there are 4 of them; number them"):
            sum_by(np.ones((3, 2)), np.array(cluster), 4)
    with pytest.raises(ValueError, match=r"cluster has shape \(2,\) for 3 rows; pass one number per row"):
        sum_by(np.ones((3, 2)), np.array([0, 1]), 4)
