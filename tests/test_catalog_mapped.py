import copy
import json
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim import Catalog
from recsim.simulator import Simulator
from recsim.users.interest import InterestUsers


@pytest.fixture
def saved(tmp_path, catalog) -> Path:
    return catalog.save(tmp_path / "shop")


def is_mapped(array: np.ndarray) -> bool:
    return isinstance(array.base, np.memmap) and not array.flags.writeable


# What is read, and when


def test_arrays_are_mapped_to_the_last_bit(saved, catalog):
    found = Catalog.load(saved)
    assert is_mapped(found.taste)
    for name in ("taste", "offsets", "category", "price", "price_level", "popularity", "novelty"):
        one, other = getattr(found, name), getattr(catalog, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    for name, modality in catalog.modalities.items():
        assert is_mapped(found.modalities[name].embedding)
        np.testing.assert_array_equal(found.modalities[name].embedding, modality.embedding)
        np.testing.assert_array_equal(found.modalities[name].present, modality.present)


def test_the_table_is_read_when_it_is_used(saved, catalog):
    found = Catalog.load(saved)
    assert repr(found) == repr(catalog)
    assert found.fingerprint == catalog.fingerprint
    assert "table" not in vars(found)
    pd.testing.assert_frame_equal(found.table, catalog.table)
    assert found.table is found.table


def test_a_catalogue_that_takes_over_the_folder_changes_nothing(saved, catalog):
    found = Catalog.load(saved)
    Catalog.synthetic(30, 3).save(saved, overwrite=True)
    assert found.fingerprint == catalog.fingerprint
    pd.testing.assert_frame_equal(found.table, catalog.table)
    np.testing.assert_array_equal(found.modalities["text"].embedding, catalog.modalities["text"].embedding)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))], ids=["copy", "pickle"]
)
def test_a_copy_needs_no_files(saved, catalog, copied):
    found = copied(Catalog.load(saved))
    for path in saved.iterdir():
        path.unlink()
    assert found.fingerprint == catalog.fingerprint
    pd.testing.assert_frame_equal(found.table, catalog.table)


@pytest.mark.slow
def test_a_simulation_copies_no_feature_table(tmp_path, catalog):
    """Copying one modality of 100,000 items, in either precision, would take more than is allowed."""
    folder = Catalog.synthetic(100_000, 50, {"text": 64, "image": 64}).save(tmp_path / "large")
    draw = np.random.Generator(np.random.Philox(0))
    step(Simulator(catalog, InterestUsers(catalog)), draw)  # compiles
    tracemalloc.start()
    found = Catalog.load(folder)
    users = InterestUsers(found)
    simulator = Simulator(found, users)
    step(simulator, draw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < found.taste.nbytes / 2
    assert is_mapped(found.taste)
    for features in (simulator._items, users._market):
        assert np.shares_memory(features.taste, found.taste)
    assert "table" not in vars(found)


def step(simulator: Simulator, draw: np.random.Generator) -> None:
    simulator.reset(1024)
    simulator.step(draw.integers(0, len(simulator.catalog), (1024, 10)))


# What is refused


@pytest.mark.parametrize("name", ["items.parquet", "card.md", "taste.npy", "text.embedding.npy", "image.present.npy"])
def test_an_incomplete_folder_is_refused(saved, name):
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"has no {name}: it is incomplete"):
        Catalog.load(saved)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 nothing", "half"])
@pytest.mark.parametrize("name", ["items.parquet", "taste.npy", "text.embedding.npy", "image.present.npy"])
def test_a_damaged_file_is_refused(saved, name, damage):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: len(content) // 2] if damage == "half" else damage)
    with pytest.raises(ValueError, match=rf"{name} cannot be read .*: write or copy the catalogue again"):
        Catalog.load(saved)


def test_pickled_arrays_are_never_read(saved):
    np.save(saved / "taste.npy", np.full((24, 11), None))
    with pytest.raises(ValueError, match=r"taste\.npy cannot be read .*Python objects"):
        Catalog.load(saved)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (
            "taste.npy",
            np.ones((24, 10), np.float32),
            r"holds float32 of shape \(24, 10\), but float32 of shape \(24, 11\)",
        ),
        ("taste.npy", np.ones((24, 11)), r"holds float64 of shape \(24, 11\), but float32"),
        ("taste.npy", np.ones((11, 24), np.float32).T, "in Fortran order"),
        ("text.embedding.npy", np.ones((23, 6), np.float32), r"but float32 of shape \(24, any\) belongs there"),
        ("image.present.npy", np.ones(24, np.int64), r"holds int64 of shape \(24,\), but bool of shape \(24,\)"),
    ],
)
def test_arrays_of_another_catalogue_are_refused(saved, name, array, message):
    np.save(saved / name, array)
    with pytest.raises(ValueError, match=rf"{name} .*{message}"):
        Catalog.load(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.9])
def test_taste_that_is_not_of_unit_length_is_refused(saved, catalog, value):
    row = int(np.flatnonzero(catalog.modalities["image"].present)[3])
    taste = catalog.taste.copy()
    taste[row, 6:] *= value
    np.save(saved / "taste.npy", taste)
    with pytest.raises(ValueError, match=rf"taste\.npy, row {row}: the part of modality 'image' has squared .*, not 1"):
        Catalog.load(saved)


def test_taste_of_an_absent_item_is_refused(saved, catalog):
    row = int(np.flatnonzero(~catalog.modalities["image"].present)[0])
    taste = catalog.taste.copy()
    taste[row, 6] = 1.0
    np.save(saved / "taste.npy", taste)
    with pytest.raises(ValueError, match=rf"row {row}: the part of modality 'image' has squared length 1, not 0"):
        Catalog.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": 25}, r"items\.parquet has 24 rows, but catalog\.json says 25"),
        ({"modalities": ["text"]}, r"taste\.npy holds .*shape \(24, 11\), but float32 of shape \(24, 6\)"),
        ({"modalities": []}, "has no modalities"),
    ],
)
def test_a_manifest_of_another_catalogue_is_refused(saved, change, message):
    manifest = json.loads((saved / "catalog.json").read_text())
    (saved / "catalog.json").write_text(json.dumps(manifest | change))
    with pytest.raises(ValueError, match=message):
        Catalog.load(saved)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("price", -1.0, r"price of row 5 is -1\.0"),
        ("popularity", 0.0, r"popularity of row 5 is 0\.0"),
        ("category", " ", "category of row 5 is empty"),
    ],
)
def test_what_a_simulation_needs_is_checked_at_once(saved, catalog, column, value, message):
    wrong(catalog, column, value).to_parquet(saved / "items.parquet")
    with pytest.raises(ValueError, match=message):
        Catalog.load(saved)


def test_texts_are_checked_when_they_are_used(saved, catalog):
    wrong(catalog, "item_id", "item-000000").to_parquet(saved / "items.parquet")
    found = Catalog.load(saved)
    for use in (lambda: found.table, lambda: found.fingerprint):
        with pytest.raises(ValueError, match="item_id 'item-000000' stands in rows 0, 5"):
            use()


def test_images_are_checked_at_once(tmp_path, catalog):
    (tmp_path / "a.webp").write_bytes(b"A")
    table = catalog.table.assign(image=["a.webp", *[""] * 23])
    folder = Catalog("shop", table, catalog.modalities, image_dir=tmp_path).save(tmp_path / "shop")
    assert Catalog.load(folder).image_path(0).read_bytes() == b"A"
    (folder / "images" / "a.webp").unlink()
    with pytest.raises(FileNotFoundError, match=r"image of row 0, 'a\.webp', is not in"):
        Catalog.load(folder)


def wrong(catalog: Catalog, column: str, value: object) -> pd.DataFrame:
    table = catalog.table.copy()
    table.loc[5, column] = value
    return table
