"""Proto-actions and fusion weights: what they mean, against slow references, and that both can be learned."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor

from recsim.catalog import Catalog
from recsim.envs import FusionWeights, ProtoAction, SlateEnv, SlateVecEnv, SlateVectorEnv
from recsim.slate_actions import LikedSimilarity

N = 5


@pytest.fixture
def seen(world: dict[str, Any]) -> NDArray[np.float32]:
    """(n, d) observations of users who have clicked something."""
    env = SlateVectorEnv(N, **world, user_options={"boredom": 0.0, "monotony": 0.0, "click_offset": 0.0})
    env.reset()
    env.action_space.seed(3)
    for _ in range(3):
        observation = env.step(env.action_space.sample())[0]
    assert env.simulator.layout.read(observation, "liked").any(axis=1).all()
    return observation


def best(scores: NDArray[Any], k: int) -> list[list[int]]:
    return [sorted(range(len(row)), key=lambda item: (-row[item], item))[:k] for row in scores.tolist()]


def test_a_proto_action_shows_the_items_of_largest_inner_product(world: dict[str, Any]) -> None:
    env = ProtoAction(SlateVectorEnv(N, **world))
    action = np.random.Generator(np.random.Philox(0)).uniform(-1, 1, (N, 11)).astype(np.float32)
    taste = env.simulator.catalog.taste.astype(np.float64)
    assert env.slates(action, None).tolist() == best(action @ taste.T, 4)
    assert env.slates(np.zeros((1, 11)), None).tolist() == [[0, 1, 2, 3]]
    item = int(np.flatnonzero(np.abs(taste).sum(axis=1) > 0)[-1])
    assert env.slates(taste[[item]], None)[0, 0] == item  # its own taste finds it


def test_the_slate_of_a_proto_action_is_shown(clockwork: dict[str, Any]) -> None:
    env = ProtoAction(SlateEnv(**clockwork, objectives={"click": 0.0, "conversion": 1.0, "novelty": 0.0}))
    env.reset(options={"user": 7})
    reward = env.step(env.simulator.catalog.taste[7])[1]  # user 7 buys item 7
    assert reward == 1.0


def test_a_proto_action_takes_another_search(world: dict[str, Any]) -> None:
    class Last:
        def top(self, query: NDArray[Any], count: int) -> NDArray[np.int64]:
            return np.tile(np.arange(20, 20 + count), (len(query), 1))

    assert ProtoAction(SlateEnv(**world), Last()).slates(np.zeros((2, 11)), None).tolist() == [[20, 21, 22, 23]] * 2


def test_scores_by_modality_are_similarities_to_what_was_liked(world: dict[str, Any], seen: NDArray[Any]) -> None:
    simulator = SlateEnv(**world).simulator
    catalog, liked = simulator.catalog, simulator.layout.read(seen, "liked")
    scores = LikedSimilarity(catalog, simulator.layout).modality_scores(seen)
    expected = [liked[:, :6] @ catalog.taste[:, :6].T, liked[:, 6:] @ catalog.taste[:, 6:].T]
    np.testing.assert_allclose(scores, np.stack(expected, axis=1), atol=1e-6)


def test_fusion_weights_show_the_top_of_the_weighted_sum(world: dict[str, Any], seen: NDArray[Any]) -> None:
    env = FusionWeights(SlateVectorEnv(N, **world))
    assert env.single_action_space.shape == (4,)
    catalog = env.simulator.catalog
    weights = np.random.Generator(np.random.Philox(0)).uniform(-1, 1, (N, 4)).astype(np.float32)
    text, image = np.moveaxis(LikedSimilarity(catalog, env.simulator.layout).modality_scores(seen), 1, 0)
    price = catalog.price_level / np.abs(catalog.price_level).max()
    parts = (text, image, price[None], catalog.novelty[None])
    fused = sum(weights[:, [number]] * part.astype(np.float64) for number, part in enumerate(parts))
    assert env.slates(weights, seen).tolist() == best(np.asarray(fused), 4)
    for number, sign, first in [(2, 1, catalog.price.argmax()), (2, -1, catalog.price.argmin())]:
        assert env.slates(sign * np.eye(4)[[number]], seen[:1])[0, 0] == first
    assert env.slates(-np.eye(4)[[3]], seen[:1])[0].tolist() == best(catalog.popularity[None], 4)[0]


def test_weights_are_understood_by_what_was_seen(world: dict[str, Any]) -> None:
    """The same weights mean other slates once something was clicked."""
    env = FusionWeights(SlateVectorEnv(N, **world, user_options={"boredom": 0.0, "click_offset": 3.0}))
    env.reset()
    weights = np.tile([1.0, 1.0, 0.0, 0.0], (N, 1))
    exposed = []
    for _ in range(2):
        observation = env.step(weights)[0]
        exposed.append(env.simulator.layout.read(observation, "liked").any(axis=1))
    assert exposed[0].all()
    assert not np.array_equal(env.slates(weights, observation), np.tile(np.arange(4), (N, 1)))


class Made:
    """A scorer of three sources."""

    def __init__(self, scores: NDArray[Any]) -> None:
        self.scores = scores

    def modality_scores(self, observation: NDArray[np.float32]) -> NDArray[Any]:
        return np.broadcast_to(self.scores, (len(observation), *self.scores.shape))


def test_a_scorer_of_ones_own(world: dict[str, Any]) -> None:
    scores = np.zeros((3, 24))
    scores[2, [5, 9]] = 2.0, 3.0
    env = FusionWeights(SlateEnv(**world), Made(scores))
    assert env.action_space.shape == (5,)
    assert env.slates(np.array([[0, 0, 1, 0, 0]]), np.zeros((1, env.simulator.layout.size))).tolist() == [[9, 5, 0, 1]]


@pytest.mark.parametrize(
    ("scores", "shape"),
    [(np.zeros((3, 23)), r"\(1, 3, 23\)"), (np.zeros(24), r"\(1, 24\)"), (np.full((3, 24), np.nan), r"\(1, 3, 24\)")],
)
def test_a_wrong_scorer(world: dict[str, Any], scores: NDArray[Any], shape: str) -> None:
    with pytest.raises(ValueError, match=rf"Made.modality_scores gave an array {shape} float64 for 1 users; \(1, M"):
        FusionWeights(SlateEnv(**world), Made(scores))


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [ProtoAction, FusionWeights])
def test_ppo_learns_what_to_show(wrap: Any) -> None:
    """Users like what they clicked; forty items, so that hits by chance are few."""
    options = {"satiation_cost": 0.0, "boredom": 0.0, "monotony": 0.0, "quality_scale": 2.0, "quality_popularity": 0.9}
    catalog = Catalog.synthetic(40, 3, {"text": 3, "image": 3})
    env = SlateVecEnv(wrap(SlateVectorEnv(32, catalog=catalog, user_options=options, slate_size=2, horizon=8, seed=3)))
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=128, n_epochs=4, learning_rate=0.003, seed=0, device="cpu")
    recorded = VecMonitor(env)
    before, _ = evaluate_policy(model, recorded, n_eval_episodes=256, deterministic=False)
    model.learn(16384)
    after, _ = evaluate_policy(model, recorded, n_eval_episodes=256, deterministic=False)
    assert after > 1.5 * before
