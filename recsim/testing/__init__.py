"""Checks for plug-in authors: does a user model keep the rules that the simulator, logs and oracles build on?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recsim.catalog import Catalog
from recsim.testing.probe import Probe
from recsim.testing.report import BrokenRules, Check, Report
from recsim.testing.rules import RULES, tried
from recsim.users import UserModel, make_users

__all__ = ["RULES", "BrokenRules", "Check", "Report", "check_user_model"]

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
    report = Report(name, tried(probe))
    if not report.ok:
        raise BrokenRules(report)
    return report
