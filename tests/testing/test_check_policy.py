"""`check_policy` on the policies that come with the package, and what it says where it cannot tell."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from recsim.agents.bandits.linucb import LinUCB
from recsim.agents.fusion.static import StaticFusion
from recsim.agents.ppo.ranker import DiverseRanker
from recsim.agents.ppo.scorer import PPOScorer
from recsim.catalog import Catalog
from recsim.logs import collect
from recsim.oracle import MyopicOracle
from recsim.planning import PlanningOracle
from recsim.policy import Decision, Policy, Ranking, Scorer, only_there, popularity, uniform
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.testing import POLICY_RULES, Report, check_policy
from recsim.users import make_users

CATALOG, K = Catalog.synthetic(n_items=8, n_categories=3, dims={"text": 6, "image": 5}, seed=7, missing=0.1), 3
ROWS = ("order of rows does not matter", "batch equals single")
ENUMERATION = ("probabilities sum to 1", "draws are as likely as told")
CERTAIN = "certain slates leave nothing to luck"


def world(**options: Any) -> Simulator:
    users = make_users("marketplace", CATALOG, {"click_offset": 0.0, "arriving": 0.4, "slate_days": 1.0} | options)
    return Simulator(CATALOG, users, slate_size=K, horizon=6, sessions=2, recent=2, seed=5)


@cache
def fusion() -> Scorer:
    simulator = world()
    return StaticFusion.fit(collect(simulator, uniform(CATALOG, K), 300), CATALOG, simulator.layout)


@cache
def linucb() -> Scorer:
    simulator = world()
    return LinUCB(CATALOG, simulator.layout).train(simulator, 200, batch=50)


@cache
def ppo() -> Scorer:
    """A network as training may leave it: every parameter somewhere."""
    ranker, generator = DiverseRanker(CATALOG, world().layout), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in ranker.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return PPOScorer(ranker)


def skipped(report: Report) -> dict[str, str]:
    return {check.rule: check.detail for check in report.checks if check.outcome == "skipped"}


@pytest.mark.parametrize("there", [False, True], ids=["all", "only there"])
@pytest.mark.parametrize("temperature", [0.0, 0.5])
@pytest.mark.parametrize("make", [fusion, linucb, ppo])
def test_rankers_keep_every_rule(make: Callable[[], Scorer], temperature: float, there: bool) -> None:
    simulator = world()
    policy = Ranking("ranker", make(), K, temperature)
    if there:
        policy = only_there(policy, simulator.born, simulator.layout)
    assert list(skipped(check_policy(policy, simulator))) == ([CERTAIN] if temperature else [])


@pytest.mark.parametrize("seed", [0, 1])
def test_fixed_rankings_keep_every_rule(seed: int) -> None:
    for policy in (uniform(CATALOG, K), popularity(CATALOG, K), popularity(CATALOG, K, 1.0)):
        report = check_policy(policy, world(arriving=0.0), seed=seed)
        assert list(skipped(report)) == ([CERTAIN] if policy.temperature else [])
        assert report.to_dict()["model"] == policy.name
        assert [check.rule for check in report.checks] == [rule.name for rule in POLICY_RULES]


@pytest.mark.parametrize("make", [MyopicOracle, lambda simulator: PlanningOracle(simulator, budget=10)])
def test_oracles_are_asked_only_about_the_users_before_them(make: Callable[[Simulator], Policy]) -> None:
    simulator = world(arriving=0.0)
    told = skipped(check_policy(make(simulator), simulator))
    assert set(told) == {*ROWS, *ENUMERATION}
    assert set(told.values()) == {
        "it sees the state of the simulator's users, and can rank for them only as they stand there"
    }


def test_many_slates_are_not_gone_through(catalog: Catalog) -> None:
    simulator = Simulator(catalog, make_users("news", catalog), slate_size=4)
    told = skipped(check_policy(popularity(catalog, 4, 0.02), simulator))
    assert set(told) - {CERTAIN} == set(ENUMERATION)
    assert told[ENUMERATION[0]] == "255,024 slates are too many to go through; take a catalogue with 5,000 or fewer"


class Estimating(Ranking):
    """A softened ranking that knows its propensities only roughly, but always equally roughly."""

    def act(self, observation: np.ndarray, streams: Streams) -> Decision:
        decision = super().act(observation, streams)
        return replace(decision, step_log_prob=decision.step_log_prob - 0.1, exact=False)

    def step_log_prob(self, observation: np.ndarray, slate: np.ndarray) -> np.ndarray:
        return super().step_log_prob(observation, slate) - 0.2


def test_estimates_need_not_be_consistent() -> None:
    policy = Estimating("estimating", uniform(CATALOG, K).scorer, K, 1.0)
    told = skipped(check_policy(policy, world(arriving=0.0)))
    assert set(told) == {CERTAIN, *ENUMERATION}
    assert "its propensities are estimates" in told[ENUMERATION[0]]
