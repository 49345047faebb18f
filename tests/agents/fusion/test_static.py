from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsim.agents.fusion.scorers import CONVERSION_SMOOTHING, SMOOTHING
from recsim.agents.fusion.static import StaticFusion
from recsim.agents.fusion.weights import fitted_weights
from recsim.logs import Log
from recsim.policy import Ranking, uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator


@pytest.fixture(scope="module")
def fusion(world: Simulator, log: Log) -> StaticFusion:
    return StaticFusion.fit(log, world.catalog, world.layout)


def test_the_fused_score_is_the_weighted_sum_of_its_scorers(world: Simulator, log: Log, fusion: StaticFusion) -> None:
    catalog, layout, row = world.catalog, world.layout, 33
    observation = log.observation[row : row + 1]
    weight = dict(zip(fusion.names, fusion.weights, strict=True))
    assert list(weight) == ["text", "image", "click rate", "profile rate"]
    liked, told = layout.read(observation, "liked")[0], layout.read(observation, "profile")[0]
    for item in (0, 5, 23):
        expected = weight["click rate"] * fusion.click_rate[item]
        expected += weight["profile rate"] * told @ fusion.profile_rate[:, catalog.category[item]]
        for name, start, stop in zip(("text", "image"), catalog.offsets[:-1], catalog.offsets[1:], strict=True):
            expected += weight[name] * liked[start:stop] @ catalog.taste[item, start:stop]
        assert fusion.scores(observation)[0, item] == pytest.approx(expected, abs=1e-5)


def test_scores_by_scorer_add_up_to_the_fused_score(log: Log, fusion: StaticFusion) -> None:
    observation = log.observation[:40]
    by_scorer = fusion.modality_scores(observation)
    assert by_scorer.shape == (40, 4, 24)
    np.testing.assert_allclose(np.einsum("s,nsm->nm", fusion.weights, by_scorer), fusion.scores(observation), atol=1e-5)
    assert np.array_equal(fusion.modality_scores(observation[7:8]), by_scorer[7:8])


def test_the_click_rate_scorer_is_a_lift_over_an_average_item_at_the_same_positions(
    log: Log, fusion: StaticFusion
) -> None:
    item = 11
    rate = log.click.mean(axis=0)
    shown = log.slate == item
    clicks, expected = (log.click & shown).sum(), (shown * rate).sum()
    assert fusion.click_rate[item] == pytest.approx(np.log((clicks + SMOOTHING) / (expected + SMOOTHING)))


def test_weights_find_the_modality_that_decides(world: Simulator, log: Log) -> None:
    """Clicks made up from image similarity alone leave the text scorer next to nothing."""
    liked = world.layout.read(log.observation, "liked")
    image = slice(world.catalog.offsets[1], world.catalog.offsets[2])
    match = np.einsum("nd,nkd->nk", liked[:, image], world.catalog.taste[log.slate][:, :, image])
    luck = np.random.Generator(np.random.Philox(0)).random(match.shape)
    click = luck < 1.0 / (1.0 + np.exp(1.0 - 6.0 * match))
    made_up = replace(log, click=click, conversion=np.zeros_like(click))
    weight = StaticFusion.fit(made_up, world.catalog, world.layout)
    found = dict(zip(weight.names, weight.weights, strict=True))
    assert found["image"] > 3.0
    assert abs(found["text"]) < 1.0


def test_it_beats_uniform_slates_for_the_same_users(world: Simulator, fusion: StaticFusion) -> None:
    static = rollout(world, Ranking("static fusion", fusion, world.slate_size), 400).reward
    anything = rollout(world, uniform(world.catalog, world.slate_size), 400).reward
    difference = static - anything
    assert difference.mean() > 3.0 * difference.std() / np.sqrt(len(difference))


def test_fitted_twice_it_is_the_same_and_survives_the_disk(
    world: Simulator, log: Log, fusion: StaticFusion, tmp_path: Path
) -> None:
    again = StaticFusion.fit(log, world.catalog, world.layout)
    assert again.weights.tolist() == fusion.weights.tolist()
    fusion.save(tmp_path / "fusion.safetensors")
    loaded = StaticFusion.load(tmp_path / "fusion.safetensors", world.catalog, world.layout)
    assert loaded.names == fusion.names
    np.testing.assert_array_equal(loaded.scores(log.observation), fusion.scores(log.observation))


@pytest.mark.parametrize("value", [True, False])
def test_a_log_without_contrast_is_refused(world: Simulator, log: Log, value: bool) -> None:
    one_sided = replace(log, click=np.full_like(log.click, value))
    with pytest.raises(ValueError, match="clicks on .* positions; positions with and without are both needed"):
        StaticFusion.fit(one_sided, world.catalog, world.layout)


def test_other_evidence_and_targets(world: Simulator, log: Log, tmp_path: Path) -> None:
    own = ("conversion rate", "popularity")
    fusion = StaticFusion.fit(log, world.catalog, world.layout, own=own, target="reward")
    assert fusion.names == ("text", "image", *own, "profile rate")
    clicks, conversions = (np.bincount(log.slate[came], minlength=24) for came in (log.click, log.conversion))
    due = clicks[11] * conversions.sum() / clicks.sum() + CONVERSION_SMOOTHING
    assert fusion.scorers.own["conversion rate"][11] == pytest.approx(
        np.log((conversions[11] + CONVERSION_SMOOTHING) / due)
    )
    np.testing.assert_array_equal(fusion.scorers.own["popularity"], np.log(world.catalog.popularity))
    by_scorer, items = fusion.modality_scores(log.observation[:40]), log.slate[:40]
    whole = fusion.scores(log.observation[:40])
    np.testing.assert_allclose(np.einsum("s,nsm->nm", fusion.weights, by_scorer), whole, atol=1e-5)
    listed = fusion.scores(log.observation[:40], items)
    np.testing.assert_allclose(listed, np.take_along_axis(whole, items, axis=1), atol=1e-5)
    fusion.save(tmp_path / "fusion.safetensors")
    loaded = StaticFusion.load(tmp_path / "fusion.safetensors", world.catalog, world.layout)
    assert loaded.names == fusion.names
    np.testing.assert_array_equal(loaded.scores(log.observation), fusion.scores(log.observation))


def test_reward_weights_solve_the_poisson_equations(log: Log) -> None:
    """At the optimum every term's residuals sum to its ridge, and those of every position to the intercept's."""
    terms = np.random.Generator(np.random.Philox(5)).random((*log.slate.shape, 1)) + log.click[..., None]
    weight = fitted_weights(terms, log, "reward")[0]
    reward, x = log.objectives @ np.array(log.info.weights), terms[..., 0]
    intercept = np.zeros(4)
    for position in range(4):
        low, high = -20.0, 20.0
        for _ in range(80):
            middle = (low + high) / 2.0
            missing = (reward[:, position] - np.exp(middle + weight * x[:, position])).sum() - middle
            low, high = (middle, high) if missing > 0.0 else (low, middle)
        intercept[position] = low
    residual = reward - np.exp(intercept + weight * x)
    assert (residual * x).sum() == pytest.approx(weight, abs=1e-2)


def test_what_nothing_can_be_fitted_to_is_refused(world: Simulator, log: Log) -> None:
    def fit(log: Log, **options: Any) -> StaticFusion:
        return StaticFusion.fit(log, world.catalog, world.layout, **options)

    with pytest.raises(ValueError, match="target is 'joy'; a fusion is fitted to explain one of click, conversion"):
        fit(log, target="joy")
    with pytest.raises(ValueError, match="there is no scorer 'joy'; an item's own scorers are popularity, click rate"):
        fit(log, own=("joy",))
    with pytest.raises(ValueError, match=r"rewards of positions in the log are from -.* Fit them to clicks"):
        fit(replace(log, objectives=-log.objectives), target="reward")
