from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest

from recsim.agents.bandits.bandit import Feedback
from recsim.agents.bandits.linear_thompson import LinearThompson
from recsim.agents.bandits.posterior import ItemGaussian, Ridge
from recsim.agents.bandits.thompson import mixture_log_prob
from recsim.policy import plackett_luce_log_prob
from recsim.simulator import Simulator
from recsim.streams import Streams


def test_one_weight_worked_out_by_hand() -> None:
    ridge = Ridge.of(1, 1, 2.0, np.inf)  # no intercept
    ridge = ridge.after(np.array([[1.0], [3.0]]), np.zeros(2, np.int64), np.array([5.0, 1.0]), np.array([1.0, 0.5]))
    assert ridge.shared.tolist() == [[2.0 + 1.0 + 0.5 * 9.0]]
    assert ridge.mean[0] == pytest.approx((5.0 + 3.0) / 7.5)
    draws = ridge.draws(np.array([[0.0, 1.0], [2.0, 1.0]]), 0.3)
    np.testing.assert_allclose(draws[:, 0], 8.0 / 7.5 + np.array([0.0, 0.6 / np.sqrt(7.5)]))


def test_draws_have_the_mean_and_the_covariance_of_the_posterior(whole: Callable[[ItemGaussian], np.ndarray]) -> None:
    draw = np.random.Generator(np.random.Philox(1))
    ridge = Ridge.of(3, 2, 1.0, 4.0)
    ridge = ridge.after(draw.standard_normal((20, 3)), draw.integers(2, size=20), draw.random(20), np.ones(20))
    draws, covariance = ridge.draws(draw.standard_normal((200_000, 5)), 2.0), np.linalg.inv(whole(ridge))
    np.testing.assert_allclose(draws.mean(axis=0), ridge.mean, atol=5.0 * 2.0 * np.sqrt(covariance.max() / 2e5))
    np.testing.assert_allclose(np.cov(draws.T), 4.0 * covariance, atol=0.01)


def test_draws_are_renewed_by_an_update_and_by_nothing_else(world: Simulator, feedback: Feedback) -> None:
    bandit = LinearThompson(world.catalog, world.layout)
    before = bandit.normal(4)
    np.testing.assert_array_equal(bandit.normal(4), before)
    bandit.update(feedback)
    assert not np.isin(bandit.normal(4), before).any()
    other = LinearThompson(world.catalog, world.layout, seed=1)
    assert not np.isin(other.normal(4), before).any()


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_propensities_are_the_mean_over_draws(world: Simulator, feedback: Feedback, temperature: float) -> None:
    bandit = LinearThompson(world.catalog, world.layout, temperature=temperature, draws=7, scale=1.0)
    bandit.update(feedback)
    policy, observation = bandit.policy("ts", 4), feedback.observation[:40]
    decision = policy.act(observation, Streams.of(0, 40))
    scores, k = bandit.sampled_scores(observation), 4
    for row, slate in enumerate(decision.slate):
        if temperature:
            each = plackett_luce_log_prob(scores[row] / temperature, np.tile(slate, (7, 1))).sum(axis=1)
            expected = np.exp(each).mean()
        else:
            best = np.argsort(-scores[row], axis=1, kind="stable")[:, :k]
            expected = (best == slate).all(axis=1).mean()
            assert expected >= 1.0 / 7.0
        assert np.exp(decision.log_prob[row]) == pytest.approx(expected)


def test_a_softened_mixture_sums_to_one(world: Simulator, feedback: Feedback) -> None:
    bandit = LinearThompson(world.catalog, world.layout, temperature=0.3, draws=5)
    bandit.update(feedback)
    slates = np.array(list(permutations(range(len(world.catalog)), 2)))
    seen = np.repeat(feedback.observation[:1], len(slates), axis=0)
    assert np.exp(bandit.policy("ts", 2).log_prob(seen, slates)).sum() == pytest.approx(1.0)


def test_a_mixture_that_cannot_show_a_slate_says_so_from_there_on() -> None:
    parts = np.array([[[0.0, -np.inf, 0.0], [-np.inf, 0.0, 0.0]]])
    assert mixture_log_prob(parts).tolist() == [[np.log(0.5), -np.inf, -np.inf]]


def test_more_draws_vary_less(world: Simulator, feedback: Feedback) -> None:
    """As an estimate of Thompson sampling with endless draws, the variance falls as 1 / draws."""
    spread = []
    for draws in (4, 64):
        found = []
        for seed in range(30):
            bandit = LinearThompson(world.catalog, world.layout, temperature=0.3, draws=draws, scale=2.0, seed=seed)
            bandit.update(feedback)
            found.append(np.exp(bandit.policy("ts", 1).log_prob(feedback.observation[:1], np.array([[3]])))[0])
        spread.append(np.var(found))
    assert 4.0 < spread[0] / spread[1] < 64.0  # 16, and the noise of 30 seeds


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"scale": -1.0}, "scale is -1.0; it is a number from 0 up"),
        ({"temperature": -1.0}, "temperature is -1.0; it is a number from 0 up"),
        ({"draws": 0}, "draws is 0; it is a number above 0"),
        ({"ridge": 0.0}, "ridge is 0.0; it is a number above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(world: Simulator, options: dict[str, float], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        LinearThompson(world.catalog, world.layout, **options)  # type: ignore[arg-type]
