from collections.abc import Iterator

import numpy as np
import pytest
import torch

from recsim.logs import Log, collect
from recsim.policy import uniform
from recsim.simulator import Simulator


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Networks this small run faster on one thread, and the same on any machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def long_log(world: Simulator) -> Log:
    """Uniform slates for 800 users."""
    return collect(world, uniform(world.catalog, world.slate_size), np.arange(10_000, 10_800))
