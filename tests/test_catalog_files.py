import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim import Catalog, Modality, load_catalog
from recsim.catalog_table import check_findings, findings_table
from recsim.encoding import Encoding


def table(**columns):
    rows = {
        "item_id": ["a", "b", "c"],
        "title": ["Apple", "Bee", ""],
        "text": ["Apple. fruit", "Bee. insect", ""],
        "category": ["food", "animals", "food"],
        "price": [1.5, 0.0, 20.0],
    }
    return pd.DataFrame({**rows, **columns})


def make(text=((3.0, 4.0), (0.0, 2.0), (1.0, 0.0)), image_dir=None, **columns):
    modalities = {
        "text": Modality("text", np.array(text), np.array([True, True, True])),
        "image": Modality("image", np.array([[1.0], [9.0], [-2.0]]), np.array([True, False, True])),
    }
    return Catalog("shop", table(**columns), modalities, "# shop\n", image_dir)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.webp").write_bytes(b"A")
    (folder / "deep" / "c.webp").write_bytes(b"C")
    return folder


def assert_equal(one: Catalog, other: Catalog) -> None:
    assert one.name == other.name
    assert one.card == other.card
    pd.testing.assert_frame_equal(one.table, other.table)
    assert list(one.modalities) == list(other.modalities)
    for name, modality in one.modalities.items():
        np.testing.assert_array_equal(modality.embedding, other.modalities[name].embedding)
        np.testing.assert_array_equal(modality.present, other.modalities[name].present)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_saved_catalogue_comes_back(tmp_path, pictures, dtype):
    shop = make(
        image_dir=pictures,
        image=["a.webp", "", "deep/c.webp"],
        title=["Äpfel 🍎 | <b>", "Bee", ""],
        tags=["x|y", "", "z"],
    )
    folder = shop.save(tmp_path / "new" / "shop", dtype=dtype)
    back = load_catalog(folder)
    assert_equal(shop, back)
    assert back.image_path(2) == folder / "images" / "deep" / "c.webp"
    assert back.image_path(2).read_bytes() == b"C"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["shop"]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_encodings_and_findings_come_back(tmp_path, dtype):
    made = Encoding("text", "minilm", "ab12", np.array([0.5, 0.0], np.float32), np.eye(2, dtype=np.float32))
    shop, rows = make(), [["a", "title", "shouts", "kept"], ["", "currency", "none", "taken for euros"]]
    text = shop.modalities["text"]
    shop = shop.replaced(
        modalities=shop.modalities | {"text": Modality("text", text.embedding, text.present, made)},
        findings=pd.DataFrame(rows, columns=["item_id", "what", "found", "done"]),
    )
    back = load_catalog(shop.save(tmp_path / "shop", dtype=dtype))
    pd.testing.assert_frame_equal(back.findings, shop.findings)
    assert back.modalities["image"].encoding is None
    kept = back.modalities["text"].encoding
    assert (kept.source, kept.encoder, kept.fingerprint) == ("text", "minilm", "ab12")
    np.testing.assert_array_equal(kept.project(np.array([[2.0, 0.0], [0.0, 0.0]])), [[1, 0], [0, 0]])
    (tmp_path / "shop" / "encodings.npz").unlink()
    with pytest.raises(ValueError, match=r"encodings\.npz cannot be read"):
        load_catalog(tmp_path / "shop")


@pytest.mark.parametrize("findings", [[], [("a", "duplicate row", "the same as row 1", "left out")]])
def test_findings_are_a_table_of_texts(findings):
    table = findings_table(one for one in findings)
    pd.testing.assert_frame_equal(check_findings(table), table)
    assert list(table.itertuples(index=False, name=None)) == findings


def test_wrong_findings_are_refused():
    with pytest.raises(ValueError, match="findings has no column 'item_id': it needs item_id, what, found, done"):
        make().replaced(findings=pd.DataFrame({"what": ["x"]}))


def test_float16_halves_the_file_and_keeps_three_digits(tmp_path, catalog):
    folder = catalog.save(tmp_path / "half", dtype="float16")
    with np.load(folder / "modalities.npz") as stored:
        assert stored["text.embedding"].dtype == np.float16
    np.testing.assert_allclose(
        Catalog.load(folder).modalities["text"].embedding, catalog.modalities["text"].embedding, rtol=1e-3, atol=1e-6
    )


def test_what_float16_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ValueError, match="modality 'text' holds 70000, and float16 ends at 65504"):
        make(((7e4, 0), (1, 1), (1, 1))).save(tmp_path / "big", dtype="float16")
    with pytest.raises(ValueError, match="modality 'text' has a row too small for float16"):
        make(((1e-9, 0), (1, 1), (1, 1))).save(tmp_path / "small", dtype="float16")
    with pytest.raises(ValueError, match="cannot be stored as 'float64'"):
        make().save(tmp_path / "wrong", dtype="float64")
    assert list(tmp_path.iterdir()) == []


def test_saving_twice_needs_overwrite(tmp_path, catalog):
    folder = catalog.save(tmp_path / "shop")
    with pytest.raises(FileExistsError, match="exists already: choose another folder, or pass overwrite=True"):
        make().save(folder)
    assert Catalog.load(folder).name == "synthetic"
    make().save(folder, overwrite=True)
    assert Catalog.load(folder).name == "shop"
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_a_catalogue_with_images_can_replace_itself(tmp_path, pictures):
    folder = make(image_dir=pictures, image=["a.webp", "", ""]).save(tmp_path / "shop")
    Catalog.load(folder).save(folder, overwrite=True)
    assert Catalog.load(folder).image_path(0).read_bytes() == b"A"


def test_only_a_catalogue_is_replaced(tmp_path, catalog):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="is not a catalogue, so it is not replaced"):
        catalog.save(tmp_path, overwrite=True)
    with pytest.raises(FileExistsError, match="is not a catalogue"):
        catalog.save(tmp_path / "thesis.txt", overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_failed_save_leaves_nothing_and_keeps_the_old(tmp_path, catalog, pictures):
    folder = catalog.save(tmp_path / "shop")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    broken = make(image_dir=pictures, image=["a.webp", "", "deep/c.webp"])
    (pictures / "deep" / "c.webp").unlink()
    with pytest.raises(FileNotFoundError, match=r"c\.webp"):
        broken.save(folder, overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures", "shop"]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_equal_catalogues_have_equal_files(tmp_path, dtype):
    one = Catalog.synthetic(12, 3, seed=1).save(tmp_path / "one", dtype=dtype)
    two = Catalog.synthetic(12, 3, seed=1).save(tmp_path / "two", dtype=dtype)
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_a_float32_file_of_arrays_in_one_is_read_too(saved):
    stored = dict(np.load(saved / "modalities.npz"))
    stored["text.embedding"] = np.float32([[0.1, 0.0], [0.2, 0.0], [0.3, 0.0]])
    np.savez(saved / "modalities.npz", **stored)
    np.testing.assert_array_equal(Catalog.load(saved).modalities["text"].embedding, stored["text.embedding"])


@pytest.fixture
def saved(tmp_path) -> Path:
    return make().save(tmp_path / "shop", dtype="float16")


@pytest.mark.parametrize("name", ["items.parquet", "modalities.npz", "card.md"])
def test_an_incomplete_folder_is_refused(saved, name):
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"has no {name}: it is incomplete"):
        Catalog.load(saved)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "catalog.json is not valid JSON"),
        ("[]", "has schema version None"),
        ('{"schema_version": 99}', "has schema version 99, and this release of recsim reads 1 and 2"),
        ('{"schema_version": 1, "name": 5}', "has no usable 'name' .found 5"),
        ('{"schema_version": 1, "name": "a", "items": 3}', "has no usable 'modalities'"),
        (
            '{"schema_version": 1, "name": "a", "items": 4, "modalities": ["text"]}',
            "has 3 rows, but catalog.json says 4",
        ),
        ('{"schema_version": 1, "name": "a", "items": 3, "modalities": ["sound"]}', "lacks an array .*sound.embedding"),
    ],
)
def test_a_wrong_manifest_is_refused(saved, manifest, message):
    (saved / "catalog.json").write_text(manifest)
    with pytest.raises(ValueError, match=message):
        Catalog.load(saved)


def test_pickled_arrays_are_never_read(saved):
    mask = np.ones(3, dtype=bool)
    arrays = {"text.embedding": np.array([[{}], [{}], [{}]], dtype=object), "text.present": mask}
    np.savez(saved / "modalities.npz", **arrays)
    with pytest.raises(ValueError, match=r"modalities\.npz cannot be read .*allow_pickle=False"):
        Catalog.load(saved)


def test_damaged_arrays_are_refused(saved):
    (saved / "modalities.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match=r"modalities\.npz cannot be read"):
        Catalog.load(saved)


def test_a_damaged_table_is_refused(saved):
    (saved / "items.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"items\.parquet cannot be read"):
        Catalog.load(saved)


def test_a_loaded_catalogue_is_checked_again(saved):
    manifest = json.loads((saved / "catalog.json").read_text())
    assert manifest == {"schema_version": 1, "name": "shop", "items": 3, "modalities": ["text", "image"]}
    table(price=[-1.0, 0.0, 0.0]).to_parquet(saved / "items.parquet")
    with pytest.raises(ValueError, match="price of row 0 is -1.0"):
        Catalog.load(saved)


def test_a_wrong_name_says_what_there_is(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no catalogue 'openclipboard': bundled is openclipart; .*Catalog\.save"
    ):
        load_catalog("openclipboard")
    with pytest.raises(FileNotFoundError, match=r"is not a catalogue: it has no catalog\.json"):
        load_catalog(tmp_path)
