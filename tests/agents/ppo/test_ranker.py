from typing import Any

import numpy as np
import pytest
import torch

from recsim.agents.ppo.ranker import DiverseRanker
from recsim.agents.ppo.scorer import PPOScorer
from recsim.catalog import Catalog
from recsim.logs import Log, collect
from recsim.modality import Modality
from recsim.policy import DiverseScorer, Ranking, only_there, uniform
from recsim.simulator import Simulator
from recsim.users import make_users


@pytest.fixture(scope="module")
def remembering(catalog: Catalog) -> Simulator:
    """Users whose last six clicks and purchases are told, in a world where items appear over time."""
    users = make_users("news", catalog, {"click_offset": 2.0, "conversion_offset": 2.0}, seed=1)
    return Simulator(catalog, users, slate_size=4, horizon=10, seed=3, recent=6)


@pytest.fixture(scope="module")
def sessions(remembering: Simulator) -> Log:
    return collect(remembering, uniform(remembering.catalog, 4), 60)


def restless(world: Simulator, **network: Any) -> DiverseRanker:
    """A ranker whose parameters are not what they start from."""
    ranker = DiverseRanker(world.catalog, world.layout, hidden=16, tower=4, **network)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in ranker.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return ranker


@pytest.mark.parametrize(
    "network", [{"fusion": "gated"}, {"fusion": "attention"}, {"encoder": "gru"}, {"encoder": "transformer"}]
)
def test_every_part_of_the_network_learns(remembering: Simulator, sessions: Log, network: dict[str, str]) -> None:
    ranker = restless(remembering, **network)
    observation = torch.from_numpy(sessions.observation[-40:])
    scores, discount = ranker(observation), ranker.discount(ranker.state(observation))
    assert scores.shape == (40, len(remembering.catalog))
    (scores.square().mean() + discount.square().mean()).backward()
    for name, parameter in ranker.named_parameters():
        assert parameter.grad is not None, name
    moved = [name for name, parameter in ranker.named_parameters() if parameter.grad.abs().sum() > 0]  # type: ignore[union-attr]
    part = "item_tower.fusion" if "fusion" in network else "encoder"
    assert any(name.startswith(part) for name in moved)


def test_what_was_bought_lately_is_not_shown(remembering: Simulator, sessions: Log) -> None:
    scorer = PPOScorer(restless(remembering, mask_bought=True))
    ranking = Ranking("ppo", scorer, 4, temperature=0.7)
    again = [
        item in bought
        for log in [collect(remembering, ranking, 60)]
        for slate, bought in zip(log.slate, remembering.layout.read(log.observation, "bought"), strict=True)
        for item in slate
    ]
    assert not any(again)
    bought = remembering.layout.read(sessions.observation, "bought")
    shown = [item in row for slate, row in zip(sessions.slate, bought, strict=True) for item in slate]
    assert any(shown)  # the mask has something to do


@pytest.mark.parametrize("network", [{}, {"fusion": "attention"}, {"encoder": "gru"}])
@pytest.mark.parametrize("seen", [(), ("text",)])
def test_a_hidden_modality_changes_nothing(
    remembering: Simulator, sessions: Log, network: dict[str, Any], seen: tuple[str, ...]
) -> None:
    ranker = restless(remembering, modalities=seen, **network)
    catalog, layout = remembering.catalog, remembering.layout
    rng = np.random.default_rng(0)
    observation = torch.from_numpy(sessions.observation[-40:])
    changed, modalities = observation.clone(), dict(catalog.modalities)
    for number, (name, modality) in enumerate(catalog.modalities.items()):
        if name not in seen:
            order = rng.permutation(len(catalog))
            modalities[name] = Modality(name, modality.embedding[order], modality.present[order])
            for side in ("liked", "passed"):
                columns = np.arange(layout[side].start, layout[side].stop)
                mine = columns[catalog.offsets[number] : catalog.offsets[number + 1]]
                changed[:, mine] = torch.from_numpy(rng.normal(size=(40, len(mine))).astype(np.float32))
    changed_catalog = Catalog(catalog.name, catalog.table, modalities)
    other = DiverseRanker(changed_catalog, layout, hidden=16, tower=4, modalities=seen, **network)
    other.load_state_dict(ranker.state_dict())
    assert torch.equal(other.state(changed), ranker.state(observation))
    assert torch.equal(other(changed), ranker(observation))
    everything = restless(remembering, **network)
    assert not torch.equal(everything(changed), everything(observation))


def test_scores_of_some_items_are_those_of_the_whole_catalogue(remembering: Simulator, sessions: Log) -> None:
    ranker = restless(remembering, mask_bought=True)
    observation = torch.from_numpy(sessions.observation[-40:])
    items = torch.from_numpy(sessions.slate[-40:])
    taken = torch.gather(ranker(observation), 1, items)
    assert torch.equal(ranker.at(observation, items), taken)
    assert (taken == -1e9).any()


def test_items_that_have_not_appeared_are_not_drawn_in_training(remembering: Simulator, sessions: Log) -> None:
    ranker = restless(remembering)
    assert remembering.born is not None
    before = PPOScorer(ranker).scores(sessions.observation)
    ranker.born.copy_(torch.tensor(remembering.born))
    there = remembering.layout.read(sessions.observation, "day") >= remembering.born
    after = PPOScorer(ranker).scores(sessions.observation)
    assert not there.all()
    np.testing.assert_array_equal(after[there], before[there])
    assert (after[~there] == -1e9).all()


def test_a_scorer_varies_its_slates_also_where_items_appear_over_time(remembering: Simulator) -> None:
    scorer = PPOScorer(restless(remembering))
    assert isinstance(scorer, DiverseScorer)
    ranking = only_there(Ranking("ppo", scorer, 4), remembering.born, remembering.layout)
    assert isinstance(ranking.scorer, DiverseScorer)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"encoder": "lstm"}, "there is no encoder 'lstm'; the encoders are gru, transformer"),
        ({"encoder": "gru"}, "encoder 'gru' reads 'clicked', which these observations do not tell"),
        ({"mask_bought": True}, "mask_bought reads 'bought', which these observations do not tell"),
        ({"modalities": ["sound"]}, "has no modality 'sound'; it has text, image"),
        ({"fusion": "sum"}, "there is no fusion 'sum'"),
    ],
)
def test_what_cannot_be_built_is_told(world: Simulator, network: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DiverseRanker(world.catalog, world.layout, **network)
