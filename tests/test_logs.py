import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsim.agents.features import CrossFeatures
from recsim.catalog import Catalog
from recsim.logs import COLUMNS, SCHEMA_VERSION, Log, check_log, collect, read_log, write_log
from recsim.ope import evaluate
from recsim.ope.diagnostics import ESTIMATED
from recsim.policy import Decision, Ranking, popularity, uniform
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.interest import InterestUsers


@pytest.fixture(scope="module")
def simulator(catalog: Catalog) -> Simulator:
    return Simulator(catalog, InterestUsers(catalog), slate_size=4, horizon=8, seed=9)


@pytest.fixture(scope="module")
def log(simulator: Simulator) -> Log:
    return collect(simulator, popularity(simulator.catalog, 4, 1.0), 40, batch=16)


def test_rows_are_whole_sessions_in_order(log: Log) -> None:
    assert len(log) == len(log.user)
    assert np.unique(log.user).tolist() == list(range(40))
    for user in range(40):
        steps = log.step[log.user == user]
        assert steps.tolist() == list(range(len(steps)))
    assert (np.diff(log.user) >= 0).all()


def test_the_log_says_what_happened(simulator: Simulator, log: Log) -> None:
    assert log.info.schema_version == SCHEMA_VERSION
    assert (log.info.seed, log.info.policy, log.info.users) == (9, "popularity", "InterestUsers")
    assert log.info.objectives == ("click", "conversion", "novelty")
    assert log.objectives[..., 0].tolist() == log.click.astype(float).tolist()
    assert log.objectives[..., 1].tolist() == log.conversion.astype(float).tolist()
    novelty = np.where(log.click, simulator.catalog.novelty[log.slate], 0.0)
    np.testing.assert_allclose(log.objectives[..., 2], novelty)
    np.testing.assert_allclose(log.reward, (log.objectives @ np.array(log.info.weights)).sum(axis=1))


def test_propensities_are_those_of_the_policy(simulator: Simulator, log: Log) -> None:
    policy = popularity(simulator.catalog, 4, 1.0)
    np.testing.assert_array_equal(policy.step_log_prob(log.observation, log.slate), log.step_log_prob)
    np.testing.assert_allclose(log.log_prob, log.step_log_prob.sum(axis=1))
    share = simulator.catalog.popularity
    np.testing.assert_allclose(np.exp(log.step_log_prob[:, 0]), share[log.slate[:, 0]])


def test_the_batch_does_not_matter(simulator: Simulator, log: Log) -> None:
    again = collect(simulator, popularity(simulator.catalog, 4, 1.0), 40, batch=40)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(again, name), getattr(log, name))


def test_written_and_read_it_is_the_same(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "log.parquet"
    write_log(log, path)
    found = read_log(path)
    assert found.info == log.info
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(found, name), getattr(log, name))
        assert getattr(found, name).dtype == getattr(log, name).dtype
    assert [file.name for file in path.parent.iterdir()] == ["log.parquet"]


def test_a_failed_write_leaves_the_old_file(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.parquet"
    write_log(log, path)
    before = path.read_bytes()

    def fail(*arguments: Any, **keywords: Any) -> None:
        Path(arguments[1]).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        write_log(log, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["log.parquet"]


def broken(log: Log, column: str, place: tuple[int, ...], value: Any) -> Log:
    values = getattr(log, column).copy()
    values[place] = value
    return replace(log, **{column: values})


@pytest.mark.parametrize(
    ("column", "place", "value", "sentence"),
    [
        ("user", (3,), -1, "row 3 of log: user is -1; user numbers are from 0 up"),
        ("session", (3,), -2, "row 3 of log: session is -2"),
        ("step", (5,), 8, "row 5 of log: step is 8; steps are 0 to 7"),
        ("observation", (2, 1), np.nan, "row 2, position 1 of log: observation is nan"),
        ("slate", (4, 2), -7, "row 4, position 2 of log: slate is -7"),
        ("objectives", (1, 0, 2), np.inf, "row 1, position 0 of log: objectives is inf"),
        ("step_log_prob", (6, 3), -np.inf, "row 6, position 3 of log: step_log_prob is -inf; a logged item has"),
        ("step_log_prob", (6, 3), 0.2, "row 6, position 3 of log: step_log_prob is 0.2; a logged item has"),
        ("step_log_prob", (6, 3), np.nan, "row 6, position 3 of log: step_log_prob is nan; a logged item has"),
    ],
)
def test_what_cannot_be_is_named(log: Log, column: str, place: tuple[int, ...], value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_log(broken(log, column, place, value))


def test_answers_that_cannot_be_are_named(log: Log) -> None:
    row, position = np.argwhere(~log.click)[0]
    with pytest.raises(ValueError, match=f"row {row}, position {position} of log: conversion is True; only what was"):
        check_log(broken(log, "conversion", (row, position), True))
    row, position = np.argwhere(log.click)[0]
    with pytest.raises(ValueError, match="click is True; an empty position cannot be clicked"):
        check_log(broken(log, "slate", (row, position), -1))
    with pytest.raises(ValueError, match="log has no rows"):
        check_log(log[:0])


def test_repeats_are_named(log: Log) -> None:
    with pytest.raises(
        ValueError, match=rf"row 5, position 3 of log: slate is {log.slate[5, 1]}; a slate shows an item"
    ):
        check_log(broken(log, "slate", (5, 3), log.slate[5, 1]))
    rows = np.append(np.arange(len(log)), 6)
    sentence = f"row {len(log)} of log: step is {log.step[6]}; a row above has the same user, session and step"
    with pytest.raises(ValueError, match=sentence):
        check_log(log[rows])
    empty = replace(log, slate=np.full_like(log.slate, -1), click=log.click & False, conversion=log.conversion & False)
    check_log(empty)


def test_a_file_that_is_no_log_is_refused(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    with pytest.raises(FileNotFoundError, match="there is no log .*: `recsim collect` writes one"):
        read_log(path)
    path.write_text("not parquet at all")
    with pytest.raises(ValueError, match="is not a Parquet file"):
        read_log(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(ValueError, match="a Parquet file but no recsim log"):
        read_log(path)


def rewritten(log: Log, path: Path, change: Any) -> None:
    write_log(log, path)
    table = pq.read_table(path)
    pq.write_table(change(table), path)


def test_another_schema_version_is_refused(log: Log, tmp_path: Path) -> None:
    def older(table: pa.Table) -> pa.Table:
        info = json.loads(table.schema.metadata[b"recsim.log"])
        info["schema_version"] = 99
        return table.replace_schema_metadata({b"recsim.log": json.dumps(info).encode()})

    rewritten(log, tmp_path / "log.parquet", older)
    with pytest.raises(ValueError, match="has log schema version 99; this recsim reads 1 and 2"):
        read_log(tmp_path / "log.parquet")


def test_a_log_of_the_first_schema_is_read_as_exact(log: Log, tmp_path: Path) -> None:
    def first(table: pa.Table) -> pa.Table:
        info = json.loads(table.schema.metadata[b"recsim.log"])
        assert info.pop("propensities") == "exact"
        info["schema_version"] = 1
        return table.replace_schema_metadata({b"recsim.log": json.dumps(info).encode()})

    rewritten(log, tmp_path / "log.parquet", first)
    assert read_log(tmp_path / "log.parquet").info == log.info


class Estimating:
    """Popularity that does not know its propensities exactly."""

    def __init__(self, inner: Ranking) -> None:
        self.name, self.step_log_prob, self.log_prob, self._inner = "guess", inner.step_log_prob, inner.log_prob, inner

    def act(self, observation: np.ndarray, streams: Streams) -> Decision:
        return replace(self._inner.act(observation, streams), exact=False)


def test_estimated_propensities_are_recorded_and_judged_with_caution(simulator: Simulator, tmp_path: Path) -> None:
    policy = popularity(simulator.catalog, 4, 1.0)
    log = collect(simulator, Estimating(policy), 150)
    write_log(log, tmp_path / "log.parquet")
    log = read_log(tmp_path / "log.parquet")
    assert log.info.propensities == "estimated"
    exact = replace(log, info=replace(log.info, propensities="exact"))
    features = CrossFeatures(simulator.catalog, simulator.layout).at
    told, untold = (
        {
            e.estimator: (e.verdict, e.reason)
            for e in evaluate(part, [policy], features=features, seed=0, n_boot=20).estimates
        }
        for part in (log, exact)
    )
    assert told["rips"] == ("caution", ESTIMATED)
    assert untold["rips"][0] == "trust"


GONE = object()
BAD_INFO = [
    ({"horizon": GONE}, "the metadata entry 'recsim.log' has no 'horizon'. Collect the log again"),
    ({"seed": "0"}, "has seed '0', which cannot be"),
    ({"policy": None}, "has policy None, which cannot be"),
    ({"propensities": "rough"}, "has propensities 'rough', which cannot be"),
    ({"slate_size": 4.0}, "has slate_size 4.0, which cannot be"),
    ({"objectives": "click"}, "has objectives 'click', which cannot be"),
    ({"weights": ["one"]}, r"has weights \['one'\], which cannot be"),
    ({"weights": [1.0]}, "has 1 weights for 3 objectives"),
]


@pytest.mark.parametrize(("change", "sentence"), BAD_INFO)
def test_damaged_metadata_is_named(log: Log, tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    def damaged(table: pa.Table) -> pa.Table:
        info = json.loads(table.schema.metadata[b"recsim.log"]) | change
        left = {name: value for name, value in info.items() if value is not GONE}
        return table.replace_schema_metadata({b"recsim.log": json.dumps(left).encode()})

    rewritten(log, tmp_path / "log.parquet", damaged)
    with pytest.raises(ValueError, match=f"log.parquet: .*{sentence}"):
        read_log(tmp_path / "log.parquet")


@pytest.mark.parametrize(
    ("text", "sentence"), [(b"{", "is no JSON"), (b"\xff", "is no JSON"), (b"[3]", r"is \[3\], not an object")]
)
def test_broken_metadata_is_named(log: Log, tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "log.parquet"
    rewritten(log, path, lambda table: table.replace_schema_metadata({b"recsim.log": text}))
    with pytest.raises(ValueError, match=f"log.parquet: the metadata entry 'recsim.log' {sentence}"):
        read_log(path)


@pytest.mark.parametrize(
    ("column", "kind", "sentence"),
    [
        ("user", pa.float64(), "column 'user' holds double; whole numbers are needed. Write it in that type"),
        ("log_prob", pa.string(), "column 'log_prob' holds .*string; floating-point numbers are needed"),
        ("slate", pa.list_(pa.float64(), 4), "column 'slate' holds double; whole numbers are needed"),
        ("click", pa.list_(pa.int8(), 4), "column 'click' holds int8; true or false are needed"),
        ("objective_click", pa.list_(pa.int64(), 4), "column 'objective_click' holds int64; floating-point numbers"),
    ],
)
def test_columns_of_another_type_are_named(
    log: Log, tmp_path: Path, column: str, kind: pa.DataType, sentence: str
) -> None:
    path = tmp_path / "log.parquet"

    def cast(table: pa.Table) -> pa.Table:
        place = table.column_names.index(column)
        if column == "click":
            values = pa.FixedSizeListArray.from_arrays(pa.array(log.click.ravel().astype(np.int8)), 4)
        else:
            values = table.column(column).cast(kind)
        return table.set_column(place, column, values)

    rewritten(log, path, cast)
    with pytest.raises(ValueError, match=f"log.parquet: {sentence}"):
        read_log(path)


def test_a_gap_within_a_list_is_named(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    flags: list[bool | None] = log.click.ravel().tolist()
    flags[4 * 9 + 2] = None
    gap = pa.FixedSizeListArray.from_arrays(pa.array(flags, pa.bool_()), 4)
    rewritten(log, path, lambda table: table.set_column(table.column_names.index("click"), "click", gap))
    with pytest.raises(ValueError, match="row 9, position 2 of .*log.parquet: click is missing; every position needs"):
        read_log(path)


def test_a_missing_column_a_gap_and_a_wrong_sum_are_named(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    rewritten(log, path, lambda table: table.drop_columns(["click"]))
    with pytest.raises(ValueError, match="has no column 'click'"):
        read_log(path)
    gap = pa.array([None, *log.step[1:].tolist()], pa.int64())
    rewritten(log, path, lambda table: table.set_column(table.column_names.index("step"), "step", gap))
    with pytest.raises(ValueError, match="row 0 of .*: step is missing"):
        read_log(path)
    joint = log.log_prob.copy()
    joint[7] += 0.5
    rewritten(
        log, path, lambda table: table.set_column(table.column_names.index("log_prob"), "log_prob", pa.array(joint))
    )
    with pytest.raises(ValueError, match="row 7 of .*: log_prob is .* but step_log_prob sums to"):
        read_log(path)


def test_uneven_and_short_lists_are_refused(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    uneven = pa.array([[True]] * len(log))
    rewritten(log, path, lambda table: table.set_column(table.column_names.index("click"), "click", uneven))
    with pytest.raises(ValueError, match="column 'click' holds list<.*not lists of one fixed length"):
        read_log(path)
    short = pa.FixedSizeListArray.from_arrays(pa.array(log.click[:, :2].ravel()), 2)
    rewritten(log, path, lambda table: table.set_column(table.column_names.index("click"), "click", short))
    with pytest.raises(ValueError, match="column 'click' holds lists of 2; slate_size is 4"):
        read_log(path)


def test_uniform_slates_have_the_propensity_of_draws_without_replacement(simulator: Simulator) -> None:
    log = collect(simulator, uniform(simulator.catalog, 4), 5)
    m = len(simulator.catalog)
    expected = -np.log([m, m - 1, m - 2, m - 3])
    np.testing.assert_allclose(log.step_log_prob, np.broadcast_to(expected, log.step_log_prob.shape))
