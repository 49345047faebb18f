from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recsim.agents.offline.conservative import BehaviourRegularised
from recsim.agents.offline.counterfactual import CounterfactualRanker
from recsim.agents.offline.learned import LearnedRanker
from recsim.agents.offline.learning import Examples, slate_log_prob
from recsim.agents.offline.reinforce import OffPolicyReinforce
from recsim.catalog import Catalog
from recsim.logs import Log, collect
from recsim.observation import Layout
from recsim.policy import Ranking, plackett_luce_log_prob, uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator

Fit = Callable[..., LearnedRanker]
every = pytest.mark.parametrize(
    "fit",
    [OffPolicyReinforce.fit, BehaviourRegularised.fit, CounterfactualRanker.fit],
    ids=["reinforce", "regular", "counterfactual"],
)


def fitted(fit: Fit, world: Simulator, log: Log, **options: Any) -> LearnedRanker:
    return fit(log, world.catalog, world.layout, **{"epochs": 2} | options)


def test_log_probabilities_agree_with_the_reference_and_leave_out_empty_positions() -> None:
    rng = np.random.Generator(np.random.Philox(1))
    scores = rng.normal(0.0, 3.0, (5, 8))
    slate = np.argsort(rng.random((5, 8)), axis=1)[:, :3]
    expected = plackett_luce_log_prob(scores, slate)
    np.testing.assert_allclose(slate_log_prob(torch.from_numpy(scores), torch.from_numpy(slate)).numpy(), expected)
    spread = np.full((5, 5), -1)
    spread[:, [0, 2, 3]] = slate
    given = torch.tensor(scores, requires_grad=True)
    found = slate_log_prob(given, torch.from_numpy(spread))
    np.testing.assert_allclose(found.detach().numpy()[:, [0, 2, 3]], expected)
    assert (found[:, [1, 4]] == 0.0).all()
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert given.grad is not None
    assert torch.isfinite(given.grad).all()


def test_empty_positions_earn_nothing_and_count_as_certain(log: Log) -> None:
    slate = log.slate.copy()
    slate[3, 1] = -1
    examples = Examples.of(replace(log, slate=slate), np.ones(slate.shape))
    assert examples.advantage[3].tolist() == [1.0, 0.0, 1.0, 1.0]
    assert examples.logged[3, 1] == 0.0
    np.testing.assert_allclose(examples.logged[4].numpy(), log.step_log_prob[4], rtol=1e-6)


@pytest.mark.slow
@every
def test_it_learns_to_beat_the_logging_policy(fit: Fit, world: Simulator, long_log: Log) -> None:
    learned = fit(long_log, world.catalog, world.layout)
    served = rollout(world, Ranking("learned", learned, 4, temperature=1.0), 600).reward
    difference = served - rollout(world, uniform(world.catalog, 4), 600).reward
    assert difference.mean() > 3.0 * difference.std() / np.sqrt(len(difference))


@every
def test_fitted_twice_it_is_the_same_and_torch_s_own_generator_stays(fit: Fit, world: Simulator, log: Log) -> None:
    before = torch.random.get_rng_state()
    first, second, other = (fitted(fit, world, log, seed=seed).scores(log.observation) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    assert torch.equal(torch.random.get_rng_state(), before)


@every
def test_saved_and_loaded_it_scores_the_same(fit: Fit, world: Simulator, log: Log, tmp_path: Path) -> None:
    learned, path = fitted(fit, world, log), tmp_path / "learned.safetensors"
    learned.save(path)
    loaded = type(learned).load(path, world.catalog, world.layout)
    np.testing.assert_array_equal(loaded.scores(log.observation), learned.scores(log.observation))
    with pytest.raises(ValueError, match="holds a network of another shape"):
        type(learned).load(path, world.catalog, Layout.of(world.catalog, profile_size=9))
    other = BehaviourRegularised if isinstance(learned, OffPolicyReinforce) else OffPolicyReinforce
    with pytest.raises(ValueError, match=f"but a {other.kind} is needed"):
        other.load(path, world.catalog, world.layout)


def test_scores_of_some_items_are_those_among_all(world: Simulator, log: Log) -> None:
    learned, items = fitted(OffPolicyReinforce.fit, world, log), np.array([[5, 0], [7, 23]])
    every = learned.scores(log.observation[:2])
    assert every.shape == (2, 24)
    np.testing.assert_array_equal(learned.scores(log.observation[:2], items), [every[0, [5, 0]], every[1, [7, 23]]])


def test_the_divergence_is_that_of_whole_slates(world: Simulator, log: Log) -> None:
    alike = OffPolicyReinforce(world.catalog, world.layout)
    assert alike.divergence(log) == pytest.approx(0.0, abs=1e-6)
    logged = Ranking("some", fitted(OffPolicyReinforce.fit, world, log, epochs=6, patience=6), 4, temperature=1.0)
    other = collect(world, logged, 400)
    other.slate.setflags(write=False)  # as in a log read from a file
    slates = other.log_prob - plackett_luce_log_prob(alike.scores(other.observation), other.slate).sum(axis=1)
    assert alike.divergence(other) == pytest.approx(slates.mean(), rel=1e-5)
    assert alike.divergence(other) > 0.0


def test_the_divergence_holds_the_scores_of_a_block_of_the_log_at_once(
    world: Simulator, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned, asked = fitted(OffPolicyReinforce.fit, world, log), []
    scores, at_once = learned.scores, learned.divergence(log)
    monkeypatch.setattr(learned, "scores", lambda observation: asked.append(len(observation)) or scores(observation))
    monkeypatch.setattr("recsim.agents.fusion.scorers.BLOCK", 100)
    assert learned.divergence(log) == pytest.approx(at_once, rel=1e-9)
    assert asked == [*[100] * (len(log) // 100), len(log) % 100]


@every
def test_passes_are_told_and_learning_stops_where_held_out_users_gain_nothing(
    fit: Fit, world: Simulator, log: Log
) -> None:
    told: list[int] = []
    fit(log, world.catalog, world.layout, epochs=200, patience=2, learning_rate=1e-2, progress=told.append)
    assert told == list(range(1, len(told) + 1))
    assert 2 <= len(told) < 200


@every
def test_where_held_out_users_only_lose_the_start_is_kept(fit: Fit, world: Simulator, log: Log) -> None:
    """Users held out dislike what the others like."""
    held_out = np.unique(log.user, return_inverse=True)[1] % 5 == 0
    objectives = np.zeros_like(log.objectives)
    objectives[..., 0] = np.where(held_out[:, None], -1.0, 1.0) * (log.slate < 12)
    assert not fitted(fit, world, replace(log, objectives=objectives), gamma=0.0).scores(log.observation).any()
    objectives[..., 0] = log.slate < 12
    alike = fitted(fit, world, replace(log, objectives=objectives), gamma=0.0).scores(log.observation)
    assert alike[:, :12].mean() > alike[:, 12:].mean()


@every
def test_logs_from_which_nothing_can_be_learned_are_refused(fit: Fit, world: Simulator, log: Log) -> None:
    with pytest.raises(ValueError, match="'uniform' of the log was deterministic .every propensity is 1."):
        fitted(fit, world, replace(log, step_log_prob=np.zeros_like(log.step_log_prob)))
    with pytest.raises(ValueError, match="items of a catalogue 'synthetic' that is not the"):
        fit(log, Catalog.synthetic(n_items=24, seed=1), world.layout)
    with pytest.raises(ValueError, match="but the layout has"):
        fit(log, world.catalog, Layout.of(world.catalog, profile_size=9))


@every
def test_a_log_of_estimated_propensities_is_refused(fit: Fit, world: Simulator, log: Log) -> None:
    estimated = replace(log, info=replace(log.info, propensities="estimated"))
    with pytest.raises(ValueError, match="'uniform' of the log only estimated its propensities.* a policy that knows"):
        fitted(fit, world, estimated)


@every
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"gamma": 1.5}, "gamma is 1.5; a discount is from 0 to 1"),
        ({"cap": 0.0}, "cap is 0.0; the largest weight must be above 0"),
        ({"epochs": 0}, "epochs is 0; it must be above 0"),
        ({"patience": 0}, "patience is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"start_temperature": 0.0}, "start_temperature is 0.0"),
    ],
)
def test_options_that_cannot_be_are_refused(
    fit: Fit, world: Simulator, log: Log, option: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fitted(fit, world, log, **option)


@every
def test_a_loss_that_is_no_number_stops_learning_with_a_sentence(fit: Fit, world: Simulator, log: Log) -> None:
    row = np.flatnonzero(log.user != log.user[0])[0]
    observation = log.observation.copy()
    observation[row] = 3e38
    diverged = r"the loss is nan at step \d+ of pass \d: training has diverged and stops. Lower"
    with pytest.raises(
        ValueError, match=rf"{diverged}|row {row} of the log: a feature of position \d .* is not finite"
    ):
        fitted(fit, world, replace(log, observation=observation))
