"""Tables of what a log says, from an evaluation alone."""

from typing import Any

import pytest

from recsim.report import offline_tables
from recsim.report.offline import Offline
from recsim.report.read import read_evaluation
from recsim.report.table import Table


@pytest.fixture(scope="module")
def found(evaluation: dict[str, Any]) -> Offline:
    return read_evaluation(evaluation)


def texts(table: Table | None) -> list[list[str]]:
    assert table is not None
    assert all(len(cells) == len(table.columns) for cells, _ in table.rows)
    return [[cell.text for cell in cells] for cells, _ in table.rows]


def test_judged_puts_both_questions_side_by_side(found: Offline) -> None:
    table = offline_tables.judged(found)
    rows = {row[0]: row for row in texts(table)}
    assert table is not None
    assert table.groups == (("", 1), ("One slate", 4), ("A whole session", 4))
    assert [column.title for column in table.columns][1:5] == ["Estimate", "Verdict", "True value", "Behind the first"]
    assert rows["ppo"][1:5] == ["2.34", "● trust", "2.40", "—"]
    assert rows["static fusion"][4] == "−0.20"
    assert rows["linucb"][8] == "−0.5"
    assert rows["popularity"][5] == "—"
    assert [cells[0].text for cells, best in table.rows if best] == ["ppo"]
    notes = {cells[0].text: cells[0].note for cells, _ in table.rows}
    assert notes["static fusion"] == "the policy of the log"


def test_judged_without_truth_and_leads_has_fewer_columns(evaluation: dict[str, Any]) -> None:
    blind = [e | {"truth": None} for e in evaluation["estimates"] if e.get("estimand") != "session"]
    table = offline_tables.judged(read_evaluation(evaluation | {"estimates": blind, "differences": []}))
    assert table is not None
    assert [column.title for column in table.columns] == ["Policy", "Estimate", "Verdict"]
    texts(table)


def test_objectives_are_by_the_estimator_that_speaks(found: Offline) -> None:
    rows = {row[0]: row for row in texts(offline_tables.objectives(found))}
    click = found.by("ppo", "dr", "click")
    assert click is not None
    assert click.value is not None
    assert rows["ppo"][1:3] == ["dr", f"{click.value:.2f}"]


def test_overlap_of_sessions_is_a_share_of_sessions(found: Offline) -> None:
    rows = {(row[0], row[1]): row for row in texts(offline_tables.overlap(found, "session"))}
    assert rows["ppo", "own session estimator"][2:4] == ["30", "3.00%"]  # 180 / 6 of 1,000


def test_positions_count_from_one(found: Offline) -> None:
    rows = texts(offline_tables.positions(found))
    assert len(rows) == 5 * 10
    assert next(row for row in rows if row[0] == "static fusion")[1:] == ["1", "10,000", "1", "9", "20.0%"]


def test_optional_parts_have_tables_of_their_own(found: Offline) -> None:
    assert texts(offline_tables.power(found))[0][:5] == ["ppo", "linucb", "dr", "1,000", "4,000"]
    assert texts(offline_tables.guaranteed(found)) == [["ppo", "rips", "maurer-pontil", "reward", "0.5", "9"]]
    assert [row[3] for row in texts(offline_tables.region(found))] == ["click", "conversion", "novelty"]


def test_assessment_shows_whatever_was_assessed(found: Offline) -> None:
    table = offline_tables.assessment(found)
    assert table is not None
    assert [column.title for column in table.columns] == [
        "Estimator",
        "Of one",
        "Rank correlation",
        "Regret at 1",
        "Note",
    ]
    assert [column.numeric for column in table.columns] == [False, False, True, True, False]
    assert texts(table) == [["dr", "slate", "0.9", "—", "no policy is unsafe."]]


def test_what_is_not_there_has_no_table(found: Offline) -> None:
    bare = read_evaluation({"level": 0.9, "n_slates": 1, "n_sessions": 1, "objectives": ["reward"]})
    for make in (
        offline_tables.judged,
        offline_tables.objectives,
        offline_tables.estimates,
        offline_tables.overlap,
        offline_tables.positions,
        offline_tables.power,
        offline_tables.guaranteed,
        offline_tables.region,
        offline_tables.assessment,
    ):
        assert make(bare) is None
