"""Parts of a simulator that are named by import string."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def imported(name: str, noun: str) -> Any:
    """What "package.module:attribute" names; `noun` is what an error calls it.

    Raises:
        ValueError: if it cannot be imported.
    """
    module_name, _, attribute = name.partition(":")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise ValueError(
            f"{noun} {name!r} cannot be imported: {error}. It is looked for among the installed packages "
            "and in the current folder."
        ) from error
    if not hasattr(module, attribute):
        raise ValueError(f"{noun} {name!r} cannot be imported: {module_name} has no {attribute!r}. Is it spelt so?")
    return getattr(module, attribute)
