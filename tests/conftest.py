import os

# Before numpy and torch are loaded: on small arrays their threads only wait for each other, and for other programs; and
# the order of sums would depend on them.
os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Iterator

import pytest

from recsim import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """24 made-up items in 4 categories; some lack a modality."""
    return Catalog.synthetic(n_items=24, n_categories=4, dims={"text": 6, "image": 5}, seed=7, missing=0.1)


@pytest.fixture(scope="session", autouse=True)
def _sb3_logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Models without a logger of their own leave a folder each: in a folder of the tests, not in the system's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SB3_LOGDIR", str(tmp_path_factory.mktemp("sb3")))
        yield
