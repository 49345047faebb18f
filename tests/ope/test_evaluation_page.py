"""The page on evaluation names what exists, with the thresholds that are in force."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from recsim.ope import diagnostics

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
ARRAYS = PAGE[PAGE.index("## Every estimator on plain arrays") : PAGE.index("What goes wrong elsewhere")]
FAMILIES = re.findall(r"^\*\*(.+?)\*\* \((.+?)\)[.:]?(.*?)(?=^\*\*|\Z)", ARRAYS, flags=re.DOTALL | re.MULTILINE)


def functions(table: str) -> list[tuple[str, str]]:
    """Names of functions in the first cells of a table's rows, and their arguments as shown."""
    cells = re.findall(r"^\| (`.+?) \|", table, flags=re.MULTILINE)
    return [found for cell in cells for found in re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)(\(.*?\))?`", cell)]


def found(name: str, modules: list[str]) -> object:
    if "." in name:
        module, name = name.split(".")
        modules = [module]
    for module in modules:
        place = importlib.import_module(f"recsim.ope.{module}")
        if hasattr(place, name):
            return getattr(place, name)
    raise AssertionError(f"{name} is in none of {modules}")


def test_there_are_all_families() -> None:
    assert [name for name, _, _ in FAMILIES] == ["Single actions", "Many items", "Slates", "Sessions"]
    assert sum(len(functions(table)) for _, _, table in FAMILIES) > 40


@pytest.mark.parametrize(("modules", "table"), [family[1:] for family in FAMILIES], ids=[f[0] for f in FAMILIES])
def test_every_function_exists_with_its_arguments(modules: str, table: str) -> None:
    names = [name.removeprefix("recsim.ope.") for name in re.findall(r"`(.+?)`", modules)]
    for name, shown in functions(table):
        parameters = list(inspect.signature(found(name, names)).parameters)
        for argument in re.findall(r"[a-z_]{2,}", re.sub(r"\(n, [a-z, ]+\)", "", shown[1:-1])):
            assert argument in parameters, (name, argument, parameters)


def test_functions_of_intervals_and_selection_exist() -> None:
    rest = PAGE[PAGE.index("## Intervals") : PAGE.index("## Every estimator")] + PAGE[PAGE.index("## Choosing") :]
    named = re.findall(r"`([a-z_]+)\.([a-z_]+)(?:\(.*?\))?`", rest)
    for module, name in named:
        if module not in ("evaluation", "terms"):
            assert hasattr(importlib.import_module(f"recsim.ope.{module}"), name), (module, name)
    assert len(named) > 10


def test_the_thresholds_are_those_in_force() -> None:
    table = PAGE[PAGE.index("## Verdicts") : PAGE.index("## Intervals")]
    standard = f"{diagnostics.SIGNIFICANT:.0f} standard errors"
    for sentence in (
        f"effective sample size below {diagnostics.REFUSE_BELOW_ESS}, or one slate with more than "
        f"{diagnostics.REFUSE_ABOVE_SHARE * 100:.0f} %",
        f"mean weight further from 1 than {diagnostics.FAR_FROM_ONE}, by more than {standard}",
        f"effective sample size below {diagnostics.CAUTION_BELOW_ESS}, one slate above "
        f"{diagnostics.CAUTION_ABOVE_SHARE * 100:.0f} %",
        f"fewer than {diagnostics.FEW_SESSIONS} sessions, fewer than {diagnostics.FEW_REWARDED} with any reward",
        f"off by more than {diagnostics.FAR_MISS * 100:.0f} % and {standard}",
    ):
        assert sentence in table
