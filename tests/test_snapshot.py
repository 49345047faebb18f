"""A simulator that goes on from a snapshot does what the one would have done that it was taken from."""

from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from recsim.catalog import Catalog
from recsim.simulator import Simulator
from recsim.users import make_users

WORLDS = ["marketplace", "news", "returning", "late"]


def simulator(catalog: Catalog, world: str, seed: int = 3, horizon: int = 8) -> Simulator:
    options: dict[str, Any] = {}
    if world == "late":
        options = {"conversion_delay": 2.0}
    if world == "returning":
        options = {"return_offset": 1.0}
    name = "news" if world == "news" else "marketplace"
    users = make_users(name, catalog, options, seed=seed)
    return Simulator(
        catalog, users, slate_size=4, horizon=horizon, seed=seed, sessions=3 if world == "returning" else 1
    )


def steps(world: Simulator, first: int, count: int) -> list[np.ndarray]:
    """What `count` steps give, with sessions renewed."""
    found = []
    for number in range(first, first + count):
        draw = np.random.Generator(np.random.Philox(number))
        step = world.step(draw.integers(0, len(world.catalog), (world.n, world.slate_size)))
        found += [step.observation.copy(), step.objectives, step.response.click, world.renew(world.ended)]
    return found


@pytest.mark.parametrize("world", WORLDS)
def test_going_on_from_a_snapshot_is_bit_equal(catalog: Catalog, world: str) -> None:
    one = simulator(catalog, world)
    one.reset([5, 2, 9, 40])
    steps(one, 0, 11)
    snapshot = one.snapshot()
    before = {name: array.copy() for name, array in snapshot.items()}
    expected = steps(one, 11, 15)
    other = simulator(catalog, world)
    other.reset(2)
    found = steps(other, 3, 2) and [other.restore(load(save(snapshot))), *steps(other, 11, 15)]
    assert len(found) == len(expected) + 1
    for ours, theirs in zip(found[1:], expected, strict=True):
        assert ours.dtype == theirs.dtype
        assert (ours == theirs).all()
    assert (other.streams.user == one.streams.user).all()
    for name, array in before.items():  # neither simulator writes into it
        assert (snapshot[name] == array).all(), name


def test_restoring_observes_what_was_seen_last(catalog: Catalog) -> None:
    one = simulator(catalog, "marketplace")
    one.reset(6)
    last = steps(one, 0, 5)[-1]
    assert (simulator(catalog, "marketplace").restore(one.snapshot()) == last).all()


def test_a_snapshot_of_another_world_is_refused_and_changes_nothing(catalog: Catalog) -> None:
    one, other = simulator(catalog, "marketplace"), simulator(Catalog.synthetic(n_items=30, n_categories=9), "feed")
    with pytest.raises(RuntimeError, match="snapshot before reset"):
        one.snapshot()
    one.reset(3)
    other.reset(3)
    steps(one, 0, 3)
    before = one.snapshot()
    with pytest.raises(ValueError, match=r"array '.*' of the snapshot has shape .* and .* is needed: it was taken in"):
        one.restore(other.snapshot())
    with pytest.raises(ValueError, match="array 'history.step' of the snapshot is missing"):
        one.restore({name: array for name, array in before.items() if name != "history.step"})
    after = one.snapshot()
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)


def test_environments_go_on_from_a_snapshot_in_their_wrappers(catalog: Catalog) -> None:
    from recsim.envs import FusionWeights, SlateVecEnv, SlateVectorEnv

    def env() -> SlateVecEnv:
        return SlateVecEnv(FusionWeights(SlateVectorEnv(3, catalog=catalog, slate_size=4, horizon=6, seed=3)))

    actions = np.random.Generator(np.random.Philox(0)).uniform(-1, 1, (20, 3, 4)).astype(np.float32)
    one, other = env(), env()
    one.reset()
    for action in actions[:9]:
        last = one.step(action)[0]
    other.set_options({"snapshot": one.simulator.snapshot()})
    assert (other.reset() == last).all()
    for action in actions[9:]:
        ours, theirs = other.step(action), one.step(action)
        assert all((part == given).all() for part, given in zip(ours[:3], theirs[:3], strict=True))
    with pytest.raises(ValueError, match="the snapshot has 3 rows and the environment 2; make it"):
        SlateVectorEnv(2, catalog=catalog, slate_size=4).reset(options={"snapshot": one.simulator.snapshot()})
