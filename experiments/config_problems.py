"""What is wrong with a config, in sentences: pydantic's errors turned into a key, a value and a remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from recsim.spelling import did_you_mean

Place = tuple[str | int, ...]

_WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "a mapping, keys with values below it",
    "model_type": "a mapping, keys with values below it",
    "model_attributes_type": "a mapping, keys with values below it",
    "tuple_type": "a list, one '- ' for each entry",
    "string_pattern_mismatch": "letters, digits, spaces and . _ - only, starting with a letter or digit",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        place: keys and list positions that lead to it, as far as they stand in the file.
        sentence: what is wrong and what to do.
    """

    place: Place
    sentence: str


def problems_of(error: ValidationError, data: Any, model: type[BaseModel]) -> list[Problem]:
    """The problems that pydantic found in `data`, without those that only follow from another one inside."""
    details = [(_place(detail["loc"], data), detail) for detail in error.errors(include_url=False)]
    places = [place for place, _ in details]
    return [
        _problem(place, detail, data, model)
        for place, detail in details
        if not any(len(other) > len(place) and other[: len(place)] == place for other in places)
        or detail["type"] in ("missing", "union_tag_not_found")
    ]


def dotted(place: Place) -> str:
    """A place as people write it: `policies.1.learning_rate`."""
    return ".".join(map(str, place))


def wanted_instead(value: Any, default: Any) -> str | None:
    """What an option must be whose default is `default`, in words; None where `value` may stand, or nobody can tell."""
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text", tuple: "a list"}
    wanted = kinds.get(type(default))
    allowed = {float: (int, float), tuple: (list, tuple)}.get(type(default), type(default))
    fits = isinstance(value, allowed) and isinstance(value, bool) == isinstance(default, bool)
    return None if fits else wanted


def _place(loc: Sequence[str | int], data: Any) -> Place:
    """`loc` without the names of union members that pydantic puts in."""
    place: list[str | int] = []
    for part in loc:
        if isinstance(data, Mapping):
            if part not in data and data.get("kind") == part:
                continue
            place.append(part)
            data = data.get(part)
        elif isinstance(data, Sequence) and not isinstance(data, str) and isinstance(part, int):
            place.append(part)
            data = data[part]
    return tuple(place)


def _problem(place: Place, detail: Mapping[str, Any], data: Any, model: type[BaseModel]) -> Problem:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    name = f"'{dotted(place)}'" if place else "the file"
    if kind == "extra_forbidden":
        return Problem(place, f"unknown key {name}; {did_you_mean(place[-1], _keys_at(place[:-1], data, model))}")
    if kind == "missing":
        return Problem(place, f"{name} is missing; add it.")
    if kind == "value_error":
        return Problem(place, f"{f'in {name}: ' if place else ''}{str(context['error']).rstrip('.')}.")
    if kind == "too_short":
        least, length = context["min_length"], context["actual_length"]
        wanted = f"it needs at least {least} {'entry' if least == 1 else 'entries'}"
        return Problem(place, f"{name} {f'has {length} of them' if length else 'is empty'}; {wanted}.")
    if kind == "literal_error":
        return Problem(place, f"{name} is {value!r}; {did_you_mean(value, _words(context['expected']))}")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_kind(place, value, _kinds_at(place, data, model))
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return Problem(place, f"{name} is {value!r}; it must be {words} {context[bound]:g}.")
    if kind in _WANTED:
        return Problem(place, f"{name} is {_shown(value)}; it must be {_WANTED[kind]}.")
    return Problem(place, f"{name} is {_shown(value)}; {detail['msg'][0].lower()}{detail['msg'][1:]}.")


def _unknown_kind(place: Place, value: Any, kinds: Sequence[str]) -> Problem:
    inside = (*place, "kind")
    if isinstance(value, Mapping) and "kind" in value:
        return Problem(inside, f"'{dotted(inside)}' is {value['kind']!r}; {did_you_mean(value['kind'], kinds)}")
    return Problem(inside, f"'{dotted(inside)}' is missing; choose from {', '.join(kinds)}.")


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _words(expected: str) -> list[str]:
    """The words in pydantic's "'a', 'b' or 'c'"."""
    return [part.strip(" '") for part in expected.replace(" or ", ",").split(",")]


def _keys_at(place: Place, data: Any, model: type[BaseModel]) -> list[str]:
    found = _models_at(place, data, model)
    return list(found[0].model_fields) if found else []


def _kinds_at(place: Place, data: Any, model: type[BaseModel]) -> list[str]:
    members = _models_at(place, {}, model)
    return [word for member in members for word in get_args(member.model_fields["kind"].annotation)]


def _models_at(place: Place, data: Any, model: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that may stand at a place; where the data names its kind, that one only."""
    models = [model]
    for part in place:
        data = data[part] if isinstance(data, Mapping) and part in data else _item(data, part)
        if isinstance(part, str):
            annotations = [found.model_fields[part].annotation for found in models if part in found.model_fields]
            models = [inner for annotation in annotations for inner in _models_in(annotation)]
    if isinstance(data, Mapping) and "kind" in data:
        models = [
            found
            for found in models
            if "kind" in found.model_fields and data["kind"] in get_args(found.model_fields["kind"].annotation)
        ] or models
    return models


def _item(data: Any, part: str | int) -> Any:
    is_list = isinstance(data, Sequence) and not isinstance(data, str)
    return data[part] if is_list and isinstance(part, int) and part < len(data) else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (tuple, Annotated, Union, UnionType):
        return [found for inner in get_args(annotation) for found in _models_in(inner)]
    return []
