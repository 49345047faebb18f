from pathlib import Path

import pytest

from recsim.testing import tiny_language_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random language model."""
    return tiny_language_model(tmp_path_factory.mktemp("models") / "tiny")
