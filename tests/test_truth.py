import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.logs import Log, collect
from recsim.policy import popularity, uniform
from recsim.simulator import Simulator
from recsim.truth import value_on_log
from recsim.users.interest import InterestUsers


@pytest.fixture(scope="module")
def simulator(catalog: Catalog) -> Simulator:
    return Simulator(catalog, InterestUsers(catalog), slate_size=4, horizon=8, seed=9)


@pytest.fixture(scope="module")
def log(simulator: Simulator) -> Log:
    return collect(simulator, uniform(simulator.catalog, 4), 1_500)


def test_the_logging_policy_s_value_is_the_mean_of_what_it_earned(simulator: Simulator, log: Log) -> None:
    """Same draws, same slates: what was logged differs from what was expected by the users' luck alone."""
    truth = value_on_log(simulator, log, uniform(simulator.catalog, 4))
    luck = log.objectives.sum(axis=1) - truth
    standard_error = luck.std(axis=0) / np.sqrt(len(log))
    assert (np.abs(luck.mean(axis=0)) < 4.0 * standard_error).all()


def test_it_is_the_expectation_at_the_very_state_that_was_logged(simulator: Simulator, log: Log) -> None:
    """Followed by hand for one user: the state after her logged slates, then the other policy's slate."""
    other = popularity(simulator.catalog, 4)
    truth = value_on_log(simulator, log, other)
    user = 12
    rows = np.flatnonzero(log.user == user)
    simulator.reset(np.array([user]))
    for row in rows:
        slate = other.act(log.observation[[row]], simulator.streams).slate
        np.testing.assert_allclose(truth[row], simulator.expected(slate)[0].sum(axis=0))
        simulator.step(log.slate[[row]])
        if not simulator.ended[0]:
            continue
        assert row == rows[-1]


def test_the_batch_does_not_matter(simulator: Simulator, log: Log) -> None:
    some = log[log.user < 60]
    policy = uniform(simulator.catalog, 4)
    seen: list[int] = []
    small = value_on_log(simulator, some, policy, batch=25, progress=seen.append)
    np.testing.assert_array_equal(small, value_on_log(simulator, some, policy))
    assert seen == [25, 50, 60]


def test_a_log_from_another_world_is_noticed(simulator: Simulator, log: Log) -> None:
    other = Simulator(simulator.catalog, simulator.users, slate_size=4, horizon=8, seed=10)
    with pytest.raises(ValueError, match="clicked otherwise when replayed. The simulator needs the seed"):
        value_on_log(other, log, uniform(simulator.catalog, 4))


def test_a_log_of_longer_sessions_is_noticed(simulator: Simulator, log: Log) -> None:
    shorter = Simulator(simulator.catalog, simulator.users, slate_size=4, horizon=7, seed=9)
    with pytest.raises(ValueError, match=r"user \d+ was not there any more when replayed. .* horizon \(8\)"):
        value_on_log(shorter, log, uniform(simulator.catalog, 4))


class Mute:
    """The interest users, but they declare no probabilities."""

    def __init__(self, users: InterestUsers) -> None:
        self.sample, self.respond, self.profile = users.sample, users.respond, users.profile


def test_users_who_declare_nothing_have_no_truth(simulator: Simulator, log: Log) -> None:
    users = simulator.users
    assert isinstance(users, InterestUsers)
    mute = Simulator(simulator.catalog, Mute(users), slate_size=4, horizon=8, seed=simulator.seed)
    with pytest.raises(TypeError, match="Mute declares no probabilities"):
        value_on_log(mute, log, uniform(simulator.catalog, 4))


def test_a_session_with_a_hole_cannot_be_replayed(simulator: Simulator, log: Log) -> None:
    whole = np.arange(len(log))
    with pytest.raises(ValueError, match="row 1 of the log is step 2, which does not follow"):
        value_on_log(simulator, log[whole != 1], uniform(simulator.catalog, 4))
    with pytest.raises(ValueError, match="row 0 of the log is step 1, which does not follow"):
        value_on_log(simulator, log[whole != 0], uniform(simulator.catalog, 4))
