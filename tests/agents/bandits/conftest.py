from collections.abc import Callable

import numpy as np
import pytest

from recsim.agents.bandits.bandit import Feedback
from recsim.agents.bandits.posterior import ItemGaussian
from recsim.logs import Log


@pytest.fixture(scope="session")
def feedback(log: Log) -> Feedback:
    """What the logged slates came to."""
    return Feedback(log.observation, log.slate, log.click, log.objectives @ np.array(log.info.weights))


@pytest.fixture(scope="session")
def whole() -> Callable[[ItemGaussian], np.ndarray]:
    """The precision of weights and intercepts as one matrix (F + m, F + m)."""
    return lambda known: np.block([[known.shared, known.met.T], [known.met, np.diag(known.item)]])
