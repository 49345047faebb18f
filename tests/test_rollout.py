import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.policy import popularity, uniform
from recsim.rollout import batches, rollout, user_numbers, visits
from recsim.simulator import Simulator
from recsim.users.interest import InterestUsers


@pytest.fixture(scope="module")
def simulator(catalog: Catalog) -> Simulator:
    return Simulator(catalog, InterestUsers(catalog), slate_size=4, horizon=12, seed=1)


def test_totals_are_sums_over_the_visits(simulator: Simulator) -> None:
    policy = uniform(simulator.catalog, 4)
    sessions = rollout(simulator, policy, 30)
    objectives, length = np.zeros((30, 3)), np.zeros(30, int)
    for visit in visits(simulator, policy, np.arange(30)):
        for row, user in enumerate(visit.row):
            objectives[user] += visit.step.objectives[row]
            length[user] += 1
    np.testing.assert_allclose(sessions.objectives, objectives)
    np.testing.assert_allclose(sessions.reward, objectives @ simulator.objectives.weights)
    assert sessions.length.tolist() == length.tolist()
    assert sessions.exposure.sum() == 4 * length.sum()
    assert sessions.clicks.sum() == objectives[:, 0].sum()
    assert 1 <= length.min() <= length.max() <= 12


def test_a_session_is_the_same_in_any_batch_and_company(simulator: Simulator) -> None:
    policy = uniform(simulator.catalog, 4)
    together = rollout(simulator, policy, 50)
    apart = rollout(simulator, policy, 50, batch=7)
    assert together.reward.tolist() == apart.reward.tolist()
    assert together.exposure.tolist() == apart.exposure.tolist()
    chosen = np.array([41, 3, 17])
    assert rollout(simulator, policy, chosen).reward.tolist() == together.reward[chosen].tolist()


def test_two_policies_meet_the_same_users(simulator: Simulator) -> None:
    """With common random numbers, the difference of two like policies varies less than either."""
    first = rollout(simulator, popularity(simulator.catalog, 4, 1.0), 300).reward
    second = rollout(simulator, popularity(simulator.catalog, 4, 1.1), 300).reward
    assert (first - second).std() < 0.7 * first.std()


def test_progress_counts_users(simulator: Simulator) -> None:
    seen: list[int] = []
    rollout(simulator, uniform(simulator.catalog, 4), 25, batch=10, progress=seen.append)
    assert seen == [10, 20, 25]


def test_nobody_and_no_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="there are no users"):
        user_numbers(0)
    with pytest.raises(ValueError, match="batch is 0"):
        list(batches(np.arange(3), 0))
