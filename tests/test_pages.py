"""The examples of the README and of the pages in docs run as they stand, and what these point at exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SKETCHES = {"design.md"}  # its code is signatures


def blocks(page: Path, kind: str) -> list[str]:
    """The code blocks of a page with this info string."""
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def run(page: Path, kind: str, folder: Path) -> str:
    """What the blocks print, run one after another; one that starts with "# name.py" is saved as that file instead."""
    script = []
    for block in blocks(page, kind):
        named = re.match(r"# (\w+\.py)\n", block)
        if named:
            (folder / named[1]).write_text(block, encoding="utf-8")
        else:
            script.append(block)
    path = folder / "examples.py"
    path.write_text("\n".join(script), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", path],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in SKETCHES], ids=lambda page: page.name)
def test_the_examples_run_one_after_another(page: Path, tmp_path: Path) -> None:
    printed = run(page, "python", tmp_path)
    for shown in blocks(page, "text"):
        assert shown in printed


@pytest.mark.slow
def test_sardine_serves_as_a_user_model(tmp_path: Path) -> None:
    pytest.importorskip("sardine")
    printed = run(ROOT / "docs" / "users.md", "python sardine", tmp_path)
    assert printed.startswith("Interval(mean=")


def test_the_user_model_of_the_readme_is_short() -> None:
    (block,) = (block for block in blocks(ROOT / "README.md", "python") if "class Bargainers" in block)
    model = block[block.index("class Bargainers") :]
    assert len([line for line in model.splitlines() if line.strip()]) <= 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_at_exists(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_goals_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for goal in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{goal}:", makefile, flags=re.MULTILINE), goal
