"""The keyword arguments that the three environments share, and the spaces."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, MultiDiscrete

from recsim.catalog import Catalog
from recsim.envs.sb3 import SlateVecEnv
from recsim.envs.single import SlateEnv
from recsim.envs.vector import SlateVectorEnv
from recsim.envs.world import action_space, build_simulator, observation_space
from recsim.objectives import Objectives
from recsim.users.interest import InterestUsers


def test_a_world_from_names_and_numbers(catalog: Catalog, tmp_path: Path) -> None:
    folder = catalog.save(tmp_path / "shop")
    simulator = build_simulator(
        catalog=folder,
        users="marketplace",
        user_options={"boredom": 0.125},
        slate_size=3,
        horizon=7,
        objectives={"click": 0.0, "novelty": 2.0},
        seed=11,
    )
    assert len(simulator.catalog) == len(catalog)
    assert isinstance(simulator.users, InterestUsers)
    assert simulator.users.config.boredom == 0.125
    assert np.array_equal(simulator.users.quality, InterestUsers(catalog, seed=11).quality)
    assert (simulator.slate_size, simulator.horizon, simulator.seed) == (3, 7, 11)
    assert simulator.objectives == Objectives(click=0.0, conversion=4.0, novelty=2.0)


def test_a_world_from_objects(catalog: Catalog) -> None:
    users, objectives = InterestUsers(catalog), Objectives(1.0, 2.0, 3.0)
    simulator = build_simulator(catalog=catalog, users=users, objectives=objectives)
    assert simulator.catalog is catalog
    assert simulator.users is users
    assert simulator.objectives is objectives


@pytest.mark.parametrize("make", [SlateEnv, SlateVectorEnv, SlateVecEnv])
def test_all_environments_build_the_same_world(make: Any, world: dict[str, Any]) -> None:
    simulator = make(**world, objectives={"click": 9.0}).simulator
    assert simulator.objectives.click == 9.0
    assert (simulator.slate_size, simulator.horizon, simulator.seed) == (4, 6, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'horizont'"):
        make(**world, horizont=3)
    with pytest.raises(ValueError, match="slate_size is 99; the catalogue 'synthetic' allows 1 to 24"):
        make(**world | {"slate_size": 99})


def test_unknown_objectives(catalog: Catalog) -> None:
    with pytest.raises(
        ValueError, match="there is no objective 'clicks'; the objectives are click, conversion, novelty"
    ):
        build_simulator(catalog=catalog, objectives={"clicks": 1.0})


@pytest.mark.parametrize("make", [SlateVectorEnv, SlateVecEnv])
def test_an_environment_has_rows(make: Any, world: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="num_envs is 0; at least 1 row is needed"):
        make(0, **world)


def test_actions_are_item_numbers(catalog: Catalog) -> None:
    space = action_space(build_simulator(catalog=catalog, slate_size=4))
    assert space == MultiDiscrete([24, 24, 24, 24])
    assert space.dtype == np.int64


def test_observations_stay_within_their_bounds(catalog: Catalog) -> None:
    simulator = build_simulator(catalog=catalog, slate_size=4, horizon=40, user_options={"boredom": 0.0})
    space = observation_space(simulator)
    assert isinstance(space, Box)
    assert space.dtype == np.float32
    assert np.isfinite([space.low, space.high]).all()
    layout = simulator.layout
    assert space.shape == (layout.size,)
    assert space.low[layout["exposure"]].max() == space.low[layout["progress"]].max() == np.float32(-1e-4)
    assert space.high[layout["clicks_so_far"]] == pytest.approx(np.log1p(40 * 4), abs=1e-3)
    observation = simulator.reset(50)
    draw = np.random.Generator(np.random.Philox(0))
    for _ in range(60):
        assert all(row in space for row in observation)
        step = simulator.step(draw.integers(0, 24, (50, 4)))
        observation = simulator.renew(step.terminated | step.truncated)
