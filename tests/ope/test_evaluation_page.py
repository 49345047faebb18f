"""The page on evaluation names what exists, with the thresholds that are in force."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import recsim.experiments
from recsim.experiments.cli import app
from recsim.ope import ESTIMATORS, diagnostics
from recsim.ope.evaluation.case import NEEDS
from recsim.ope.evaluation.estimators import ACTIONS, GROUPED, SESSIONS, SEVERAL, SLATES
from recsim.ope.tables.named_columns import KEYS

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
    rest = PAGE[PAGE.index("## Intervals") : PAGE.index("## Every estimator on")] + PAGE[PAGE.index("## Choosing") :]
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
        f"fewer than {diagnostics.FEW_SESSIONS} effective sessions, fewer than {diagnostics.FEW_REWARDED} with any",
        f"fewer than {diagnostics.CAUTION_BELOW_DECIDING}, than {diagnostics.REFUSE_BELOW_DECIDING} sessions decide",
        f"weights above {diagnostics.HEAVY_TAIL}, above {diagnostics.NO_MEAN:.0f} ",
        f"{diagnostics.CAUTION_ABOVE_UNSEEN * 100:.0f} %, {diagnostics.REFUSE_ABOVE_UNSEEN * 100:.0f} % of what",
        f"any, more than {diagnostics.REFUSE_ABOVE_UNSUPPORTED * 100:.0f} % of what the policy shows",
        f"off by more than {diagnostics.FAR_MISS * 100:.0f} % and {standard}",
    ):
        assert sentence in table


def rows_of(section: str) -> dict[str, list[str]]:
    """The cells of the tables of a section, by the name in the first."""
    lines = re.findall(r"^\| `([a-z_-]+)` \| (.+) \|$", section, flags=re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in lines}


def test_every_estimator_is_there_with_what_it_does_and_needs() -> None:
    """And nothing else: a new one cannot be forgotten, an old one cannot stay."""
    section = PAGE[PAGE.index("## Every estimator by name") : PAGE.index("## Verdicts")]
    names, needed = section.split("What they need")
    rows = rows_of(names)
    assert set(rows) == set(ESTIMATORS)
    for name, one in ESTIMATORS.items():
        assert rows[name][0] == one.what
        assert re.findall(r"`(\w+)`", rows[name][-1]) == list(one.needs)
        assert len(rows[name]) == 3
        assert rows[name][1]
    assert rows_of(needed) == {name: [what] for name, what in NEEDS.items()}
    by_default = section[: section.index("All others")]
    assert set(re.findall(r"`([a-z-]+)`", by_default)) == {
        *ACTIONS,
        *SLATES,
        *SESSIONS,
        *GROUPED,
        *SEVERAL,
        "group",
        "logger",
    }


def test_every_estimator_has_its_function() -> None:
    rows = rows_of(PAGE[PAGE.index("### From names to functions") : PAGE.index("## Choosing")])
    assert list(rows) == list(ESTIMATORS)
    for cells in rows.values():
        for module, name in re.findall(r"`([a-z_]+)\.([a-z_]+)", " ".join(cells)):
            assert callable(getattr(importlib.import_module(f"recsim.ope.{module}"), name))


def test_every_meaning_of_a_column_is_there() -> None:
    table = PAGE[PAGE.index("| meaning | column |") : PAGE.index("`policy` is the target policy")]
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.+?) \|", table, flags=re.MULTILINE)))) == {
        *KEYS,
        "item",
    }


@pytest.mark.slow
def test_the_commands_do_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a smaller world and log than the page speaks of."""
    smoke = Path(recsim.experiments.__file__).parent / "smoke.yaml"
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "quickstart.yaml").write_text(smoke.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    section = PAGE[PAGE.index("### The command line") : PAGE.index("## What is valued")]
    commands = re.findall(r"^recsim (.+)$", section, flags=re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        if "--ray" in command:
            pytest.importorskip("ray")
        small = command.replace("100000", "60").replace("5000", "20")
        done = CliRunner().invoke(app, small.split())
        assert done.exit_code == 0, (command, done.output)
    assert (tmp_path / "page.html").exists()
    assert (tmp_path / "estimates.json").exists()
    assert len(list((tmp_path / "logs").iterdir())) == 3
