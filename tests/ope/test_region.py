from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recsim.ope import Resamples, Terms
from recsim.ope.bounds import normal, student_t
from recsim.ope.region import bonferroni, ellipsoid, simultaneous


def plain(values) -> Terms:
    """The terms of a mean."""
    values = np.asarray(values, float)
    return Terms(values.reshape(len(values), 1, -1), np.ones((len(values), 1)))


def related(n: int, seed: int = 0) -> np.ndarray:
    """(n, 3) of mean 0, the first two moving together."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3))
    values[:, 1] = 0.8 * values[:, 0] + 0.6 * values[:, 1]
    return values


def test_the_ellipsoid_is_hotellings():
    values = related(60)
    region = ellipsoid(plain(values))
    for point in np.random.default_rng(1).normal(0.0, 0.25, (200, 3)):
        away = values.mean(axis=0) - point
        square = 60 * away @ np.linalg.solve(np.cov(values.T), away)
        chance = stats.f.cdf(square * (60 - 3) / (3 * 59), 3, 57)
        assert bool(region.contains(point)) == (chance <= 0.95)


def test_the_radius_tends_to_chi_square():
    assert ellipsoid(plain(related(20_000))).radius ** 2 == pytest.approx(stats.chi2.ppf(0.95, 3), rel=1e-3)


def test_one_objective_is_an_interval():
    terms = plain(related(30)[:, :1])
    interval, (low, high) = student_t(terms), ellipsoid(terms).box
    assert [low[0], high[0]] == pytest.approx([interval.low[0], interval.high[0]])
    assert [part[0] for part in (bonferroni(terms).low, bonferroni(terms).high)] == pytest.approx(
        [normal(terms).low[0], normal(terms).high[0]]
    )


def test_the_box_touches_the_ellipsoid():
    region = ellipsoid(plain(related(100)))
    low, high = region.box
    for objective in range(3):
        step = region.covariance[objective] / np.sqrt(region.covariance[objective, objective])
        touching = region.centre + region.radius * step
        assert touching[objective] == pytest.approx(high[objective])
        assert region.contains(touching)
        assert not region.contains(region.centre + 1.01 * region.radius * step)
        assert not region.contains(region.centre - 1.01 * region.radius * step)
    assert low == pytest.approx(2 * region.centre - high)


def test_an_objective_that_is_the_sum_of_others():
    values = related(200)
    both = np.column_stack([values, values @ [1.0, 2.0, 0.5]])
    with_sum, without = ellipsoid(plain(both)), ellipsoid(plain(values))
    assert with_sum.radius == pytest.approx(without.radius)
    points = np.random.default_rng(2).normal(0.0, 0.12, (300, 3))
    inside = without.contains(points)
    assert 0 < inside.sum() < 300
    assert np.array_equal(with_sum.contains(np.column_stack([points, points @ [1.0, 2.0, 0.5]])), inside)
    assert not with_sum.contains(np.column_stack([points, points @ [1.0, 2.0, 0.5] + 1.0])).any()


def test_an_objective_that_never_varies():
    values = related(50)
    values[:, 2] = 0.3
    region = ellipsoid(plain(values))
    assert region.contains([*values.mean(axis=0)[:2], 0.3])
    assert not region.contains([*values.mean(axis=0)[:2], 0.31])
    box = simultaneous(plain(values), Resamples.draw(50, 100, 0))
    assert (box.low[2], box.high[2]) == pytest.approx((0.3, 0.3))


def test_boxes_hold_all_objectives_and_use_that_they_move_together():
    values = np.repeat(np.random.default_rng(3).normal(size=(400, 1)), 5, axis=1)  # five times the same
    terms = plain(values)
    joint, apart, single = simultaneous(terms, Resamples.draw(400, 2000, 0)), bonferroni(terms), normal(terms)
    width = [float(box.high[0] - box.low[0]) for box in (single, joint, apart)]
    assert width[1] == pytest.approx(width[0], rel=0.1)
    assert width[2] == pytest.approx(width[0] * stats.norm.ppf(0.995) / stats.norm.ppf(0.975))


def test_studentised_draws_by_hand():
    """Of the values 0, 2 and 4, the draws 0 2 4, 2 2 4 and 0 0 2 are 0, 1 and 2 of their own standard errors off.

    Influences are -2/3, 0 and 2/3. The draw 2 2 4 is 8/3, 2/3 off; its error is sqrt(3/2 (4/9 - (2/3)^2 / 3)) = 2/3.
    The draw 0 0 2 is 2/3, 4/3 off; its error is sqrt(3/2 (8/9 - (4/3)^2 / 3)) = 2/3.
    """
    box = simultaneous(plain([0.0, 2.0, 4.0]), Resamples.of_indices([[0, 1, 2], [1, 1, 2], [0, 0, 1]], 3), level=0.5)
    assert box.se[0] == pytest.approx(np.sqrt(4 / 3))
    assert [box.low[0], box.high[0]] == pytest.approx([2 - np.sqrt(4 / 3), 2 + np.sqrt(4 / 3)])


def test_draws_in_which_nothing_varies_are_left_out():
    box = simultaneous(plain([0.0, 2.0, 4.0]), Resamples.of_indices([[0, 0, 0], [1, 1, 2], [1, 1, 2]], 3))
    assert box.undefined == 1
    assert box.high[0] == pytest.approx(2 + np.sqrt(4 / 3))
    none = simultaneous(plain([0.0, 2.0, 4.0]), Resamples.of_indices([[0, 0, 0], [1, 1, 1]], 3))
    assert none.undefined == 2
    assert np.isnan([none.low, none.high]).all()


def test_row_order_does_not_matter():
    values = related(80)
    one, other = ellipsoid(plain(values)), ellipsoid(plain(values[::-1]))
    assert one.covariance == pytest.approx(other.covariance, abs=1e-15)
    assert one.radius == other.radius


def test_errors():
    terms = plain(related(10))
    with pytest.raises(ValueError, match=r"the point has shape \(2,\) but the region has 3 objectives"):
        ellipsoid(terms).contains([0.0, 0.0])
    with pytest.raises(ValueError, match="the terms have 3 rows for 3 objectives; a joint region needs more sessions"):
        ellipsoid(plain(np.diag([1.0, 2.0, 4.0]) + np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0]])), level=0.9)
    with pytest.raises(ValueError, match="level is 2; an interval's level"):
        bonferroni(terms, level=2)
    with pytest.raises(ValueError, match="the terms have 10 rows but the resamples are of 4 clusters"):
        simultaneous(terms, Resamples.draw(4, 10, 0))


@pytest.mark.slow
def test_joint_coverage_where_separate_intervals_miss():
    hits = dict.fromkeys(("ellipsoid", "bonferroni", "simultaneous", "separate"), 0)
    replications = 1000
    for seed in range(replications):
        values = np.exp(related(250, seed)) - np.exp(0.5)
        terms = plain(values)
        hits["ellipsoid"] += bool(ellipsoid(terms).contains(np.zeros(3)))
        boxes = {
            "bonferroni": bonferroni(terms),
            "simultaneous": simultaneous(terms, Resamples.draw(250, 200, seed)),
            "separate": normal(terms),
        }
        for name, box in boxes.items():
            hits[name] += bool(((box.low <= 0) & (box.high >= 0)).all())
    share = {name: count / replications for name, count in hits.items()}
    assert share["separate"] < 0.9
    assert min(share["ellipsoid"], share["bonferroni"], share["simultaneous"]) > 0.915  # log-normal rewards are skewed
    assert share["simultaneous"] > 0.935  # studentised draws make up for it
