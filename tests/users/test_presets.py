"""The built-in worlds by name."""

from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.policy import uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.testing import check_user_model
from recsim.users import BUILT_IN, make_users
from recsim.users.interest import InterestConfig, InterestUsers
from recsim.users.presets import PRESETS


def preset(name: str, catalog: Catalog, options: dict[str, Any] | None = None) -> InterestUsers:
    users = make_users(name, catalog, options, seed=1)
    assert isinstance(users, InterestUsers)
    return users


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_preset_keeps_the_rules(name: str) -> None:
    assert check_user_model(name, n_users=32).ok


@pytest.mark.parametrize("name", BUILT_IN)
def test_options_override_the_presets(catalog: Catalog, name: str) -> None:
    assert preset(name, catalog).config == InterestConfig(**PRESETS[name])
    changed = preset(name, catalog, {"boredom": 0.1, "choice": "dbn"}).config
    assert changed == InterestConfig(**{**PRESETS[name], "boredom": 0.1, "choice": changed.choice})
    assert type(changed.choice).__name__ == "DynamicBayesian"


def test_presets_differ_from_the_default_in_all_that_they_name() -> None:
    for name, options in PRESETS.items():
        for option, value in options.items():
            assert getattr(InterestConfig(), option) != value, f"{option} of {name} says nothing"


def test_nothing_changes_stationary_users(catalog: Catalog) -> None:
    users, streams = preset("stationary", catalog), Streams.of(0, 200)
    state = start = users.sample(streams)
    every = np.tile(np.arange(len(catalog)), (200, 1))
    clicks = 0
    for step in range(40):
        response, state = users.respond(state, (every + step)[:, :6] % len(catalog), streams.at(step))
        assert not response.leave.any()
        clicks += response.click.sum()
    assert clicks > 1000
    assert np.array_equal(state.interest, start.interest)
    assert np.array_equal(state.patience, start.patience)
    before, after = users.appeal(start, every), users.appeal(state, every)
    assert np.array_equal(before.click, after.click)
    assert np.array_equal(before.conversion, after.conversion)


def test_presets_are_what_they_say(catalog: Catalog) -> None:
    """News items appear and age, nobody leaves where nothing bores, chocolate costs trust."""
    length = {}
    for name in BUILT_IN:
        simulator = Simulator(catalog, preset(name, catalog), slate_size=4, horizon=30)
        length[name] = rollout(simulator, uniform(catalog, 4), 200).length.mean()
        assert (simulator.born is not None) == (name == "news")
    assert length["stationary"] == length["choc"] == 30 > max(length[name] for name in ("marketplace", "news", "feed"))
    users, streams = preset("choc", catalog), Streams.of(0, 100)
    state = users.sample(streams)
    sweet = np.tile(users.bait.argsort()[-4:], (100, 1))
    for step in range(10):
        _, state = users.respond(state, sweet, streams.at(step))
    assert (state.trust < -0.3).mean() > 0.8
