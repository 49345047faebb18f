from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.logs import Log, collect
from recsim.policy import uniform
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.contract import Response
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


@dataclass
class Nobody:
    """A state in which nothing is."""

    age: np.ndarray


class Cautious:
    """Users who all click known items more often, and buy new ones: what is clicked most is neither new nor bought."""

    def __init__(self, catalog: Catalog) -> None:
        self.click, self.buy = 0.6 - 0.4 * catalog.novelty, catalog.novelty.astype(np.float64)

    def sample(self, users: Streams) -> Nobody:
        return Nobody(np.zeros(len(users)))

    def respond(self, state: Nobody, slate: np.ndarray, users: Streams) -> tuple[Response, Nobody]:
        click = (slate >= 0) & (users.uniform("click", items=slate) < self.click[slate])
        bought = click & (users.uniform("buy", items=slate) < self.buy[slate])
        return Response(click, bought, np.zeros(len(slate), bool)), state


@pytest.fixture(scope="session")
def cautious(catalog: Catalog) -> dict[str, Any]:
    """A world of ten steps with four of 24 items in which one objective costs another."""
    return {"catalog": catalog, "users": Cautious(catalog), "slate_size": 4, "horizon": 10, "seed": 5}
