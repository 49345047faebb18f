"""`Candidates`: which items are retrieved, what is seen of them, and what places mean."""

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, MultiDiscrete
from gymnasium.wrappers import FlattenObservation
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.envs import Candidates, SlateEnv, SlateVectorEnv
from recsim.retrieval import ExactRetrieval, FaissRetrieval

N = 5


@pytest.fixture
def keen(world: dict[str, Any]) -> dict[str, Any]:
    """A world in which everybody clicks soon and few leave."""
    return world | {"user_options": {"boredom": 0.0, "monotony": 0.0, "click_offset": 1.0}}


@pytest.fixture
def env(keen: dict[str, Any]) -> Any:
    env = Candidates(SlateVectorEnv(N, **keen), 9)
    env.action_space.seed(1)
    return env


def play(env: Any, steps: int = 3) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    env.reset(seed=2)
    for _ in range(steps):
        observation, *_, infos = env.step(env.action_space.sample())
    return observation, infos


def test_spaces(env: Any, catalog: Any) -> None:
    assert env.single_action_space == MultiDiscrete([9, 9, 9, 9])
    space = env.single_observation_space
    assert isinstance(space, Dict)
    assert set(space) == {"user", "candidates"}
    assert space["candidates"].shape == (9, len(env.features)) == (9, 8)
    assert env.features[:4] == ("liked_text", "liked_image", "passed_text", "passed_image")
    assert set(Candidates(SlateEnv(catalog=catalog), 12, item_numbers=True).observation_space) == {
        "user",
        "candidates",
        "items",
    }


def test_users_without_clicks_get_the_popular_items(env: Any) -> None:
    popular = np.argsort(-env.simulator.catalog.popularity)[:9].tolist()
    assert env.reset()[1]["candidates"].tolist() == [popular] * N


def test_users_with_clicks_get_items_like_those_they_clicked(env: Any) -> None:
    observation, infos = play(env)
    catalog = env.simulator.catalog
    liked = env.simulator.layout.read(observation["user"], "liked")
    assert liked.any(axis=1).all()
    scores = liked.astype(np.float64) @ catalog.taste.T
    assert infos["candidates"].tolist() == np.argsort(-scores, axis=1, kind="stable")[:, :9].tolist()
    assert infos["_candidates"].all()


def test_features_are_those_of_the_candidates(env: Any) -> None:
    observation, infos = play(env)
    catalog, layout = env.simulator.catalog, env.simulator.layout
    for row in range(N):
        user = observation["user"][row : row + 1]
        for place, item in enumerate(infos["candidates"][row]):
            taste, category = catalog.taste[item], catalog.category[item]
            expected = [
                *(layout.read(user, side)[0, part] @ taste[part] for side in ("liked", "passed") for part in PARTS),
                layout.read(user, "exposure")[0, category],
                layout.read(user, "category_clicks")[0, category],
                catalog.price_level[item],
                catalog.novelty[item],
            ]
            np.testing.assert_allclose(observation["candidates"][row, place], expected, atol=1e-6)


PARTS = (slice(0, 6), slice(6, 11))  # text and image in the taste space


def test_actions_are_places_in_the_list(clockwork: dict[str, Any]) -> None:
    env = Candidates(SlateEnv(**clockwork), 9)
    _, info = env.reset(options={"user": 7})
    novelty = env.simulator.catalog.novelty
    top = info["candidates"][3]
    objectives = env.step(np.array([3, 0, 1, 2]))[4]["objectives"]
    assert objectives[2] == pytest.approx(novelty[top])  # clockwork users click the top item


def test_a_place_given_twice_is_shown_once(clockwork: dict[str, Any]) -> None:
    env = Candidates(SlateEnv(**clockwork), 9)
    env.reset(options={"user": 7})
    observation = env.step(np.array([5, 5, 5, 2]))[0]
    assert env.simulator.layout.read(observation["user"][None], "exposure").sum() == pytest.approx(0.2 * 2 / 4)


def test_item_numbers_can_be_seen(keen: dict[str, Any]) -> None:
    env = Candidates(SlateVectorEnv(N, **keen), 9, item_numbers=True)
    assert env.single_observation_space["items"] == Box(0, 23, (9,), np.int64)
    observation, infos = play(env)
    assert np.array_equal(observation["items"], infos["candidates"])


def test_it_flattens(keen: dict[str, Any]) -> None:
    env = FlattenObservation(Candidates(SlateEnv(**keen), 9))
    size = env.unwrapped.simulator.layout.size  # type: ignore[attr-defined]
    observation, _ = env.reset()
    assert observation.shape == (size + 9 * 8,)


def test_a_flat_index_of_faiss_gives_equally_near_candidates(keen: dict[str, Any]) -> None:
    pytest.importorskip("faiss")
    catalog = Catalog.synthetic(24, 4, {"text": 6, "image": 5})  # items that lack everything would tie
    vectors = [SlateVectorEnv(N, **keen | {"catalog": catalog}) for _ in range(2)]
    searches = ExactRetrieval(catalog.taste), FaissRetrieval(catalog.taste)
    envs = [Candidates(vector, 9, search) for vector, search in zip(vectors, searches, strict=True)]
    for env in envs:
        env.action_space.seed(1)
    (seen, exact), (_, found) = (play(env, 1) for env in envs)
    liked = vectors[0].simulator.layout.read(seen["user"], "liked")  # two items liked are equally near to their mean
    near = [(catalog.taste[infos["candidates"]] * liked[:, None]).sum(axis=2) for infos in (exact, found)]
    np.testing.assert_allclose(*near, atol=1e-6)
    assert liked.any(axis=1).sum() > 1


@pytest.mark.parametrize("count", [3, 25])
def test_too_few_or_too_many(world: dict[str, Any], count: int) -> None:
    with pytest.raises(
        ValueError, match=f"{count} candidates asked for; slates of 4 out of the 24 items of 'synthetic' allow 4 to 24"
    ):
        Candidates(SlateEnv(**world), count)
