"""Environments in which agents see other items than users meet."""

import gymnasium
import numpy as np
import pytest

import recsim.envs  # noqa: F401  (registers the environments)
from recsim import Catalog
from recsim.envs import SlateVectorEnv
from recsim.modalities.corruption import corrupt


def test_users_of_an_environment_meet_the_true_items(catalog: Catalog) -> None:
    view = corrupt(corrupt(catalog, "stale", 4), "swapped_categories", 4)
    sides = [
        gymnasium.make("recsim/Slate-v0", catalog=catalog, view=seen, slate_size=4, seed=2) for seen in (None, view)
    ]
    for side in sides:
        side.reset(seed=5)
    for moment in range(6):
        slate = (np.arange(4) + 5 * moment) % len(catalog)
        one, other = (side.step(slate) for side in sides)
        assert one[1:4] == other[1:4]
        if moment:
            assert (one[0] != other[0]).any()
        if one[2] or one[3]:
            break


def test_a_view_may_be_a_folder(catalog: Catalog, tmp_path) -> None:  # type: ignore[no-untyped-def]
    corrupt(catalog, "stale", 4).save(tmp_path / "seen")
    env = SlateVectorEnv(2, catalog=catalog, view=tmp_path / "seen", slate_size=4)
    assert env.simulator.catalog.name == "synthetic, stale 4"
    assert env.simulator.users.catalog is catalog  # type: ignore[attr-defined]


def test_hidden_state_is_drawn_against_the_true_items(catalog: Catalog) -> None:
    narrow = catalog.replaced(modalities={"image": catalog.modalities["image"]})
    frames = []
    for view in (None, narrow):
        env = gymnasium.make("recsim/Slate-v0", catalog=catalog, view=view, slate_size=4, render_mode="ansi", seed=2)
        env.reset(seed=5)
        env.step(np.arange(4))
        frames.append(env.render())
    assert frames[0] == frames[1]


def test_a_view_of_other_items_is_refused(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="a view is the same items in the same order"):
        SlateVectorEnv(2, catalog=catalog, view=Catalog.synthetic(n_items=24, n_categories=4), slate_size=4)
