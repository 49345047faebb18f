from dataclasses import replace

import numpy as np
import pytest

from recsim.agents.offline.credit import advantage, credit, expected
from recsim.logs import Log


def slow_credit(log: Log, gamma: float) -> np.ndarray:
    """One position at a time."""
    weights, out = np.array(log.info.weights), np.zeros(log.slate.shape)
    for row in range(len(log)):
        later = 0.0
        for other in range(len(log)):
            same = log.user[other] == log.user[row] and log.session[other] == log.session[row]
            if same and log.step[other] > log.step[row]:
                later += gamma ** (log.step[other] - log.step[row]) * (log.objectives[other] @ weights).sum()
        for position in range(log.slate.shape[1]):
            out[row, position] = log.objectives[row, position] @ weights + later
    return out


def test_credit_is_own_reward_and_the_discounted_rest_of_the_session(log: Log) -> None:
    few = log[:120]
    np.testing.assert_allclose(credit(few, 0.9), slow_credit(few, 0.9))
    np.testing.assert_allclose(credit(few, 0.0), few.objectives @ np.array(few.info.weights))


def test_sessions_of_a_user_are_kept_apart(log: Log) -> None:
    two = log[:40]
    two = replace(two, user=np.zeros(40, np.int64), session=np.unique(two.user, return_inverse=True)[1])
    assert len(np.unique(two.session)) > 1
    np.testing.assert_allclose(credit(two, 0.9), slow_credit(two, 0.9))


def test_the_order_of_the_rows_does_not_matter(log: Log) -> None:
    order = np.random.Generator(np.random.Philox(0)).permutation(len(log))
    np.testing.assert_allclose(credit(log[order], 0.9), credit(log, 0.9)[order])


def test_a_missing_row_leaves_a_gap_in_time(log: Log) -> None:
    with_gap = log[np.setdiff1d(np.arange(60), [1])]
    np.testing.assert_allclose(credit(with_gap, 0.5), slow_credit(with_gap, 0.5))


def test_what_is_expected_of_users_does_not_depend_on_their_own_luck(log: Log) -> None:
    earned, lucky = credit(log, 0.9), log.user == log.user[0]
    before, after = expected(log, earned), expected(log, earned + 10.0 * lucky[:, None])
    np.testing.assert_array_equal(after[lucky], before[lucky])
    assert (after[~lucky] != before[~lucky]).any()


def test_expectations_follow_the_observation_and_the_position(log: Log) -> None:
    seen = log.observation[:, :1].astype(float)
    earned = seen + np.arange(log.slate.shape[1])
    error = expected(log, earned) - earned
    assert error.std() < 0.2 * seen.std()  # shrunk a little, as ridge does


def test_advantages_are_credit_above_expectation_in_standard_deviations(log: Log) -> None:
    earned, above = credit(log, 0.9), advantage(log, 0.9)
    assert above.std() == pytest.approx(1.0)
    difference = earned - expected(log, earned)
    np.testing.assert_allclose(above, difference / difference.std())


def test_a_log_that_says_nothing_is_refused(log: Log) -> None:
    with pytest.raises(ValueError, match="the log has 1 user, but learning compares"):
        advantage(log[log.user == log.user[0]], 0.9)
    with pytest.raises(ValueError, match="every position of the log earned the same"):
        advantage(replace(log, objectives=np.zeros_like(log.objectives)), 0.9)
