"""Policies of a config as objects that act; trained ones are loaded from the models of a run folder."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsim.agents.contract import check_scores
from recsim.agents.fusion import load_fusion
from recsim.experiments.agent_classes import agent_class, keywords, problems_of_agent, taken, way_of
from recsim.experiments.config import LearnedPolicy, PolicyConfig
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.kinds import LEARNED
from recsim.experiments.policy_settings import (
    BanditPolicy,
    CustomPolicy,
    FusionPolicy,
    LLMRerankerPolicy,
    MyopicOraclePolicy,
    OnlineSettings,
    PopularityPolicy,
    PPOPolicy,
    SlateQPolicy,
    StaticFusionPolicy,
    StockPolicy,
    TrainedPolicy,
    UniformPolicy,
    WarmStarted,
)
from recsim.experiments.world import World
from recsim.observation import Layout
from recsim.oracle import MyopicOracle
from recsim.policy import Decision, Policy, Ranking, only_there, popularity, uniform
from recsim.preference import conditioned
from recsim.simulator import Simulator
from recsim.streams import Streams, sub_seed
from recsim.users.choice.top_down import TopDown

if TYPE_CHECKING:
    from recsim.agents.fusion.static import StaticFusion

FUSION_FILE = "models/static_fusion.safetensors"


@dataclass(frozen=True)
class Named:
    """A policy under the name that the config gives it.

    Attributes:
        name: what logs and reports call it.
        policy: what acts.
    """

    name: str
    policy: Policy

    def act(self, observation: NDArray[np.float32], streams: Streams) -> Decision:
        """Slates of the policy."""
        return self.policy.act(observation, streams)

    def step_log_prob(self, observation: NDArray[np.float32], slate: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, k) float64, of the policy."""
        return self.policy.step_log_prob(observation, slate)

    def log_prob(self, observation: NDArray[np.float32], slate: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) float64, of the policy."""
        return self.policy.log_prob(observation, slate)


def model_file(policy: PolicyConfig | TrainedPolicy) -> str | None:
    """Where in a run folder the trained model of a policy is, or None where nothing is trained."""
    if isinstance(policy, StaticFusionPolicy):
        return FUSION_FILE
    if not isinstance(policy, LearnedPolicy) or way_of(policy) is None:
        return None
    return f"models/{policy.slug}{LEARNED[policy.kind].suffix}"


def build(
    policy: PolicyConfig,
    world: World,
    run: Path | None,
    simulator: Simulator,
    preference: NDArray[np.float64] | None = None,
) -> Policy:
    """The policy that a config describes.

    Args:
        policy: its config.
        world: whose items it ranks.
        run: the run folder with its model; None will do for policies that are not trained.
        simulator: where it will act; only oracles look at it.
        preference: (o,) that a policy is told which was trained with some; by default an even one.

    Raises:
        UserError: if it must be trained first, or is somebody's own and does not keep `recsim.agents.contract`.
    """
    catalog, k = world.catalog, world.config.slate_size
    if isinstance(policy, MyopicOraclePolicy):
        return MyopicOracle(simulator, name=policy.title)
    if isinstance(policy, UniformPolicy):
        ranking = replace(uniform(catalog, k), name=policy.title)
    elif isinstance(policy, PopularityPolicy):
        ranking = replace(popularity(catalog, k, policy.temperature), name=policy.title)
    else:
        agent = _trained(policy, world, run) if model_file(policy) else untrained(policy, world)
        if isinstance(policy, BanditPolicy) and policy.explore:
            exploring: Policy = agent.policy(policy.title, k, born=simulator.born)
            return exploring
        if hasattr(agent, "act"):
            return _acting_itself(policy, agent)
        if isinstance(policy, CustomPolicy):
            _check_own_scores(policy, agent, world)
        if is_conditioned(policy):
            agent = conditioned(agent, even_preference(world) if preference is None else preference)
        assert not isinstance(policy, StockPolicy)
        ranking = Ranking(policy.title, agent, k, policy.temperature)
    return only_there(ranking, simulator.born, simulator.layout)


def is_conditioned(policy: PolicyConfig | TrainedPolicy) -> bool:
    """Whether a policy is told a preference."""
    return isinstance(policy, PPOPolicy) and policy.preference is not None


def even_preference(world: World) -> NDArray[np.float64]:
    """(o,) under which objectives count as they do in the run's reward."""
    return np.ones(len(world.objectives.names))


def layout_of(policy: PolicyConfig | TrainedPolicy, world: World) -> Layout:
    """Where features stand in what a policy is told."""
    return world.layout.with_preference(len(world.objectives.names)) if is_conditioned(policy) else world.layout


def untrained(policy: LearnedPolicy, world: World, warm_start: StaticFusion | None = None) -> Any:
    """The agent of a policy before it has learned anything. What goes wrong inside somebody's own keeps its traceback.

    Args:
        policy: its config.
        world: whose items it ranks.
        warm_start: the ranker where it starts, if its class takes one.

    Raises:
        UserError: if its class does not take the options.
    """
    if isinstance(policy, StockPolicy):
        with input_errors(f"{policy.title!r}: "):
            return _loaded(policy, world, Path(str(policy.model)), **policy.options)
    make, given = agent_class(policy), keywords(policy)
    filled = {"seed": draws_of(policy, world), "slate_size": world.config.slate_size, "warm_start": warm_start}
    given = taken(make, filled) | given
    if not isinstance(policy, CustomPolicy):
        with input_errors(f"{policy.title!r}: "):
            return make(world.catalog, world.layout, **given)
    try:
        inspect.signature(make).bind(world.catalog, world.layout, **given)
    except TypeError as error:
        raise UserError(f"agent {policy.agent!r} does not take catalogue, layout and options: {error}.") from error
    return make(world.catalog, world.layout, **given)


def draws_of(policy: LearnedPolicy, world: World) -> int:
    """The seed of what a policy draws while it is made and trained."""
    return sub_seed(world.config.seed, f"draws of {policy.slug}")


def check_agents(world: World) -> None:
    """Refuse what can be known to be wrong with a config's agents before anything has run.

    Raises:
        UserError: if a method or an option is unknown or impossible in this world, or somebody's own class is no agent.
    """
    for number, policy in enumerate(world.config.policies):
        if not isinstance(policy, LearnedPolicy):
            continue
        for problem in problems_of_agent(policy, ("policies", number), world.config.recent):
            raise UserError(problem.sentence)
        _check_choice(policy, world)
        _check_language_model(policy)
        _check_modalities(policy, world)
        if model_file(policy) is None:
            build(policy, world, None, world.simulator("check"))
        elif isinstance(policy, OnlineSettings):
            untrained(policy, world)


def _check_choice(policy: LearnedPolicy, world: World) -> None:
    """Refuse SlateQ with the choice `mnl`, one click at most, where users are known to click several items."""
    choice, k = getattr(world.users, "choice", None), world.config.slate_size
    several = k > 1 and isinstance(choice, TopDown) and choice.browsing(k).after_click > 0.0
    if several and isinstance(policy, SlateQPolicy) and policy.options.get("choice") == "mnl":
        raise UserError(
            f"{policy.title!r} has the choice mnl, by which users click one item of a slate at most, and those of "
            "this run may click several; set choice: pbm among its options, or leave it out."
        )


def _check_language_model(policy: LearnedPolicy) -> None:
    """Refuse a language model that is not there."""
    from recsim.language.finding import model_folder

    if isinstance(policy, LLMRerankerPolicy):
        with input_errors(f"{policy.title!r}: "):
            model_folder(Path(policy.model))


def _check_modalities(policy: LearnedPolicy, world: World) -> None:
    """Refuse modalities that the catalogue does not have."""
    from recsim.agents.fusion.towers import seen_of

    if isinstance(policy, PPOPolicy | FusionPolicy):
        names = policy.modalities if isinstance(policy, PPOPolicy) else policy.options.get("modalities")
        with input_errors(f"{policy.title!r}: "):
            seen_of(world.catalog, names)


def warm_start_of(policy: LearnedPolicy, world: World, run: Path) -> StaticFusion | None:
    """The static fusion of a run, where the policy starts from it."""
    from recsim.agents.fusion.static import StaticFusion

    if not (isinstance(policy, WarmStarted) and policy.warm_start):
        return None
    return StaticFusion.load(run / FUSION_FILE, world.catalog, world.layout)


def _trained(policy: LearnedPolicy, world: World, run: Path | None) -> Any:
    file = str(model_file(policy))
    path = run / file if run else None
    if path is None or not path.exists():
        where = f"{run} has no {file}" if run else "no run folder was given"
        raise UserError(
            f"{policy.title!r} must be trained first and {where}: `recsim train CONFIG {policy.slug} --out RUN`."
        )
    return _loaded(policy, world, path)


def _loaded(policy: LearnedPolicy, world: World, path: Path, **options: Any) -> Any:
    if isinstance(policy, StockPolicy):
        options |= policy.model_dump(include={"algorithm", "action"}) | {"slate_size": world.config.slate_size}
    load = load_fusion if isinstance(policy, FusionPolicy) else agent_class(policy).load
    return load(path, world.catalog, layout_of(policy, world), **options)


def _acting_itself(policy: LearnedPolicy, agent: Policy) -> Policy:
    if getattr(policy, "temperature", 0.0):
        raise UserError(f"{policy.title!r} chooses its slates itself, without a temperature; leave it out.")
    return Named(policy.title, agent)


def _check_own_scores(policy: CustomPolicy, agent: Any, world: World) -> None:
    """Of two users at the start of their sessions; later ones are checked by the ranking."""
    scores = agent.scores(world.simulator("check").reset(np.arange(2)))
    with input_errors(f"agent {policy.agent!r}: "):
        check_scores(scores, 2, world.catalog)
