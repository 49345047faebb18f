import numpy as np
import torch

from recsim.agents.fusion.static import StaticFusion
from recsim.agents.ppo.cloning import clone
from recsim.agents.ppo.ranker import DiverseRanker
from recsim.agents.ppo.scorer import PPOScorer
from recsim.logs import Log
from recsim.policy import Ranking
from recsim.rollout import rollout
from recsim.simulator import Simulator


def cloned(world: Simulator, log: Log, teacher: StaticFusion) -> tuple[DiverseRanker, float]:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        ranker = DiverseRanker(world.catalog, world.layout, hidden=16, tower=4)
    return ranker, clone(ranker, teacher, log.observation, 0.25, epochs=100)


def test_a_clone_ranks_as_its_teacher_does(world: Simulator, log: Log) -> None:
    teacher = StaticFusion.fit(log, world.catalog, world.layout)
    ranker, divergence = cloned(world, log, teacher)
    untaught = np.log(len(world.catalog)) - _entropy(teacher.scores(log.observation) / 0.25)
    assert divergence < 0.1 * untaught
    earned, aim = (
        rollout(world, Ranking("x", scorer, 4), 300).reward.mean() for scorer in (PPOScorer(ranker), teacher)
    )
    assert abs(earned / aim - 1.0) < 0.1


def test_cloned_twice_it_is_the_same(world: Simulator, log: Log) -> None:
    teacher = StaticFusion.fit(log, world.catalog, world.layout)
    first, second = (cloned(world, log[:200], teacher)[0].state_dict() for _ in range(2))
    for name, values in first.items():
        assert torch.equal(values, second[name]), name


def _entropy(logits: np.ndarray) -> float:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return float(-(p * np.log(p)).sum(axis=1).mean())
