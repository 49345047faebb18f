import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.streams import Streams
from recsim.users.interest import InterestState, InterestUsers


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The module reference.py beside this file, which is no test and so not imported by pytest."""
    spec = importlib.util.spec_from_file_location("interest_users_reference", Path(__file__).with_name("reference.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def users(catalog: Catalog) -> InterestUsers:
    """Users with the default constants."""
    return InterestUsers(catalog, seed=5)


@pytest.fixture
def streams() -> Streams:
    """Forty users, some in a later session."""
    return Streams.of(9, 40, session=np.arange(40) % 3)


@pytest.fixture
def state(users: InterestUsers, streams: Streams) -> InterestState:
    """The hidden state of these users."""
    return users.sample(streams)


@pytest.fixture(scope="session")
def slates(catalog: Catalog) -> np.ndarray:
    """(40, 6) slates without repeats, some with an empty position."""
    draw = np.random.Generator(np.random.Philox(4))
    slates = np.argsort(draw.random((40, len(catalog))), axis=1)[:, :6].astype(np.int64)
    slates[::7, 2] = -1
    slates[3] = -1
    return slates
