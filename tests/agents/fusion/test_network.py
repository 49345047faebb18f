from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recsim import Catalog
from recsim.agents.folds import FOLDS
from recsim.agents.fusion.network import HEADS, NetworkFusion
from recsim.agents.fusion.towers import Experts, Shape
from recsim.agents.fusion.training import Examples, reward_loss
from recsim.logs import Log, collect
from recsim.metrics import paired_interval
from recsim.modality import Modality
from recsim.observation import Layout
from recsim.policy import Ranking, popularity
from recsim.rollout import rollout
from recsim.simulator import Simulator
from recsim.users import make_users

QUICK: dict[str, Any] = {"epochs": 2, "size": 8, "factors": 3}
KINDS = ("concat", "weighted_concat", "gated", "attention", "transformer")


@pytest.fixture(scope="module")
def world() -> Simulator:
    """60 items of which a fifth lacks one modality or another; users whom nothing changes."""
    catalog = Catalog.synthetic(n_items=60, n_categories=4, dims={"text": 6, "image": 5}, seed=5, missing=0.2)
    users = make_users("stationary", catalog, {}, seed=0)
    return Simulator(catalog, users, slate_size=5, horizon=8, seed=1, recent=4)


@pytest.fixture(scope="module")
def log(world: Simulator) -> Log:
    return collect(world, popularity(world.catalog, world.slate_size, 1.0), np.arange(50_000, 50_200))


@pytest.fixture(scope="module")
def multitask(world: Simulator, log: Log) -> NetworkFusion:
    return NetworkFusion.fit(log, world.catalog, world.layout, heads="mmoe", **QUICK)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fusion", "heads"), [*((kind, "reward") for kind in KINDS), ("concat", "shared_bottom"), ("concat", "mmoe")]
)
def test_it_beats_popularity_for_the_same_users(world: Simulator, log: Log, fusion: str, heads: str) -> None:
    ranker = NetworkFusion.fit(log, world.catalog, world.layout, fusion=fusion, heads=heads)
    earned, popular = (
        rollout(world, ranking, 400).reward
        for ranking in (Ranking(fusion, ranker, world.slate_size), popularity(world.catalog, world.slate_size))
    )
    assert paired_interval(earned, popular, 0.99).low > 0.15 * popular.mean()


@pytest.mark.parametrize("fusion", KINDS)
def test_every_kind_of_fusion_scores_and_survives_the_disk(
    world: Simulator, log: Log, fusion: str, tmp_path: Path
) -> None:
    ranker = NetworkFusion.fit(log, world.catalog, world.layout, fusion=fusion, **QUICK)
    scores = ranker.scores(log.observation[:50])
    assert scores.shape == (50, 60)
    assert np.isfinite(scores).all()
    ranker.save(tmp_path / "ranker.safetensors")
    loaded = NetworkFusion.load(tmp_path / "ranker.safetensors", world.catalog, world.layout)
    np.testing.assert_array_equal(loaded.scores(log.observation[:50]), scores)


@pytest.mark.parametrize("heads", HEADS)
def test_fitted_twice_it_is_the_same_and_other_seeds_differ(world: Simulator, log: Log, heads: str) -> None:
    before = torch.random.get_rng_state()
    one, two, other = (
        NetworkFusion.fit(log, world.catalog, world.layout, heads=heads, seed=seed, **QUICK).scores(log.observation)
        for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.parametrize("heads", HEADS)
def test_scores_foretell_what_the_best_position_earns(world: Simulator, log: Log, heads: str) -> None:
    """The mean of exp(score) at the top is the mean reward there."""
    ranker = NetworkFusion.fit(log, world.catalog, world.layout, heads=heads, decay=0.1)
    foretold = np.exp(ranker.scores(log.observation, log.slate[:, :1]))
    earned = log.objectives[:, 0] @ np.array(log.info.weights)
    assert foretold.mean() == pytest.approx(earned.mean(), rel=0.1)


def test_scores_of_some_items_are_those_of_the_whole_catalogue(log: Log, multitask: NetworkFusion) -> None:
    items = np.random.Generator(np.random.Philox(0)).integers(0, 60, (30, 7))
    whole = multitask.scores(log.observation[:30])
    some = multitask.scores(log.observation[:30], items)
    np.testing.assert_allclose(some, np.take_along_axis(whole, items, axis=1), atol=1e-5)
    np.testing.assert_allclose(multitask.scores(log.observation[3:4]), whole[3:4], atol=1e-5)


def test_serving_adds_up_to_the_mean_of_the_networks(log: Log, multitask: NetworkFusion) -> None:
    """The factorised form, with weights of cross features folded in, against the networks as trained."""
    observation, slate = log.observation[:20], log.slate[:20]
    wide = np.concatenate(
        [multitask.features.at(observation, slate), multitask.scorers.at(observation, slate)[..., -2:]], axis=2
    )
    inputs = torch.tensor(observation), torch.tensor(slate), torch.tensor(wide, dtype=torch.float32)
    with torch.no_grad():
        logits = torch.stack([network(*inputs) for network in multitask.networks])
        positions = torch.stack([network.position[:, 0] for network in multitask.networks])
        logits[..., 0] += positions[:, :1, None] - positions[:, None]
    click, conversion = logits.mean(dim=0).sigmoid().unbind(dim=2)
    weight = dict(zip(log.info.objectives, log.info.weights, strict=True))
    novelty = torch.tensor(multitask.catalog.novelty[slate])
    expected = click * (weight["click"] + weight["conversion"] * conversion + weight["novelty"] * novelty)
    np.testing.assert_allclose(multitask.scores(observation, slate), expected.log().numpy(), atol=1e-4)


def test_experts_are_mixed_by_the_gate_of_each_task() -> None:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        experts = Experts(Shape("concat", tasks=2, experts=3, size=4, factors=2)).eval()
        for parameter in experts.parameters():
            torch.nn.init.normal_(parameter)
        user, item = torch.randn(2, 4)
    found = experts.queries(user[None])[0] @ experts.key(item)  # (T,)
    gate = experts.gate(user).reshape(2, 3).softmax(dim=1)
    queries, keys = experts.query(user).reshape(3, 2), experts.key(item).reshape(3, 2)
    for task in range(2):
        expected = sum(gate[task, e] * (experts.task[task, 0] * queries[e] * keys[e]).sum() for e in range(3))
        torch.testing.assert_close(found[task], 0.1 * expected)


def test_the_reward_loss_is_least_at_the_logarithm_of_the_mean_reward(log: Log) -> None:
    examples = Examples.of(log, np.zeros((*log.slate.shape, 1)))
    z = torch.full((*log.slate.shape, 1), float(examples.reward.mean().log()), requires_grad=True)
    reward_loss(z, examples).sum().backward()
    assert z.grad is not None
    assert float(z.grad.sum()) == pytest.approx(0.0, abs=1e-2)


def test_the_transformer_reads_what_was_clicked_lately(world: Simulator, log: Log) -> None:
    ranker = NetworkFusion.fit(log, world.catalog, world.layout, fusion="transformer", **QUICK)
    observation = log.observation[log.observation[:, world.layout["clicked"].start] >= 0][:20]
    forgotten = observation.copy()
    forgotten[:, world.layout["clicked"]] = -1.0
    assert not np.isclose(ranker.scores(observation), ranker.scores(forgotten)).all(axis=1).any()
    profile = world.layout["profile"]
    without = Layout.of(world.catalog, profile.stop - profile.start)
    with pytest.raises(ValueError, match="make the world with recent=10"):
        NetworkFusion.fit(log, world.catalog, without, fusion="transformer", **QUICK)


@pytest.mark.parametrize("fusion", ["gated", "transformer"])
def test_what_is_not_seen_changes_nothing(world: Simulator, log: Log, fusion: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"fusion": fusion, "modalities": ["text"], **QUICK}
    ranker = NetworkFusion.fit(log, world.catalog, world.layout, **options)
    rng = np.random.default_rng(0)
    image, order = world.catalog.modalities["image"], rng.permutation(60)
    shuffled = Modality("image", image.embedding[order], image.present[order])
    catalog = Catalog(world.catalog.name, world.catalog.table, dict(world.catalog.modalities) | {"image": shuffled})
    observation = log.observation.copy()
    for name in ("liked", "passed"):
        columns = world.layout.read(observation, name)[:, 6:]
        columns[:] = rng.permutation(columns)
    other = NetworkFusion.fit(replace(log, observation=observation), catalog, world.layout, **options)
    np.testing.assert_array_equal(other.scores(observation[:50]), ranker.scores(log.observation[:50]))
    everything = NetworkFusion.fit(log, world.catalog, world.layout, fusion=fusion, **QUICK)
    assert not np.allclose(everything.scores(observation[:50]), everything.scores(log.observation[:50]))
    ranker.save(tmp_path / "ranker.safetensors")
    loaded = NetworkFusion.load(tmp_path / "ranker.safetensors", world.catalog, world.layout)
    np.testing.assert_array_equal(loaded.scores(observation[:50]), ranker.scores(log.observation[:50]))


def test_progress_counts_the_epochs_of_all_networks(world: Simulator, log: Log) -> None:
    told: list[int] = []
    NetworkFusion.fit(log, world.catalog, world.layout, progress=told.append, **QUICK)
    assert told == list(range(1, 2 * FOLDS + 1))


def test_empty_positions_do_not_count(world: Simulator, log: Log) -> None:
    """Whatever stands beside an empty position, the fit is the same."""
    slate, click = log.slate.copy(), log.click.copy()
    slate[::3, 2], click[::3, 2] = -1, False
    partly, garbage = (
        replace(
            log,
            slate=slate,
            click=click,
            conversion=log.conversion & click,
            objectives=np.where((slate >= 0)[..., None], log.objectives, beside),
        )
        for beside in (0.0, 7.0)
    )
    one, two = (
        NetworkFusion.fit(rows, world.catalog, world.layout, **QUICK).scores(log.observation[:9])
        for rows in (partly, garbage)
    )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": "tails"}, "no heads 'tails'; they are reward"),
        ({"fusion": "sum"}, "no fusion 'sum'"),
        ({"modalities": ["sound"]}, "has no modality 'sound'; it has text, image"),
        ({"epochs": 0}, "epochs is 0"),
        (
            {"rate": 1e6},
            r"the .*loss is .* epoch 1: training has diverged and stops. Lower the learning rate, which is 1e\+06",
        ),
    ],
)
def test_options_without_sense_are_refused(world: Simulator, log: Log, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetworkFusion.fit(log, world.catalog, world.layout, **{**QUICK, **options})


def nobody_bought(log: Log) -> Log:
    """The same log without conversions, for people whom nothing else interests."""
    objectives = log.objectives * (np.array(log.info.objectives) != "conversion")
    info = replace(log.info, weights=(0.0, 4.0, 0.0))
    return replace(log, info=info, conversion=np.zeros_like(log.conversion), objectives=objectives)


def test_without_conversions_clicks_and_conversions_can_be_learned_apart(world: Simulator, log: Log) -> None:
    ranker = NetworkFusion.fit(nobody_bought(log), world.catalog, world.layout, heads="shared_bottom", **QUICK)
    scores = ranker.scores(log.observation[:9])
    assert np.isfinite(scores).all()
    assert scores.std() > 0.01


def test_logs_that_teach_nothing_are_refused(world: Simulator, log: Log) -> None:
    broken = log.observation.copy()
    broken[5, 0] = np.nan
    negative = replace(log.info, weights=(1.0, -4.0, 0.5))
    for wrong, message in (
        (replace(log, click=np.zeros_like(log.click)), "0 clicks on"),
        (log[log.user < log.user[0] + 3], "has 3 users; 5 or more"),
        (replace(log, info=negative), "weights {'conversion': -4.0} are below 0"),
        (nobody_bought(log), "earned anything under its weights {'click': 0.0, .* or use 'shared_bottom'"),
        (replace(log, observation=broken), "huge or not finite in what is learned from"),
    ):
        with pytest.raises(ValueError, match=message):
            NetworkFusion.fit(wrong, world.catalog, world.layout, **QUICK)


def test_a_file_of_another_world_is_refused(world: Simulator, multitask: NetworkFusion, tmp_path: Path) -> None:
    multitask.save(tmp_path / "ranker.safetensors")
    layout = Layout.of(world.catalog, 1)
    with pytest.raises(ValueError, match="network of another shape, for other observations"):
        NetworkFusion.load(tmp_path / "ranker.safetensors", world.catalog, layout)
