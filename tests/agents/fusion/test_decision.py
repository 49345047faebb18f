from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsim.agents.fusion.decision import RankFusion, ReciprocalRankFusion, VoteFusion
from recsim.agents.fusion.scorers import Scorers
from recsim.logs import Log
from recsim.metrics import paired_interval
from recsim.policy import Ranking, popularity
from recsim.rollout import rollout
from recsim.simulator import Simulator

METHODS = (VoteFusion, ReciprocalRankFusion)
OWN = ("popularity", "click rate", "conversion rate")


def fitted(method: Any, world: Simulator, log: Log, **options: Any) -> Any:
    return method.fit(log, world.catalog, world.layout, **options)


def shared(scores: np.ndarray, present: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points of one ranking, item by item: the mean over the places that its ties take up together."""
    out = np.zeros(len(scores))
    for item in np.flatnonzero(present):
        higher = sum(scores[other] > scores[item] for other in np.flatnonzero(present))
        level = sum(scores[other] == scores[item] for other in np.flatnonzero(present))
        out[item] = points[higher : higher + level].mean()
    return out


@pytest.mark.parametrize("method", METHODS)
def test_scores_are_the_points_of_each_ranking_times_its_weight(method: Any, world: Simulator, log: Log) -> None:
    fusion, catalog = fitted(method, world, log, own=OWN), world.catalog
    observation = log.observation[[0, 7, 33, 90]]  # the first has clicked nothing yet
    by_scorer = fusion.scorers.of_all(observation)
    present = [modality.present for modality in catalog.modalities.values()] + [np.ones(24, bool)] * 4
    assert not all(mask.all() for mask in present)
    expected = np.zeros((4, 24))
    for row in range(4):
        for scorer in range(6):
            expected[row] += fusion.weights[scorer] * shared(by_scorer[row, scorer], present[scorer], fusion.points)
    np.testing.assert_allclose(fusion.scores(observation), expected, atol=1e-9)
    np.testing.assert_array_equal(fusion.scores(observation[2:3])[0], fusion.scores(observation)[2])
    items = log.slate[:4]
    np.testing.assert_array_equal(
        fusion.scores(observation, items), np.take_along_axis(fusion.scores(observation), items, axis=1)
    )


@pytest.mark.parametrize("method", METHODS)
def test_points_of_logged_slates_are_those_of_the_whole_ranking(method: Any, world: Simulator, log: Log) -> None:
    fusion, slates = fitted(method, world, log, own=OWN), log[:50]
    at = fusion._points_at(slates)
    for scorer in range(len(fusion.names)):
        alone = replace(fusion, weights=np.eye(len(fusion.names))[scorer])
        np.testing.assert_allclose(at[..., scorer], alone.scores(slates.observation, slates.slate), atol=1e-12)


def test_points_are_those_of_the_rules(world: Simulator, log: Log) -> None:
    reciprocal = fitted(ReciprocalRankFusion, world, log, constant=60.0)
    np.testing.assert_allclose(reciprocal.points[:3], [1.0, 61 / 62, 61 / 63])
    borda = fitted(VoteFusion, world, log, ballot=4)
    assert borda.points[:6].tolist() == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    approval = fitted(VoteFusion, world, log, rule="approval", ballot=2)
    assert approval.points[:4].tolist() == [1.0, 1.0, 0.0, 0.0]


def test_two_scorers_and_three_places_by_hand(world: Simulator, log: Log) -> None:
    """Popularity ranks 0, 1, 2, ... and the click rate the other way round; weights 2 and 1."""
    own = {"popularity": -np.arange(24.0), "click rate": np.arange(24.0)}
    scorers = Scorers(
        world.catalog, world.layout, own, np.zeros((world.layout.read(log.observation, "profile").shape[1], 4))
    )
    fusion = RankFusion(scorers, np.array([0.0, 0.0, 2.0, 1.0, 0.0]), 1.0 / (60.0 + np.arange(1, 25)))
    scores = fusion.scores(log.observation[:1])[0]
    assert scores[0] == pytest.approx(2 / 61 + 1 / 84)
    assert scores[23] == pytest.approx(2 / 84 + 1 / 61)


@pytest.mark.parametrize("method", METHODS)
def test_one_modality_alone_ranks_by_its_similarity_and_leaves_out_who_lacks_it(
    method: Any, world: Simulator, log: Log
) -> None:
    fusion = fitted(method, world, log, **({"ballot": 24} if method is VoteFusion else {}))
    alone = replace(fusion, weights=np.eye(len(fusion.names))[0])
    observation, present = log.observation[33:34], world.catalog.modalities["text"].present
    assert not present.all()
    similarity = fusion.scorers.of_all(observation)[0, 0]
    ranked = np.flatnonzero(present)
    order = np.argsort(-alone.scores(observation)[0, ranked], kind="stable")
    assert order.tolist() == np.argsort(-similarity[ranked], kind="stable").tolist()
    assert (alone.scores(observation)[0, ~present] == 0.0).all()


@pytest.mark.parametrize("method", METHODS)
def test_before_the_first_click_content_favours_nobody(method: Any, world: Simulator, log: Log) -> None:
    fusion = fitted(method, world, log)
    alone = replace(fusion, weights=np.eye(len(fusion.names))[1])
    stranger = np.zeros_like(log.observation[:1])
    present = world.catalog.modalities["image"].present
    np.testing.assert_allclose(alone.scores(stranger)[0, present], fusion.points[: present.sum()].mean())


@pytest.mark.parametrize("method", METHODS)
def test_weights_find_the_modality_that_decides(method: Any, world: Simulator, log: Log) -> None:
    fusion = fitted(method, world, log)
    image = replace(fusion, weights=np.eye(len(fusion.names))[1]).scores(log.observation, log.slate)
    luck = np.random.Generator(np.random.Philox(0)).random(image.shape)
    click = luck < 1.0 / (1.0 + np.exp(2.0 - 3.0 * image))
    made_up = replace(log, click=click, conversion=np.zeros_like(click))
    found = fitted(method, world, made_up, target="click", own=())
    weight = dict(zip(found.names, found.weights, strict=True))
    assert weight["image"] == pytest.approx(3.0, abs=0.5)
    assert abs(weight["text"]) < 0.5


@pytest.mark.parametrize("method", METHODS)
def test_it_beats_popularity_for_the_same_users(method: Any, world: Simulator, log: Log) -> None:
    fusion = fitted(method, world, log, own=OWN, target="reward")
    fused = rollout(world, Ranking("fusion", fusion, 4), 400).reward
    popular = rollout(world, popularity(world.catalog, 4), 400).reward
    assert paired_interval(fused, popular, level=0.99).low > 0.0


@pytest.mark.parametrize("method", METHODS)
def test_fitted_twice_it_is_the_same_and_survives_the_disk(
    method: Any, world: Simulator, log: Log, tmp_path: Path
) -> None:
    seen: list[int] = []
    fusion, again = fitted(method, world, log, progress=seen.append), fitted(method, world, log)
    assert again.weights.tobytes() == fusion.weights.tobytes()
    assert seen[-1] == len(log)
    fusion.save(tmp_path / "fusion.safetensors")
    loaded = method.load(tmp_path / "fusion.safetensors", world.catalog, world.layout)
    assert loaded.names == fusion.names
    np.testing.assert_array_equal(loaded.scores(log.observation), fusion.scores(log.observation))
    (other,) = set(METHODS) - {method}
    with pytest.raises(ValueError, match=f"holds a {method.__name__}, but a {other.__name__} is needed"):
        other.load(tmp_path / "fusion.safetensors", world.catalog, world.layout)


def test_rules_that_make_no_sense_are_refused(world: Simulator, log: Log) -> None:
    with pytest.raises(ValueError, match="the rule is 'veto' and the ballot 100; choose borda or approval"):
        fitted(VoteFusion, world, log, rule="veto")
    with pytest.raises(ValueError, match="the ballot 0; choose"):
        fitted(VoteFusion, world, log, ballot=0)
    with pytest.raises(ValueError, match=r"the constant is -1\.0; it is a finite number from 0 up"):
        fitted(ReciprocalRankFusion, world, log, constant=-1.0)
