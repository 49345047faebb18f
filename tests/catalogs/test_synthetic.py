import numpy as np
import pytest

from recsim import Catalog


def test_synthetic_is_reproducible_and_clustered():
    one, two = Catalog.synthetic(60, 3, seed=5), Catalog.synthetic(60, 3, seed=5)
    np.testing.assert_array_equal(one.taste, two.taste)
    assert one.table.equals(two.table)
    assert not np.array_equal(one.taste, Catalog.synthetic(60, 3, seed=6).taste)
    assert one.category.tolist() == [0, 1, 2] * 20
    for name, start, end in [("text", 0, 16), ("image", 16, 32)]:
        similarity = one.taste[:, start:end] @ one.taste[:, start:end].T
        same = one.category[:, None] == one.category
        assert similarity[same].mean() > similarity[~same].mean() + 0.3, name


def test_synthetic_sizes():
    shop = Catalog.synthetic(11, 11, {"text": 3, "sound": 1}, missing=0.5)
    assert (len(shop), len(shop.categories)) == (11, 11)
    assert list(shop.modalities) == ["text", "sound"]
    assert shop.offsets.tolist() == [0, 3, 4]
    assert 0 < shop.modalities["text"].present.sum() < 11
    assert [shop.categories[number] for number in shop.category] == shop.table["category"].to_list()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_items": 3, "n_categories": 4}, "of 3 items cannot have 4 categories"),
        ({"n_items": 0, "n_categories": 0}, "of 0 items cannot have 0 categories"),
        ({"dims": {"text": 0}}, "modality 'text' is to have 0 dimensions"),
        ({"missing": 1.0}, r"missing is 1\.0"),
    ],
)
def test_synthetic_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Catalog.synthetic(**arguments)
