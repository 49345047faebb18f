import numpy as np
import pytest

from recsim.agents.features import CrossFeatures
from recsim.logs import Log
from recsim.simulator import Simulator


def test_a_slate_s_features_are_those_of_its_items(world: Simulator, log: Log) -> None:
    features = CrossFeatures(world.catalog, world.layout)
    observation, slate = log.observation[:50], log.slate[:50]
    every = features.all(observation)
    assert every.shape == (50, len(world.catalog), len(features.names))
    at = features.at(observation, slate)
    np.testing.assert_allclose(at, np.take_along_axis(every, slate[:, :, None], axis=1), atol=1e-6)


def test_features_are_what_their_names_say(world: Simulator, log: Log) -> None:
    features, layout, catalog = CrossFeatures(world.catalog, world.layout), world.layout, world.catalog
    row, item = 40, 7
    observation = log.observation[row : row + 1]
    found = dict(zip(features.names, features.all(observation)[0, item], strict=True))
    category = catalog.category[item]
    text = slice(catalog.offsets[0], catalog.offsets[1])
    seen = {name: layout.read(observation, name)[0] for name in layout.columns}
    assert found["liked_text"] == pytest.approx(seen["liked"][text] @ catalog.taste[item, text], abs=1e-6)
    assert found["passed_text"] == pytest.approx(seen["passed"][text] @ catalog.taste[item, text], abs=1e-6)
    assert found["exposure"] == pytest.approx(seen["exposure"][category])
    assert found["category_clicks"] == pytest.approx(seen["category_clicks"][category])
    assert found["price"] == pytest.approx(catalog.price_level[item])
    assert found["price_match"] == pytest.approx(seen["liked_price"][0] * catalog.price_level[item], abs=1e-6)
    assert found["novelty"] == pytest.approx(catalog.novelty[item] - 0.5)
    assert found["novelty_match"] == pytest.approx(seen["liked_novelty"][0] * (catalog.novelty[item] - 0.5), abs=1e-6)


def test_an_empty_position_has_no_features(world: Simulator, log: Log) -> None:
    slate = log.slate[:3].copy()
    slate[1, 2] = -1
    at = CrossFeatures(world.catalog, world.layout).at(log.observation[:3], slate)
    assert not at[1, 2].any()
    assert at[1, 1].any()
