import numpy as np
import pytest

from recsim.agents.bandits.epsilon_greedy import EpsilonGreedy
from recsim.agents.epsilon import EpsilonSlates
from recsim.catalog import Catalog
from recsim.policy import top_k, uniform
from recsim.simulator import Simulator

OBSERVATION = np.zeros((1, 3), np.float32)


@pytest.fixture
def policy() -> EpsilonSlates:
    """Three of five items, of which 4 is best, then 1, then 0; a position is random with probability 0.2."""
    scores = np.array([[3.0, 4.0, 1.0, 2.0, 5.0]])
    chance = uniform(Catalog.synthetic(n_items=5), 3)
    return EpsilonSlates("e", lambda seen: top_k(np.repeat(scores, len(seen), axis=0), 3), chance, 0.2)


@pytest.mark.parametrize(
    ("slate", "steps"),
    [
        ([4, 1, 0], [0.2 / 5 + 0.8, 0.2 / 4 + 0.8, 0.2 / 3 + 0.8]),
        ([1, 4, 0], [0.2 / 5, 0.2 / 4 + 0.8, 0.2 / 3 + 0.8]),  # 4 is still the best that is not above
        ([4, 2, 1], [0.2 / 5 + 0.8, 0.2 / 4, 0.2 / 3 + 0.8]),
        ([2, 3, 0], [0.2 / 5, 0.2 / 4, 0.2 / 3]),
    ],
)
def test_propensities_worked_out_by_hand(policy: EpsilonSlates, slate: list[int], steps: list[float]) -> None:
    slates = np.array([slate])
    np.testing.assert_allclose(np.exp(policy.step_log_prob(OBSERVATION, slates)[0]), steps)
    assert np.exp(policy.log_prob(OBSERVATION, slates)[0]) == pytest.approx(np.prod(steps))


def test_epsilon_is_a_probability(world: Simulator) -> None:
    with pytest.raises(ValueError, match="epsilon is 1.5; it is a probability"):
        EpsilonGreedy(world.catalog, world.layout, epsilon=1.5)
