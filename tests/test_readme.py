"""The README's examples run as they stand, and what it points at exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_the_examples_run_one_after_another(tmp_path: Path) -> None:
    script = tmp_path / "readme.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)))
    done = subprocess.run(
        [sys.executable, "-W", "error", script], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Interval(mean=" in done.stdout


def test_the_user_model_is_short() -> None:
    block = next(b for b in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL) if "class Bargainers" in b)
    model = block[block.index("class Bargainers") :]
    assert len([line for line in model.splitlines() if line.strip()]) <= 15


def test_what_it_points_at_exists() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text()
    for goal in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{goal}:", makefile, flags=re.MULTILINE), goal
