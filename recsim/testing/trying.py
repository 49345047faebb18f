"""Trying rules one after another."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recsim.testing.report import Broken, Check, Untested

# Folders of this package, of the standard library and of installed packages.
FOREIGN = (Path(__file__).parents[1], Path(traceback.__file__).parent, Path(np.__file__).parents[1])


class Rule(NamedTuple):
    """A rule: its name, what tries it on a probe, and rules without which it cannot be tried."""

    name: str
    broken: Callable[[Any], Broken | Untested | None]
    needs: tuple[str, ...] = ()


def tried(rules: Sequence[Rule], probe: Any, kind: str) -> tuple[Check, ...]:
    """Every rule, in order, on a probe of a `kind` of thing, "model" or "policy"."""
    checks: dict[str, Check] = {}
    for rule in rules:
        failed = [name for name in rule.needs if checks[name].outcome == "failed"]
        checks[rule.name] = (
            Check(rule.name, "skipped", f"it cannot be told while {failed[0]!r} fails")
            if failed
            else _try(rule, probe, kind)
        )
    return tuple(checks.values())


def _try(rule: Rule, probe: Any, kind: str) -> Check:
    try:
        found = rule.broken(probe)
    except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything
        return Check(rule.name, "failed", _sentence(error), f"The {kind} raised this error")
    if isinstance(found, Broken):
        return Check(rule.name, "failed", found.detail, found.cause)
    return Check(rule.name, "skipped", found.reason) if found else Check(rule.name, "passed")


def _sentence(error: Exception) -> str:
    """The error in one line, with the last line of the author's own code that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not any(Path(frame.filename).is_relative_to(part) for part in FOREIGN)]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    what = str(error).partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {what}{place}"
