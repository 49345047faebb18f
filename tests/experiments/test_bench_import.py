"""What `recsim bench import` measures, at sizes that take no time; speed itself is never asserted."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from recsim.experiments.bench.importing import ImportSizes, bench, made_up_shop
from recsim.experiments.bench.measures import GIB, SECONDS, measure, promised
from recsim.experiments.bench.tables import print_import_bench
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Lines, Silent

TINY = ImportSizes(n_items=12)


def test_a_made_up_shop_is_the_same_again(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        table, images = made_up_shop(tmp_path / name, TINY, lambda done: None)
        assert len(pd.read_csv(table)) == len(list(images.iterdir())) == 12
    with Image.open(images / "3.png") as image:
        assert image.size == (32, 32)
    for file in (tmp_path / "one").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "other" / file.relative_to(tmp_path / "one")).read_bytes()


@pytest.mark.slow
def test_every_row_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, images = made_up_shop(tmp_path, TINY, lambda done: None)
    with (tmp_path / "told").open("w") as told:
        found = bench(["large", "plain"], table, images, TINY, Lines(Console(file=told)))
    assert [one["name"] for one in found["measures"]] == [
        f"import_{row}{part}" for row in ("plain", "large") for part in ("", "_cpu", "_memory")
    ]
    for seconds, cpu, memory in (found["measures"][:3], found["measures"][3:]):
        assert (seconds["rows"], seconds["items"], seconds["unit"]) == (12, 12, SECONDS)
        assert cpu["value"] > 0
        assert 0.05 < memory["value"] < 8
    print_import_bench(found)
    assert "12 made-up items by hashing and histogram: memory" in " ".join(capsys.readouterr().out.split())


def test_the_promise_about_memory_holds_for_the_default_size() -> None:
    found = measure("import_large_memory", "100,000 items", GIB, [1.5], ImportSizes())
    assert (promised(found), found["kept"]) == ("≤ 2.00 GiB", True)
    assert not promised(measure("import_large_memory", "12 items", GIB, [1.5], TINY))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("huge", "there is no row 'huge' to measure; choose from models, plain, large"),
        ("plain", "the row 'plain' imports a table of yours: name it, or measure --only large"),
    ],
)
def test_rows_that_cannot_be_measured(row: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        bench([row], None, None, TINY, Silent())
