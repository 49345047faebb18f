from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from recsim.ope.sequences import _mixture_reach, betting, empirical_bernstein, off_policy

METHODS = (empirical_bernstein, betting)


def slow_plug_in(values, alpha: float) -> list[tuple[float, float]]:
    """Theorem 2 of Waudby-Smith and Ramdas, a row at a time, without intersections."""
    total, squares, out = 0.5, 0.25, []
    bets = won = risk = 0.0
    for t, y in enumerate(values, 1):
        mean, variance = total / t, squares / t
        bet = min(math.sqrt(2 * math.log(2 / alpha) / (variance * t * math.log(1 + t))), 0.5)
        bets, won = bets + bet, won + bet * y
        risk += 4 * (y - mean) ** 2 * (-math.log(1 - bet) - bet) / 4
        reach = (math.log(2 / alpha) + risk) / bets
        out.append((won / bets - reach, won / bets + reach))
        total += y
        squares += (y - total / (t + 1)) ** 2
    return out


def slow_bet(values, mean: float, alpha: float) -> tuple[float, float]:
    """The largest wealth that either gambler ever has against one mean (theorem 3)."""
    total, squares, above, below = 0.5, 0.25, 1.0, 1.0
    largest = [1.0, 1.0]
    for t, y in enumerate(values, 1):
        bet = math.sqrt(2 * math.log(2 / alpha) / (squares / t * t * math.log(1 + t)))
        above *= 1 + min(bet, 0.5 / mean) * (y - mean)
        below *= 1 - min(bet, 0.5 / (1 - mean)) * (y - mean)
        largest = [max(largest[0], above), max(largest[1], below)]
        total += y
        squares += (y - total / (t + 1)) ** 2
    return largest[0], largest[1]


def log_wealth(s: float, v: float) -> float:
    """The gamma mixture by quadrature: over lambda, of exp(lambda S + [ln(1 - lambda) + lambda] V)."""
    chance = quad(lambda bet: math.exp(-(1 - bet)), 0, 1)[0]
    wealth = quad(lambda bet: math.exp(bet * s + (math.log1p(-bet) + bet) * v - (1 - bet)), 0, 1 - 1e-13)[0]
    return math.log(wealth / chance)


def test_empirical_bernstein_agrees_with_a_slow_loop():
    values = np.random.default_rng(0).beta(1, 4, 300)
    found = empirical_bernstein(10 * values - 2, largest=8.0, smallest=-2.0, level=0.9)
    low, high = np.array(slow_plug_in(values, 0.1)).T
    assert found.low[:, 0] == pytest.approx(10 * np.maximum.accumulate(np.clip(low, 0, 1)) - 2)
    assert found.high[:, 0] == pytest.approx(10 * np.minimum.accumulate(np.clip(high, 0, 1)) - 2)
    assert found.value[:, 0] == pytest.approx(10 * values.cumsum() / np.arange(1, 301) - 2)


def test_betting_rejects_what_a_slow_gambler_rejects():
    values = np.random.default_rng(1).beta(2, 5, 200)
    low, high = (float(end[0]) for end in betting(values, largest=1.0).last)
    assert low < values.mean() < high
    for mean in np.linspace(0.02, 0.98, 97):
        above, below = slow_bet(values, mean, 0.05)
        rejected = max(above, below) / 2 >= 20
        if rejected != (mean < low or mean > high):
            assert min(abs(mean - low), abs(mean - high)) < 1e-3  # the ends are values of the grid, outside


def test_the_mixture_reaches_the_threshold():
    squares = np.array([0.0, 0.3, 4.0, 50.0, 700.0])
    for total, square in zip(_mixture_reach(squares, math.log(40)), squares, strict=True):
        assert log_wealth(total, square) == pytest.approx(math.log(40), abs=1e-5)


def test_the_mixture_keeps_its_digits_under_heavy_weights():
    """For large V, S is that of a normal mixture: S^2 / (2 V) = ln(40 x chance / density) + ln(V / (2 pi)) / 2."""
    squares = 10.0 ** np.arange(0, 250, 5)
    reach = _mixture_reach(squares, math.log(40))
    assert np.isfinite(reach).all()
    assert (np.diff(reach) > 0).all()
    chance = 1 - math.exp(-1)  # of lambda below 1; its density at 0 is e^-1
    limit = np.sqrt(2 * squares * (math.log(40 * chance) + 1 + np.log(squares / (2 * math.pi)) / 2))
    assert reach[4:7] == pytest.approx(limit[4:7], rel=1e-6)
    assert (reach[7:] >= limit[7:] * (1 - 1e-6)).all()
    assert (reach[7:] <= limit[7:] * 1.01).all()  # a + S is a in float64: P is taken for 1/2, on the safe side
    found = off_policy([1e120, 1.0, 1.0], [1.0, 0.0, 0.0])
    assert [float(end[0]) for end in found.last] == [0.0, 1.0]


def test_the_off_policy_sequence_by_hand():
    """Two rows, both worth 1 (of a weight of 2 and a reward of 1/2): Xhat is 1/2, then (1 + 1/2) / 2."""
    found = off_policy([2.0, 2.0], [1.5, 1.5], smallest=1.0, largest=2.0, level=0.5)
    squares = 0.5**2 + 0.25**2
    reach = float(_mixture_reach(np.array([squares]), math.log(4))[0])
    low = max(0.0, 1 - float(_mixture_reach(np.array([0.25]), math.log(4))[0]), (2 - reach) / 2)
    assert [float(end[0]) for end in found.last] == pytest.approx([1 + low, 2 - low])
    assert found.value[-1, 0] == pytest.approx(2.0)  # 1 + the mean of w (r - 1)


def test_the_prediction_is_held_below_one():
    """The inequality behind the wealth needs X - Xhat >= -1; a mean of 4 as a prediction would allow less."""
    found = off_policy(np.full(10, 4.0), np.ones(10), level=0.95)
    squares = np.cumsum([(4 - 0.5) ** 2] + [(4 - 1.0) ** 2] * 9)
    reach = _mixture_reach(squares, math.log(40))
    by_hand = np.maximum.accumulate(np.clip((4 * np.arange(1, 11) - reach) / np.arange(1, 11), 0, 1))
    assert found.low[:, 0] == pytest.approx(by_hand)
    assert 0.1 < by_hand[-1] < 0.9


@pytest.mark.parametrize("method", METHODS)
def test_ends_only_move_inwards_and_columns_are_apart(method):
    values = np.random.default_rng(2).random((400, 3)) ** [1, 2, 8]
    found = method(values, largest=1.0)
    assert found.low.shape == found.high.shape == (400, 3)
    assert (np.diff(found.low, axis=0) >= 0).all()
    assert (np.diff(found.high, axis=0) <= 0).all()
    assert (found.low <= found.high).all()
    for column in range(3):
        alone = method(values[:, column], largest=1.0)
        assert np.array_equal(alone.low[:, 0], found.low[:, column])


@pytest.mark.parametrize("method", METHODS)
def test_the_past_does_not_know_the_future(method):
    values = np.random.default_rng(3).random(300)
    whole, first = method(values, largest=1.0), method(values[:100], largest=1.0)
    assert np.array_equal(whole.low[:100], first.low)
    weight = np.random.default_rng(4).gamma(1.0, 1.0, 300)
    assert np.allclose(off_policy(weight, values).low[:100], off_policy(weight[:100], values[:100]).low, rtol=1e-7)


def test_betting_is_narrower_and_mirrors():
    values = np.random.default_rng(5).beta(1, 20, 2000)
    bernstein, bets = (method(values, largest=1.0) for method in METHODS)
    assert bets.high[-1, 0] - bets.low[-1, 0] < bernstein.high[-1, 0] - bernstein.low[-1, 0]
    mirrored = betting(1 - values, largest=1.0)
    assert mirrored.high[-1, 0] == pytest.approx(1 - bets.low[-1, 0], abs=1e-9)


def test_what_never_varies():
    for method in METHODS:
        found = method(np.full(1000, 0.5), largest=1.0)
        assert found.low[-1, 0] < 0.5 < found.high[-1, 0]
        assert found.high[-1, 0] - found.low[-1, 0] < 0.1
    same = off_policy(np.ones(1000), np.zeros(1000))
    assert same.low[-1, 0] == 0.0
    assert same.high[-1, 0] < 0.03


def test_errors():
    for method in METHODS:
        with pytest.raises(ValueError, match="row 1, objective 0 is 1.5, not between 0 and 1; bounds must hold"):
            method([0.5, 1.5], largest=1.0)
        with pytest.raises(ValueError, match="row 0, objective 0 is nan"):
            method([np.nan], largest=1.0)
        with pytest.raises(ValueError, match="between 0.0 and inf; a sequence needs finite bounds.* use off_policy"):
            method([0.5], largest=math.inf)
        with pytest.raises(ValueError, match="level is 1; an interval's level"):
            method([0.5], largest=1.0, level=1)
        with pytest.raises(ValueError, match=r"contributions have shape \(0, 1\)"):
            method([], largest=1.0)
    with pytest.raises(ValueError, match="row 1 of weight is -1.0; weights are finite and at least 0"):
        off_policy([1.0, -1.0], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"weight has shape \(1,\) for 2 rewards"):
        off_policy([1.0], [0.0, 1.0])


@pytest.mark.slow
def test_sequences_hold_at_every_look_where_the_normal_interval_does_not():
    """Weights of 50 with chance 0.004 (or 0.8 / 0.996): the value is 0.2 * 0.7 + 0.8 * 0.1 = 0.22."""
    rng, n, replications, truth = np.random.default_rng(6), 600, 400, 0.22
    heavy = rng.random((n, replications)) < 0.004
    weight = np.where(heavy, 50.0, 0.8 / 0.996)
    reward = (rng.random(heavy.shape) < np.where(heavy, 0.7, 0.1)).astype(float)
    worth = weight * reward
    missed = {method.__name__: ~_held(method(worth, largest=50.0), truth) for method in METHODS}
    missed["off_policy"] = np.array(
        [~_held(off_policy(*row), truth)[0] for row in zip(weight.T, reward.T, strict=True)]
    )
    rows = np.arange(1, n + 1)[:, None]
    mean = worth.cumsum(axis=0) / rows
    error = np.sqrt(np.maximum(np.square(worth).cumsum(axis=0) / rows - mean**2, 0) / rows)
    missed["normal"] = (np.abs(mean - truth) > 1.96 * error)[30:].any(axis=0)
    share = {name: float(found.mean()) for name, found in missed.items()}
    for name in ("empirical_bernstein", "betting", "off_policy"):
        assert share[name] <= 0.05, name
    assert share["normal"] > 0.4


def _held(sequence, truth: float):
    return (sequence.low <= truth).all(axis=0) & (truth <= sequence.high).all(axis=0)
