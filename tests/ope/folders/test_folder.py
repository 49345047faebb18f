from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsim.experiments.bench.large import STATUS
from recsim.experiments.bench.made_up_log import write_file
from recsim.ope import Resamples
from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.estimators import SLATES, chosen
from recsim.ope.evaluation.inputs import inputs_of
from recsim.ope.evaluation.judged import Judged
from recsim.ope.evaluation.logs import evaluation_of
from recsim.ope.folders.folder import TargetColumns, evaluate_folder
from recsim.ope.folders.parts import write_parts
from recsim.ope.folders.workers import crew
from recsim.streams import sub_seed

NEAR = TargetColumns("near", "near_log_prob", "q_logged", "q_near")
FAR = TargetColumns("far", "far_log_prob", "q_logged", "q_far")
SEED = 3


@pytest.fixture(scope="module")
def columns(world, tiny_log) -> dict[str, np.ndarray]:
    """Log-propensities of two policies, and a crude model of both objectives."""
    rng = np.random.default_rng(0)
    near = type(world.target)("near", world.behaviour.table + 0.3 * world.appeal[:, :, 0])
    shape = tiny_log.slate.shape
    models = {
        f"{stem}_{name}": rng.random(shape) for stem in ("q_logged", "q_near", "q_far") for name in ("click", "like")
    }
    seen = tiny_log.observation, tiny_log.slate
    return models | {"near_log_prob": near.step_log_prob(*seen), "far_log_prob": world.target.step_log_prob(*seen)}


@pytest.fixture(scope="module")
def folder(tiny_log, columns, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("log")
    assert len(write_parts(tiny_log, path, 400, columns)) == 3
    return path


@pytest.fixture(scope="module")
def whole(tiny_log, columns):
    """What estimators, intervals and verdicts say of the whole log in memory, with the draws that folders use."""
    inputs = inputs_of(tiny_log)
    sessions = np.unique(np.column_stack([tiny_log.user, tiny_log.session]), axis=0)
    resamples = Resamples.poisson(*sessions.T, 50, sub_seed(SEED, "bootstrap"))

    def stack(stem: str) -> np.ndarray:
        return inputs.with_total(np.stack([columns[f"{stem}_click"], columns[f"{stem}_like"]], axis=2))

    judged = {}
    for name in ("near", "far"):
        model = (stack("q_logged"), stack(f"q_{name}"))
        case = Case(inputs, columns[f"{name}_log_prob"], {"model": lambda model=model: model})
        judged[name] = Judged.of(case, chosen(SLATES), resamples, 0.9)
    return evaluation_of(judged, resamples, 0.9, SEED)


def leaves(value: Any, place: str = "") -> dict[str, Any]:
    """The numbers and texts of a nested document by their places."""
    if isinstance(value, dict):
        return {k: v for key, one in value.items() for k, v in leaves(one, f"{place}/{key}").items()}
    if isinstance(value, list):
        return {k: v for key, one in enumerate(value) for k, v in leaves(one, f"{place}/{key}").items()}
    return {place: value}


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Every number to 1e-12, everything else exactly, but what needs all rows at once."""
    left, right = (
        leaves({k: v for k, v in found.items() if k not in ("region", "in_force")}) for found in (one, other)
    )
    assert left.keys() == right.keys()
    for place, value in left.items():
        if isinstance(value, float):
            assert right[place] == pytest.approx(value, rel=1e-12, abs=1e-12), place
        else:
            assert right[place] == value, place


def test_a_folder_says_what_the_log_in_memory_says(folder, whole):
    found = evaluate_folder(folder, [NEAR, FAR], seed=SEED, n_boot=50, level=0.9)
    same(found.to_dict(), whole.to_dict())
    assert len(found.to_frame()) == 2 * 6 * 3
    assert len(found.leads()) == 1


@pytest.mark.parametrize(("rows", "batch"), [(1, 7), (5, 1), (250, 100), (2000, 5000), (2000, 2)])
def test_the_cut_changes_nothing(tiny_log, columns, folder, rows, batch, tmp_path):
    some = slice(0, 60)
    write_parts(tiny_log[some], tmp_path / "parts", rows, {name: one[some] for name, one in columns.items()})
    write_parts(tiny_log[some], tmp_path / "one", 10**6, {name: one[some] for name, one in columns.items()})
    settings = {"seed": SEED, "n_boot": 20}
    whole = evaluate_folder(tmp_path / "one", [NEAR], **settings).to_dict()
    same(evaluate_folder(tmp_path / "parts", [NEAR], batch=batch, **settings).to_dict(), whole)


def test_a_session_goes_on_over_batches(world, tmp_path):
    log = world.log(4, seed=1, steps=50)
    target = {"t": world.target.step_log_prob(log.observation, log.slate)}
    write_parts(log, tmp_path, 10**6, target)
    settings = {"seed": 0, "n_boot": 0}
    cut = evaluate_folder(tmp_path, [TargetColumns("t", "t")], batch=3, **settings)
    assert cut.n_sessions == 4
    same(cut.to_dict(), evaluate_folder(tmp_path, [TargetColumns("t", "t")], **settings).to_dict())


def test_a_policy_reads_observations_and_slates(world, folder, whole):
    policy = replace(world.target, name="far")
    found = evaluate_folder(folder, [policy], seed=SEED, n_boot=50, level=0.9, batch=64)
    wanted = [
        one for one in whole.to_dict()["estimates"] if one["policy"] == "far" and one["estimator"] not in ("dm", "dr")
    ]
    same({"estimates": found.to_dict()["estimates"]}, {"estimates": wanted})
    assert set(found.left_out) == {"dm", "dr"}
    assert found.left_out["dr"].startswith("needs a reward model: name the columns")


def test_one_estimator_alone_is_corrected_all_the_same(folder, whole):
    found = evaluate_folder(folder, [NEAR], seed=SEED, estimators=["dm"], n_boot=50, level=0.9)
    wanted = [one for one in whole.to_dict()["estimates"] if (one["policy"], one["estimator"]) == ("near", "dm")]
    same({"estimates": found.to_dict()["estimates"]}, {"estimates": wanted})
    with pytest.raises(ValueError, match="policy 'near' with estimator 'dr' was not evaluated; choose from"):
        found.difference("near", "near", "dr")


def test_without_draws_intervals_are_normal(folder, whole):
    found = evaluate_folder(folder, [NEAR], seed=SEED, n_boot=0)
    for one in found.estimates:
        if one.estimator != "dm":
            assert (one.high - one.low) / one.se == pytest.approx(2 * 1.959964, rel=1e-6)


def test_progress_is_told_after_every_file(folder):
    told: list[tuple[int, int, str]] = []
    evaluate_folder(folder, [NEAR], seed=0, n_boot=2, progress=lambda *what: told.append(what))
    assert [(done, total) for done, total, _ in told] == [(done, 6) for done in range(1, 7)]
    assert told[0][2] == "looking through part-00000.parquet"
    assert told[-1][2] == "summing part-00002.parquet"


@pytest.mark.slow
def test_workers_change_no_bit(folder):
    settings: dict[str, Any] = {"seed": SEED, "n_boot": 20}
    alone = evaluate_folder(folder, [NEAR, FAR], **settings)
    together = evaluate_folder(folder, [NEAR, FAR], workers=2, **settings)
    assert json.dumps(alone.to_dict()) == json.dumps(together.to_dict())
    for name in ("sums", "products", "draws"):
        assert (getattr(alone.totals, name) == getattr(together.totals, name)).all()


# The small log loads all libraries; what counts is by how much the peak grows from there.
GROWTH = """
import sys
from recsim.experiments.bench.large import Memory, forget_peak
from recsim.experiments.bench.made_up_log import TARGET
from recsim.ope.folders.folder import evaluate_folder
for folder in sys.argv[1:]:
    before = Memory.now()
    forget_peak()
    evaluate_folder(folder, [TARGET], seed=0, n_boot=2, batch=1000)
print(Memory.now().peak - before.resident)
"""


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.is_file(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_log(tmp_path):
    folders = [tmp_path / "small", tmp_path / "large"]
    for folder, rows in zip(folders, (5_000, 150_000), strict=True):
        folder.mkdir()
        write_file((folder, 0, rows, 10, 0))
    assert pq.ParquetFile(folders[1] / "part-00000.parquet").num_row_groups == 1
    done = subprocess.run([sys.executable, "-c", GROWTH, *folders], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150_000 * 400 / 2  # 5 columns of 10 numbers of 8 bytes


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_changes_no_bit(folder):
    settings: dict[str, Any] = {"seed": SEED, "n_boot": 20}
    alone = evaluate_folder(folder, [NEAR, FAR], **settings)
    with crew(2, "local"):  # what runs is used and left running
        together = evaluate_folder(folder, [NEAR, FAR], ray="local", **settings)
        assert json.dumps(alone.to_dict()) == json.dumps(together.to_dict())
        with pytest.raises(ValueError, match=r"part-00000.parquet has no column 'nowhere'; a log has user, session"):
            evaluate_folder(folder, [TargetColumns("x", "nowhere")], seed=0, ray="local")


def test_a_missing_ray_says_how_to_install_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"Ray is not installed; `pip install 'recsim-slate\[ray\]'` installs it"):
        evaluate_folder(folder, [NEAR], seed=0, ray="local")


def test_fewer_than_one_worker():
    with pytest.raises(ValueError, match="workers is 0; at least 1 process has to do the work"), crew(0):
        pass


# What cannot be evaluated


def rewritten(path: Path, change) -> None:
    """Let `change` make another table of a file."""
    pq.write_table(change(pq.read_table(path)), path)


@pytest.fixture
def small(tiny_log, columns, tmp_path) -> Path:
    """Two files of 10 sessions each."""
    write_parts(tiny_log[:60], tmp_path, 30, {name: one[:60] for name, one in columns.items()})
    return tmp_path


def refused(folder: Path, target=NEAR, **settings) -> None:
    evaluate_folder(folder, [target], **{"seed": 0, "n_boot": 2, "batch": 8} | settings)


def test_folders_that_cannot_be(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere: pass a folder of Parquet files"):
        refused(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"there is no file \*\.parquet in .*; `recsim collect` and `write_parts`"):
        refused(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"no such thing as Parquet")
    with pytest.raises(ValueError, match=r"a\.parquet is not a Parquet file \(.*\); remove it from the folder"):
        refused(tmp_path)
    pq.write_table(pa.table({"user": [1]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet is a Parquet file but no recsim log"):
        refused(tmp_path)


def test_a_session_in_two_files(small, tiny_log, columns):
    rows = slice(29, 60)  # the last slate of user 9 once more
    write_parts(tiny_log[rows], small, 10**6, {name: one[rows] for name, one in columns.items()}, first=1)
    with pytest.raises(
        ValueError,
        match=r"a session may be in two files: .*part-00000.parquet ends with user 9, session 0 and "
        r".*part-00001.parquet begins with user 9, session 0\. Write the log in the order of user and session",
    ):
        refused(small)


def test_files_that_overlap_in_their_users(small):
    rewritten(small / "part-00000.parquet", lambda t: t.set_column(0, "user", pa.array([*range(29), 99])))
    with pytest.raises(ValueError, match="ends with user 99, session 0 and .* begins with user 10, session 0"):
        refused(small)


@pytest.mark.parametrize("batch", [8, 100])
def test_rows_out_of_order(small, batch):
    order = [*range(20), 3, *range(20, 30)]
    rewritten(small / "part-00000.parquet", lambda t: t.take(order))
    with pytest.raises(
        ValueError,
        match=r"row 20 of .*part-00000\.parquet: user 1, session 0 stands below user 6, session 0\. Sort the",
    ):
        refused(small, batch=batch)


def test_numbers_below_zero(small):
    rewritten(small / "part-00000.parquet", lambda t: t.set_column(0, "user", pa.array([-1] * 30)))
    with pytest.raises(ValueError, match=r"row 0 of .*: user is -1 and session 0; both are numbered from 0 up"):
        refused(small)


def test_gaps_are_named_by_file_and_row(small):
    def gap(name: str, row: int, position: int | None = None):
        def change(table: pa.Table) -> pa.Table:
            values: list[Any] = table.column(name).to_pylist()
            if position is None:
                values[row] = None
            else:
                values[row][position] = None
            kind = table.schema.field(name).type
            return table.set_column(table.column_names.index(name), name, pa.array(values, kind))

        return change

    path = small / "part-00001.parquet"
    kept = pq.read_table(path)
    for name, row, position, place in (
        (
            "near_log_prob",
            17,
            None,
            r"part-00001.parquet cannot be read from row \d+ on \(.*\); a list is missing or has",
        ),
        ("objective_like", 25, 2, r"row 25, position 2 of .*part-00001.parquet: objective_like is missing"),
        ("session", 9, None, r"row 9 of .*part-00001.parquet: session is missing"),
    ):
        rewritten(path, gap(name, row, position))
        with pytest.raises(ValueError, match=place):
            refused(small)
        pq.write_table(kept, path)


def test_columns_that_are_not_there(small):
    with pytest.raises(
        ValueError, match=r"part-00000.parquet has no column 'q_click'; a log has user, session, .* and q_"
    ):
        refused(small, TargetColumns("x", "near_log_prob", "q", "q_near"))
    with pytest.raises(ValueError, match="policy 'x' has model_logged 'q' and model_target ''; dm and dr need both"):
        TargetColumns("x", "y", "q")
    rewritten(small / "part-00001.parquet", lambda t: t.drop_columns(["objective_click"]))
    with pytest.raises(ValueError, match=r"part-00001.parquet has no column 'objective_click'"):
        refused(small)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("step_log_prob", -math.inf, "a logged choice cannot have had probability 0"),
        ("step_log_prob", math.nan, "that is no log-probability"),
        ("near_log_prob", 0.5, "a probability above 1; logarithms of probabilities are at most 0"),
        ("near_log_prob", math.nan, "a policy must give every logged slate a log-probability"),
        ("objective_click", math.inf, "every value must be a number of at most"),
        ("q_near_like", math.nan, "every value must be a number of at most"),
    ],
)
def test_values_that_cannot_be(small, column, value, message):
    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        values[20][1] = value
        kind = table.schema.field(column).type
        return table.set_column(table.column_names.index(column), column, pa.array(values, kind))

    rewritten(small / "part-00000.parquet", change)
    with pytest.raises(ValueError, match=rf"part-00000.parquet, counting from row \d+: row \d, position 1.*{message}"):
        refused(small)


def test_parts_of_two_logs(small, tiny_log):
    other = replace(tiny_log[60:66], info=replace(tiny_log.info, weights=(2.0, 0.5)))
    write_parts(other, small, 10, first=7)
    with pytest.raises(
        ValueError,
        match=r"part-00007.parquet has slates of 3 and objectives 2 click, 0.5 like but .*part-00000.parquet has "
        "slates of 3 and objectives 1 click, 0.5 like; they are not parts of one log",
    ):
        refused(small)


def test_files_without_rows_are_passed_over(small):
    expected = evaluate_folder(small, [NEAR], seed=0, n_boot=2).to_dict()
    rewritten(small / "part-00000.parquet", lambda t: t)
    table = pq.read_table(small / "part-00000.parquet").slice(0, 0)
    pq.write_table(table, small / "empty.parquet")
    same(evaluate_folder(small, [NEAR], seed=0, n_boot=2).to_dict(), expected)
    for path in small.glob("part-*"):
        path.unlink()
    with pytest.raises(ValueError, match=r"has no rows; an evaluation needs slates of at least 2 sessions"):
        refused(small)


def test_estimated_propensities_of_one_file_are_those_of_the_log(small, tiny_log, columns):
    more = {name: one[60:90] for name, one in columns.items()}
    write_parts(
        replace(tiny_log[60:90], info=replace(tiny_log.info, propensities="estimated")), small, 99, more, first=2
    )
    found = evaluate_folder(small, [NEAR], seed=0, n_boot=2)
    assert {one.verdict for one in found.estimates} <= {"caution", "do not use"}


def test_settings_that_cannot_be(small, world):
    with pytest.raises(ValueError, match="batch is 0; at least 1 row has to be read at once"):
        refused(small, batch=0)
    with pytest.raises(ValueError, match="n_boot is 1; a bootstrap needs at least 2 draws. Use 200 or more, or 0"):
        refused(small, n_boot=1)
    with pytest.raises(ValueError, match="level is 2; an interval's level is a probability"):
        refused(small, level=2)
    with pytest.raises(ValueError, match="there is no estimator 'sipps'; choose from sips"):
        refused(small, estimators=["sipps"])
    with pytest.raises(ValueError, match="estimator 'cascade-dr' is not summed over folders; choose from sips"):
        refused(small, estimators=["cascade-dr"])
    with pytest.raises(ValueError, match="estimator 'dr' cannot be used for policy 'target': it needs a reward model"):
        refused(small, world.target, estimators=["dr"])
    with pytest.raises(ValueError, match="two policies are called 'near'; give every policy a name of its own"):
        evaluate_folder(small, [NEAR, NEAR], seed=0)


def test_parts_are_whole_sessions(tiny_log, tmp_path):
    paths = write_parts(tiny_log, tmp_path, 100)
    sizes = [pq.ParquetFile(path).metadata.num_rows for path in paths]
    assert sizes == [102, 99, 99] * 4
    with pytest.raises(ValueError, match="rows is 0; a part holds at least 1 slate"):
        write_parts(tiny_log, tmp_path, 0)
    with pytest.raises(ValueError, match=r"column 'x' has shape \(3, 3\); the log's slates have \(1200, 3\)"):
        write_parts(tiny_log, tmp_path, 9, {"x": np.zeros((3, 3))})
    with pytest.raises(
        ValueError, match="row 1 of log: user 0, session 0 stands below user 399, session 0. Sort the rows"
    ):
        write_parts(tiny_log[[-1, 0]], tmp_path, 9)
