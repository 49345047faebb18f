from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import expit

from recsim.agents.bandits.bandit import Feedback
from recsim.agents.bandits.logistic_thompson import Laplace, LogisticThompson
from recsim.agents.bandits.posterior import ItemGaussian
from recsim.simulator import Simulator


def test_one_weight_worked_out_by_hand() -> None:
    """One click at x = 2: the mean solves ridge * w = 2 (1 - p), the precision is ridge + 4 p (1 - p)."""
    laplace = Laplace.of(1, 1, 0.5, 1e12)  # no intercept
    laplace = laplace.after(np.array([[2.0]]), np.array([0]), np.array([1.0]), np.array([1.0]))
    w = brentq(lambda w: 0.5 * w - 2.0 * (1.0 - expit(2.0 * w)), 0.0, 4.0, xtol=1e-12)
    p = expit(2.0 * w)
    assert laplace.mean[0] == pytest.approx(w)
    assert laplace.shared[0, 0] == pytest.approx(0.5 + 4.0 * p * (1.0 - p))


def test_the_mean_is_the_most_likely_after_two_updates(whole: Callable[[ItemGaussian], np.ndarray]) -> None:
    draw = np.random.Generator(np.random.Philox(2))
    laplace = Laplace.of(4, 3, 1.0, 2.0)
    for _ in range(2):
        x, label, weight = draw.standard_normal((60, 4)) * 3.0, np.round(draw.random(60)), draw.random(60)
        item, prior, precision = draw.integers(3, size=60), laplace.mean, whole(laplace)
        inputs = np.hstack([x, np.eye(3)[item]])

        def loss(w: np.ndarray) -> float:
            moved, logit = w - prior, inputs @ w  # noqa: B023
            return 0.5 * moved @ precision @ moved + weight @ (np.logaddexp(0.0, logit) - label * logit)  # noqa: B023

        laplace = laplace.after(x, item, label, weight)
        np.testing.assert_allclose(laplace.mean, minimize(loss, prior, tol=1e-10).x, atol=1e-5)


def test_a_position_without_a_click_counts_as_far_as_it_was_looked_at(world: Simulator, feedback: Feedback) -> None:
    bandit = LogisticThompson(world.catalog, world.layout)
    first = Feedback(*(values[:200] for values in feedback))
    bandit.update(first)
    clicks = 10.0 + first.click.sum(axis=0)  # all positions were predicted the same: p = 0.5
    look = clicks / clicks.max()
    np.testing.assert_allclose(bandit.looks.share, look)
    x = bandit.features.at(first.observation, first.slate)
    weight = np.where(first.click, 1.0, look * 0.5 / (1.0 - 0.5 * look))
    reference = Laplace.of(bandit.features.size, len(world.catalog), 1.0, 10.0)
    rows = x.reshape(-1, x.shape[2]), first.slate.reshape(-1)
    reference = reference.after(*rows, first.click.reshape(-1).astype(float), weight.reshape(-1))
    np.testing.assert_allclose(bandit.click.mean, reference.mean, atol=1e-8)


def test_scores_are_click_probability_times_what_a_click_is_worth(world: Simulator, feedback: Feedback) -> None:
    bandit = LogisticThompson(world.catalog, world.layout)
    np.testing.assert_allclose(bandit.scores(feedback.observation[:2]), 0.5)  # nothing known: half a chance, worth 1
    bandit.update(feedback)
    clicked, m = feedback.click, len(world.catalog)
    x = np.concatenate([bandit.features.at(feedback.observation, feedback.slate), np.eye(m)[feedback.slate]], axis=2)
    ridge = np.repeat([1.0, 10.0], [bandit.features.size, m])
    prior = np.diag(ridge), np.append(bandit.features.constant, np.zeros(m))
    worth = np.linalg.solve(prior[0] + x[clicked].T @ x[clicked], prior[1] + x[clicked].T @ feedback.reward[clicked])
    expected = expit(x @ bandit.click.mean) * np.maximum(x @ worth, 0.01)
    np.testing.assert_allclose(bandit.scores(feedback.observation, feedback.slate), expected, rtol=1e-6)
