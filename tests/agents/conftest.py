import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.logs import Log, collect
from recsim.policy import uniform
from recsim.simulator import Simulator
from recsim.users.interest import InterestConfig, InterestUsers


@pytest.fixture(scope="session")
def world(catalog: Catalog) -> Simulator:
    """Ten steps with four of 24 items; users who click often."""
    users = InterestUsers(catalog, InterestConfig(click_offset=-1.0))
    return Simulator(catalog, users, slate_size=4, horizon=10, seed=3)


@pytest.fixture(scope="session")
def log(world: Simulator) -> Log:
    """Uniform slates for 300 users."""
    return collect(world, uniform(world.catalog, world.slate_size), np.arange(10_000, 10_300))
