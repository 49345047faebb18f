"""Sample sizes: by hand, against simulated tests, and what is said where a log cannot be extrapolated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from recsim.ope import Terms, evaluate
from recsim.ope.diagnostics import Verdict
from recsim.ope.intervals import Resamples, difference
from recsim.ope.power import (
    Power,
    ab_sentence,
    power_of,
    sentence,
    sessions_needed,
    sessions_per_arm,
    spread_of,
)

FOUND = Power(difference=0.1, spread=2.0, n_sessions=1_000, level=0.95, power=0.8)


def plain(values: np.ndarray) -> Terms:
    """The mean of values (n,)."""
    return Terms(values[:, None, None], np.ones((len(values), 1)))


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)


@pytest.mark.parametrize(("level", "power"), [(0.95, 0.8), (0.99, 0.9)])
def test_numbers_by_hand(level: float, power: float) -> None:
    z = norm.ppf((1 + level) / 2) + norm.ppf(power)
    found = replace(FOUND, level=level, power=power)
    assert found.needed == math.ceil((z * 2.0 / 0.1) ** 2)
    assert found.more == found.needed - 1_000
    assert found.detectable == pytest.approx(z * 2.0 / math.sqrt(1_000))
    assert sessions_needed(found.detectable, 2.0, level, power) in (1_000.0, 1_001.0)
    assert found.chance == pytest.approx(norm.cdf(0.1 * math.sqrt(1_000) / 2.0 - norm.ppf((1 + level) / 2)))
    assert replace(found, n_sessions=int(found.needed)).chance == pytest.approx(power, abs=1e-3)
    assert sessions_per_arm(0.1, 2.0, 1.0, level, power) == math.ceil(z**2 * (4.0 + 1.0) / 0.01)


def test_a_difference_may_be_negative_or_none() -> None:
    assert replace(FOUND, difference=-0.1).needed == FOUND.needed
    nothing = replace(FOUND, difference=0.0)
    assert (nothing.needed, nothing.more, nothing.chance) == (math.inf, math.inf, 0.0)
    assert replace(FOUND, spread=0.0).chance == 1.0


def test_the_spread_is_that_of_the_paired_difference() -> None:
    """What both policies share, here the user, cancels; a ratio brings its denominator's noise."""
    user, own = normal(1, 500), normal(2, 500)
    found = power_of(plain(user + 0.1 * own + 1.0), plain(user))
    assert found.spread == pytest.approx(0.1 * own.std(ddof=1))
    assert found.difference == pytest.approx(1.0 + 0.1 * own.mean())
    weight = np.exp(0.5 * normal(3, 500))
    ratio = Terms((weight * user)[:, None, None], weight[:, None])
    resamples = Resamples.draw(500, 20, 0)
    interval = difference(ratio, plain(user), resamples)
    assert power_of(ratio, plain(user)).spread / math.sqrt(500) == pytest.approx(interval.se[0], rel=1e-12)
    assert spread_of(ratio)[0] > 0


def test_objectives_and_differences_of_interest_can_be_chosen() -> None:
    values = normal(4, 200, 2) * [1.0, 3.0]
    both, nothing = Terms(values[:, None, :], np.ones((200, 1))), Terms(np.zeros((200, 1, 2)), np.ones((200, 1)))
    first, last = (power_of(both, nothing, objective=place, difference=0.5) for place in (0, -1))
    assert first.difference == last.difference == 0.5
    assert [first.spread, last.spread] == pytest.approx(values.std(axis=0, ddof=1))
    assert spread_of(both) == pytest.approx(values.std(axis=0, ddof=1))


def test_a_log_of_the_size_asked_for_finds_the_difference_as_often_as_promised() -> None:
    """Skewed weights, 1,000 logs; the first log says how many sessions the others need."""
    rng = np.random.Generator(np.random.Philox(5))

    def log(*shape: int) -> tuple[np.ndarray, np.ndarray]:
        reward = rng.gamma(4.0, 0.25, shape)
        return reward * rng.gamma(4.0, 0.25, shape), reward * 0.95

    first = log(20_000)
    found = power_of(plain(first[0]), plain(first[1]), difference=0.05)
    gap = np.subtract(*log(1_000, int(found.needed)))
    z = gap.mean(axis=1) / (gap.std(axis=1, ddof=1) / math.sqrt(gap.shape[1]))
    share = (np.abs(z) > norm.ppf(0.975)).mean()
    assert share == pytest.approx(0.8, abs=3 * math.sqrt(0.8 * 0.2 / 1_000) + 0.01)  # 0.01: the spread is an estimate


def test_an_ab_test_of_the_size_asked_for_finds_the_difference_as_often_as_promised() -> None:
    n = int(sessions_per_arm(0.3, 1.0, 2.0))
    first, second = 1.0 * normal(6, 3_000, n) + 0.3, 2.0 * normal(7, 3_000, n)
    se = np.sqrt((first.var(axis=1, ddof=1) + second.var(axis=1, ddof=1)) / n)
    share = (np.abs(first.mean(axis=1) - second.mean(axis=1)) / se > norm.ppf(0.975)).mean()
    assert share == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / 3_000))


def test_steady_sessions_raise_no_doubt() -> None:
    found = power_of(plain(normal(8, 400) + 0.1), plain(np.zeros(400)))
    assert found.doubt == ""


def test_a_session_that_decides_alone_raises_doubt() -> None:
    values = np.append(0.01 * normal(9, 399), 50.0)
    found = power_of(plain(values), plain(np.zeros(400)))
    assert "one makes up 100%; the variance is known to ± 100%" in found.doubt
    assert sentence(found, "A", "B").endswith(f"This number is a guess: {found.doubt}")


def test_a_verdict_against_a_policy_raises_doubt() -> None:
    verdicts = {"B": Verdict("trust", "fine."), "A": Verdict("do not use", "effective sample size 3.")}
    found = power_of(plain(normal(8, 400) + 0.1), plain(np.zeros(400)), verdicts=verdicts)
    assert found.doubt == "the log bears too little on A to say how much a longer one would: effective sample size 3."
    few = {"A": Verdict("caution", "few sessions.")}
    assert power_of(plain(normal(8, 400)), plain(np.zeros(400)), verdicts=few).doubt == ""


def test_sentences() -> None:
    assert sentence(FOUND, "A", "B") == (
        "about 2,200 more sessions (now 1,000) would tell A from B with 80% probability, if they really differ by 0.1."
    )
    assert sentence(replace(FOUND, n_sessions=4_000), "A", "B") == (
        "the 4,000 sessions suffice to tell A from B with 80% probability, if they really differ by 0.1."
    )
    assert sentence(replace(FOUND, difference=0.0), "A", "B") == (
        "A and B do not differ, which no number of sessions can show; the 1,000 sessions would show a difference of "
        "0.18 with 80% probability."
    )
    assert sentence(replace(FOUND, difference=0.0, spread=0.0), "A", "B") == (
        "A and B earn the same in every session of the log, which cannot tell them apart."
    )
    assert sentence(replace(FOUND, n_sessions=3_139), "A", "B").startswith("about 1 more session (now 3,139) would")
    assert ab_sentence(math.inf, "A", "B") == "A and B do not differ, which no A/B test can show."


def test_an_evaluation_has_what_it_takes(world, tiny_log, features) -> None:
    found = evaluate(tiny_log, [world.target, world.behaviour], features=features, seed=0, n_boot=20)
    parts = [found.terms[name, "dr"] for name in ("target", "behaviour")]
    power = power_of(*parts, objective=0)
    assert power.n_sessions == 400
    assert power.spread / math.sqrt(400) == pytest.approx(found.difference("target", "behaviour", "dr").se[0])
    logged = spread_of(found.terms["behaviour", "rips"])[0]  # weights of 1: the mean of the logged rewards
    clicks = tiny_log.objectives[:, :, 0].sum(axis=1).reshape(400, 3).mean(axis=1)
    assert logged == pytest.approx(clicks.std(ddof=1), rel=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 1.0}, "level is 1.0; a test's level is a probability between 0 and 1"),
        ({"power": 1.0}, "power is 1.0; it is a probability from 0.5 to below 1"),
        ({"power": 0.4}, "power is 0.4"),
        ({"difference": math.nan}, "the difference is nan; it must be a finite number"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        power_of(plain(normal(1, 5)), plain(normal(2, 5)), **options)
    with pytest.raises(ValueError, match=message):
        sessions_per_arm(**{"difference": 0.1, "spread": 1.0, "other_spread": 1.0} | options)


def test_terms_that_say_nothing_are_refused() -> None:
    with pytest.raises(
        ValueError, match="the terms have 5 sessions and the baseline 4; a paired difference needs both"
    ):
        power_of(plain(normal(1, 5)), plain(normal(1, 4)))
    with pytest.raises(ValueError, match=r"the log has 1 session\(s\); a spread needs at least 2"):
        spread_of(plain(normal(1, 1)))
    with pytest.raises(ValueError, match="the estimate is undefined: the policy would show none of the logged slates"):
        power_of(Terms(np.zeros((5, 1, 1)), np.zeros((5, 1))), plain(normal(1, 5)))
    with pytest.raises(ValueError, match="spread is -1.0; a standard deviation is a finite number from 0 up"):
        sessions_needed(0.1, -1.0)
    with pytest.raises(ValueError, match="spread is inf"):
        sessions_per_arm(0.1, 1.0, math.inf)
