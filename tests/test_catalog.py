import numpy as np
import pandas as pd
import pytest

import recsim
from recsim import Catalog, Modality
from recsim.catalog import row_blocks
from recsim.users.interest import InterestUsers


def table(**columns):
    rows = {
        "item_id": ["a", "b", "c"],
        "title": ["Apple", "Bee", ""],
        "text": ["Apple. fruit", "Bee. insect", ""],
        "category": ["food", "animals", "food"],
        "price": [1.5, 0.0, 20.0],
        "created": ["2024-05-31", "", "2005-01-01"],
        "popularity": [2.0, 1.0, 1.0],
    }
    rows.update(columns)
    return pd.DataFrame({name: values for name, values in rows.items() if values is not None})


def text(rows=((3.0, 4.0), (0.0, 2.0), (1.0, 0.0)), present=(True, True, True)):
    return Modality("text", np.array(rows, dtype=np.float32), np.array(present))


def image(rows=((1.0,), (9.0,), (-2.0,)), present=(True, False, True)):
    return Modality("image", np.array(rows, dtype=np.float32), np.array(present))


def make(modalities=None, name="shop", image_dir=None, **columns):
    modalities = {"text": text(), "image": image()} if modalities is None else modalities
    return Catalog(name, table(**columns), modalities, "# shop\n", image_dir)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.webp").write_bytes(b"A")
    (folder / "deep" / "c.webp").write_bytes(b"C")
    return folder


# What a catalogue derives from its table and modalities


def test_arrays_follow_the_table():
    shop = make()
    assert len(shop) == 3
    assert shop.categories == ["animals", "food"]
    assert shop.category.tolist() == [1, 0, 1]
    assert shop.category.dtype == np.int64
    assert shop.price.tolist() == [1.5, 0.0, 20.0]
    assert shop.popularity.tolist() == [0.5, 0.25, 0.25]
    assert repr(shop) == "Catalog('shop', 3 items, 2 categories, text 2-d, image 1-d)"


def test_novelty_is_scaled_self_information():
    shop = make(popularity=[8.0, 4.0, 1.0])  # -log2: x, x + 1, x + 3
    np.testing.assert_allclose(shop.novelty, [0.0, 1 / 3, 1.0], rtol=1e-6)
    assert shop.novelty.dtype == np.float32


def test_novelty_is_zero_where_every_item_is_equally_popular():
    assert make(popularity=None).novelty.tolist() == [0.0, 0.0, 0.0]


def test_taste_puts_unit_rows_side_by_side_and_zero_for_absent():
    shop = make()
    np.testing.assert_allclose(shop.taste, [[0.6, 0.8, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, -1.0]], rtol=1e-6)
    assert shop.taste.dtype == np.float32
    assert shop.offsets.tolist() == [0, 2, 3]
    assert make({"image": image(), "text": text()}).offsets.tolist() == [0, 1, 3]


def test_blocks_of_rows_change_nothing(catalog, monkeypatch):
    monkeypatch.setattr("recsim.catalog._BLOCK", 7)
    again = Catalog(catalog.name, catalog.table, catalog.modalities)
    np.testing.assert_array_equal(again.taste, catalog.taste)
    assert again.fingerprint == catalog.fingerprint
    np.testing.assert_allclose(InterestUsers(again).bait, InterestUsers(catalog).bait, rtol=1e-5)
    np.testing.assert_array_equal(InterestUsers(again).quality, InterestUsers(catalog).quality)
    made = Catalog.synthetic(n_items=24, n_categories=4, dims={"text": 6, "image": 5}, seed=7, missing=0.1)
    np.testing.assert_allclose(made.taste, catalog.taste, atol=1e-6)


def test_blocks_of_rows_cover_all_of_them(monkeypatch):
    monkeypatch.setattr("recsim.catalog._BLOCK", 4)
    assert list(row_blocks(9)) == [slice(0, 4), slice(4, 8), slice(8, 9)]
    assert list(row_blocks(4)) == [slice(0, 4)]


def test_arrays_cannot_be_written_to(catalog):
    for name in ("category", "price", "popularity", "novelty", "taste", "offsets"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(catalog, name)[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        catalog.modalities["text"].embedding[0] = 1


def test_what_was_passed_is_copied():
    rows, mask, frame = np.ones((3, 2), dtype=np.float32), np.array([True, True, False]), table()
    shop = Catalog("shop", frame, {"text": Modality("text", rows, mask)})
    rows[0], mask[1], frame.loc[0, "title"] = 7.0, False, "Pear"
    assert shop.modalities["text"].embedding.tolist() == [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    assert shop.modalities["text"].present.tolist() == [True, True, False]
    assert shop.table["title"].iloc[0] == "Apple"


def test_columns_have_defaults_an_order_and_may_be_more():
    frame = table(created=None, popularity=None, colour=["red", "black", "red"])[::-1]
    shop = Catalog("shop", frame, {"text": text()})
    assert list(shop.table.columns) == [
        "item_id",
        "title",
        "text",
        "category",
        "price",
        "created",
        "popularity",
        "colour",
    ]
    assert shop.table.index.tolist() == [0, 1, 2]
    assert shop.table["item_id"].to_list() == ["c", "b", "a"]
    assert shop.table["created"].to_list() == ["", "", ""]
    np.testing.assert_allclose(shop.popularity, 1 / 3)


# What is refused


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"item_id": ["a", "b", "a"]}, r"item_id 'a' stands in rows 0, 2 \(1 ids are repeated\)"),
        ({"item_id": ["a", "", "c"]}, "item_id of row 1 is empty"),
        ({"item_id": [1, 2, 3]}, "item_id of row 0 is 1, not text"),
        ({"title": ["a", None, "c"]}, "title of row 1 is (nan|None), not text.*with ''"),
        ({"category": ["food", " ", "food"]}, "category of row 1 is empty: every item needs one"),
        ({"category": None}, "has no column 'category'"),
        ({"price": [1.0, -2.0, 3.0]}, r"price of row 1 is -2.0 \(1 such rows\), which is negative"),
        ({"price": [1.0, 2.0, np.nan]}, r"price of row 2 is nan \(1 such rows\), which is not a finite number"),
        ({"price": [1.0, np.inf, np.nan]}, r"price of row 1 is inf \(2 such rows\)"),
        ({"popularity": [1.0, 0.0, 1.0]}, "popularity of row 1 is 0.0 .*not above 0"),
        ({"popularity": [1.0, 1.0, -np.inf]}, "popularity of row 2 is -inf"),
        ({"created": ["", "31.05.2024", ""]}, "created of row 1 is '31.05.2024': write a date as 2024-05-31"),
        ({"created": ["", "2024-02-30", ""]}, "created of row 1 is '2024-02-30'"),
        ({"created": ["", "20240531", ""]}, "created of row 1 is '20240531'"),
    ],
)
def test_a_wrong_table_is_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        make(**columns)


def test_a_price_that_is_text_is_refused():
    with pytest.raises(ValueError, match="column price of the catalogue's table does not hold numbers"):
        make(price=["1", "cheap", "3"])


def test_an_empty_table_is_refused():
    with pytest.raises(ValueError, match="table is empty"):
        Catalog("shop", table()[:0], {"text": text()})


def test_a_nameless_catalogue_is_refused():
    with pytest.raises(ValueError, match="name of the catalogue is ' '"):
        make(name=" ")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 2.0], [np.nan, 1.0]], r"embedding of modality 'text' holds NaN or infinity in row 1 \(1 such rows\)"),
        ([[1.0, -np.inf], [1.0, 1.0]], "holds NaN or infinity in row 0"),
        ([[1.0, 2.0], [0.0, 0.0]], "is all zeros in row 1, which the mask calls present"),
        ([1.0, 2.0], r"has shape \(2,\) and type float64"),
        (np.zeros((2, 0)), r"has shape \(2, 0\)"),
        (np.array([["a"], ["b"]]), "and type <U1"),
        ([[1.0], [2.0], [3.0]], r"present mask of modality 'text' has shape \(2,\), but its embedding has 3 rows"),
    ],
)
def test_a_wrong_embedding_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        Modality("text", np.asarray(rows), np.array([True, True]))


def test_the_mask_decides_what_an_embedding_row_means():
    kept = Modality("text", np.array([[1.0, 2.0], [np.nan, 3.0]]), np.array([True, False]))
    assert kept.embedding.tolist() == [[1.0, 2.0], [0.0, 0.0]]
    assert kept.embedding.dtype == np.float32
    assert (kept.dim, len(kept)) == (2, 2)


def test_a_mask_that_is_not_bool_is_refused():
    with pytest.raises(TypeError, match="present mask of modality 'text' has type int64, not bool"):
        Modality("text", np.ones((2, 2)), np.array([1, 0]))


@pytest.mark.parametrize("name", ["", "Text", "a b", "../text", "text.embedding", "1st", 3])
def test_a_wrong_modality_name_is_refused(name):
    with pytest.raises(ValueError, match="is not a lower-case identifier"):
        Modality(name, np.ones((1, 1)), np.array([True]))


def test_wrong_modalities_are_refused():
    with pytest.raises(ValueError, match="has no modalities"):
        make({})
    with pytest.raises(ValueError, match="modality 'text' has 2 rows, but the table has 3"):
        make({"text": text(((1.0,), (2.0,)), (True, True))})
    with pytest.raises(ValueError, match="modality 'text' is filed under 'words'"):
        make({"words": text()})
    with pytest.raises(TypeError, match=r"modality 'text' is a ndarray: wrap it in recsim\.Modality"):
        make({"text": np.ones((3, 2))})


# Images


def test_image_path(pictures):
    shop = make(image_dir=pictures, image=["a.webp", "", "deep/c.webp"])
    assert shop.image_path(0) == pictures / "a.webp"
    assert shop.image_path(1) is None
    assert shop.image_path(np.int64(2)) == pictures / "deep" / "c.webp"
    assert make(image=["a.webp", "", ""]).image_path(0) is None
    with pytest.raises(IndexError, match="item 3 is not in catalogue 'shop': items are 0 to 2"):
        shop.image_path(3)
    with pytest.raises(IndexError, match="item -1 is not"):
        shop.image_path(-1)


def test_wrong_images_are_refused(pictures, tmp_path):
    (tmp_path / "secret").write_text("s")
    with pytest.raises(FileNotFoundError, match=r"image of row 1, 'b.webp', is not in .*\(2 images are missing\)"):
        make(image_dir=pictures, image=["a.webp", "b.webp", "deep"])
    for leading_out in ("../secret", str(tmp_path / "secret"), "deep/../../secret"):
        with pytest.raises(ValueError, match=r"image of row 0 is '.*', which leads out of"):
            make(image_dir=pictures, image=[leading_out, "", ""])
    with pytest.raises(ValueError, match="table has no column 'image'"):
        make(image_dir=pictures)


def test_the_package_names_what_it_exports():
    assert {"Catalog", "Modality", "load_catalog", "__version__"} <= set(dir(recsim))
    assert recsim.Catalog is Catalog
    with pytest.raises(AttributeError, match="module 'recsim' has no attribute 'nothing'"):
        _ = recsim.nothing
