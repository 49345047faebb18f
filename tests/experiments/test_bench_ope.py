"""What `recsim bench ope` measures, at sizes that take no time; speed itself is never asserted."""

import math
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from recsim.experiments.bench import made_up_log, ope
from recsim.experiments.bench.large import STATUS
from recsim.experiments.bench.made_up_log import TARGET, make_slates, write_file
from recsim.experiments.bench.measures import CONTEXTS, CPU_SECONDS, Effort, measure, promised
from recsim.experiments.bench.ope import OpeSizes, bench, enumeration_error
from recsim.experiments.bench.tables import print_ope_bench
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Lines, Silent
from recsim.ope import Resamples, bootstrap, slate
from recsim.ope.folders.folder import evaluate_folder

TINY = OpeSizes(n=200, n_folder=700, k=3, n_boot=10, n_items=12, workers=1)
QUICK = Effort(repeats=2, seconds=0.01)


def test_made_up_slates_are_what_they_say() -> None:
    found = make_slates(4000, 3, 5)
    for name in ("reward", "target", "logged", "model_logged", "model_target"):
        assert getattr(found, name).shape == (4000, 3)
        assert (getattr(found, name) == getattr(make_slates(4000, 3, 5), name)).all()
    assert (found.reward != make_slates(4000, 3, 6).reward).any()
    weight = slate.prefix_weight(found.target, found.logged)
    assert abs(weight.mean() - 1) < 4 * weight.std() / math.sqrt(4000)
    interval = bootstrap(slate.rips(found.reward, found.target, found.logged), Resamples.draw(4000, 2, 0))
    assert abs(interval.value[0] - found.value) < 4 * interval.se[0]


def test_a_made_up_log_is_the_same_in_files_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_up_log, "ROWS", 300)
    written = [write_file((tmp_path, number, 700, 3, 0)) for number in range(3)]
    assert [rows for rows, _ in written] == [300, 300, 100]
    found = evaluate_folder(tmp_path, [TARGET], seed=0, n_boot=0)
    assert (found.n_slates, found.n_sessions) == (700, 70)
    (dr,) = (one for one in found.estimates if (one.estimator, one.objective) == ("dr", "click"))
    assert abs(dr.value - sum(rows * value for rows, value in written) / 700) < 4 * dr.se


@pytest.mark.slow
def test_every_row_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with (tmp_path / "told").open("w") as told:
        found = bench(["marginals", "folder", "memory"], TINY, QUICK, Lines(Console(file=told)))
    names = ["ope_memory", "ope_folder", "ope_folder_memory", "marginals"]
    assert [one["name"] for one in found["measures"]] == names
    memory, folder, peak, marginals = found["measures"]
    assert memory["value"] > 0
    assert memory["unit"] == CPU_SECONDS
    assert folder["cpu_seconds"] > 0
    assert folder["file_bytes"] > 700 * 3 * 8
    assert abs(folder["estimate"]["value"] - folder["truth"]) < 4 * folder["estimate"]["se"]
    if STATUS.is_file():
        assert 0.05 < peak["value"] < 2  # Python and its libraries alone
    assert marginals["error"] < 1e-9
    assert all(promised(one) == "" for one in found["measures"])
    assert [path.name for path in tmp_path.iterdir()] == ["told"]
    lines = (tmp_path / "told").read_text().splitlines()
    assert [line.split()[2:] for line in lines] == [["bench", "memory"], ["bench", "folder"], ["bench", "marginals"]]


def test_two_rows_of_one_process() -> None:
    (memory,) = bench(["memory"], TINY, QUICK, Silent())["measures"]
    assert len(memory["repeats"]) == 2
    assert memory["label"] == "200 slates of 3 in memory: 6 estimators with intervals"


def test_marginals_are_compared_with_all_slates(monkeypatch: pytest.MonkeyPatch) -> None:
    assert enumeration_error(np.random.default_rng(0)) < 1e-12
    import recsim.marginals

    right = recsim.marginals.plackett_luce_marginal_log_prob
    monkeypatch.setattr(
        recsim.marginals, "plackett_luce_marginal_log_prob", lambda logits, items: right(logits, items) + 1e-6
    )
    (found,) = bench(["marginals"], TINY, QUICK, Silent())["measures"]
    assert found["error"] == pytest.approx(1e-6, rel=0.1)
    assert "OFF to 1e-06" in found["label"]
    assert found["equal_results"] is False
    assert measure("marginals", "it", CONTEXTS, [900.0], OpeSizes(), equal_results=False)["kept"] is False


def test_what_is_promised_holds_for_the_default_sizes_alone() -> None:
    assert promised(measure("ope_memory", "it", CPU_SECONDS, [0.5], OpeSizes())) == "≤ 1.00 s"
    assert promised(measure("marginals", "it", CONTEXTS, [500.0], OpeSizes())) == "≥ 200 /s"
    assert promised(measure("ope_memory", "it", CPU_SECONDS, [0.5], TINY)) == ""


def test_what_cannot_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="there is no row 'speed' to measure; choose from memory, folder, marginals"):
        bench(["speed"], TINY, QUICK, Silent())
    usage = namedtuple("usage", "total used free")(1, 1, 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(UserError, match=r"a log of 10,000,000 slates takes up to 3\.7 GiB, and .* has 0\.0 GiB left"):
        bench(["folder"], OpeSizes(), QUICK, Silent())


def test_the_table_shows_what_is_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    measures = [
        measure("ope_memory", "in memory", CPU_SECONDS, [0.5], OpeSizes()),
        measure("marginals", "marginals", CONTEXTS, [150.0], OpeSizes()),
    ]
    print_ope_bench({"measures": measures, "repeats": 5, "machine": {"cpu": "some processor"}})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [" ".join(line.split()) for line in lines]
    assert "in memory 0.50 s ≤ 1.00 s yes" in rows
    assert "marginals 150 /s ≥ 200 /s no" in rows
    assert "Medians of 5, the folder once." in " ".join(rows)
    assert ope.ROWS_OF.keys() == {"memory", "folder", "marginals"}
