"""Learning by the value that an off-policy estimator gives: the values, their gradients, and what is learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.offline.counterfactual import CounterfactualRanker
from recsim.agents.offline.credit import advantage, credit
from recsim.agents.offline.item_model import ItemModel
from recsim.agents.offline.learning import Examples, new_ranker, slate_log_prob
from recsim.agents.offline.value import Ratio, Value, clipped, expected_given_above
from recsim.logs import Log, collect
from recsim.ope.slate import cascade_dr, rips, sips, snrips, snsips
from recsim.policy import Ranking, uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator

CHOICES = [
    ("ips", "position"),
    ("ips", "slate"),
    ("snips", "position"),
    ("snips", "slate"),
    ("dr", "position"),
]
every = pytest.mark.parametrize(("estimator", "weight"), CHOICES)


def fitted(world: Simulator, log: Log, **options: Any) -> CounterfactualRanker:
    return CounterfactualRanker.fit(log, world.catalog, world.layout, **{"epochs": 2} | options)


@pytest.fixture(scope="module")
def other(world: Simulator, log: Log) -> CounterfactualRanker:
    """A policy that differs from the logging policy, in double precision."""
    learned = fitted(world, log, learning_rate=1e-2)
    learned.ranker.double()
    return learned


def value_of(
    other: CounterfactualRanker, log: Log, weight: Any, *, cap: float = 1e9, model: ItemModel | None = None
) -> Value:
    above = advantage(log, 0.9, divided=weight == "slate")
    examples = Examples(
        torch.tensor(log.observation, dtype=torch.float64),
        torch.tensor(log.slate),
        torch.tensor(log.step_log_prob),
        torch.tensor(above),
    )
    return Value(other.ranker, examples, weight, cap, model)


def target(other: CounterfactualRanker, log: Log) -> np.ndarray:
    with torch.no_grad():
        scores = other.ranker(torch.tensor(log.observation, dtype=torch.float64))
        return slate_log_prob(scores, torch.tensor(log.slate)).numpy()


@pytest.mark.parametrize(("weight", "plain", "normalised"), [("position", rips, snrips), ("slate", sips, snsips)])
def test_values_are_those_of_the_estimators(
    weight: str, plain: Any, normalised: Any, other: CounterfactualRanker, log: Log
) -> None:
    value, rows = value_of(other, log, weight), torch.arange(len(log))
    arrays = (value.examples.advantage.numpy(), target(other, log), log.step_log_prob)
    assert value.mean(rows) == pytest.approx(plain(*arrays).value[0], rel=1e-9)
    assert value.ratio(rows) == pytest.approx(normalised(*arrays).value[0], rel=1e-9)


def test_the_doubly_robust_value_is_that_of_cascade_dr(other: CounterfactualRanker, world: Simulator, log: Log) -> None:
    few = log[:500]
    model = ItemModel.fit(few, advantage(few, 0.9), world.catalog, world.layout)
    model = ItemModel(*(part.double() for part in (model.query, model.constant, model.keys)))
    value, rows = value_of(other, few, "position", model=model), torch.arange(len(few))
    expected = model.of_all(rows)
    logged = np.take_along_axis(expected.numpy(), few.slate[:, :, None], axis=2)[:, :, 0]
    chance = np.exp(other.scores(few.observation.astype(np.float64)))
    under = np.empty(few.slate.shape)
    for row, slate in enumerate(few.slate):
        for position in range(len(slate)):
            left = np.setdiff1d(np.arange(len(world.catalog)), slate[:position])
            share = chance[row, left] / chance[row, left].sum()
            under[row, position] = share @ expected[row, position, left].numpy()
    terms = cascade_dr(value.examples.advantage.numpy(), target(other, few), few.step_log_prob, logged, under)
    assert value.mean(rows) == pytest.approx(terms.value[0], rel=1e-9)
    with torch.no_grad():
        scores = other.ranker(value.examples.observation)
        found = expected_given_above(scores, value.examples.slate, expected)
    np.testing.assert_allclose(found.numpy(), under, rtol=1e-9)


def test_a_model_of_items_leaves_the_doubly_robust_value_as_it_is_and_makes_it_steadier(
    other: CounterfactualRanker, world: Simulator, log: Log
) -> None:
    model = ItemModel.fit(log, advantage(log, 0.9), world.catalog, world.layout)
    model = ItemModel(*(part.double() for part in (model.query, model.constant, model.keys)))
    rows = torch.arange(len(log))
    with torch.no_grad():
        plain, robust = (
            value_of(other, log, "position", model=part).parts(rows)[0].sum(dim=1) for part in (None, model)
        )
    gap = (robust - plain).numpy()
    by_user = np.bincount(log.user - log.user.min(), gap)
    assert abs(gap.mean()) < 4.0 * by_user.std() * np.sqrt(len(by_user)) / len(gap)
    assert robust.std() < plain.std()


@pytest.mark.parametrize("weight", ["position", "slate"])
def test_steps_on_batches_add_up_to_the_gradient_of_the_ratio_over_the_whole_log(
    weight: str, other: CounterfactualRanker, log: Log
) -> None:
    """Swaminathan & Joachims 2015: the mean of the batches' own ratios is another thing, and is biased."""
    few = log[:600]
    value, rows = value_of(other, few, weight), torch.arange(600)
    ratio, parameters = Ratio(value, rows), list(other.ranker.parameters())
    gain, weighs = value.parts(rows)
    whole = torch.autograd.grad((gain.sum(dim=0) / weighs.sum(dim=0)).sum(), parameters)
    batches, own = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    for part in torch.split(rows, 50):
        for sums, loss in ((batches, ratio.gain(part).sum() / 600), (own, _ratio_of_batch(value, part) / 12)):
            for total, piece in zip(sums, torch.autograd.grad(loss, parameters), strict=True):
                total += piece
    size = max(float(part.abs().max()) for part in whole)
    for exact, summed in zip(whole, batches, strict=True):
        torch.testing.assert_close(summed, exact, rtol=1e-3, atol=1e-5 * size)
    assert max(float((a - b).abs().max()) for a, b in zip(whole, own, strict=True)) > 1e-2 * size


def _ratio_of_batch(value: Value, rows: torch.Tensor) -> torch.Tensor:
    gain, weight = value.parts(rows)
    return (gain.sum(dim=0) / weight.sum(dim=0)).sum()


def test_the_ratio_is_looked_at_again_before_every_pass(world: Simulator, log: Log, monkeypatch: Any) -> None:
    looked, look = [], Ratio.look
    monkeypatch.setattr(Ratio, "look", lambda ratio: looked.append(1) or look(ratio))
    fitted(world, log, estimator="snips", epochs=3, patience=3)
    assert len(looked) == 1 + 3


def test_weights_beyond_the_cap_are_constant_and_finite() -> None:
    log_ratio = torch.tensor([[1.0, 200.0]], requires_grad=True)
    found = clipped(log_ratio, "position", 20.0)
    assert found.detach().numpy() == pytest.approx(np.array([[np.e, 20.0]]), rel=1e-6)
    (slope,) = torch.autograd.grad(found.sum(), log_ratio)
    assert slope.numpy() == pytest.approx(np.array([[np.e, 0.0]]), rel=1e-6)


def test_empty_positions_add_nothing(other: CounterfactualRanker, world: Simulator, log: Log) -> None:
    slate, chance = log.slate[:200].copy(), log.step_log_prob[:200].copy()
    slate[:, 1], chance[:, 1] = -1, 0.0
    few = replace(log[:200], slate=slate, step_log_prob=chance)
    model = ItemModel.fit(few, advantage(few, 0.9), world.catalog, world.layout)
    model = ItemModel(*(part.double() for part in (model.query, model.constant, model.keys)))
    for weight, part in (("position", None), ("slate", None), ("position", model)):
        gain, weighs = value_of(other, few, weight, model=part).parts(torch.arange(200))
        assert (gain[:, 1] == 0.0).all()
        assert (weighs[:, 1] == 0.0).all()
        assert (weighs[:, 2] > 0.0).all()
        gain.sum().backward()  # type: ignore[no-untyped-call]
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in other.ranker.parameters())
        other.ranker.zero_grad()


def test_later_rewards_count_once_in_a_slate_and_once_in_each_position(log: Log) -> None:
    shared, divided = credit(log, 0.9), credit(log, 0.9, divided=True)
    own = log.objectives @ np.array(log.info.weights)
    np.testing.assert_allclose((shared - own)[:, 0], (divided - own).sum(axis=1))


def test_the_model_of_a_user_has_not_seen_the_user_s_luck(world: Simulator, log: Log) -> None:
    above, lucky = advantage(log, 0.9), log.user == log.user[0]
    rows = torch.arange(len(log))
    before, after = (
        ItemModel.fit(log, part, world.catalog, world.layout).of_all(rows).numpy()
        for part in (above, above + 10.0 * lucky[:, None])
    )
    np.testing.assert_array_equal(after[lucky], before[lucky])
    assert (after[~lucky] != before[~lucky]).any()


def test_the_model_finds_what_a_line_can_say(world: Simulator, log: Log) -> None:
    """An item earns by its price and the user's liking of it, at every position by other weights."""
    price, position = world.catalog.price_level[log.slate], np.arange(4)
    above = price * (1.0 + position) - 0.5 * position
    model = ItemModel.fit(log, above, world.catalog, world.layout)
    everything = world.catalog.price_level[None, None, :] * (1.0 + position)[:, None] - 0.5 * position[:, None]
    error = model.of_all(torch.arange(len(log))).numpy() - everything
    assert np.sqrt(np.square(error).mean()) < 0.1 * above.std()


@pytest.mark.slow
@every
def test_it_learns_to_beat_the_policy_in_production(estimator: str, weight: str, world: Simulator, log: Log) -> None:
    fusion = StaticFusion.fit(log, world.catalog, world.layout)
    production = Ranking("production", fusion, 4, temperature=0.5)
    served = collect(world, production, np.arange(20_000, 20_500))
    learned = fitted(world, served, warm_start=fusion, estimator=estimator, weight=weight, epochs=20)
    gain = rollout(world, Ranking("learned", learned, 4, temperature=1.0), 600).reward
    gain -= rollout(world, production, 600).reward
    assert gain.mean() > 3.0 * gain.std() / np.sqrt(len(gain))


def test_it_learns_in_seconds_from_random_slates(world: Simulator, log: Log) -> None:
    learned = fitted(world, log, epochs=4, learning_rate=5e-3)
    gain = rollout(world, Ranking("learned", learned, 4, temperature=1.0), 200).reward
    gain -= rollout(world, uniform(world.catalog, 4), 200).reward
    assert gain.mean() > 3.0 * gain.std() / np.sqrt(len(gain))


@every
def test_fitted_twice_it_is_the_same(estimator: str, weight: str, world: Simulator, log: Log) -> None:
    before = torch.random.get_rng_state()
    first, second, third = (
        fitted(world, log, estimator=estimator, weight=weight, epochs=1, seed=seed).scores(log.observation[:50])
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_option_counts(world: Simulator, log: Log) -> None:
    options = {"epochs": 1, "batch": 800}
    found = [
        fitted(world, log, estimator=estimator, weight=weight, **options).scores(log.observation[:20]).tobytes()
        for estimator, weight in CHOICES
    ]
    found += [
        fitted(world, log, **options | changed).scores(log.observation[:20]).tobytes()
        for changed in ({"gamma": 0.0}, {"cap": 1.01}, {"batch": 100}, {"learning_rate": 2e-3})
    ]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_where_held_out_users_only_lose_the_start_is_kept(estimator: str, world: Simulator, log: Log) -> None:
    """Users held out dislike what the others like."""
    held_out = np.unique(log.user, return_inverse=True)[1] % 5 == 0
    objectives = np.zeros_like(log.objectives)
    objectives[..., 0] = np.where(held_out[:, None], -1.0, 1.0) * (log.slate < 12)
    against = replace(log, objectives=objectives)
    start = new_ranker(world.catalog, world.layout).state_dict()
    learned = fitted(world, against, gamma=0.0, estimator=estimator, epochs=1)
    assert all(torch.equal(learned.ranker.state_dict()[name], values) for name, values in start.items())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"estimator": "mips"}, "estimator is 'mips'; choose from ips, snips, dr"),
        ({"weight": "item"}, "weight is 'item'; choose from position, slate"),
        ({"weight": "slate"}, "weight is 'slate' with estimator 'dr', whose model adds up over positions; choose"),
    ],
)
def test_options_that_cannot_be_are_refused(world: Simulator, log: Log, option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fitted(world, log, **option)


@pytest.mark.parametrize("estimator", ["ips", "snips"])
def test_a_loss_that_is_no_number_stops_learning_with_a_sentence(estimator: str, world: Simulator, log: Log) -> None:
    observation = log.observation.copy()
    observation[np.flatnonzero(log.user != log.user[0])[0]] = 3e38
    with pytest.raises(ValueError, match=r"training has diverged and stops. Lower"):
        fitted(world, replace(log, observation=observation), estimator=estimator)
