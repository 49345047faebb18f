"""Metrics against hand-computed values, slow obvious references, and every error."""

import numpy as np
import pytest
from scipy import stats

from recsim import metrics
from recsim.metrics import Interval, mean_interval, paired_interval

EMPTY = -1


def test_mean_interval_by_hand() -> None:
    interval = mean_interval([2.0, 4.0, 6.0, 8.0], 0.9)
    se = np.sqrt((9 + 1 + 1 + 9) / 3) / 2
    half = 2.3533634348018264 * se  # t(0.95, 3) of the printed tables: 2.353
    assert interval.mean == 5.0
    assert interval.se == pytest.approx(se)
    assert (interval.low, interval.high) == pytest.approx((5 - half, 5 + half))


def test_mean_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=37)
    interval = mean_interval(values, 0.99)
    low, high = stats.t.interval(0.99, 36, values.mean(), stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-12)


def test_mean_interval_covers_as_often_as_it_says() -> None:
    draw = np.random.default_rng(2)
    intervals = [mean_interval(draw.normal(3.0, size=5), 0.8) for _ in range(2000)]
    covered = np.mean([interval.low < 3.0 < interval.high for interval in intervals])
    assert abs(covered - 0.8) < 3 * np.sqrt(0.8 * 0.2 / 2000)


def test_paired_interval_cancels_what_is_shared() -> None:
    luck = np.array([10.0, -20.0, 5.0])
    interval = paired_interval(luck + np.array([1.0, 2.0, 3.0]), luck)
    assert interval.mean == pytest.approx(2.0)
    assert interval.se == pytest.approx(1 / np.sqrt(3))
    assert isinstance(interval, Interval)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_level_outside_zero_and_one(level: float) -> None:
    with pytest.raises(ValueError, match="probability between 0 and 1"):
        mean_interval([1.0, 2.0], level)


@pytest.mark.parametrize("values", [[], [1.0], [[1.0, 2.0]]])
def test_too_few_values(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least 2 values"):
        mean_interval(values)


def test_value_that_is_not_finite_is_named() -> None:
    with pytest.raises(ValueError, match="value 1 is nan"):
        mean_interval([1.0, np.nan, 2.0])


def test_pairs_of_different_length() -> None:
    with pytest.raises(ValueError, match="same users in the same order"):
        paired_interval([1.0, 2.0], [1.0])


def test_rates_are_ratios_of_sums() -> None:
    assert metrics.click_through_rate([1, 0, 2], [10, 10, 10]) == 3 / 30
    assert metrics.conversion_rate(np.array([True, False]), np.array([True, True])) == 0.5
    assert metrics.novelty_per_click([0.9, 0.3], [1, 3]) == pytest.approx(1.2 / 4)


def test_rates_of_nothing_are_undefined() -> None:
    assert np.isnan(metrics.click_through_rate([0], [0]))
    assert np.isnan(metrics.conversion_rate([0], [0]))
    assert np.isnan(metrics.novelty_per_click([0.0], [0]))


def test_coverage_counts_items_not_exposures() -> None:
    assert metrics.catalogue_coverage([100, 1, 0, 0, 0]) == 2 / 5


def test_gini_by_hand_and_by_mean_difference() -> None:
    assert metrics.gini([7, 7, 7]) == 0.0
    assert metrics.gini([0, 0, 0, 5]) == 1 - 1 / 4
    x = np.random.default_rng(3).integers(0, 50, 40).astype(float)
    mean_difference = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert metrics.gini(x) == pytest.approx(mean_difference)
    assert metrics.gini(x) == pytest.approx(metrics.gini(10 * x))
    assert np.isnan(metrics.gini([0, 0]))


@pytest.mark.parametrize("exposure", [[], [[1, 2]], [1, -1], [1.0, np.nan]])
@pytest.mark.parametrize("metric", [metrics.gini, metrics.catalogue_coverage])
def test_exposure_that_is_no_count(metric: object, exposure: list[float]) -> None:
    with pytest.raises(ValueError, match="how often each item was shown"):
        metric(exposure)  # type: ignore[operator]


def _diversity_by_loop(slate: np.ndarray, embedding: np.ndarray) -> float:
    rows = [embedding[item] for item in slate if item != EMPTY and embedding[item].any()]
    distances = [
        1 - rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])
        for i in range(len(rows))
        for j in range(i)
    ]
    return float(np.mean(distances)) if distances else float("nan")


def test_diversity_agrees_with_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(4)
    embedding = draw.normal(size=(30, 6))
    embedding[[3, 4, 5]] = 0.0
    slate = draw.permuted(np.tile(np.arange(30), (50, 1)), axis=1)[:, :5]
    slate[::7, 2] = EMPTY
    slate[0] = [3, 4, 1, EMPTY, 5]  # one item with an embedding: no pair
    expected = [_diversity_by_loop(row, embedding) for row in slate]
    np.testing.assert_allclose(metrics.intra_list_diversity(slate, embedding), expected, atol=1e-12)
    assert np.isnan(expected[0])
    monkeypatch.setattr(metrics, "_BLOCK", 7 * 5 * 6)
    np.testing.assert_allclose(metrics.intra_list_diversity(slate, embedding), expected, atol=1e-12)


def test_diversity_of_no_slates() -> None:
    assert metrics.intra_list_diversity(np.empty((0, 3), np.int64), np.ones((2, 2))).shape == (0,)


RELEVANT = np.array([[True, False, True, False, True], [False] * 5])
SLATE = np.array([[1, 0, EMPTY, 4], [0, 1, 2, 3]])


def test_precision_recall_and_f1_by_hand() -> None:
    np.testing.assert_allclose(metrics.precision_at(4, SLATE, RELEVANT), [2 / 4, 0])
    np.testing.assert_allclose(metrics.recall_at(4, SLATE, RELEVANT), [2 / 3, 0])
    np.testing.assert_allclose(metrics.f1_at(4, SLATE, RELEVANT), [2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3), 0])
    np.testing.assert_allclose(metrics.precision_at(1, SLATE, RELEVANT), [0, 0])


def test_ndcg_by_hand() -> None:
    gain = np.array([[3.0, 0.0, 2.0, 0.0, 1.0], [0.0] * 5])
    found = 3 / np.log2(3) + 1 / np.log2(5)
    best = 3 / np.log2(2) + 2 / np.log2(3) + 1 / np.log2(4)
    np.testing.assert_allclose(metrics.ndcg_at(4, SLATE, gain), [found / best, 0.0])


def test_ndcg_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import ndcg_score

    draw = np.random.default_rng(5)
    gain, score = draw.integers(0, 4, (20, 12)).astype(float), draw.normal(size=(20, 12))
    slate = np.argsort(-score, axis=1)
    assert metrics.ndcg_at(5, slate, gain).mean() == pytest.approx(ndcg_score(gain, score, k=5), rel=1e-12)


def test_ndcg_with_a_cutoff_beyond_the_catalogue() -> None:
    slate = np.array([[1, 0, EMPTY]])
    np.testing.assert_allclose(metrics.ndcg_at(3, slate, np.array([[0.0, 1.0]])), [1.0])


def test_negative_gain() -> None:
    with pytest.raises(ValueError, match="lowest gain is -1"):
        metrics.ndcg_at(1, SLATE, np.full((2, 5), -1.0))


@pytest.mark.parametrize("k", [0, 5])
def test_cutoff_outside_the_slate(k: int) -> None:
    with pytest.raises(ValueError, match="slates have 4 positions"):
        metrics.precision_at(k, SLATE, RELEVANT)


def test_other_number_of_users() -> None:
    with pytest.raises(ValueError, match="2 slates but 1 rows"):
        metrics.recall_at(1, SLATE, RELEVANT[:1])
