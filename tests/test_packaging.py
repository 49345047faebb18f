import ast
import os
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
MOVED = {"recsim.agents": "agents", "recsim.envs": "envs", "recsim.experiments": "experiments"}
MAY_IMPORT = {
    "recsim": {"recsim"},
    "recsim.envs": {"recsim", "recsim.envs"},
    "recsim.agents": {"recsim", "recsim.agents"},
    "recsim.experiments": {"recsim", "recsim.envs", "recsim.agents", "recsim.experiments"},
}


def python_files() -> dict[str, Path]:
    """Module name -> file, for the four folders."""
    found = {}
    for package, folder in {"recsim": "recsim", **MOVED}.items():
        top = ROOT / folder
        for directory, subdirectories, files in os.walk(top):
            subdirectories[:] = [name for name in subdirectories if not (Path(directory) / name).is_symlink()]
            for path in (Path(directory) / name for name in files if name.endswith(".py")):
                parts = path.relative_to(top).with_suffix("").parts
                found[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return found


def part_of(module: str) -> str:
    """Which of the four parts a module belongs to."""
    return next((part for part in MOVED if module == part or module.startswith(part + ".")), "recsim")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at any depth; names after "from x import" count, as they may be modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} is a relative import"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def wrong_arrows(module: str, imported: set[str]) -> set[str]:
    ours = {name for name in imported if name.split(".")[0] == "recsim"}
    return {name for name in ours if part_of(name) not in MAY_IMPORT[part_of(module)]}


# The list of packages and the links


def test_the_package_list_equals_the_folders():
    folders = {module for module, path in python_files().items() if path.name == "__init__.py"}
    assert sorted(folders) == SETTINGS["tool"]["setuptools"]["packages"]


def test_every_folder_with_modules_is_a_package():
    for path in python_files().values():
        assert (path.parent / "__init__.py").is_file(), f"{path.parent} has no __init__.py"


@pytest.mark.parametrize(("package", "folder"), MOVED.items())
def test_a_moved_package_is_reached_through_a_link(package, folder):
    link = ROOT.joinpath(*package.split("."))
    assert link.is_symlink()
    assert os.readlink(link) == f"../{folder}"
    assert SETTINGS["tool"]["setuptools"]["package-dir"][package] == folder


def test_every_data_file_is_packaged():
    """Whatever lies in a package and is not code is named in package-data."""
    patterns = SETTINGS["tool"]["setuptools"]["package-data"]
    for package, folder in {"recsim": "recsim", **MOVED}.items():
        for path in _data_files(ROOT / folder):
            owner = path.parent
            while not (owner / "__init__.py").is_file():
                owner = owner.parent
            name = ".".join((package, *owner.relative_to(ROOT / folder).parts))
            inside = path.relative_to(owner)
            allowed = patterns.get(name, [])
            assert any(_matches(inside, pattern) for pattern in allowed), f"{path} is not in package-data of {name}"


def _data_files(top: Path):
    for directory, subdirectories, files in os.walk(top):
        subdirectories[:] = [
            name for name in subdirectories if name != "__pycache__" and not (Path(directory) / name).is_symlink()
        ]
        yield from (Path(directory) / name for name in files if not name.endswith((".py", ".pyc")))


def _matches(path: Path, pattern: str) -> bool:
    return len(path.parts) == len(Path(pattern).parts) and path.match(pattern)


def test_constraints_pin_every_dependency_and_torch_first():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = dict(line.split("==") for line in lines)
    assert lines[0] == "torch==2.13.0"
    project = SETTINGS["project"]
    for requirement in chain(project["dependencies"], *project["optional-dependencies"].values()):
        name = requirement.replace("==", ">=").split(">=")[0].lower()
        assert name in pins, f"{name} has no pin in constraints.txt"


# Who imports whom


def test_imports_follow_the_arrows():
    wrong = {module: found for module, path in python_files().items() if (found := wrong_arrows(module, imports(path)))}
    assert wrong == {}


@pytest.mark.parametrize(
    ("module", "line", "wrong"),
    [
        ("recsim.simulator", "def f():\n    from recsim.envs.single import SlateEnv", True),
        ("recsim.simulator", "from recsim import agents", True),
        ("recsim.envs.single", "import recsim.agents.bandits.linucb as a", True),
        ("recsim.agents.ppo.policy", "from recsim import envs, catalog", True),
        ("recsim.agents.bandits.linucb", "from recsim.experiments import config", True),
        ("recsim.experiments.runner", "from recsim.agents import bandits\nfrom recsim.envs import single", False),
        ("recsim.envs.single", "from recsim.simulator import Simulator\nimport gymnasium", False),
    ],
)
def test_the_walk_finds_a_wrong_arrow(tmp_path, module, line, wrong):
    path = tmp_path / "module.py"
    path.write_text(line)
    assert bool(wrong_arrows(module, imports(path))) is wrong


def test_importing_recsim_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys, time; start = time.process_time(); import recsim; recsim.Catalog; "
        "print(time.process_time() - start, "
        "*({'torch', 'gymnasium', 'stable_baselines3', 'transformers', 'plotly'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, *heavy = done.stdout.split()
    assert heavy == []
    assert float(seconds) < 1.5
