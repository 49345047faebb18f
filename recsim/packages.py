"""Packages that only some users need: imported when they are used, and told in a sentence where they lack."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

INSTALL = 'pip install "recsim-slate[text-image]"'


class MissingPackage(ModuleNotFoundError):
    """A package of an extra is not installed; the message says how to install it."""


def optional_module(name: str, distribution: str, what: str = "this encoder", *, alone: bool = True) -> ModuleType:
    """A module of the extra ``text-image``, which `what` needs.

    Args:
        name: of the module.
        distribution: that brings it.
        what: in the message.
        alone: whether it is best installed without what it asks for, which may bring another build of torch.

    Raises:
        MissingPackage: if it is not installed.
    """
    return needed_module(
        name,
        f"{what} needs the package {distribution}, which is not installed: "
        f"run  {INSTALL}  or  pip install {'--no-deps ' if alone else ''}{distribution}",
    )


def needed_module(name: str, sentence: str) -> ModuleType:
    """A module, or `sentence` as the error where it is missing; one that is there and lacks another is left to say so.

    Raises:
        MissingPackage: if it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise MissingPackage(sentence, name=name) from error
