"""The class behind a learned policy: found by its name, and held against the options of a config."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from recsim.agents.contract import check_agent_class, learns_from
from recsim.agents.fusion import METHODS
from recsim.experiments.config import LearnedPolicy
from recsim.experiments.config_problems import Place, Problem, dotted, wanted_instead
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.kinds import LEARNED, Way
from recsim.experiments.policy_settings import AgentSettings, CustomPolicy, FusionPolicy, PPOPolicy, StockPolicy
from recsim.spelling import did_you_mean
from recsim.users.importing import imported

_NOT_OPTIONS = (  # a run fills them in
    *("log", "catalog", "layout", "seed", "progress", "slate_size", "warm_start"),
    *("options", "interactions"),  # of hybrids, whose options are those of their collaborative part, too
)


def agent_class(policy: LearnedPolicy) -> Any:
    """The class of the policy's agent.

    Raises:
        UserError: if it is somebody's own, and cannot be imported or is no agent.
    """
    if isinstance(policy, FusionPolicy):
        return METHODS[policy.method].load()
    if not isinstance(policy, CustomPolicy):
        return imported(LEARNED[policy.kind].agent, "agent")
    with input_errors():
        found = imported(policy.agent, "agent")
    try:
        check_agent_class(found)
    except TypeError as error:
        raise UserError(f"agent {policy.agent!r}: {error}") from error
    return found


def way_of(policy: LearnedPolicy) -> Way | None:
    """How a policy is trained, see `LearnedKind.way`."""
    if isinstance(policy, StockPolicy) and policy.model:
        return None
    return learns_from(agent_class(policy)) if isinstance(policy, CustomPolicy) else LEARNED[policy.kind].way


def keywords(policy: LearnedPolicy) -> dict[str, Any]:
    """What a config says about the arguments of the policy's class."""
    named = policy.model_dump(include=set(LEARNED[policy.kind].named))
    return named | (policy.options if isinstance(policy, AgentSettings) else {})


def taken(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the offered arguments that a function has a name for."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in offered.items() if name in names}


def problems_of_agent(policy: LearnedPolicy, place: Place, recent: int) -> Iterator[Problem]:
    """What is wrong with the method and the options of a policy that stands at `place` of a config.

    Options of somebody's own agent are its own business, and those of Stable-Baselines3's algorithms theirs.
    """
    if named := _method_of(policy):
        inside, method = (*place, named[0]), named[1]
        if method not in METHODS:
            yield Problem(inside, f"'{dotted(inside)}' is {method!r}; {did_you_mean(method, METHODS)}")
            return
        if METHODS[method].reads_recent and not recent:
            what = f"'{dotted(inside)}' is {method!r}, which reads what was clicked lately"
            yield Problem(inside, f"{what}; set recent of the config to 20 or so.")
    if isinstance(policy, AgentSettings | StockPolicy) and policy.options and _is_checked(policy):
        known = _options(policy)
        for name, value in policy.options.items():
            inside = (*place, "options", name)
            if name not in known:
                yield Problem(inside, f"unknown key '{dotted(inside)}'; {did_you_mean(name, known)}")
            elif wanted := wanted_instead(value, known[name]):
                yield Problem(inside, f"'{dotted(inside)}' is {value!r}; it must be {wanted}.")


def _method_of(policy: LearnedPolicy) -> tuple[str, str] | None:
    """The key that names a method of fusion, and what it says."""
    if isinstance(policy, FusionPolicy):
        return "method", policy.method
    if isinstance(policy, PPOPolicy) and policy.teacher is not None:
        return "teacher", policy.teacher
    return None


def _is_checked(policy: LearnedPolicy) -> bool:
    """Whether its options are held against a signature here, not by the class itself."""
    return bool(policy.model) if isinstance(policy, StockPolicy) else not isinstance(policy, CustomPolicy)


def _options(policy: LearnedPolicy) -> dict[str, Any]:
    """Names and defaults of the arguments that may stand among the options."""
    if isinstance(policy, StockPolicy):
        return {"policy_kwargs": None, "deterministic": None}
    found = agent_class(policy)
    functions, fixed = [found.fit if way_of(policy) == "log" else found], [*_NOT_OPTIONS, *LEARNED[policy.kind].named]
    if (takes := LEARNED[policy.kind].takes) is not None:
        functions.append(imported(takes, "settings"))
        fixed.append("settings")
    if isinstance(policy, FusionPolicy):
        fixed += METHODS[policy.method].options
        functions += _collaborative_part(policy.method)
    told = {name: part.default for each in functions for name, part in inspect.signature(each).parameters.items()}
    return {name: default for name, default in told.items() if name not in fixed}


def _collaborative_part(method: str) -> list[Callable[..., Any]]:
    from recsim.agents.fusion.collaborative import COLLABORATIVE

    return [COLLABORATIVE[method].fit] if method in COLLABORATIVE else []
