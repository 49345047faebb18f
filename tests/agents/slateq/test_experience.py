import numpy as np

from recsim.agents.slateq.experience import Experience
from recsim.logs import Log


def test_every_slate_is_followed_by_the_next_of_its_session(log: Log) -> None:
    seen = Experience.of(log)
    rows = np.arange(len(log))
    found = seen.at(rows)
    for row in rows[:-1]:
        goes_on = (log.user[row], log.session[row]) == (log.user[row + 1], log.session[row + 1])
        assert bool(found.ended[row]) is not goes_on
        if goes_on:
            np.testing.assert_array_equal(found.next_observation[row], log.observation[row + 1])
            np.testing.assert_array_equal(found.next_slate[row], log.slate[row + 1])
    assert found.ended[-1]
    np.testing.assert_allclose(found.reward.sum(dim=1), log.reward, rtol=1e-6)


def test_the_oldest_slates_are_forgotten(log: Log) -> None:
    seen = Experience.of(log)
    both = seen.followed_by(seen, len(log) + 3)
    assert len(both) == len(log) + 3
    np.testing.assert_array_equal(both.observation[:3], log.observation[-3:])
    np.testing.assert_array_equal(both.slate[3:], log.slate)
