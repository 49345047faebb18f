"""Every notebook runs from top to bottom, and is kept without outputs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::DeprecationWarning:jupyter_client")
def test_it_runs(path: Path, tmp_path: Path, open_bandit_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN_BANDIT", str(open_bandit_folder))
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    if path.stem == "open_bandit":
        assert verdicts_of(notebook, "women") == {"do not use"}


def verdicts_of(notebook: nbformat.NotebookNode, campaign: str) -> set[str]:
    """The verdicts in the first table of estimates, that of random choice judged from a log of BTS."""
    assert f'campaign = "{campaign}"' in notebook.cells[1].source
    (cell,) = (cell for cell in notebook.cells if cell.source.startswith("to_random ="))
    page = cell.outputs[0]["data"]["text/html"]
    return set(re.findall(r"<td>(trust|caution|do not use)</td>", page))
