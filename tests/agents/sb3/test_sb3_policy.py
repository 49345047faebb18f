"""Stock models as policies: they show what the environment would have shown, with the propensities they say."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.policies import BasePolicy

from recsim.agents.sb3.files import ALGORITHMS, algorithm_class, save_sb3
from recsim.agents.sb3.policy import SB3Policy
from recsim.catalog import Catalog
from recsim.envs import FusionWeights, ProtoAction, SlateVecEnv, SlateVectorEnv
from recsim.logs import collect
from recsim.rollout import visits
from recsim.simulator import Simulator

K = 3
WRAPPERS: dict[str, Any] = {"slate": lambda rows: rows, "proto": ProtoAction, "fusion_weights": FusionWeights}
KINDS = [
    ("ppo", "slate"), ("ppo", "proto"), ("ppo", "fusion_weights"), ("sac", "proto"),
    ("recurrent_ppo", "slate"), ("recurrent_ppo", "fusion_weights"),
]  # fmt: skip
OPTIONS: dict[str, dict[str, Any]] = {
    "ppo": {"n_steps": 8, "batch_size": 16, "n_epochs": 2},
    "sac": {"buffer_size": 100, "learning_starts": 8, "batch_size": 8},
    "recurrent_ppo": {"n_steps": 8, "batch_size": 16, "n_epochs": 1},
}


def rows(catalog: Catalog, action: str, n: int = 4) -> Any:
    return WRAPPERS[action](SlateVectorEnv(n, catalog=catalog, slate_size=K, horizon=5, seed=5))


def trained(catalog: Catalog, algorithm: str, action: str) -> Any:
    """A model after a few updates, with weights large enough to differ between users."""
    network: dict[str, Any] = {"net_arch": [8]} | ({"lstm_hidden_size": 8} if algorithm == "recurrent_ppo" else {})
    env, alias = SlateVecEnv(rows(catalog, action)), ALGORITHMS[algorithm][2]
    model = algorithm_class(algorithm)(
        alias, env, policy_kwargs=network, seed=1, device="cpu", learning_rate=0.05, **OPTIONS[algorithm]
    )
    return model.learn(64)


@pytest.fixture(scope="module")
def models(catalog: Catalog) -> dict[tuple[str, str], Any]:
    return {kind: trained(catalog, *kind) for kind in KINDS}


def policy(network: BasePolicy, catalog: Catalog, action: str, **options: Any) -> SB3Policy:
    layout = SlateVectorEnv(1, catalog=catalog, slate_size=K).simulator.layout
    return SB3Policy("model", network, action, catalog, layout, K, **options)


def simulator(catalog: Catalog) -> Simulator:
    return SlateVectorEnv(1, catalog=catalog, slate_size=K, horizon=5, seed=5).simulator


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_shows_what_the_environment_shows_of_the_same_model(models: Any, catalog: Catalog, kind: Any) -> None:
    model, env = models[kind], rows(catalog, kind[1], 6)
    served = policy(model.policy, catalog, kind[1], deterministic=True)
    observation, _ = env.reset()
    states, start, seen = None, np.ones(6, bool), []
    for _ in range(8):  # over the ends of sessions
        decision = served.act(observation, env.unwrapped.simulator.streams)
        action, states = model.predict(observation, states, start, deterministic=True)
        expected = env.slates(action, observation) if kind[1] != "slate" else action
        for row, slate in zip(expected.tolist(), decision.slate.tolist(), strict=True):
            assert slate == [item if item not in row[:place] else -1 for place, item in enumerate(row)]
        assert (decision.step_log_prob == 0).all()
        assert decision.exact
        observation, _, terminated, truncated, _ = env.step(action)
        start = terminated | truncated
        seen.append(decision.slate.tolist())
    assert any(slates != seen[0] for slates in seen)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_acts_alike(models: Any, catalog: Catalog, kind: Any, tmp_path: Path) -> None:
    model, path, world = models[kind], tmp_path / "model.zip", simulator(catalog)
    algorithm, action = kind
    save_sb3(model, path, action=action, catalog=catalog)
    ours = SB3Policy.load(path, catalog, world.layout, algorithm=algorithm, action=action, slate_size=K)
    model.save(tmp_path / "foreign.zip")
    foreign = SB3Policy.load(
        tmp_path / "foreign.zip", catalog, world.layout, algorithm=algorithm, action=action, slate_size=K, trust=True
    )
    served = policy(model.policy, catalog, action)
    told = [collect(world, each, 12) for each in (served, ours, foreign)]
    for log in told[1:]:
        assert (log.slate == told[0].slate).all()
        assert (log.step_log_prob == told[0].step_log_prob).all()
    assert len(told[0]) > 12
    assert (told[0].step_log_prob < 0).any() == (action == "slate")


@pytest.mark.slow
def test_propensities_of_slates_sum_to_one_and_are_those_of_the_draws(models: Any, catalog: Catalog) -> None:
    served, world = policy(models["ppo", "slate"].policy, catalog, "slate"), simulator(catalog)
    observation = world.reset(4)[:1]
    everything = np.array([(a, b, c) for a, b, c in product(range(-1, 24), repeat=3) if a >= 0])
    distinct = everything[[len({*slate[slate >= 0]}) == (slate >= 0).sum() for slate in everything]]
    seen = np.tile(observation, (len(distinct), 1))
    assert np.exp(served.log_prob(seen, distinct)).sum() == pytest.approx(1.0, abs=1e-9)
    many = np.tile(world.reset(20_000)[:1], (20_000, 1))
    decision = served.act(many, world.streams)
    assert (served.step_log_prob(many, decision.slate) == decision.step_log_prob).all()
    first = np.bincount(decision.slate[:, 0], minlength=24) / 20_000
    probability = np.exp(served._outputs(many[:1], None)[0][0, 0])
    assert (np.abs(first - probability) < 5 * np.sqrt(probability * (1 - probability) / 20_000) + 1e-6).all()
    empty = (decision.slate == -1).mean(axis=0)
    expected = np.exp(served.log_prob(seen, distinct)) @ (distinct == -1)
    assert empty == pytest.approx(expected, abs=5 * np.sqrt(0.25 / 20_000))
    assert served.log_prob(observation, np.array([[3, 3, 1]])) == -np.inf


@pytest.mark.slow
def test_a_recurrent_policy_depends_on_the_session_and_not_on_the_batch(models: Any, catalog: Catalog) -> None:
    network, world = models["recurrent_ppo", "slate"].policy, simulator(catalog)
    together, alone = policy(network, catalog, "slate"), policy(network, catalog, "slate")
    for visit in visits(world, together, np.arange(9)):
        order = np.arange(len(visit.row))[::-1]
        again = together.act(visit.observation[order], visit.streams[order])  # asked twice, and in another order
        assert (again.slate[order] == visit.decision.slate).all()
        for row in range(len(visit.row)):
            decision = alone.act(visit.observation[[row]], visit.streams[[row]])
            assert (decision.slate[0] == visit.decision.slate[row]).all()
            assert decision.log_prob[0] == pytest.approx(visit.decision.log_prob[row], rel=1e-5)
    observation = world.reset([3])
    forgetful = policy(network, catalog, "slate", sessions=1)
    forgetful.act(observation, world.streams)
    with pytest.raises(
        ValueError, match="row 0 is step 2 of session 0 of user 3, but the recurrent policy has not acted"
    ):
        forgetful.act(observation, world.streams.at(2))
    forgetful.act(world.reset([4]), world.streams)
    world.reset([3])
    with pytest.raises(ValueError, match="row 0 is step 1 of session 0 of user 3"):
        forgetful.act(observation, world.streams.at(1))
    with pytest.raises(TypeError, match="'model' is recurrent: what it shows depends on the whole session"):
        forgetful.log_prob(observation, np.array([[0, 1, 2]]))


@pytest.mark.slow
def test_what_cannot_be_served_is_refused(models: Any, catalog: Catalog, tmp_path: Path) -> None:
    network = models["ppo", "proto"].policy
    with pytest.raises(ValueError, match="slates of actions 'proto' have no probability in closed form"):
        policy(network, catalog, "proto", deterministic=False)
    with pytest.raises(ValueError, match="there are no actions 'item'; there are slate, proto, fusion_weights"):
        policy(network, catalog, "item")
    with pytest.raises(ValueError, match=r"the network takes observations \(.*\) and acts in Box"):
        policy(network, catalog, "fusion_weights")
    layout, path = simulator(catalog).layout, tmp_path / "model.zip"

    def load(algorithm: str = "ppo", action: str = "proto", items: Catalog = catalog, **options: Any) -> SB3Policy:
        return SB3Policy.load(path, items, layout, algorithm=algorithm, action=action, slate_size=K, **options)

    with pytest.raises(FileNotFoundError, match="there is no model .*: train one first"):
        load()
    path.write_bytes(b"not a zip file")
    with pytest.raises(ValueError, match="is no model of Stable-Baselines3"):
        load()
    save_sb3(models["ppo", "proto"], path, action="proto", catalog=catalog)
    with pytest.raises(ValueError, match="there is no algorithm 'dqn'; the algorithms are ppo, sac, recurrent_ppo"):
        load("dqn")
    with pytest.raises(ValueError, match="the actions of .* are of kind 'proto', not 'slate'"):
        load(action="slate")
    with pytest.raises(ValueError, match="holds a network of another shape than sac"):
        load("sac")
    other = Catalog.synthetic(n_items=25, n_categories=4, dims={"text": 6, "image": 5}, seed=7)
    with pytest.raises(ValueError, match="ranks other items than catalogue"):
        load(items=other)
    models["ppo", "proto"].policy_kwargs["activation_fn"] = torch.nn.Tanh
    models["ppo", "proto"].save(path)
    with pytest.raises(ValueError, match=r"the policy_kwargs of .* are pickled, and unpickling runs code. Pass"):
        load()
    assert load(policy_kwargs={"net_arch": [8]}).name == "ppo"
