"""Configs and finished runs for the tests of the experiments."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recsim.experiments.config import RunConfig
from recsim.experiments.config_file import read_config
from recsim.experiments.runner import run

SMALL = """\
name: small
seed: 3
catalog: {synthetic: {n_items: 30, n_categories: 3}}
slate_size: 3
horizon: 5
launch_log: {policy: popularity, temperature: 1.0, n_users: 40}
production_log: {policy: static_fusion, temperature: 1.0, n_users: 40}
evaluation: {n_users: 30, n_boot: 20, batch: 16}
policies:
  - kind: uniform
  - kind: popularity
  - {kind: static_fusion, temperature: 0.5}
  - {kind: linucb, n_users: 20}
  - kind: myopic_oracle
"""


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a text as `config.yaml` and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config of a run without PPO that takes a second."""
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small(small_file: Path) -> RunConfig:
    """The same, read."""
    return read_config(small_file)


@pytest.fixture(scope="session")
def small_run(small: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of it. Treat it as read-only."""
    return run(small, tmp_path_factory.mktemp("runs") / "small").path


@pytest.fixture(scope="session")
def smoke_file() -> Path:
    """The config that comes with the package and has every kind of policy."""
    return Path(__file__).parents[2] / "experiments" / "smoke.yaml"


@pytest.fixture(scope="session")
def smoke_run(smoke_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of it. Treat it as read-only."""
    return run(read_config(smoke_file), tmp_path_factory.mktemp("runs") / "smoke").path
