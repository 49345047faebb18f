from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.ope.bandit import dr, importance_weight, ips, snips
from recsim.ope.loggers import (
    UnknownPrecisionError,
    balanced,
    balanced_log_prob,
    by_precision,
    own_log_prob,
    weighted,
    weighted_weight,
)
from recsim.ope.terms import Terms


@pytest.fixture(scope="module")
def loggers(actions):
    """Two loggers: the world's own, and one that shows most what the target shows least."""
    against = 1 / (actions.target + 0.02)
    return actions.logging, against / against.sum(axis=1, keepdims=True)


def logs_of(world, loggers, sizes, seed):
    """Rewards, target, log_prob_by and logger of one log that both loggers wrote."""
    parts = [world.log(n, 2 * seed + j, logging) for j, (n, logging) in enumerate(zip(sizes, loggers, strict=True))]
    context, action = (np.concatenate([getattr(part, name) for part in parts]) for name in ("context", "action"))
    reward, target = (np.concatenate([getattr(part, name) for part in parts]) for name in ("reward", "target"))
    log_prob_by = np.log(np.stack([logging[context, action] for logging in loggers], axis=1))
    return reward, target, log_prob_by, np.repeat([0, 1], sizes)


def test_balanced_is_unbiased_by_enumeration(actions, loggers):
    e = actions.everything()
    log_prob_by = np.log(np.stack([logging[e.context, e.action] for logging in loggers], axis=1))
    mixture = 0.25 * np.exp(log_prob_by[:, 0]) + 0.75 * np.exp(log_prob_by[:, 1])
    for sizes in [(1, 3), (2, 6)]:
        who = np.resize(np.repeat([0, 1], sizes), 16)
        found = np.exp(balanced_log_prob(log_prob_by[:16], who))
        assert found == pytest.approx(mixture[:16], rel=1e-12)
    weight = np.exp(e.target) / mixture
    assert (mixture / 3 * weight) @ e.reward == pytest.approx(actions.truth, abs=1e-12)


def test_estimates_are_within_three_standard_errors_and_beat_naive(actions, loggers):
    errors = {"naive": [], "balanced": [], "weighted": []}
    for seed in range(150):
        reward, target, log_prob_by, logger = logs_of(actions, loggers, (300, 300), seed)
        own = ips(reward, target, own_log_prob(log_prob_by, logger))
        errors["naive"].append(own.value - actions.truth)
        errors["balanced"].append(balanced(reward, target, log_prob_by, logger).value - actions.truth)
        errors["weighted"].append(weighted(reward, target, log_prob_by, logger).value - actions.truth)
    for found in map(np.array, errors.values()):
        assert (np.abs(found.mean(axis=0)) < 3 * found.std(axis=0, ddof=1) / np.sqrt(len(found))).all()
    for name in ("balanced", "weighted"):
        gain = np.square(errors["naive"]) - np.square(errors[name])  # (150, 2), paired
        assert (gain.mean(axis=0) > 3 * gain.std(axis=0, ddof=1) / np.sqrt(len(gain))).all(), name


def test_weights_of_weighted_are_those_that_it_uses(actions, loggers):
    reward, target, log_prob_by, logger = logs_of(actions, loggers, (300, 900), 1)
    weight = weighted_weight(reward, target, log_prob_by, logger)
    expected = weighted(reward, target, log_prob_by, logger).value
    assert (weight * reward).mean(axis=0) == pytest.approx(expected, rel=1e-12)
    error = weight.std(axis=0, ddof=1) / np.sqrt(1200)
    assert (np.abs(weight.mean(axis=0) - 1) < 4 * error).all()


def test_an_unknown_precision_says_whose():
    with pytest.raises(
        UnknownPrecisionError, match=r"logger 1 has 1 row\(s\), which all contribute 6 to objective 0"
    ) as e:
        by_precision(Terms(np.array([0.0, 2.0, 6.0])[:, None, None], np.ones((3, 1))), [0, 0, 1])
    assert (e.value.logger, e.value.count, e.value.objective, e.value.value) == (1, 1, 0, 6.0)


def test_precision_weights_by_hand():
    contribution = np.array([0.0, 2.0, 2.0, 6.0, 4.0])  # means 1 and 4, variances 2 and 4
    terms = by_precision(Terms(contribution[:, None, None], np.ones((5, 1))), [0, 0, 1, 1, 1])
    assert terms.value[0] == pytest.approx((1 * 2 / 2 + 4 * 3 / 4) / (2 / 2 + 3 / 4))
    scale = 5 / (np.array([2.0, 4.0]) * (2 / 2 + 3 / 4))
    plain = np.array([0, 2, 2, 6, 4]) * np.repeat(scale, [2, 3])
    assert terms.value[0] == pytest.approx(plain.mean())


def test_its_standard_error_is_that_of_the_best_combination():
    rng = np.random.default_rng(0)
    logger = np.repeat([0, 1], [4000, 1000])
    contribution = rng.normal(3.0, np.repeat([1.0, 4.0], [4000, 1000]))
    terms = by_precision(Terms(contribution[:, None, None], np.ones((5000, 1))), logger)
    best = 1 / np.sqrt(4000 / contribution[:4000].var() + 1000 / contribution[4000:].var())
    assert np.sqrt(np.square(terms.influence).sum()) == pytest.approx(best, rel=1e-3)


def test_objectives_have_their_own_precision(actions, loggers):
    reward, target, log_prob_by, logger = logs_of(actions, loggers, (50, 80), 1)
    together = weighted(reward, target, log_prob_by, logger).value
    alone = [weighted(reward[:, o], target, log_prob_by, logger).value[0] for o in range(2)]
    assert together == pytest.approx(alone, rel=1e-12)


def test_scale_and_row_order_do_not_matter(actions, loggers):
    reward, target, log_prob_by, logger = logs_of(actions, loggers, (50, 80), 2)
    rows = np.random.default_rng(0).permutation(130)
    for estimator in (balanced, weighted):
        value = estimator(reward, target, log_prob_by, logger).value
        shuffled = estimator(reward[rows], target[rows], log_prob_by[rows], logger[rows]).value
        assert shuffled == pytest.approx(value, rel=1e-12)
        assert estimator(-3.0 * reward, target, log_prob_by, logger).value == pytest.approx(-3.0 * value, rel=1e-12)


def test_one_logger_is_the_plain_estimate(actions):
    log = actions.log(60, 1)
    plain, zeros = ips(log.reward, log.target, log.logged).value, np.zeros(60, int)
    assert balanced(log.reward, log.target, log.logged[:, None], zeros).value == pytest.approx(plain, rel=1e-12)
    assert weighted(log.reward, log.target, log.logged[:, None], zeros).value == pytest.approx(plain, rel=1e-12)


def test_on_policy_logs_give_the_mean_reward(actions, loggers):
    reward, _, log_prob_by, logger = logs_of(actions, loggers, (50, 80), 2)
    mixture = balanced_log_prob(log_prob_by, logger)
    assert balanced(reward, mixture, log_prob_by, logger).value == pytest.approx(reward.mean(axis=0), rel=1e-12)


def test_other_estimators_take_the_mixture(actions, loggers):
    reward, target, log_prob_by, logger = logs_of(actions, loggers, (4000, 4000), 5)
    mixture = balanced_log_prob(log_prob_by, logger)
    assert importance_weight(target, mixture).mean() == pytest.approx(1.0, abs=0.05)
    for terms in (snips(reward, target, mixture), dr(reward, target, mixture, 0 * reward, 0 * reward)):
        error = np.sqrt(np.square(terms.influence).sum(axis=0))
        assert (np.abs(terms.value - actions.truth) < 3 * error).all()


def test_a_logger_that_would_never_have_chosen_so_only_thins_the_mixture():
    log_prob_by = np.array([[np.log(0.5), -np.inf], [np.log(0.5), 0.0]])
    assert np.exp(balanced_log_prob(log_prob_by, [0, 1])) == pytest.approx([0.25, 0.75])
    assert balanced_log_prob(np.zeros((3, 2)), [0, 1, 1]) == pytest.approx([0.0, 0.0, 0.0], abs=1e-15)


def test_loggers_without_rows_do_not_count():
    log_prob_by = np.log([[0.5, 0.9], [0.5, 0.9], [0.5, 0.9]])
    assert np.exp(balanced_log_prob(log_prob_by, [0, 0, 0])) == pytest.approx([0.5, 0.5, 0.5])
    terms = Terms(np.array([1.0, 2.0, 5.0, 8.0])[:, None, None], np.ones((4, 1)))
    assert by_precision(terms, [0, 0, 2, 2]).value[0] == pytest.approx((1.5 * 2 / 0.5 + 6.5 * 2 / 4.5) / (4 + 4 / 9))


def test_errors_name_what_is_wrong():
    log_prob_by = np.log(np.full((3, 2), 0.5))
    never = log_prob_by.copy()
    never[2, 1] = -np.inf
    with pytest.raises(ValueError, match=r"row 2 of log_prob_by of the row's own logger is -inf; a logged choice"):
        balanced_log_prob(never, [0, 0, 1])
    never[1, 1] = np.nan
    with pytest.raises(ValueError, match=r"row 1 of log_prob_by of logger 1 is nan"):
        own_log_prob(never, [0, 0, 0])
    with pytest.raises(ValueError, match=r"row 1 of logger is 2, but there are 2 loggers"):
        own_log_prob(log_prob_by, [0, 2, 0])
    with pytest.raises(ValueError, match=r"log_prob_by has shape \(3,\); it must be \(rows, loggers\)"):
        balanced_log_prob(log_prob_by[:, 0], [0, 0, 0])
    with pytest.raises(ValueError, match=r"logger has 2 rows but log_prob_by has 3"):
        balanced_log_prob(log_prob_by, [0, 0])


def test_precision_must_be_known():
    terms = Terms(np.array([0.1, 0.1, 0.1, 2.0, 5.0])[:, None, None], np.ones((5, 1)))
    with pytest.raises(ValueError, match=r"logger 0 has 3 row\(s\), which all contribute 0.1 to objective 0"):
        by_precision(terms, [0, 0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"logger 2 has 1 row\(s\), .* so its precision is unknown. Use balanced_log"):
        by_precision(Terms(np.arange(5.0)[:, None, None], np.ones((5, 1))), [0, 0, 1, 1, 2])
    with pytest.raises(ValueError, match=r"the terms are of a ratio; only plain averages"):
        by_precision(snips([1, 0], np.zeros(2), np.zeros(2) - 1), [0, 1])
    with pytest.raises(ValueError, match=r"row 0 of logger is -1"):
        by_precision(terms, [-1, 0, 0, 1, 1])


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 4), st.integers(0, 1), st.sampled_from([np.nan, np.inf, 0.5]))
def test_bad_propensities_never_give_a_number(row, column, value):
    log_prob_by = np.log(np.full((5, 2), 0.5))
    log_prob_by[row, column] = value
    for estimator in (balanced, weighted):
        with pytest.raises(ValueError, match=rf"row {row} of log_prob_by of "):
            estimator(np.arange(5), np.zeros(5), log_prob_by, [0, 0, 1, 1, 1])
