"""Tables: every number stands in its cell, with what it is sorted by and how it is marked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsim.report import offline_tables, tables
from recsim.report.read import Run, read_run

MakeRun = Callable[..., Path]


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return read_run(make_run())


def test_policies_are_ranked_and_the_best_that_can_be_shipped_is_marked(run: Run) -> None:
    table = tables.policies(run)
    assert [cells[0].text for cells, _ in table.rows] == [policy.name for policy in run.ranked]
    assert [cells[0].text for cells, best in table.rows if best] == ["ppo"]
    assert [cells[0].note for cells, _ in table.rows][:4] == [
        "oracle, cannot be shipped",
        "highest return",
        "",
        "baseline",
    ]
    assert sum(width for _, width in table.groups) == len(table.columns) == len(table.rows[0][0])


def test_session_and_slate_stand_side_by_side(run: Run) -> None:
    table = tables.policies(run)
    titles = [column.title for column in table.columns]
    cells = dict(zip(titles, table.rows[1][0], strict=True))
    ppo = run.shippable[0]
    assert cells["Return"].order == ppo.truth["reward"].mean
    assert (cells["Return"].text, cells["Return"].note) == ("28.1", "± 0.7")
    assert (cells["True value"].text, cells["True value"].note) == ("2.40", "± 0.10")
    assert cells["Offline estimate"].text == "2.34"
    assert (cells["Verdict"].text, cells["Verdict"].mark) == ("● trust", "trust")


def test_what_the_log_says_of_sessions_stands_beside_their_truth(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    session = {
        **metrics["offline"][-1],
        "estimand": "session",
        "estimator": "pdis",
        "value": 27.3,
        "verdict": "caution",
    }
    run = read_run(make_run(metrics=metrics | {"offline": [*metrics["offline"], session | {"policy": "ppo"}]}))
    table = tables.policies(run)
    titles = [column.title for column in table.columns]
    assert sum(width for _, width in table.groups) == len(titles)
    cells = {cells[0].text: cells[titles.index("Return by the log") :] for cells, _ in table.rows}
    assert [cell.text for cell in cells["ppo"]][:2] == ["27.3", "▲ caution"]
    assert [cell.text for cell in cells["linucb"]][:2] == ["—", "—"]
    assert cells["ppo"][-2].text == "2.34"  # who speaks for slates is not who speaks for sessions


def test_oracle_is_not_judged_from_the_log(run: Run) -> None:
    oracle = tables.policies(run).rows[0][0]
    assert [cell.text for cell in oracle[-3:]] == ["—", "—", "—"]
    assert [cell.text for cell in oracle[-2:]] == ["—", "—"]
    assert [cell.order for cell in oracle[-3:]] == [None, None, None]


def test_absurd_estimates_are_shortened(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    only = {**metrics["offline"][3], "value": 3.2e9, "low": -1.0, "high": 6.4e9, "verdict": "do not use"}
    table = tables.policies(read_run(make_run(metrics=metrics | {"offline": [only]})))
    cell = next(cells[-2] for cells, _ in table.rows if cells[0].text == "uniform")
    assert (cell.text, cell.note) == ("3.2e+09", "−1 to 6.4e+09")


def test_differences_have_signs_and_ends(run: Run) -> None:
    table = tables.differences(run)
    assert table is not None
    assert [column.title for column in table.columns] == ["Policy", "Return", "Click", "Conversion", "Novelty"]
    assert "static fusion" not in [cells[0].text for cells, _ in table.rows]
    ppo = table.rows[1][0]
    assert (ppo[1].text, ppo[1].note) == ("+9.1", "8.6 to 9.7")
    assert table.rows[-1][0][1].text.startswith("−")


def test_estimates_hold_every_number(run: Run) -> None:
    table = offline_tables.estimates(run.offline)
    assert table is not None
    assert len(table.rows) == len(run.metrics.offline) == 5 * 6 * 4
    cells = [cell.text for cell in table.rows[0][0]]
    first = run.metrics.offline[0]
    assert cells[:4] == ["uniform", "sips", "slate", "click"]
    assert cells[9:] == ["✕ do not use", first.reason]
    assert (table.rows[0][0][5].text, table.rows[0][0][5].note) == ("0.45", "")


def test_overlap_is_a_share_of_the_log(run: Run) -> None:
    table = offline_tables.overlap(run.offline)
    assert table is not None
    row = next(cells for cells, _ in table.rows if (cells[0].text, cells[1].text) == ("ppo", "rips, snrips, dr"))
    assert [cell.text for cell in row[2:]] == ["900", "7.29%", "52.3", "0.97"]  # 900 of 12,345


def test_rates(run: Run) -> None:
    table = tables.metrics(run)
    uniform = next(cells for cells, _ in table.rows if cells[0].text == "uniform")
    assert [cell.text for cell in uniform[4:]] == ["90.0%", "0.100", "0"]


def test_rate_that_is_undefined(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    policies = [policy | {"metrics": {"ctr": None}} for policy in metrics["policies"]]
    table = tables.metrics(read_run(make_run(metrics=metrics | {"policies": policies})))
    assert table.rows[0][0][1].text == "—"
    assert [column.title for column in table.columns] == ["Policy", "Click-through rate", "Temperature"]


def test_learning_curve_has_its_points(run: Run) -> None:
    table = tables.learning_curve(run)
    assert table is not None
    assert [cells[1].text for cells, _ in table.rows][:3] == ["0", "20,000", "40,000"]
    assert (table.rows[0][0][2].text, table.rows[0][0][2].note) == ("17", "15.8 to 18.2")


def test_tables_that_have_no_data(make_run: MakeRun, metrics: dict[str, Any]) -> None:
    run = read_run(make_run(metrics=metrics | {"differences": [], "offline": []}, curve=None))
    assert tables.differences(run) is None
    assert offline_tables.estimates(run.offline) is None
    assert offline_tables.overlap(run.offline) is None
    assert tables.learning_curve(run) is None
