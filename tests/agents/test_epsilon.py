from itertools import permutations

import numpy as np
import pytest

from recsim.agents.epsilon import EpsilonSlates
from recsim.catalog import Catalog
from recsim.policy import uniform
from recsim.streams import Streams

PREFERRED = np.array([3, 0, 4])


def policy_of(epsilon: float = 0.0) -> EpsilonSlates:
    """Three of five items, always the same ones but for chance."""
    chance = uniform(Catalog.synthetic(n_items=5), 3)
    return EpsilonSlates("agent", lambda observation: np.tile(PREFERRED, (len(observation), 1)), chance, epsilon)


def users(n: int) -> tuple[np.ndarray, Streams]:
    return np.zeros((n, 1), np.float32), Streams.of(5, n)


def test_propensities_sum_to_1_over_all_slates() -> None:
    every = np.array(list(permutations(range(5), 3)))
    log_prob = policy_of(0.3).log_prob(np.zeros((len(every), 1), np.float32), every)
    assert np.exp(log_prob).sum() == pytest.approx(1.0)


def test_propensities_by_hand() -> None:
    slates = np.array([[3, 0, 4], [4, 3, 0], [1, 3, 2]])
    found = policy_of(0.3).step_log_prob(np.zeros((3, 1), np.float32), slates)
    own, other = 0.7 + 0.3 / np.array([5, 4, 3]), 0.3 / np.array([5, 4, 3])
    expected = [own, [other[0], own[1], own[2]], [other[0], own[1], other[2]]]
    np.testing.assert_allclose(np.exp(found), expected)


def test_slates_come_as_often_as_their_propensities_say() -> None:
    policy, (observation, streams) = policy_of(0.5), users(40_000)
    decision = policy.act(observation, streams)
    np.testing.assert_array_equal(decision.step_log_prob, policy.step_log_prob(observation, decision.slate))
    assert (np.diff(np.sort(decision.slate, axis=1), axis=1) > 0).all()
    code = decision.slate @ np.array([25, 5, 1])
    for slate in permutations(range(5), 3):
        probability = np.exp(policy.log_prob(observation[:1], np.array([slate])))[0]
        spread = np.sqrt(probability * (1 - probability) / len(code))
        assert abs((code == np.dot(slate, [25, 5, 1])).mean() - probability) < 4.5 * spread


def test_what_is_drawn_for_a_user_depends_on_nobody_else() -> None:
    policy, (observation, streams) = policy_of(0.5), users(30)
    rows = np.array([7, 2, 29])
    together = policy.act(observation, streams).slate[rows]
    np.testing.assert_array_equal(policy.act(observation[rows], streams[rows]).slate, together)


def test_without_exploring_it_is_certain() -> None:
    policy, (observation, streams) = policy_of(), users(4)
    decision = policy.act(observation, streams)
    np.testing.assert_array_equal(decision.slate, np.tile(PREFERRED, (4, 1)))
    assert (decision.log_prob == 0.0).all()
    assert policy.log_prob(observation[:1], np.array([[3, 4, 0]]))[0] == -np.inf


def test_what_no_policy_can_show_is_refused() -> None:
    policy = policy_of(0.1)
    for slate in ([3, 3, 1], [3, -1, 1], [3, 5, 1]):
        with pytest.raises(ValueError, match="row 0 is the slate .* distinct items 0 to 4"):
            policy.step_log_prob(np.zeros((1, 1), np.float32), np.array([slate]))
    with pytest.raises(ValueError, match="epsilon of 'agent' is 1.5"):
        policy_of(1.5)
