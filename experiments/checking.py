"""Checking a user model that the command line names."""

from __future__ import annotations

from typing import Any

import yaml

from recsim.catalog import Catalog, load_catalog
from recsim.experiments.config import UsersConfig
from recsim.experiments.errors import UserError, input_errors
from recsim.experiments.world import users_of
from recsim.testing import BrokenRules, Report, check_user_model

EXAMPLE = "'{mood: bad}'"


def checked_users(model: str, catalog: str | None, options: str, *, slate_size: int, seed: int) -> Report:
    """The report on a user model, whether it keeps the rules or not.

    Args:
        model: a built-in name or an import string.
        catalog: a bundled name or a folder; None: made-up items.
        options: keyword arguments of the model, as YAML or JSON.
        slate_size: k of the slates shown.
        seed: of users, slates and the hidden side of items.

    Raises:
        UserError: if there is no such model, catalogue or option, or the slate does not fit the catalogue.
    """
    given = mapping(options, "--options", EXAMPLE)
    with input_errors():
        items = Catalog.synthetic(n_items=40, n_categories=4) if catalog is None else load_catalog(catalog)
    users_of(UsersConfig(model=model, options=given), items, seed)  # refused here in the words of `recsim run`
    try:
        with input_errors():
            return check_user_model(model, items, options=given, slate_size=slate_size, seed=seed)
    except BrokenRules as error:
        return error.report


def mapping(text: str, option: str, example: str) -> dict[str, Any]:
    """What an option of the command line says in YAML or JSON; `example` is shown where it is no mapping."""
    try:
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{option} {text!r} is no YAML or JSON; write a mapping such as {example}.") from error
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise UserError(f"{option} {text!r} names no options; write a mapping such as {example}.")
    return given


def whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """What an option of the command line says in whole numbers with commas.

    Raises:
        UserError: if a part is none.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"{option} is {text!r}; write whole numbers with commas, such as 1,3,5.") from error
