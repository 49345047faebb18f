"""The tables of the documents are what the script makes of the measured numbers."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from recsim.files import write_json

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_tables", ROOT / "scripts" / "write_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_the_documents_are_up_to_date(script: ModuleType, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert script.filled(text) == text, "run python scripts/write_tables.py"


def test_presets_stand_below_one_another(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = {
        "news": [
            {"policy": "uniform", "n_users": 1000, "return": {"mean": 6.5, "low": 6.25, "high": 6.75}},
            {
                "policy": "popularity",
                "n_users": 90,
                "return": {"mean": 13.0, "low": 12.0, "high": 14.0},
                "times_before": {"ratio": 2.0, "low": 1.75, "high": 2.25},
            },
        ],
        "feed": [
            {"policy": "uniform", "n_users": 2, "return": {"mean": 0, "low": -1, "high": 1}, "times_before": None}
        ],
    }
    write_json(tmp_path / "results" / "presets.json", {"presets": worlds})
    monkeypatch.setattr(script, "DOCS", tmp_path)
    assert script.presets().splitlines()[2:] == [
        "| news | uniform | 1,000 | 6.50 [6.25, 6.75] |  |",
        "|  | popularity | 90 | 13.00 [12.00, 14.00] | 2.00 [1.75, 2.25] |",
        "| feed | uniform | 2 | 0.00 [−1.00, 1.00] |  |",
    ]


def test_what_agents_earn_and_what_is_claimed_of_them(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row(policy: str, seconds: float | None) -> dict[str, object]:
        earned = {"mean": 12.5, "low": 12.0, "high": 13.0}
        return {"policy": policy, "n_users": 4000, "return": earned, "length": 9.25, "training_seconds": seconds}

    interval = {"measured": 1.25, "low": 1.15, "high": 1.35}
    claim = {"preset": "feed", "claim": "a / b", "asked": 1.2, "met": False, "met_on_average": True, **interval}
    found = {
        "presets": {"feed": {"policies": [row("uniform", None), row("ppo", 60.0)], "fusions": [row("vote", 1.5)]}},
        "claims": [claim, {**claim, "asked": None}],
        "speed": [
            {"label": "share", "value": 0.125, "unit": "share"},
            {"label": "beats", "value": None, "unit": "seconds", "ceiling": 90.0, "kept": False},
        ],
    }
    write_json(tmp_path / "results" / "learn.json", found)
    monkeypatch.setattr(script, "DOCS", tmp_path)
    assert script.learn().splitlines()[2:] == [
        "| feed | uniform | 4,000 | 12.50 [12.00, 13.00] | 9.2 |  |",
        "|  | ppo | 4,000 | 12.50 [12.00, 13.00] | 9.2 | 60.00 s |",
    ]
    assert script.fusions().splitlines()[2:] == ["| feed | vote | 4,000 | 12.50 [12.00, 13.00] | 9.2 | 1.50 s |"]
    assert script.claims().splitlines()[2:] == ["| feed | a / b | 1.25 [1.15, 1.35] | > 1.2 | on average |"]
    assert script.training().splitlines()[2:] == [
        "| share | 12.5% |  |  |",
        "| beats | never | ≤ 90.00 s | **no** |",
    ]


def test_only_what_stands_in_a_table_is_written(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = {"peer": "a", "version": "1", "stepped": "x|y", "user_steps_per_cpu_second": 1234, "ratio": 2.5}
    write_json(tmp_path / "results" / "env.json", {"peers": [peer]})
    monkeypatch.setattr(script, "DOCS", tmp_path)
    table = (
        "| peer | what is stepped | median | recsim / peer |\n| :--- | :--- | ---: | ---: |\n"
        "| a 1 | x\\|y | 1,234 /s | 2.5 × |\n"
    )
    wanted = (
        f"before\n<!-- table: peers -->\n{table}<!-- end -->\nbetween\n<!-- table: peers -->\n{table}<!-- end -->\n"
    )
    path = tmp_path / "speed.md"
    path.write_text(wanted.replace(table, "old\n", 1).replace(table, ""), encoding="utf-8")
    (tmp_path / "other.md").write_text("nothing\n", encoding="utf-8")
    script.main()
    assert path.read_text(encoding="utf-8") == wanted
    assert capsys.readouterr().out == f"{path}\n"
    script.main()
    assert capsys.readouterr().out == ""
    with pytest.raises(KeyError, match="speeed"):
        script.filled("<!-- table: speeed -->\n<!-- end -->")
