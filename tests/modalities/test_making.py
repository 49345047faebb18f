"""Modalities from raw items, and other items in their space."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from recsim import Catalog
from recsim.modalities import making
from recsim.modalities.cache import EmbeddingCache
from recsim.modalities.glove import GloveEncoder
from recsim.modalities.histogram import HistogramEncoder
from recsim.modalities.making import encode_with, make_modality, with_rows
from recsim.modalities.names import text_encoder


class Drawn:
    """Embeddings drawn by the number that a text is; 0 for an empty text."""

    name, fingerprint = "drawn", "ab12"

    def __init__(self, dim=12):
        self.dim = dim
        self.encoded = 0

    def encode(self, items):
        self.encoded += len(items)
        return np.stack([self.row(item) for item in items])

    def row(self, item):
        if not item:
            return np.zeros(self.dim, np.float32)
        draw = np.random.Generator(np.random.Philox(int(item)))
        return (draw.standard_normal(self.dim) * np.arange(self.dim, 0, -1) + 2).astype(np.float32)


TEXTS = [str(number) for number in range(3000)]
ALL = np.ones(len(TEXTS), np.bool_)


@pytest.fixture
def cache(tmp_path):
    with EmbeddingCache(tmp_path / "cache.sqlite") as cache:
        yield cache


def test_blocks_give_what_all_rows_at_once_give(cache):
    """3,000 rows come in three blocks."""
    encoder = Drawn()
    made = make_modality("text", encoder, TEXTS, ALL, source="text", dim=5, cache=cache)
    rows = encoder.encode(TEXTS).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows -= rows.mean(axis=0)
    _, _, directions = np.linalg.svd(rows, full_matrices=False)
    expected = rows @ directions[:5].T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(made.embedding @ made.embedding.T, expected @ expected.T, atol=2e-5)
    assert made.present.all()
    assert (made.encoding.source, made.encoding.encoder, made.encoding.fingerprint) == ("text", "drawn", "ab12")


def test_components_are_those_of_scikit_learn():
    """Up to the sign, which is such that the largest loading is positive."""
    from sklearn.decomposition import PCA

    rows = Drawn().encode(TEXTS).astype(np.float64)
    pca = PCA(12, svd_solver="full").fit(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    fitted = making.PrincipalComponents(12)
    for start in range(0, 3000, 700):
        fitted.add(rows[start : start + 700])
    centre, components, rank = fitted.fit()
    assert rank == 12
    np.testing.assert_allclose(centre, pca.mean_, atol=1e-12)
    np.testing.assert_allclose(np.abs(components), np.abs(pca.components_), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(components @ pca.components_.T) ** 2, 1)
    assert (components.max(axis=1) >= -components.min(axis=1)).all()


def test_absent_items_are_not_looked_at(cache):
    encoder, present = Drawn(), np.arange(3000) % 3 > 0
    texts = [text if here else "no number" for text, here in zip(TEXTS, present, strict=True)]
    made = make_modality("text", encoder, texts, present, source="text", dim=5, cache=cache)
    np.testing.assert_array_equal(made.present, present)
    alone = make_modality(
        "text", encoder, [TEXTS[row] for row in np.flatnonzero(present)], ALL[:2000], source="text", dim=5
    )
    np.testing.assert_array_equal(made.embedding[present], alone.embedding)


def test_items_in_which_nothing_is_known_become_absent_and_are_counted():
    """Of five items one is absent and two have no known word."""
    texts = ["a red dog", "qwxyz", "green tree", "", "zzxxq"]
    told = []
    present = np.array([True, True, True, False, True])
    made = make_modality("text", GloveEncoder(), texts, present, source="text", tell=told.append)
    assert made.present.tolist() == [True, False, True, False, False]
    assert told == [
        "modality 'text': encoder 'glove' found nothing it knows in 2 of 4 items, the first of them item 1; "
        "they are absent."
    ]
    with pytest.warns(UserWarning, match="found nothing it knows in 2 of 4 items"):
        make_modality("text", GloveEncoder(), texts, present, source="text")


def test_items_in_which_nothing_is_known_have_no_influence():
    texts = [*TEXTS[:20], *[""] * 10]
    told = make_modality("text", Drawn(), texts, ALL[:30], source="text", dim=5, tell=lambda sentence: None)
    alone = make_modality("text", Drawn(), texts[:20], ALL[:20], source="text", dim=5)
    np.testing.assert_array_equal(told.embedding[:20], alone.embedding)


@pytest.mark.parametrize(
    ("n_items", "asked", "columns"),
    [(3000, 64, 12), (3000, 3, 3), (5, 64, 4), (2, 64, 1)],  # d = 12, dim, m - 1 and m - 1
)
def test_columns_shrink_to_what_is_possible(n_items, asked, columns):
    made = make_modality("text", Drawn(), TEXTS[:n_items], ALL[:n_items], source="text", dim=asked)
    assert made.embedding.shape == (n_items, columns)
    np.testing.assert_allclose(np.linalg.norm(made.embedding, axis=1), 1, atol=1e-6)


def test_equal_items_make_no_direction():
    made = make_modality("text", Drawn(), ["1", "2", "1", "2", "3", "3"], ALL[:6], source="text")
    assert made.dim == 2
    np.testing.assert_array_equal(made.embedding[0], made.embedding[2])


@pytest.mark.parametrize("texts", [["1"] * 4, [""] * 4, ["1"], []])
def test_items_that_cannot_be_told_apart_are_refused(texts):
    with pytest.raises(ValueError, match="'text' cannot be made by encoder 'drawn', which tells no two of its items"):
        make_modality("text", Drawn(), texts, ALL[: len(texts)], source="text")


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"present mask of modality 'text' has shape \(2,\) and type bool, for 3 items"
    ):
        make_modality("text", Drawn(), TEXTS[:3], ALL[:2], source="text")
    with pytest.raises(ValueError, match="type float64, for 3 items: pass one bool for each"):
        make_modality("text", Drawn(), TEXTS[:3], np.ones(3), source="text")
    with pytest.raises(ValueError, match="'text' is to have 0 columns: ask for at least 1"):
        make_modality("text", Drawn(), TEXTS[:3], ALL[:3], source="text", dim=0)


def test_a_second_catalogue_costs_only_what_is_new(cache):
    encoder, told = Drawn(), []
    make_modality("text", encoder, TEXTS[:2000], ALL[:2000], source="text", dim=5, cache=cache, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == encoder.encoded == 2000
    make_modality("text", encoder, TEXTS, ALL, source="text", dim=5, cache=cache)
    assert encoder.encoded == 3000


def test_embeddings_are_not_held_together(cache):
    """60,000 × 200 float32 are 48 MB; held are 1,024 rows at a time, and 60,000 × 2."""
    encoder = Drawn(200)
    make_modality("text", encoder, TEXTS[:300], ALL[:300], source="text", cache=cache)
    texts = TEXTS * 20  # of which 3,000 are different
    present = np.ones(len(texts), np.bool_)
    tracemalloc.start()
    make_modality("text", encoder, texts, present, source="text", dim=2, cache=cache)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.4 * len(texts) * 200 * 4


# Other items in the same space


def test_the_same_items_land_on_their_rows(cache):
    encoder = text_encoder("hashing")
    texts = [f"a {colour} {thing}" for colour in ("red", "green", "blue") for thing in ("dog", "tree", "boat", "bee")]
    made = make_modality("text", encoder, texts, ALL[:12], source="text", dim=6, cache=cache)
    np.testing.assert_allclose(encode_with(made.encoding, texts[::-1], cache)[::-1], made.embedding, atol=1e-6)
    near, far = encode_with(made.encoding, ["one red dog", ""])
    assert (made.embedding @ near).argmax() == 0
    assert not far.any()
    told = []
    assert encode_with(made.encoding, [], cache, told.append).shape == (0, 6)


def test_the_encoding_is_saved_with_the_catalogue(tmp_path):
    catalog = Catalog.synthetic(n_items=12)
    encoder = text_encoder("hashing")
    texts = catalog.table["text"].to_list()
    made = make_modality("text", encoder, texts, ALL[:12], source="text")
    catalog.replaced(modalities={"text": made}).save(tmp_path / "shop")
    loaded = Catalog.load(tmp_path / "shop").modalities["text"]
    np.testing.assert_allclose(encode_with(loaded.encoding, texts), loaded.embedding, atol=1e-6)


def test_images_are_named_by_paths_or_texts(tmp_path, cache):
    from PIL import Image

    paths = [tmp_path / f"{colour}.png" for colour in ("red", "green", "blue")]
    for path in paths:
        Image.new("RGB", (8, 8), path.stem).save(path)
    made = make_modality("image", HistogramEncoder(), paths, ALL[:3], source="image", cache=cache)
    again = encode_with(made.encoding, [str(path) for path in paths], cache)
    np.testing.assert_allclose(again, made.embedding, atol=1e-6)
    Image.new("RGB", (8, 8), "green").save(paths[0])
    np.testing.assert_allclose(encode_with(made.encoding, [str(paths[0])], cache)[0], made.embedding[1], atol=1e-6)


def test_another_encoder_is_refused(cache):
    made = make_modality("text", text_encoder("hashing"), ["a", "b c", "d"], ALL[:3], source="text")
    older = replace(made.encoding, fingerprint="0" * 32)
    with pytest.raises(
        ValueError,
        match=r"text encoder 'hashing' has the fingerprint \w{32}, and the modality was made by 'hashing' with 0",
    ):
        encode_with(older, ["a"], cache)
    with pytest.raises(ValueError, match="the text encoder 'drawn' has the fingerprint ab12"):
        encode_with(made.encoding, ["1"], cache, encoder=Drawn())


def test_an_encoder_without_a_name_is_passed(cache):
    encoder = Drawn()
    made = make_modality("text", encoder, TEXTS, ALL, source="text", dim=5, cache=cache)
    again = encode_with(made.encoding, TEXTS[:4], cache, encoder=encoder)
    np.testing.assert_allclose(again, made.embedding[:4], atol=1e-6)
    with pytest.raises(ValueError, match="there is no text encoder 'drawn'"):
        encode_with(made.encoding, TEXTS[:4], cache)


def test_other_rows_are_present_unless_they_are_zero():
    made = make_modality("text", Drawn(), TEXTS[:20], ALL[:20], source="text", dim=2)
    before = made.embedding.copy()
    changed = with_rows(made, [3, 5], [[1.0, 2.0], [0.0, 0.0]])
    assert changed.embedding[3].tolist() == [1.0, 2.0]
    assert np.flatnonzero(~changed.present).tolist() == [5]
    assert changed.encoding is made.encoding
    assert np.array_equal(np.delete(changed.embedding, [3, 5], axis=0), np.delete(before, [3, 5], axis=0))
    assert np.array_equal(made.embedding, before)
    assert with_rows(changed, [5], [[0.0, 1.0]]).present.all()
    assert np.array_equal(with_rows(made, [], np.zeros((0, 2))).embedding, before)
