from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsim.metrics import mean_interval
from recsim.ope import Resamples, Terms, bootstrap, difference, snsips
from recsim.ope.bounds import hoeffding, maurer_pontil, normal, normal_difference, student_t
from recsim.ope.intervals import draws_of


def plain(values) -> Terms:
    """The terms of a mean."""
    values = np.asarray(values, float)
    return Terms(values.reshape(len(values), 1, -1), np.ones((len(values), 1)))


def ends(interval) -> list[float]:
    return [float(interval.low[0]), float(interval.high[0])]


def test_normal_by_hand():
    interval = normal(plain([1.0, 2.0, 3.0, 6.0]), level=0.9)  # mean 3, s^2 = 14/3, z = 1.6449
    reach = 1.6448536 * np.sqrt(14 / 3 / 4)
    assert interval.value[0] == pytest.approx(3.0)
    assert interval.se[0] == pytest.approx(np.sqrt(14 / 3 / 4))
    assert ends(interval) == pytest.approx([3 - reach, 3 + reach])


def test_self_normalised_by_the_delta_method():
    """The error is sqrt(sum w^2 (r - V)^2) / sum w, and the factor n / (n - 1) of a sample variance."""
    weight, reward = np.array([0.5, 2.0, 1.0]), np.array([1.0, 0.0, 1.0])
    interval = normal(Terms((weight * reward)[:, None, None], weight[:, None]))
    value = 1.5 / 3.5
    by_hand = np.sqrt(3 / 2 * (0.25 * (1 - value) ** 2 + 4 * value**2 + (1 - value) ** 2)) / 3.5
    assert interval.se[0] == pytest.approx(by_hand)


def test_student_t_takes_the_two_sided_quantile():
    """scope-rl took the one-sided one, so that its "95 %" interval was a 90 % one."""
    values = np.random.default_rng(0).normal(size=12)
    interval = student_t(plain(values))
    wanted = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert ends(interval) == pytest.approx([wanted.low, wanted.high])
    beside = mean_interval(values)
    assert ends(interval) == pytest.approx([beside.low, beside.high])
    one_sided = stats.t.ppf(0.95, 11) * interval.se[0]
    assert interval.high[0] - interval.value[0] > 1.2 * one_sided


def test_hoeffding_shrinks_as_the_log_grows():
    """scope-rl multiplied by n under the root: its interval grew with n."""
    small, large = (hoeffding(plain(np.tile([1.0, 2.0, 3.0, 6.0], n)), largest=6.0) for n in (100, 400))
    for interval, n in ((small, 400), (large, 1600)):
        reach = 6 * np.sqrt(np.log(40) / (2 * n))
        assert ends(interval) == pytest.approx([3 - reach, 3 + reach])
    assert large.high[0] - large.low[0] == pytest.approx((small.high[0] - small.low[0]) / 2)


def test_maurer_pontil_with_negative_rewards_by_hand():
    """scope-rl took the sample maximum for the range, and ln(2 / alpha) for both sides."""
    values = np.tile([-1.0, 0.5, 1.0], 500)
    interval = maurer_pontil(plain(values), largest=2.0, smallest=-2.0)
    n, length = 1500, np.log(4 / 0.05)
    reach = np.sqrt(2 * values.var(ddof=1) * length / n) + 7 * 4 * length / (3 * (n - 1))
    assert ends(interval) == pytest.approx([values.mean() - reach, values.mean() + reach])


def test_ends_stay_where_the_value_can_be():
    interval = maurer_pontil(plain([0.0, 0.0, 30.0]), largest=30.0, within=(0.0, 1.0))
    assert ends(interval) == [0.0, 1.0]
    assert ends(hoeffding(plain([0.0, 0.0, 30.0]), largest=30.0)) == pytest.approx([0.0, 30.0])


def test_a_ratio_holds_every_value_that_is_not_rejected():
    """A slow reference: a fine grid of candidates, each judged by the interval of numerator - v denominator."""
    rng = np.random.default_rng(1)
    size = rng.integers(1, 5, 4000).astype(float)
    total = size * rng.beta(1, 2, 4000)
    terms = Terms(total[:, None, None], size[:, None])
    grid = np.linspace(0.0, 1.0, 4001)
    moved = total[:, None] - grid * size[:, None]
    for bound in (maurer_pontil, hoeffding):
        if bound is maurer_pontil:
            length = np.log(4 / 0.05)
            reach = np.sqrt(2 * moved.var(axis=0, ddof=1) * length / 4000) + 7 * 4 * length / (3 * 3999)
        else:
            reach = np.full(len(grid), 4 * np.sqrt(np.log(40) / 8000))
        kept = grid[np.abs(moved.mean(axis=0)) <= reach]
        interval = bound(terms, largest=1.0, most=4.0)
        assert ends(interval) == pytest.approx([kept.min(), kept.max()], abs=1e-3)
        assert interval.low[0] <= kept.min()
        assert interval.high[0] >= kept.max()


def test_a_ratio_of_few_long_sessions_says_nothing():
    terms = Terms(np.array([[[0.0]], [[9.0]]]), np.array([[1.0], [10.0]]))
    assert ends(maurer_pontil(terms, largest=1.0, most=10.0)) == [0.0, 1.0]


def test_scale_and_objectives():
    rng = np.random.default_rng(2)
    values = rng.random((500, 2))
    both = maurer_pontil(plain(values * [1.0, 10.0]), largest=[1.0, 10.0])
    for objective, scale in enumerate((1.0, 10.0)):
        alone = maurer_pontil(plain(values[:, objective]), largest=1.0)
        assert [both.low[objective], both.high[objective]] == pytest.approx(np.array(ends(alone)) * scale, rel=1e-9)


def test_a_paired_difference_agrees_with_the_bootstrap():
    rng = np.random.default_rng(3)
    one = rng.normal(1.0, 1.0, 400)
    other = one + rng.normal(0.2, 0.1, 400)
    found = normal_difference(plain(other), plain(one))
    beside = difference(plain(other), plain(one), Resamples.draw(400, 2000, 0))
    assert found.value == pytest.approx(beside.value)
    assert found.se == pytest.approx(beside.se)
    assert ends(found) == pytest.approx(ends(beside), abs=0.002)


def test_self_normalised_intervals_count_the_denominator():
    """In obp the bootstrap resampled the numerator alone: 2.8 times too wide where the rewards are almost equal."""
    rng = np.random.default_rng(4)
    target, logged = np.log(rng.uniform(0.1, 0.9, (2, 800, 1)))
    reward = 1.0 + 0.01 * rng.normal(size=(800, 1))
    terms = snsips(reward, target, logged)
    right = [normal(terms), student_t(terms), bootstrap(terms, Resamples.draw(800, 400, 0))]
    fixed = Terms(terms.numerator, np.full_like(terms.denominator, terms.denominator.mean()))
    for interval in right:
        assert interval.high[0] - interval.low[0] < 0.003
    assert normal(fixed).high[0] - normal(fixed).low[0] > 0.05


def test_every_interval_is_of_the_estimate_itself():
    """In obp the value beside an interval is the bootstrap mean, and plots draw twice the width on both sides."""
    rng = np.random.default_rng(6)
    weight = rng.exponential(1.0, 50)[:, None]
    terms = Terms((weight * rng.random((50, 1)))[:, None, :], weight)
    resamples = Resamples.draw(50, 100, 0)
    found = [normal(terms), student_t(terms), bootstrap(terms, resamples), hoeffding(terms, largest=1.0, most=20.0)]
    for interval in found:
        assert interval.value[0] == terms.value[0]
        assert interval.se == pytest.approx(found[0].se)
    assert abs(float(draws_of(terms, resamples).mean()) - terms.value[0]) > 1e-5
    half = [(interval.high[0] - interval.low[0]) / 2 / interval.se[0] for interval in found[:3]]
    assert half == pytest.approx([1.96, 2.01, 1.96], rel=0.15)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 5)), min_size=2, max_size=40),
    st.sampled_from([0.5, 0.9, 0.99]),
)
def test_the_estimate_is_always_inside(rows, level):
    size = np.array([float(number) for _, number in rows])
    terms = Terms((np.array([share for share, _ in rows]) * size)[:, None, None], size[:, None])
    for bound in (maurer_pontil, hoeffding):
        interval = bound(terms, largest=1.0, level=level, most=5.0)
        assert 0.0 <= interval.low[0] <= terms.value[0] + 1e-12
        assert terms.value[0] - 1e-12 <= interval.high[0] <= 1.0


def test_no_overlap_leaves_the_whole_range():
    interval = maurer_pontil(Terms(np.zeros((3, 1, 1)), np.zeros((3, 1))), largest=1.0, most=5.0)
    assert ends(interval) == [0.0, 1.0]
    assert np.isnan(interval.value[0])


def test_errors():
    terms = plain([0.0, 1.0])
    with pytest.raises(ValueError, match="level is 95; an interval's level is a probability"):
        normal(terms, level=95)
    with pytest.raises(ValueError, match=r"the terms have 1 row\(s\); a spread needs at least 2 sessions"):
        student_t(plain([1.0]))
    with pytest.raises(ValueError, match="row 1, objective 0: 1 over 1 is outside of the bounds, 0 to 0.5 per unit"):
        maurer_pontil(terms, largest=0.5)
    with pytest.raises(ValueError, match="at most 1 units; bounds must hold for every row that can occur"):
        hoeffding(Terms(np.ones((2, 1, 1)), np.full((2, 1), 3.0)), largest=1.0)
    with pytest.raises(ValueError, match="between 0 and inf per unit .* the largest weight is infinite"):
        maurer_pontil(terms, largest=np.inf)
    with pytest.raises(ValueError, match="between 2 and 1 per unit"):
        hoeffding(terms, largest=1.0, smallest=2.0)
    with pytest.raises(ValueError, match="a sum of 2 ratios, for which no interval is guaranteed. Pass those of an"):
        maurer_pontil(Terms(np.ones((3, 2, 1)), np.ones((3, 2))), largest=1.0)
    with pytest.raises(ValueError, match="the terms have 2 rows but those of the baseline 3; a paired difference"):
        normal_difference(terms, plain([1.0, 2.0, 3.0]))


@pytest.mark.slow
def test_guaranteed_intervals_hold_with_rare_heavy_weights():
    """Weights of 100 with chance 0.002: asymptotic intervals fail, and so do guaranteed ones made of the sample."""
    rng, n, replications = np.random.default_rng(5), 1000, 500
    held = {"normal": 0, "sample": 0, "policies": 0}
    for _ in range(replications):
        heavy = rng.random(n) < 0.002
        weight = np.where(heavy, 100.0, 0.8 / 0.998)
        terms = plain(weight * (rng.random(n) < np.where(heavy, 0.8, 0.1)))  # truth 0.2 * 0.8 + 0.8 * 0.1 = 0.24
        intervals = {
            "normal": normal(terms),
            "policies": maurer_pontil(terms, largest=100.0),
            "sample": maurer_pontil(terms, largest=max(float(terms.numerator.max()), 1e-9)),
        }
        for name, interval in intervals.items():
            held[name] += bool(interval.low[0] <= 0.24 <= interval.high[0])
    share = {name: count / replications for name, count in held.items()}
    assert share["policies"] >= 0.95
    assert share["normal"] < 0.85
    assert share["sample"] < 0.95  # the peers' bound, from the largest contribution seen
