"""Checks for plug-in authors: does a user model, or a policy, keep the rules that everything else builds on?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recsim.catalog import Catalog
from recsim.policy import Policy
from recsim.simulator import Simulator
from recsim.testing.policy_probe import PolicyProbe
from recsim.testing.policy_rules import POLICY_RULES
from recsim.testing.probe import Probe
from recsim.testing.report import BrokenRules, Check, Report
from recsim.testing.rules import RULES
from recsim.testing.tiny_language_model import taught_language_model, tiny_language_model
from recsim.testing.trying import tried
from recsim.users import UserModel, make_users

__all__ = [
    "POLICY_RULES",
    "RULES",
    "BrokenRules",
    "Check",
    "Report",
    "check_policy",
    "check_user_model",
    "taught_language_model",
    "tiny_language_model",
]

LEAST_USERS = 16


def check_user_model(
    users: str | Callable[..., Any] | UserModel[Any],
    catalog: Catalog | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    slate_size: int = 5,
    n_users: int = 64,
    seed: int = 0,
) -> Report:
    """The report on a user model that keeps every rule; one line is a whole test.

    >>> check_user_model("recsim.users.interest:InterestUsers").ok
    True

    Args:
        users: a built-in name or an import string, a class or function that makes the model from the catalogue, or a
            ready model. From all but the last, several models are made, which must be alike.
        catalog: the items; by default 40 made-up ones, but a ready model needs those that it was made for.
        options: further keyword arguments of the class or function.
        slate_size: k of the slates shown.
        n_users: n, at least 16: below, coincidences look like rules.
        seed: of users, slates and, for built-in models, of their world.

    Raises:
        BrokenRules: an `AssertionError`, if a rule fails; it names all that do, with place and likely cause.
        ValueError: if the name or an option is unknown, a ready model comes without its catalogue, or a size cannot be.
        TypeError: if what was made is no user model.
    """
    name = users if isinstance(users, str) else getattr(users, "__name__", type(users).__name__)
    ready = not isinstance(users, str | type) and hasattr(users, "respond")
    if ready and catalog is None:
        raise ValueError(f"{name} is a ready model: pass the catalogue that it was made for, or the class instead.")
    items = Catalog.synthetic(n_items=40, n_categories=4) if catalog is None else catalog
    if not 1 <= slate_size <= len(items):
        raise ValueError(f"slate_size is {slate_size}; the catalogue {items.name!r} allows 1 to {len(items)}.")
    if n_users < LEAST_USERS:
        raise ValueError(f"n_users is {n_users}; at least {LEAST_USERS} are needed to tell rules from coincidences.")

    def make() -> UserModel[Any]:
        if isinstance(users, str) or ready:
            return make_users(users, items, options, seed=seed)  # type: ignore[arg-type]
        return make_users(users(items, **(options or {})), items)  # type: ignore[operator]

    probe = Probe(make(), None if ready else make, items, slate_size=slate_size, n_users=n_users, seed=seed)
    return _sound(Report(name, tried(RULES, probe, "model")))


def check_policy(policy: Policy, simulator: Simulator, *, seed: int = 0) -> Report:
    """The report on a policy that keeps every rule; one line is a whole test.

    What its propensities say is compared with what it shows by enumerating all slates, so choose a small catalogue:
    8 items in slates of 3 have 336. Where there are more than `policy_probe.MOST_SLATES`, these rules are skipped, as
    they are where propensities are estimates (`Decision.exact`). Oracles, who see the state of the simulator's users,
    are asked about these only, as they stand there.

    >>> from recsim.policy import uniform
    >>> items = Catalog.synthetic(n_items=8, n_categories=3)
    >>> check_policy(uniform(items, 3), Simulator(items, make_users("news", items), slate_size=3)).ok
    True

    Args:
        policy: what is checked.
        simulator: whose users it serves; its running sessions are replaced.
        seed: of the luck and the slates with which it is tried, beside those of its sessions.

    Raises:
        BrokenRules: an `AssertionError`, if a rule fails; it names all that do, with place and likely cause.
    """
    return _sound(Report(policy.name, tried(POLICY_RULES, PolicyProbe(policy, simulator, seed), "policy")))


def _sound(report: Report) -> Report:
    if not report.ok:
        raise BrokenRules(report)
    return report
