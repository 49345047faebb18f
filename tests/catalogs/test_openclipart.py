import numpy as np
import pytest
from PIL import Image
from scipy.special import erfinv

from recsim import load_catalog


@pytest.fixture(scope="module")
def shop():
    return load_catalog("openclipart")


def gini(values):
    """Half the mean absolute difference of all pairs, over the mean."""
    return np.abs(values[:, None] - values).mean() / (2 * values.mean())


def test_size(shop):
    assert (shop.name, len(shop), len(shop.categories)) == ("openclipart", 1852, 15)
    assert list(shop.modalities) == ["text", "image"]
    assert shop.taste.shape == (1852, 128)
    assert all(modality.present.all() for modality in shop.modalities.values())
    assert {"creator", "tags", "image"} <= set(shop.table.columns)


def test_the_fingerprint_that_logs_and_models_carry(shop):
    assert shop.fingerprint == "55de02871aefc317d83692ebf5d55fb9"


def test_every_item_has_its_image(shop):
    paths = {shop.image_path(item) for item in range(len(shop))}
    assert len(paths) == 1852
    assert paths == set(shop.image_dir.iterdir())
    for item in range(0, len(shop), 50):
        with Image.open(shop.image_path(item)) as image:
            assert (image.format, image.size) == ("WEBP", (192, 192))


def test_prices_follow_the_two_figures(shop):
    logs = np.log(shop.price)
    assert logs.mean() == pytest.approx(3.49, abs=1e-3)  # cents are rounded
    assert logs.std() == pytest.approx(1.02, abs=1e-3)
    means = np.array([logs[shop.category == number].mean() for number in range(15)])
    between = means[shop.category].std()
    assert between == pytest.approx(0.5, abs=0.1)


def test_popularity_is_as_unequal_as_item_exposure_in_a_real_feed(shop):
    assert shop.popularity.sum() == pytest.approx(1)
    assert gini(shop.popularity) == pytest.approx(0.5314, abs=0.02)
    assert np.log(shop.popularity).std() == pytest.approx(2 * erfinv(0.5314), abs=0.05)
    assert f"This draw: {gini(shop.popularity):.4f}" in shop.card


def test_neighbours_share_their_category(shop):
    """Mean share of the five nearest other items in an item's category; the raw embeddings have .82 and .54."""
    shares = {}
    for name, start, end in zip(shop.modalities, shop.offsets, shop.offsets[1:], strict=False):
        similarity = shop.taste[:, start:end] @ shop.taste[:, start:end].T
        np.fill_diagonal(similarity, -2)
        nearest = np.argpartition(-similarity, 5, axis=1)[:, :5]
        shares[name] = (shop.category[nearest] == shop.category[:, None]).mean()
    assert shares["text"] > 0.75
    assert shares["image"] > 0.45


def test_the_card_and_the_licence_say_where_it_comes_from(shop):
    assert "1,852 public-domain items" in shop.card
    for word in ("Debian", "seed 1", "seed 2", "RL4RS", "KuaiRand", "Italian", "Near-duplicates", "always simulated"):
        assert word in shop.card, word
    licence = (shop.image_dir.parent / "LICENSE").read_text()
    assert "Public Domain Dedication" in licence
    assert "Apache License 2.0" in licence


def test_saved_and_loaded_it_is_the_same(shop, tmp_path):
    back = load_catalog(shop.save(tmp_path / "copy", dtype="float16"))
    assert back.table.equals(shop.table)
    np.testing.assert_array_equal(back.taste, shop.taste)
