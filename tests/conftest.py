import os

# Before numpy and torch are loaded: on small arrays their threads only wait for each other, and for other programs; and
# the order of sums would depend on them.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest

from recsim import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """24 made-up items in 4 categories; some lack a modality."""
    return Catalog.synthetic(n_items=24, n_categories=4, dims={"text": 6, "image": 5}, seed=7, missing=0.1)
