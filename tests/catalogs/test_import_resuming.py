"""An import that is stopped at any moment goes on where it was, and gives the same bytes as one that was not."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recsim.catalog import Catalog
from recsim.catalogs.importing import pictures
from recsim.catalogs.importing.options import ImportOptions
from recsim.catalogs.importing.pixels import Checked, Limits, check_image
from recsim.catalogs.importing.run import Imported, import_catalog
from recsim.catalogs.importing.work import Work
from recsim.modalities.cache import EmbeddingCache

N_ITEMS = 30
OPTIONS = ImportOptions(text_encoder="hashing", image_encoder="histogram", threads=2)


class Stopped(BaseException):
    """Stands for a kill."""


def make_shop(folder: Path, n_items: int, size: int = 24) -> Path:
    """A table and photos, one of them broken."""
    (folder / "photos").mkdir(parents=True)
    draw = np.random.Generator(np.random.Philox(5))
    for number in range(n_items):
        pixels = draw.integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    (folder / "photos" / "3.png").write_bytes(b"broken")
    rows = {
        "id": [f"i{number}" for number in range(n_items)],
        "title": [f"thing {number} {'red' if number % 2 else 'blue'}" for number in range(n_items)],
        "category": [f"c{number % 3}" for number in range(n_items)],
        "price": [f"{number + 1}.00" for number in range(n_items)],
        "image": [f"{number}.png" for number in range(n_items)],
    }
    pd.DataFrame(rows).to_csv(folder / "items.csv", index=False)
    return folder


def run(shop: Path, out: Path, options: ImportOptions = OPTIONS, *, overwrite: bool = False) -> Imported:
    return import_catalog(
        shop / "items.csv", out, shop / "photos", options, overwrite=overwrite, cache=out.with_suffix(".sqlite")
    )


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shop(tmp_path_factory.mktemp("shop"), N_ITEMS)


@pytest.fixture(scope="module")
def whole(shop: Path) -> dict[str, bytes]:
    """The files of an import that nothing stops."""
    return tree(run(shop, shop / "shop").path)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are checked, as they are."""
    seen: list[str] = []

    def counted(path: Path, folder: Path, limits: Limits) -> Checked:
        seen.append(path.name)
        return check_image(path, folder, limits)

    monkeypatch.setattr(pictures, "check_image", counted)
    return seen


@contextmanager
def stopped(monkeypatch: pytest.MonkeyPatch, where: object, name: str, n_calls: int = 0) -> Iterator[None]:
    """What stands inside is stopped once a function has been called so often."""
    real, calls = getattr(where, name), iter(range(n_calls))

    def stopping(*args: object, **kwargs: object) -> object:
        if next(calls, None) is None:
            raise Stopped
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(where, name, stopping)
        with pytest.raises(Stopped):
            yield


def test_stopped_again_and_again_while_images_are_checked(
    shop: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: list[str]
) -> None:
    kept = []
    for n_more in (0, 1, 7, 11):
        with stopped(monkeypatch, Work, "keep", n_more):
            run(shop, tmp_path / "shop")
        assert not (tmp_path / "shop").exists()
        kept.append(len((tmp_path / ".shop.import" / "images.jsonl").read_text().splitlines()))
    assert kept == [0, 1, 8, 19]
    checks.clear()
    assert tree(run(shop, tmp_path / "shop").path) == whole
    assert len(checks) == N_ITEMS - 19
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop", "shop.sqlite"]


@pytest.mark.parametrize(
    ("where", "name"),
    [(EmbeddingCache, "_encoded"), (Catalog, "save"), (pictures, "tell_unused"), (Work, "remove")],
    ids=lambda part: str(part)[-20:],
)
def test_stopped_elsewhere(
    shop: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checks: list[str],
    where: object,
    name: str,
) -> None:
    module = sys.modules["recsim.catalogs.importing.run"] if where is pictures else where
    with stopped(monkeypatch, module, name):
        run(shop, tmp_path / "shop")
    before = len(checks)
    again = run(shop, tmp_path / "shop", overwrite=name == "remove")
    assert tree(again.path) == whole
    assert len(checks) == N_ITEMS
    assert before == (0 if where is pictures else N_ITEMS)
    assert not (tmp_path / ".shop.import").exists()


def test_half_a_line_at_the_end_of_the_log_is_not_read(
    shop: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: list[str]
) -> None:
    with stopped(monkeypatch, Work, "keep", 10):
        run(shop, tmp_path / "shop")
    log = tmp_path / ".shop.import" / "images.jsonl"
    log.write_bytes(log.read_bytes()[:-5])
    checks.clear()
    assert tree(run(shop, tmp_path / "shop").path) == whole
    assert len(checks) == N_ITEMS - 9


def stopped_once(shop: Path, out: Path, monkeypatch: pytest.MonkeyPatch, options: ImportOptions = OPTIONS) -> Path:
    """The work folder of an import that was stopped before it was written."""
    with stopped(monkeypatch, Catalog, "save"):
        run(shop, out, options)
    return out.with_name(f".{out.name}.import")


def test_what_was_checked_with_other_options_is_not_used(
    shop: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: list[str]
) -> None:
    stopped_once(shop, tmp_path / "shop", monkeypatch, ImportOptions(**{**vars(OPTIONS), "limits": Limits(8)}))
    checks.clear()
    assert tree(run(shop, tmp_path / "shop").path) == whole
    assert len(checks) == N_ITEMS


def test_a_broken_work_folder_is_not_used(
    shop: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: list[str]
) -> None:
    work = stopped_once(shop, tmp_path / "shop", monkeypatch)
    (work / "manifest.json").write_text("{")
    checks.clear()
    assert tree(run(shop, tmp_path / "shop").path) == whole
    assert len(checks) == N_ITEMS


def test_images_that_changed_or_are_gone_are_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: list[str]
) -> None:
    shop = make_shop(tmp_path / "shop", 6)
    work = stopped_once(shop, tmp_path / "out", monkeypatch)
    Image.new("RGB", (24, 24), "red").save(shop / "photos" / "0.png")
    log = [json.loads(line) for line in (work / "images.jsonl").read_text().splitlines()]
    (lost,) = (one["name"] for one in log if one["file"] == "1.png")
    (work / "images" / lost).unlink()
    checks.clear()
    found = run(shop, tmp_path / "out")
    assert sorted(checks) == ["0.png", "1.png"]
    assert found.counts["blank image"] == 1


def test_one_thread_or_many_give_the_same(shop: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    assert tree(run(shop, tmp_path / "shop", ImportOptions(**{**vars(OPTIONS), "threads": 7})).path) == whole


def test_only_a_catalogue_is_replaced(shop: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "shop"
    assert tree(run(shop, out).path) == whole
    with pytest.raises(FileExistsError, match=r"exists already: choose another folder, or pass --overwrite"):
        run(shop, out)
    assert tree(run(shop, out, overwrite=True).path) == whole
    (tmp_path / "notes").mkdir()
    with pytest.raises(FileExistsError, match="is not a catalogue, so it is not replaced"):
        run(shop, tmp_path / "notes", overwrite=True)


def started(shop: Path, out: Path) -> subprocess.Popen[bytes]:
    options = ("--text-encoder", "hashing", "--image-encoder", "histogram")
    command = (sys.executable, "-m", "recsim.experiments.cli", "catalog", "import", str(shop / "items.csv"), *options)
    return subprocess.Popen(
        (*command, "--images", str(shop / "photos"), "--out", str(out)),
        env={**os.environ, "RECSIM_CACHE": str(out.parent / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def n_checked(out: Path) -> int:
    log = out.with_name(f".{out.name}.import") / "images.jsonl"
    return log.read_bytes().count(b"\n") if log.is_file() else 0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_killed_and_interrupted_from_outside(tmp_path: Path) -> None:
    shop, out, draw = make_shop(tmp_path / "shop", 120, 200), tmp_path / "shop-of-mine", random.Random(0)
    for number in range(3):
        before, process = n_checked(out), started(shop, out)
        while n_checked(out) <= before + draw.randrange(20) and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT if number == 1 else signal.SIGKILL)
        _, errors = process.communicate()
        if number == 1:
            assert process.returncode == 130
            assert errors.decode().splitlines()[-1] == (
                "Interrupted; finished stages are kept. To go on, run the same command again."
            )
        assert n_checked(out) > before
        assert not out.exists()
    _, errors = started(shop, out).communicate(timeout=200)
    assert out.is_dir(), errors.decode()
    _, errors = started(shop, tmp_path / "other" / out.name).communicate(timeout=200)
    assert tree(out) == tree(tmp_path / "other" / out.name), errors.decode()
