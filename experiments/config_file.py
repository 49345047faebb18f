"""Reading and writing run configs as YAML; whatever is wrong is told with the file and the line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from recsim.catalogs import BUNDLED
from recsim.experiments.config import RunConfig, UsersConfig
from recsim.experiments.config_problems import Place, Problem, problems_of, wanted_instead
from recsim.experiments.errors import UserError
from recsim.experiments.policy_settings import AgentSettings, FusionPolicy, LLMRerankerPolicy, StockPolicy
from recsim.paths import absent
from recsim.spelling import did_you_mean

Settings = TypeVar("Settings", bound=BaseModel)


CHECK = "check colons, quotes, brackets and indents there"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """The safe loader, which also takes 3e-4 for a number, as people and YAML 1.2 do."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


class ConfigError(UserError):
    """A config that cannot be used: one line for each problem, each a sentence with file and line number."""


def read_config(path: str | Path) -> RunConfig:
    """The config in a YAML file. A catalogue given as a relative path is looked for beside the file, as are models.

    Raises:
        ConfigError: if there is no such file, it is no YAML, or anything in it is unknown, missing or impossible.
    """
    path = Path(path)
    root, config = _validated(path, RunConfig)
    _refuse(path, root, [*_option_problems(config.users), *_agent_problems(config)])
    return _with_files_beside(config, path)


def read_settings(path: str | Path, model: type[Settings]) -> Settings:
    """Settings of any kind in a YAML file.

    Raises:
        ConfigError: if there is no such file, it is no YAML, or anything in it is unknown, missing or impossible.
    """
    return _validated(Path(path), model)[1]


def config_text(config: RunConfig) -> str:
    """The config as YAML, with everything that was left to its default spelled out."""
    text: str = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, width=120)
    return text


def first_difference(old: RunConfig, new: RunConfig) -> tuple[str, Any, Any] | None:
    """The first key in which two configs differ, with both values, or None where they are equal."""
    before, after = _flat(old.model_dump(mode="json")), _flat(new.model_dump(mode="json"))
    for key in [*after, *before]:
        if before.get(key, "nothing") != after.get(key, "nothing"):
            return key, before.get(key, "nothing"), after.get(key, "nothing")
    return None


def _validated(path: Path, model: type[Settings]) -> tuple[yaml.Node, Settings]:
    """The file as nodes, and what it says."""
    root, data = _parsed(path, model)
    _refuse_duplicates(path, root)
    try:
        return root, model.model_validate(data)
    except ValidationError as error:
        _refuse(path, root, problems_of(error, data, model))
        raise


def _parsed(path: Path, model: type[BaseModel]) -> tuple[yaml.Node, Any]:
    """The file as nodes, which know their lines, and as plain data."""
    try:
        text = path.read_text(encoding="utf-8")
        root, data = yaml.compose(text, Loader=_Loader), yaml.load(text, Loader=_Loader)
    except FileNotFoundError as error:
        raise ConfigError(absent("file", path, "check the path")) from error
    except (IsADirectoryError, PermissionError) as error:
        raise ConfigError(f"config {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: this is not YAML: {error.problem}; {CHECK}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: this is not YAML: {' '.join(str(error).split())}.") from error
    if root is None:
        raise ConfigError(f"{path} is empty; it needs at least {_wanted(model)}.")
    if not isinstance(root, yaml.MappingNode):
        found = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        line = root.start_mark.line + 1
        raise ConfigError(f"{path}, line {line}: the file is {found} at its top level; it must be keys with values.")
    return root, data


def _wanted(model: type[BaseModel]) -> str:
    """The keys that a file must have, or where all may be left out, some."""
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    if not required:
        return f"one of the keys {', '.join(model.model_fields)}"
    return f"the key{'s' if len(required) > 1 else ''} {' and '.join(required)}"


def _refuse(path: Path, root: yaml.Node, problems: list[Problem]) -> None:
    if problems:
        lines = sorted((_line(root, problem.place), problem.sentence) for problem in problems)
        raise ConfigError("\n".join(f"{path}, line {line}: {sentence}" for line, sentence in lines))


def _line(node: yaml.Node, place: Place) -> int:
    """The line of the key or list entry at `place`, or of the innermost part of it that is in the file."""
    line = int(node.start_mark.line) + 1
    for part in place:
        found = _step(node, part)
        if found is None:
            return line
        line, node = found
    return line


def _step(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        entry = node.value[part]
        return entry.start_mark.line + 1, entry
    return None


def _refuse_duplicates(path: Path, root: yaml.Node) -> None:
    for node in _nodes(root, set()):
        seen: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            line = key.start_mark.line + 1
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                first = seen[key.value]
                raise ConfigError(
                    f"{path}, line {line}: key {key.value!r} is already given in line {first}; remove one."
                )
            seen[str(key.value)] = line


def _nodes(node: yaml.Node, seen: set[int]) -> Iterator[yaml.Node]:
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    yield node
    if isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _nodes(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _nodes(value, seen)


def _option_problems(users: UsersConfig) -> Iterator[Problem]:
    """What is wrong with the options of built-in users; other users' options are their own business."""
    from recsim.users import BUILT_IN

    if users.model not in BUILT_IN:
        return
    from recsim.users.interest import InterestConfig

    known = vars(InterestConfig())
    for name, value in users.options.items():
        place: Place = ("users", "options", name)
        if name not in known:
            yield Problem(place, f"unknown key 'users.options.{name}'; {did_you_mean(name, known)}")
        elif name == "choice":
            yield from _choice_problems(value, place)
        elif wanted := wanted_instead(value, known[name]):
            yield Problem(place, f"'users.options.{name}' is {value!r}; it must be {wanted}.")


def _choice_problems(value: Any, place: Place) -> Iterator[Problem]:
    from recsim.users.choice import choice_model

    try:
        choice_model(value)
    except ValueError as error:
        yield Problem(place, f"'users.options.choice' cannot be: {error}")


def _agent_problems(config: RunConfig) -> Iterator[Problem]:
    """What is wrong with methods and options of agents; an agent is imported only where the config sets some."""
    for number, policy in enumerate(config.policies):
        if isinstance(policy, FusionPolicy) or (isinstance(policy, AgentSettings | StockPolicy) and policy.options):
            from recsim.experiments.agent_classes import problems_of_agent

            yield from problems_of_agent(policy, ("policies", number), config.recent)


def _with_files_beside(config: RunConfig, path: Path) -> RunConfig:
    """The config with relative paths as they are found from the folder of its file."""

    def beside(name: str) -> str:
        return name if os.path.isabs(name) else str((path.parent / name).resolve())

    catalog, view, policies = config.catalog, config.view, list(config.policies)
    if catalog.name is not None and catalog.name not in BUNDLED:
        catalog = catalog.model_copy(update={"name": beside(catalog.name)})
    if view is not None and view.catalog is not None and view.catalog not in BUNDLED:
        view = view.model_copy(update={"catalog": beside(view.catalog)})
    for number, policy in enumerate(policies):
        if isinstance(policy, StockPolicy | LLMRerankerPolicy) and policy.model:
            policies[number] = policy.model_copy(update={"model": beside(policy.model)})
    return config.model_copy(update={"catalog": catalog, "view": view, "policies": tuple(policies)})


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        entries = value.items()
    elif isinstance(value, list) and value:
        entries = enumerate(value)  # type: ignore[assignment]
    else:
        return {place: value}
    flat: dict[str, Any] = {}
    for key, inner in entries:
        flat |= _flat(inner, f"{place}.{key}" if place else str(key))
    return flat
