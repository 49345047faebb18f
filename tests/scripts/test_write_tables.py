"""The tables of the documents are what the script makes of the measured numbers."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from recsim.files import write_json

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return import_module("write_tables")


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_the_documents_are_up_to_date(script: ModuleType, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert script.filled(text) == text, "run python scripts/write_tables.py"


def test_every_table_stands_in_the_page_of_its_module(script: ModuleType) -> None:
    pages = {name: table.__module__ for name, table in script.TABLES.items()}
    texts = {f"tables.{path.stem}": path.read_text(encoding="utf-8") for path in DOCUMENTS}
    assert pages == {match[2]: page for page, text in texts.items() for match in script.PLACE.finditer(text)}


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
    monkeypatch.setattr("tables.results.DOCS", tmp_path)
    assert script.TABLES["presets"]().splitlines()[2:] == [
        "| news | uniform | 1,000 | 6.50 [6.25, 6.75] |  |",
        "|  | popularity | 90 | 13.00 [12.00, 14.00] | 2.00 [1.75, 2.25] |",
        "| feed | uniform | 2 | 0.00 [−1.00, 1.00] |  |",
    ]


def test_interests_have_a_row_for_each_predictor(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scores(mean: float) -> dict[str, dict[str, float]]:
        names = ("ndcg", "recall", "correlation", "personal correlation", "log loss")
        return {name: {"mean": mean, "low": mean - 0.1, "high": mean + 0.1} for name in names}

    row = {
        "policy": "uniform",
        "slates": 5,
        "predictor": "text",
        "scores": scores(0.5),
        "more_than_counts": scores(-0.25),
    }
    rows = [row, row | {"predictor": "category counts", "more_than_counts": None}]
    about = {"asked": 30, "taught": 1000, "seeds": 2, "seed": 4, "level": 0.95, "catalog": "shop"}
    write_json(tmp_path / "results" / "interests.json", {"rows": rows, "language_model": None, **about})
    monkeypatch.setattr("tables.results.DOCS", tmp_path)
    assert script.TABLES["interests"]().splitlines()[2:] == [
        "| uniform | 5 | text | 0.500 | 0.500 | 0.500 [0.400, 0.600] | 0.50 | −0.250 [−0.350, −0.150] |",
        "| uniform | 5 | category counts | 0.500 | 0.500 | 0.500 [0.400, 0.600] | 0.50 |  |",
        "",
        "30 users in each of 2 worlds (seeds 4 to 5) of shop, and 1,000 others who were told; 95% intervals over the "
        "worlds. No language model was asked.",
    ]


def earned(policy: str, mean: float = 12.5, seconds: float | None = None, **more: object) -> dict[str, object]:
    return {
        "policy": policy,
        "n_users": 4000,
        "return": {"mean": mean, "low": mean - 0.5, "high": mean + 0.5},
        "by_seed": [{"seed": seed, "mean": mean + seed} for seed in range(3)],
        "objectives": {"click": 8.0, "conversion": 1.0, "novelty": 1.0},
        "length": 9.25,
        "training_seconds": seconds,
        **more,
    }


def test_what_agents_earn_and_what_is_claimed_of_them(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interval = {"measured": 1.25, "low": 1.15, "high": 1.35}
    claim = {"preset": "feed", "claim": "a / b", "asked": 1.2, "met": False, "met_on_average": True, **interval}
    policies = [
        earned("uniform"),
        earned("best fusion", 14.0, 2.0, chosen=["vote", "gated", "vote"]),
        earned("ppo", 20.0, 60.0),
    ]
    found = {
        "presets": {"feed": {"policies": policies, "fusions": [earned("vote", 13.0, 1.5, times_best=2)]}},
        "claims": [claim, {**claim, "asked": None, "met": None}, {**claim, "met_on_average": False}],
        "speed": [
            {
                "label": "share",
                "value": 0.125,
                "low": 0.0625,
                "high": 0.25,
                "unit": "share",
                "ceiling": 0.5,
                "kept": True,
            },
            {"label": "beats", "value": None, "unit": "seconds", "ceiling": 90.0, "kept": False},
        ],
        "seeds": 3,
        "level": 0.95,
    }
    write_json(tmp_path / "results" / "learn.json", found)
    monkeypatch.setattr("tables.results.DOCS", tmp_path)
    caption = ["", "Seeds 0 to 2; intervals are 95%, over the 3 worlds."]
    assert script.TABLES["learn"]().splitlines()[2:] == [
        "| feed | uniform | 4,000 | 12.50 [12.00, 13.00] | 9.2 | 8.0 | 1.00 |  |",
        "|  | best fusion (vote 2, gated 1) | 4,000 | 14.00 [13.50, 14.50] | 9.2 | 8.0 | 1.00 | 2.00 s |",
        "|  | ppo | 4,000 | 20.00 [19.50, 20.50] | 9.2 | 8.0 | 1.00 | 60.00 s |",
        *caption,
    ]
    assert script.TABLES["fusions"]().splitlines()[2:] == [
        "| feed | uniform | 4,000 | 12.50 [12.00, 13.00] |  |  |",
        "|  | vote | 4,000 | 13.00 [12.50, 13.50] | 2 | 1.50 s |",
        "|  | ppo | 4,000 | 20.00 [19.50, 20.50] |  | 60.00 s |",
        *caption,
    ]
    assert script.TABLES["claims"]().splitlines()[2:] == [
        "| feed | a / b | 1.25 [1.15, 1.35] | > 1.2 | only on average |",
        "| feed | a / b | 1.25 [1.15, 1.35] |  |  |",
        "| feed | a / b | 1.25 [1.15, 1.35] | > 1.2 | **no** |",
        *caption,
    ]
    assert script.TABLES["training"]().splitlines()[2:] == [
        "| share | 12.5% [6.2%, 25.0%] | ≤ 50.0% | yes |",
        "| beats | never | ≤ 90.00 s | **no** |",
    ]


def test_a_study_stands_beside_the_planning_oracle_of_its_worlds(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = earned("ppo cold", 10.0, 30.0, difference={"mean": -2.5, "low": -3.0, "high": -2.0})
    study = {"policies": [earned("ppo", 12.5, 31.0), worse], "seeds": [0, 1], "level": 0.95}
    write_json(tmp_path / "results" / "actions.json", study)
    planner = earned("planning oracle", 100.0) | {"n_users": 100}
    write_json(tmp_path / "results" / "learn.json", {"presets": {"marketplace": {"policies": [planner]}}})
    monkeypatch.setattr("tables.results.DOCS", tmp_path)
    assert script.TABLES["actions"]().splitlines() == [
        "| policy | users | return of a session | less ppo | training |",
        "| :--- | ---: | ---: | ---: | ---: |",
        "| ppo | 4,000 | 12.50 [12.00, 13.00] |  | 31.00 s |",
        "| ppo cold | 4,000 | 10.00 [9.50, 10.50] | −2.50 [−3.00, −2.00] | 30.00 s |",
        "| planning oracle, as above | 100 | 100.50 [94.15, 106.85] |  |  |",
        "",
        "Marketplace, seeds 0 to 1; intervals are 95%, over the 2 worlds.",
    ]


def test_differences_of_corrupted_views_stand_by_world_and_fusion(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def around(mean: float, half: float) -> dict[str, float]:
        return {"mean": mean, "se": half / 2, "low": mean - half, "high": mean + half}

    def row(corruption: str, severity: int, policy: str, mean: float, difference: float) -> dict[str, object]:
        case = {"preset": "feed", "corruption": corruption, "severity": severity, "modality": "all", "policy": policy}
        less = around(difference, 1.0) if corruption else None
        return {**case, "return": around(mean, 2.0), "difference": less}

    rows = [row("", 0, "average", 20.0, 0.0), row("", 0, "gated", 30.0, 0.0)]
    rows += [row("typos", 1, "average", 19.5, -0.5), row("typos", 1, "gated", 32.0, 2.0)]
    rows += [row("typos", 5, "average", 17.0, -3.0), row("typos", 5, "gated", 26.0, -4.0)]
    keys = ("preset", "policy", "severity", "difference")
    overall = [{name: one[name] for name in keys} for policy in (0, 1) for one in rows[2 + policy :: 2]]
    sizes = {"items": 463, "catalog": "openclipart", "n_launch": 300, "n_users": 1000, "seeds": 3, "level": 0.95}
    names = {"presets": ["feed"], "corruptions": ["typos"], "methods": ["average", "gated"], "severities": [1, 5]}
    write_json(tmp_path / "results" / "corruption.json", {**sizes, **names, "overall": overall, "rows": rows})
    monkeypatch.setattr("tables.results.DOCS", tmp_path)
    caption = (
        "463 items of openclipart, logs of 300 users, 1,000 users served; seeds 0 to 2; intervals are 95%, over the 3 "
        "worlds."
    )
    assert script.TABLES["clean_view"]().splitlines() == [
        "| world | modalities | average | gated |",
        "| :--- | :--- | ---: | ---: |",
        "| feed | all | 20.00 [18.00, 22.00] | 30.00 [28.00, 32.00] |",
        "",
        caption,
    ]
    assert script.TABLES["corruption_overall"]().splitlines() == [
        "| world | fusion | severity 1 | severity 5 |",
        "| :--- | :--- | ---: | ---: |",
        "| feed | average | −0.50 [−1.50, 0.50] | −3.00 [−4.00, −2.00] |",
        "| feed | gated | 2.00 [1.00, 3.00] | −4.00 [−5.00, −3.00] |",
        "",
        caption,
    ]
    assert script.TABLES["corruption_worst"]().splitlines()[:3] == [
        "| severity 5 | feed, average | feed, gated |",
        "| :--- | ---: | ---: |",
        "| `typos` | −3.00 [−4.00, −2.00] | −4.00 [−5.00, −3.00] |",
    ]
    assert script.TABLES["corruption_all"]().splitlines()[2:] == [
        "| feed | `typos` 1 | all | −0.50 [−1.50, 0.50] | 2.00 [1.00, 3.00] |",
        "| feed | `typos` 5 | all | −3.00 [−4.00, −2.00] | −4.00 [−5.00, −3.00] |",
        "",
        "Of 4 intervals of differences that can be other than 0, 2 lie below 0 and 1 above; by chance alone about 0 "
        "would miss it.",
    ]
    assert (
        "| `typos` | collection | 10% of the letters of title and text are mistyped | 2%, 5%, 10%, 20%, 35% |"
        in script.TABLES["corruptions"]().splitlines()
    )


def interval(world: str, estimator: str, name: str, coverage: float, kept: bool | None) -> dict[str, object]:
    here = {"world": world, "estimator": estimator, "interval": name}
    return {**here, "coverage": coverage, "se": 0.005, "width": coverage / 4, "kept": kept}


def test_coverage_of_every_interval_stands_beside_the_verdicts(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asymptotic = [("normal", 0.95, True), ("student t", 0.952, True), ("bootstrap", 0.93, False)]
    guaranteed = [("maurer-pontil", 1.0, True), ("hoeffding", 0.998, True)]
    rows = [interval("one", "ips", *method) for method in (*asymptotic, *guaranteed)]
    rows += [interval("one", "ips", "betting", 0.97, True), interval("one", "dr", "ellipsoid", 0.9, False)]
    rows += [interval("rare", "wpdis", name, 0.4, None) for name, *_ in asymptotic]
    levels = {"trust": 0.75, "caution": 0.2, "do not use": 0.05}
    said = [{"world": "one", "good": True, "estimator": "ips"}, {"world": "rare", "good": False, "estimator": "wpdis"}]
    world = {"name": "one", "sessions": 1000, "positions": 1, "largest_weight": 2.05, "ess_share": 0.5, "truth": [0.25]}
    found = {"replications": 1900, "n_boot": 200, "level": 0.95, "worlds": [world], "intervals": rows}
    write_json(tmp_path / "results" / "coverage.json", {**found, "verdicts": [one | levels for one in said]})
    monkeypatch.setattr("tables.results.DOCS", tmp_path)
    caption = [
        "",
        "1,900 logs of every world, 200 bootstrap draws, intervals at 95%; "
        "a coverage of 95% has a standard error of 0.5 points.",
    ]
    tables = {name: table().splitlines()[2:] for name, table in script.TABLES.items() if name.startswith("coverage")}
    assert tables == {
        "coverage_worlds": ["| one | 1,000 | 1 | 2.0 | 50.0% | 0.250 |"],
        "coverage_asymptotic": ["| one | ips | 95.0% | 95.2% | **93.0%** | 75% |", *caption],
        "coverage_heavy": ["| rare | wpdis | 40.0% | 40.0% | 40.0% | 75% | 20% | 5% |", *caption],
        "coverage_guaranteed": ["| one | ips | 100.0% | 99.8% | 0.237 | 0.250 | 0.249 |", *caption],
        "coverage_sequences": ["| one | ips | betting | 97.0% ± 0.5 | 0.242 | yes |", *caption],
        "coverage_joint": ["| one | dr | ellipsoid | 90.0% ± 0.5 | 0.225 | **no** |", *caption],
    }


def test_only_what_stands_in_a_table_is_written(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = {"peer": "a", "version": "1", "stepped": "x|y", "user_steps_per_cpu_second": 1234, "ratio": 2.5}
    write_json(tmp_path / "results" / "env.json", {"peers": [peer]})
    monkeypatch.setattr("tables.results.DOCS", tmp_path)
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
