import numpy as np
import pytest

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.offline.conservative import BehaviourRegularised
from recsim.logs import Log, collect
from recsim.policy import Ranking
from recsim.simulator import Simulator


@pytest.fixture(scope="module")
def production(world: Simulator, log: Log) -> Log:
    """A softened static fusion serves 400 users."""
    fusion = StaticFusion.fit(log, world.catalog, world.layout)
    return collect(world, Ranking("production", fusion, 4, temperature=0.5), np.arange(20_000, 20_400))


def learned(world: Simulator, log: Log, alpha: float, epochs: int = 8) -> BehaviourRegularised:
    return BehaviourRegularised.fit(
        log, world.catalog, world.layout, alpha=alpha, epochs=epochs, patience=epochs, learning_rate=3e-3
    )


@pytest.mark.slow
def test_the_larger_alpha_the_closer_to_the_logging_policy(world: Simulator, production: Log) -> None:
    apart = [learned(world, production, alpha).divergence(production) for alpha in (0.01, 0.1, 1.0)]
    assert apart == sorted(apart, reverse=True)
    assert apart[0] > 3.0 * apart[-1]


@pytest.mark.slow
def test_a_very_large_alpha_reproduces_the_logging_policy(world: Simulator, log: Log, production: Log) -> None:
    """From a cold start, far away, by cloning what was logged; measured on users who were not logged."""
    fusion = StaticFusion.fit(log, world.catalog, world.layout)
    others = collect(world, Ranking("production", fusion, 4, temperature=0.5), np.arange(30_000, 30_200))
    start = BehaviourRegularised(world.catalog, world.layout).divergence(others)
    clone = learned(world, production, 1e6, epochs=40)
    assert start > 0.5
    assert clone.divergence(others) < 0.1 * start


def test_a_negative_price_is_refused(world: Simulator, production: Log) -> None:
    with pytest.raises(ValueError, match="alpha is -1; a price on divergence is from 0 up"):
        learned(world, production, -1)
