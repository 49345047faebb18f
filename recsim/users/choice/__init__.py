"""Choice models: how the appeal of items turns into clicks on a slate."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from recsim.users.choice.browsing import Browsing
from recsim.users.choice.logit import MultinomialLogit
from recsim.users.choice.top_down import Cascade, DependentClick, DynamicBayesian, PositionBased
from recsim.users.contract import ChoiceModel
from recsim.users.importing import imported

__all__ = [
    "BUILT_IN",
    "Browsing",
    "Cascade",
    "DependentClick",
    "DynamicBayesian",
    "MultinomialLogit",
    "PositionBased",
    "choice_model",
]

BUILT_IN: Mapping[str, Callable[..., ChoiceModel]] = {
    "pbm": PositionBased,
    "cascade": Cascade,
    "dcm": DependentClick,
    "dbn": DynamicBayesian,
    "mnl": MultinomialLogit,
}


def choice_model(choice: str | Mapping[str, Any] | ChoiceModel) -> ChoiceModel:
    """The choice model that `choice` names.

    Args:
        choice: a built-in name, an import string "package.module:Class", a mapping of `model` (either of these) and the
            class's keyword arguments, or a choice model, which is returned as it is.

    Raises:
        ValueError: if the name is unknown or cannot be imported, the options are not those of the class, or what was
            made or given is no choice model.

    >>> choice_model({"model": "dbn", "perseverance": 0.8})
    DynamicBayesian(perseverance=0.8)
    """
    if isinstance(choice, str):
        return _made(choice, {})
    if isinstance(choice, Mapping):
        options = dict(choice)
        name = options.pop("model", None)
        if not isinstance(name, str):
            raise ValueError(
                f"choice {dict(choice)} names no model; give it 'model', one of {', '.join(BUILT_IN)} or "
                "'package.module:Class'."
            )
        return _made(name, options)
    return _checked(choice)


def _made(name: str, options: Mapping[str, Any]) -> ChoiceModel:
    if name not in BUILT_IN and ":" not in name:
        raise ValueError(
            f"choice model {name!r} is unknown; built in: {', '.join(BUILT_IN)}. "
            "Name your own as 'package.module:Class'."
        )
    make = BUILT_IN[name] if name in BUILT_IN else imported(name, "choice model")
    if not callable(make):
        raise ValueError(f"choice model {name!r} names {type(make).__name__}, not a class that makes a choice model.")
    signature = inspect.signature(make)
    try:
        signature.bind(**options)
    except TypeError as error:
        known = ", ".join(signature.parameters) or "none"
        raise ValueError(f"choice model {name!r} does not take these options: {error}. It knows: {known}.") from error
    return _checked(make(**options))


def _checked(model: Any) -> ChoiceModel:
    for method in ("probabilities", "sample", "best_slate"):
        if not callable(getattr(model, method, None)):
            raise ValueError(f"{type(model).__name__} is not a choice model: it has no method {method!r}.")
    checked: ChoiceModel = model
    return checked
