"""Users: the plug-in contract, and the built-in ones by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from recsim.catalog import Catalog
from recsim.users.contract import Appeal, Response, UserModel
from recsim.users.importing import imported
from recsim.users.presets import PRESETS

__all__ = ["BUILT_IN", "Appeal", "Response", "UserModel", "make_users"]

BUILT_IN = tuple(PRESETS)


def make_users(
    users: str | UserModel[Any], catalog: Catalog, options: Mapping[str, Any] | None = None, *, seed: int = 0
) -> UserModel[Any]:
    """The user model that `users` names.

    Args:
        users: a built-in name, an import string "package.module:Class", or a user model, which is returned as it is.
        catalog: passed as first argument to the class.
        options: further keyword arguments of the class; for the built-in users, fields of their config.
        seed: seed of what belongs to the world rather than to a user, passed to the built-in users only.

    Raises:
        ValueError: if the name is unknown, cannot be imported or is not callable, or options come with an object.
        TypeError: if what was made has no `sample` or no `respond`.
    """
    if not isinstance(users, str):
        if options:
            raise ValueError(f"options {sorted(options)} given with a ready user model; set them where it is made.")
        return _checked(users)
    if users in BUILT_IN:
        from recsim.users.interest import interest_users

        return _checked(interest_users(catalog, seed=seed, **{**PRESETS[users], **(options or {})}))
    return _checked(find_users(users)(catalog, **(options or {})))


def find_users(name: str) -> Callable[..., Any]:
    """What "package.module:Class" names.

    Raises:
        ValueError: if it has another form, cannot be imported, or is not callable.
    """
    if ":" not in name:
        raise ValueError(
            f"users {name!r} are unknown; built in: {', '.join(BUILT_IN)}. Name your own as 'package.module:Class'."
        )
    found: Callable[..., Any] = imported(name, "users")
    if not callable(found):
        raise ValueError(
            f"users {name!r} name {type(found).__name__}, not a class or function that makes a user model."
        )
    return found


def _checked(model: Any) -> UserModel[Any]:
    missing = [method for method in ("sample", "respond") if not callable(getattr(model, method, None))]
    if missing:
        raise TypeError(f"{type(model).__name__} is not a user model: it has no method {missing[0]!r}.")
    checked: UserModel[Any] = model
    return checked
