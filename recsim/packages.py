"""Packages that only some users need: imported when they are used, and told in a sentence where they lack."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class MissingPackage(ModuleNotFoundError):
    """A package of an extra is not installed; the message says how to install it."""


def optional_module(name: str, distribution: str, what: str = "this encoder") -> ModuleType:
    """A module of the extra ``text-image``, which `what` needs.

    Raises:
        MissingPackage: if it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        # What weights and architectures call for beside these would bring other builds of torch.
        how = "" if distribution in ("transformers", "huggingface_hub") else "--no-deps "
        raise MissingPackage(
            f"{what} needs the package {distribution}, which is not installed: "
            f'run  pip install "recsim-slate[text-image]"  or  pip install {how}{distribution}',
            name=name,
        ) from error
