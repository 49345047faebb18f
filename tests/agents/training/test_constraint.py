"""A constraint is met where it binds, costs nothing where it does not, and goes on from a checkpoint."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO

from recsim.agents.ppo.policy import PlackettLucePolicy
from recsim.agents.ppo.scorer import PPOScorer
from recsim.agents.training.checkpoint import Checkpoints, resume
from recsim.agents.training.constraint import AtLeast
from recsim.envs import SlateVecEnv
from recsim.metrics import mean_interval
from recsim.objectives import Objectives
from recsim.policy import Ranking
from recsim.rollout import rollout
from recsim.simulator import Simulator


def model_in(world: dict[str, Any], n_envs: int = 128) -> PPO:
    return PPO(
        PlackettLucePolicy,
        SlateVecEnv(n_envs, objectives=Objectives(click=1, conversion=0, novelty=0), **world),
        policy_kwargs={"network": {"hidden": 16, "tower": 4}},
        n_steps=10,
        batch_size=n_envs * 5,
        n_epochs=4,
        learning_rate=1e-2,
        gamma=0.5,
        gae_lambda=0.8,
        clip_range=1.0,
        vf_coef=0.05,
        seed=0,
        device="cpu",
    )


def conversions(model: PPO, world: dict[str, Any]) -> np.ndarray:
    """Conversions a session on users who were not trained on."""
    policy = Ranking("constrained", PPOScorer.of(model), world["slate_size"], temperature=1.0)
    return rollout(Simulator(**world | {"seed": 3}), policy, 800).objectives[:, 1]


@pytest.mark.slow
def test_a_constraint_that_binds_is_met_at_a_price(cautious: dict[str, Any]) -> None:
    constraint, model = AtLeast("conversion", 6.0, damping=1.5), model_in(cautious)
    model.learn(150_000, callback=constraint)
    interval = mean_interval(conversions(model, cautious))
    assert interval.high >= 6.0  # without it, 4.5
    assert interval.low < 6.5  # and no more is paid than needed
    assert np.mean([multiplier for *_, multiplier in constraint.history[-30:]]) > 0.3
    assert model.get_env().get_attr("simulator")[0].objectives == Objectives(1, 0, 0)


@pytest.mark.slow
def test_a_constraint_that_does_not_bind_changes_nothing(cautious: dict[str, Any]) -> None:
    constraint = AtLeast("conversion", 2.0)
    free, bound = model_in(cautious).learn(20_000), model_in(cautious).learn(20_000, callback=constraint)
    assert constraint.multiplier == 0.0
    assert np.array_equal(conversions(free, cautious), conversions(bound, cautious))


def test_the_multiplier_follows_sessions_as_written() -> None:
    """Two rows; sessions of 3 and 1 conversions end in the first rollout, one of 5 in the second."""
    constraint = AtLeast("conversion", 4.0, rate=0.5, damping=0.25)
    simulator = SimpleNamespace(objectives=Objectives(1, 2, 3))
    step: dict[str, Any] = {}
    env = SimpleNamespace(num_envs=2, get_attr=lambda name: [simulator if name == "simulator" else step["objectives"]])
    recorded: dict[str, float] = {}
    logger = SimpleNamespace(record=recorded.__setitem__)
    constraint.init_callback(SimpleNamespace(get_env=lambda: env, logger=logger, num_timesteps=0))  # type: ignore[arg-type]
    constraint.on_training_start({}, {})
    rollouts = [
        [([1, 1], [False, True]), ([2, 0], [True, False])],
        [([0, 0], [False, False])],
        [([5, 0], [True, False])],
    ]
    weights = []
    for steps in rollouts:
        constraint.on_rollout_start()
        for bought, ended in steps:
            step["objectives"] = np.array([[9, bought[0], 9], [9, bought[1], 9]], float)
            constraint.locals = {"dones": np.array(ended)}
            constraint.on_step()
        constraint.on_rollout_end()
        weights.append(simulator.objectives.conversion)
    first = 0.5 * 2 + 0.25 * 2  # 2 short on average: the sum is 1, and the multiplier half above
    second = 0.5 - 0.25  # 1 too many: the sum falls to 1 / 2
    assert constraint.history == [(2, 2.0, first), (1, 5.0, second)]
    assert weights == [2 + first, 2 + first, 2 + second]
    assert recorded == {"constraint/mean": 5.0, "constraint/multiplier": second}
    constraint.on_training_end()
    assert simulator.objectives == Objectives(1, 2, 3)


def test_it_goes_on_from_a_checkpoint_bit_for_bit(cautious: dict[str, Any], tmp_path: Path) -> None:
    world = cautious | {"horizon": 7}  # sessions run across rollouts of 10
    whole = AtLeast("conversion", 6.0)
    model_in(world, 8).learn(320, callback=whole)
    first = AtLeast("conversion", 6.0)
    model_in(world, 8).learn(240, callback=[first, Checkpoints(tmp_path / "c.pt", 160, {"constraint": first})])
    second, model = AtLeast("conversion", 6.0), model_in(world, 8)
    resume(model, tmp_path / "c.pt", {"constraint": second})
    model.learn(160, callback=second, reset_num_timesteps=False)
    assert second.history == whole.history
    assert len(whole.history) == 4


def test_what_makes_no_sense_is_refused(cautious: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"rate 0.0, damping 1.0; rate is above 0"):
        AtLeast("conversion", 1.0, rate=0.0)
    with pytest.raises(ValueError, match="there is no objective 'sales'; the objectives are click, conversion"):
        model_in(cautious, 8).learn(80, callback=AtLeast("sales", 1.0))
