import numpy as np
import pytest

from recsim.logs import Log, collect
from recsim.policy import uniform
from recsim.simulator import Simulator


@pytest.fixture(scope="session")
def long_log(world: Simulator) -> Log:
    """Uniform slates for 800 users."""
    return collect(world, uniform(world.catalog, world.slate_size), np.arange(10_000, 10_800))
