"""The bundled catalogue is what the script makes; encoding all of it again takes minutes and is left out."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsim import load_catalog
from recsim.modalities.cache import EmbeddingCache
from recsim.modalities.making import encode_with

ROOT = Path(__file__).parents[2]
SOURCE = ROOT.parent / "shared" / "data" / "openclipart"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("build_openclipart", ROOT / "scripts" / "build_openclipart.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shop():
    return load_catalog("openclipart")


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2005/05/30", "2005-05-30"),
        ("2005-04-22", "2005-04-22"),
        ("2005-09-03 14:25:10", "2005-09-03"),
        ("2004-08-39", ""),  # no such day
        ("2005-08-101", ""),
        ("19/04/2005", ""),  # day first here, month first elsewhere
        ("08.02.2005", ""),
        ("20050416", ""),
        ("September 2005", ""),
        ("", ""),
    ],
)
def test_only_dates_that_can_be_read_one_way_are_kept(script, written, iso):
    assert script.iso_date(written) == iso


def test_gini(script):
    assert script.gini(np.array([3.0, 3.0, 3.0])) == pytest.approx(0)
    assert script.gini(np.array([0.0, 0.0, 0.0, 1.0])) == pytest.approx(3 / 4)
    assert script.gini(np.array([1.0, 3.0])) == pytest.approx(1 / 4)


def test_drawn_columns_are_drawn_as_the_script_does(script, shop):
    np.testing.assert_allclose(shop.price, script.draw_prices(shop.table["category"]), rtol=0, atol=0.005)
    popularity = script.draw_popularity(len(shop))
    np.testing.assert_allclose(shop.popularity, popularity / popularity.sum(), rtol=1e-9)
    assert f"{script.gini(shop.popularity):.4f}" in shop.card


def test_kept_variance(script):
    embedding = np.random.Generator(np.random.Philox(0)).standard_normal((200, 70)).astype(np.float32)
    assert 0.9 < script.kept_variance(embedding) < 1
    assert script.kept_variance(embedding[:, :64]) == pytest.approx(1)


def test_the_table_is_the_source(script, shop):
    if not SOURCE.is_dir():
        pytest.skip("the raw source of the bundled catalogue is not beside the checkout")
    made = script.read_table(SOURCE)
    drawn = ["price", "popularity"]
    pd.testing.assert_frame_equal(shop.table.drop(columns=drawn), made[shop.table.columns].drop(columns=drawn))


@pytest.mark.slow
def test_what_is_built_says_how_it_was_made(script, tmp_path, monkeypatch):
    """All of the way for every 300th item; their images lie where they lie in the source."""
    if not SOURCE.is_dir():
        pytest.skip("the raw source of the bundled catalogue is not beside the checkout")
    monkeypatch.setenv("RECSIM_CACHE", str(tmp_path / "cache"))
    some = pd.read_csv(SOURCE / "catalogue.csv", dtype=str, keep_default_na=False).iloc[::300]
    (tmp_path / "source").mkdir()
    some.to_csv(tmp_path / "source" / "catalogue.csv", index=False)
    (tmp_path / "source" / "images").symlink_to(SOURCE / "images")
    monkeypatch.setattr(script, "DIM", 4)
    script.main([str(tmp_path / "source"), "--out", str(tmp_path / "out")])
    made = load_catalog(tmp_path / "out")
    assert {name: modality.embedding.shape for name, modality in made.modalities.items()} == {
        "text": (len(some), 4),
        "image": (len(some), 4),
    }
    items = {"text": made.table["text"].to_list(), "image": [made.image_path(row) for row in range(len(made))]}
    with EmbeddingCache() as cache:
        for name, modality in made.modalities.items():
            again = encode_with(modality.encoding, items[name], cache)
            np.testing.assert_allclose(again, modality.embedding, atol=2e-3)  # float16


def test_the_card_is_filled_in(script, shop):
    embedding = np.random.Generator(np.random.Philox(0)).standard_normal((len(shop), 70)).astype(np.float32)
    lines = script.card(shop.table, embedding, embedding).splitlines()
    variance = next(number for number, line in enumerate(lines) if "of the variance" in line)
    bundled = shop.card.splitlines()
    assert lines[:variance] + lines[variance + 1 :] == bundled[:variance] + bundled[variance + 1 :]
    assert "1,852, in 15 categories (food 365, recreation 345, animals 310, …)" in shop.card
