import numpy as np

from recsim.agents.bandits.bandit import Feedback
from recsim.agents.bandits.cascade_linucb import CascadeLinUCB
from recsim.simulator import Simulator


def test_it_learns_from_the_positions_down_to_the_last_click_and_from_all_where_there_is_none(
    world: Simulator, feedback: Feedback
) -> None:
    bandit = CascadeLinUCB(world.catalog, world.layout, ridge=2.0)
    click = np.array([[True, False, False, True], [False, True, False, False], [False] * 4])
    observation, slate = feedback.observation[:3], feedback.slate[:3].copy()
    slate[2, 1] = -1  # nothing was shown there
    bandit.update(Feedback(observation, slate, click, 5.0 * click))
    x = bandit.features.at(observation, slate)
    counted = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (2, 0), (2, 2), (2, 3)]
    size = bandit.features.size
    precision = 2.0 * np.eye(size) + sum(np.outer(x[place], x[place]) for place in counted)
    np.testing.assert_allclose(bandit.posterior.shared, precision)
    shown = np.bincount([slate[place] for place in counted], minlength=len(world.catalog))
    np.testing.assert_allclose(bandit.posterior.item, 10.0 + shown)
    np.testing.assert_allclose(bandit.posterior.response[:size], 5.0 * (x[0, 0] + x[0, 3] + x[1, 1]))
