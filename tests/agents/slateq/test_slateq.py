from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.slateq import SlateQ
from recsim.agents.slateq.experience import Experience, Transitions
from recsim.agents.slateq.network import BASE_SCALE
from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.metrics import paired_interval
from recsim.observation import Layout
from recsim.oracle import MyopicOracle
from recsim.policy import Ranking, uniform
from recsim.rollout import rollout
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.interest import interest_users
from recsim.users.presets import PRESETS

SMALL = {"hidden": 16, "tower": 4}
QUICK = {**SMALL, "learning_rate": 5e-3, "averaging": 0.03, "minibatch": 128}


def bait_world(seed: int, choice: str = "mnl") -> Simulator:
    """Ten steps with two of ten items; half of them are bait, which costs trust later."""
    catalog = Catalog.synthetic(n_items=10, n_categories=2, dims={"text": 4, "image": 3}, seed=7)
    constants = {"click_offset": -1.5, "interest_scale": 2.0, "trust_scale": 6.0, "choice": choice}
    users = interest_users(catalog, seed=0, **{**PRESETS["choc"], **constants})
    return Simulator(catalog, users, slate_size=2, horizon=10, seed=seed)


def still_world(seed: int) -> Simulator:
    """The same items for users whom nothing changes, so that no oracle can earn more than the myopic one."""
    catalog = bait_world(0).catalog
    constants = {"click_offset": -1.0, "interest_scale": 2.0, "choice": "mnl"}
    users = interest_users(catalog, seed=0, **{**PRESETS["stationary"], **constants})
    return Simulator(catalog, users, slate_size=2, horizon=10, seed=seed)


def agent_of(world: Simulator, **options: Any) -> SlateQ:
    return SlateQ(world.catalog, world.layout, world.slate_size, **{"choice": "pbm", **SMALL, **options})


def jolted(agent: SlateQ, seed: int = 1) -> SlateQ:
    """The agent with both networks away from their start, where much is 0, and from one another."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for network in (agent.network, agent.slow_network):
            for parameter in network.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return agent


def test_items_of_each_user_have_the_numbers_that_they_have_in_the_whole_catalogue(world: Simulator, log: Log) -> None:
    fusion = StaticFusion.fit(log, world.catalog, world.layout)
    network = jolted(agent_of(world, warm_start=fusion)).network
    observation, items = torch.from_numpy(log.observation[40:60]), torch.from_numpy(log.slate[40:60])
    for whole, some in zip(network(observation), network(observation, items), strict=True):
        torch.testing.assert_close(some, whole.gather(1, items), rtol=1e-4, atol=1e-5)


def test_a_warm_start_shows_the_static_rankers_slates(world: Simulator, log: Log) -> None:
    fusion = StaticFusion.fit(log, world.catalog, world.layout)
    observation = log.observation[:50]
    static = Ranking("static", fusion, 4).act(observation, Streams.of(0, 50))
    np.testing.assert_array_equal(agent_of(world, warm_start=fusion).slates(observation), static.slate)


@pytest.mark.parametrize(("choice", "target"), [("mnl", "sarsa"), ("mnl", "q"), ("pbm", "sarsa")])
def test_targets_by_hand(world: Simulator, log: Log, choice: str, target: str) -> None:
    agent = jolted(agent_of(world, choice=choice, target=target, discount=0.9))
    seen = Experience.of(log).at(np.arange(30))
    assert seen.ended.any()
    slow, after = agent.slow_network, seen.next_observation
    next_slate = seen.next_slate
    if target == "q":
        fast = agent.network(after)
        base = agent.network.base(after)[:, None]
        parts = (fast.appeal, base + fast.worth + fast.future, base[:, 0])
        found = agent.network.click_model.slates(*(p.detach().double().numpy() for p in parts), 4, "exact")
        assert (found != next_slate.numpy()).any()
        next_slate = torch.from_numpy(found)
    numbers, none = slow(after), slow.base(after)
    for row in range(30):
        items = next_slate[row]
        appeal = numbers.appeal[row, items].exp()
        click = appeal / (1.0 + appeal.sum())
        if choice == "pbm":
            click = slow.click_model.look * appeal / (1.0 + appeal)
        of_items = none[row] + numbers.worth[row, items] + numbers.future[row, items]  # Q(s', j)
        value = (1.0 - click.sum()) * none[row] + (click * of_items).sum()
        expected = 0.0 if seen.ended[row] else 0.9 * float(value)
        assert float(agent.targets(seen)[row]) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_loss_by_hand(world: Simulator, log: Log) -> None:
    agent, seen = jolted(agent_of(world)), Experience.of(log).at(np.arange(20))
    with torch.no_grad():
        numbers, after = agent.network(seen.observation, seen.slate), agent.network.base(seen.observation)
        click = agent.network.click_model.clicks(numbers.appeal, seen.slate >= 0).numpy()
    total = 0.0
    for row in range(20):
        for j in range(4):
            clicked = bool(seen.click[row, j])
            total -= np.log(click[row, j] if clicked else 1.0 - click[row, j])
            if clicked:
                total += float(numbers.worth[row, j] - seen.reward[row, j]) ** 2
                after[row] += numbers.future[row, j]
        total += float((after[row] - agent.targets(seen)[row]) / BASE_SCALE) ** 2
    assert agent.update(seen) == pytest.approx(total / 20, rel=1e-4)


@pytest.mark.slow
def test_item_values_in_a_constant_state_have_their_closed_form() -> None:
    """Item 1 pays more than item 0, but ends the session.

    With the slate (0, 1), item 0 is clicked in 4 of 10 steps and item 1 in 3: V = 0.4 (1 + gV) + 0.3 * 2 + 0.3 gV, so
    that V = 1 / (1 - 0.7 g), Q(0) = 1 + gV, Q(1) = 2 and Q(none) = gV.
    """
    catalog = Catalog.synthetic(n_items=4, n_categories=2, dims={"text": 4, "image": 3}, seed=2)
    layout, discount = Layout.of(catalog), 0.8
    agent = SlateQ(catalog, layout, 2, choice="mnl", discount=discount, learning_rate=0.03, averaging=0.1, **SMALL)
    click = torch.zeros(10, 2, dtype=torch.bool)
    click[:4, 0], click[4:7, 1] = True, True
    nothing, slate, reward = (
        torch.zeros(10, layout.size),
        torch.tensor([[0, 1]]).repeat(10, 1),
        torch.tensor([1.0, 2.0]),
    )
    seen = Transitions(nothing, slate, click, reward * click, click[:, 1], nothing, slate)
    for _ in range(300):
        agent.update(seen)
    network, value = agent.slow_network, 1.0 / (1.0 - 0.7 * discount)
    with torch.no_grad():
        numbers, none = network(nothing[:1], slate[:1]), network.base(nothing[:1])
        found = network.value(nothing[:1], slate[:1])
    np.testing.assert_allclose(numbers.appeal.exp(), [[4 / 3, 1.0]], rtol=0.01)
    of_items = none[:, None] + numbers.worth + numbers.future
    np.testing.assert_allclose(of_items, [[1.0 + discount * value, 2.0]], atol=0.02)
    np.testing.assert_allclose([none[0], found[0]], [discount * value, value], atol=0.02)
    scores = agent.scores(nothing[:1].numpy(), np.array([[0, 1]]))
    assert scores[0, 0] > scores[0, 1]


@pytest.mark.slow
def test_it_learns_to_forgo_bait(tmp_path: Path) -> None:
    """It earns more than the myopic oracle, which knows the users, and than itself without a future."""
    training, world = bait_world(77), bait_world(3)
    served: list[int] = []
    agent = agent_of(world, choice="mnl", **QUICK).train(training, 300, batch=50, progress=served.append)
    assert served == [50, 100, 150, 200, 250, 300]
    learned = rollout(world, agent.policy(), 400).reward
    blind = agent_of(world, choice="mnl", discount=0.0, **QUICK).train(training, 300, batch=50)
    for other in (uniform(world.catalog, 2), MyopicOracle(world), blind.policy()):
        assert paired_interval(learned, rollout(world, other, 400).reward, 0.99).low > 0.0
    agent.save(tmp_path / "slateq.safetensors")
    loaded = SlateQ.load(tmp_path / "slateq.safetensors", world.catalog, world.layout)
    observation = world.reset(20)
    np.testing.assert_array_equal(loaded.scores(observation), agent.scores(observation))
    np.testing.assert_array_equal(loaded.slates(observation), agent.slates(observation))


@pytest.mark.slow
def test_where_nothing_changes_users_it_comes_close_to_the_myopic_oracle() -> None:
    training, world = still_world(77), still_world(3)
    agent = agent_of(world, choice="mnl", **QUICK).train(training, 200, batch=50)
    learned = rollout(world, agent.policy(), 400).reward
    assert learned.mean() > 0.88 * rollout(world, MyopicOracle(world), 400).reward.mean()
    assert paired_interval(learned, rollout(world, uniform(world.catalog, 2), 400).reward, 0.99).low > 0.0


@pytest.mark.slow
def test_users_who_click_several_items_are_learned_from_as_well() -> None:
    training, world = bait_world(77, "pbm"), bait_world(3, "pbm")
    agent = agent_of(world, choice="pbm", **QUICK).train(training, 300, batch=50)
    learned = rollout(world, agent.policy(), 400).reward
    assert paired_interval(learned, rollout(world, MyopicOracle(world), 400).reward, 0.99).low > 0.0
    truth = world.users.choice.theta(2)
    np.testing.assert_allclose(agent.slow_network.click_model.look, truth / truth[0], atol=0.1)


def test_training_twice_gives_equal_bits(world: Simulator) -> None:
    first, again = (agent_of(world, replays=2.0, seed=9).train(world, 40, batch=20) for _ in range(2))
    other = agent_of(world, replays=2.0, seed=10).train(world, 40, batch=20)
    observation = world.reset(5)
    np.testing.assert_array_equal(first.scores(observation), again.scores(observation))
    assert (first.scores(observation) != other.scores(observation)).any()


def test_what_was_saved_draws_as_before(world: Simulator, tmp_path: Path) -> None:
    agent = agent_of(world, replays=2.0, seed=9)
    agent.save(tmp_path / "slateq.safetensors")
    loaded = SlateQ.load(tmp_path / "slateq.safetensors", world.catalog, world.layout)
    observation = world.reset(5)
    scores = (each.train(world, 20).scores(observation) for each in (agent, loaded))
    np.testing.assert_array_equal(*scores)


def test_making_one_leaves_the_global_generator_alone(world: Simulator) -> None:
    before = torch.get_rng_state()
    agent_of(world)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_update_that_meets_nan_stops_and_changes_nothing(world: Simulator, log: Log) -> None:
    agent, seen = agent_of(world), Experience.of(log).at(np.arange(10))
    agent.update(seen)
    before = {name: values.clone() for name, values in agent.network.state_dict().items()}
    broken = replace(seen, reward=torch.full_like(seen.reward, torch.nan))
    with pytest.raises(ValueError, match="the loss is nan at update 2: training has diverged.*Lower the learning rate"):
        agent.update(broken)
    assert all(torch.equal(values, before[name]) for name, values in agent.network.state_dict().items())
    assert np.isfinite(agent.update(seen))


def test_items_are_not_shown_before_their_birthday() -> None:
    catalog = Catalog.synthetic(n_items=12, n_categories=2, dims={"text": 4, "image": 3}, seed=7)
    users = interest_users(catalog, seed=0, **PRESETS["news"])
    world = Simulator(catalog, users, slate_size=3, horizon=5, seed=1)
    agent = agent_of(world).train(world, 30)
    observation = world.reset(50)
    day = world.layout.read(observation, "day")
    assert (world.born > day).any()
    assert (world.born[agent.slates(observation)] <= day).all()
    assert agent._experience is not None
    assert (agent._experience.slate >= 0).all()  # nor explored too early


def test_scores_of_some_items_are_theirs_among_all(world: Simulator, log: Log) -> None:
    agent, observation = jolted(agent_of(world)), log.observation[:6]
    items = np.tile(np.arange(5, 12), (6, 1))
    np.testing.assert_allclose(
        agent.scores(observation, items), agent.scores(observation)[:, 5:12], rtol=1e-4, atol=1e-6
    )


def test_the_wrong_layout_is_refused(world: Simulator, tmp_path: Path) -> None:
    agent_of(world).save(tmp_path / "slateq.safetensors")
    with pytest.raises(ValueError, match="network of another shape"):
        SlateQ.load(tmp_path / "slateq.safetensors", world.catalog, Layout.of(world.catalog, 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"choice": "dbn"}, "choice is 'dbn'; it is one of mnl, pbm"),
        ({"optimiser": "lp"}, "optimiser is 'lp'; it is one of top_k, greedy, exact"),
        ({"target": "td"}, "target is 'td'; it is one of sarsa, q"),
        ({"discount": 1.1}, "discount is 1.1"),
        ({"epsilon": -0.1}, "epsilon is -0.1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"minibatch": 0}, "minibatch is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(world: Simulator, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        agent_of(world, **options)


def test_slates_of_another_size_are_refused(world: Simulator) -> None:
    agent = SlateQ(world.catalog, world.layout, 3, **SMALL)
    with pytest.raises(ValueError, match="slates of 4 items, but slate_size is 3"):
        agent.train(world, 2)
    with pytest.raises(ValueError, match="slate_size is 25"):
        SlateQ(world.catalog, world.layout, 25)
