"""The static fusion under a preference."""

import numpy as np
import pytest

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.fusion.weighed import WeighedFusion, conversion_rates
from recsim.logs import Log
from recsim.metrics import paired_interval
from recsim.policy import Ranking
from recsim.rollout import rollout
from recsim.simulator import Simulator


@pytest.fixture(scope="module")
def fusion(world: Simulator, log: Log) -> StaticFusion:
    return StaticFusion.fit(log, world.catalog, world.layout)


def test_scores_are_log_values_as_written(world: Simulator, log: Log, fusion: StaticFusion) -> None:
    rates = np.linspace(0.1, 0.5, len(world.catalog))
    scores = WeighedFusion(fusion, rates, np.array([1.0, 4.0, 0.5])).scores(log.observation[:5])
    value = np.exp(fusion.scores(log.observation[:5])) * (1.0 + 4.0 * rates + 0.5 * world.catalog.novelty)
    np.testing.assert_allclose(np.exp(scores), value)
    clicks = WeighedFusion(fusion, rates, np.array([1.0, 0.0, 0.0])).scores(log.observation[:5])
    np.testing.assert_allclose(clicks, fusion.scores(log.observation[:5]))
    assert np.isfinite(WeighedFusion(fusion, rates, np.array([0.0, 0.0, 1.0])).scores(log.observation)).all()


def test_conversion_rates_are_counted_and_shrunk(world: Simulator, log: Log) -> None:
    rates, mean = conversion_rates(log, world.catalog), log.conversion.sum() / log.click.sum()
    for item in range(len(world.catalog)):
        clicks, bought = log.click[log.slate == item].sum(), log.conversion[log.slate == item].sum()
        assert rates[item] == pytest.approx((bought + 5 * mean) / (clicks + 5))


def test_a_preference_for_novelty_brings_more_of_it_a_click(world: Simulator, log: Log, fusion: StaticFusion) -> None:
    rates = conversion_rates(log, world.catalog)
    clicks, novelty = (
        rollout(world, Ranking("weighed", WeighedFusion(fusion, rates, np.array(weights)), 4), 600).objectives
        for weights in ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    )
    assert paired_interval(novelty[:, 2] - novelty[:, 0], clicks[:, 2] - clicks[:, 0]).low > 0
    assert paired_interval(novelty[:, 2], clicks[:, 2]).low > 0
