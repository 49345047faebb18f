import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsim import load_catalog
from recsim.modalities import batches, image, text
from recsim.modalities.cache import EmbeddingCache
from recsim.modalities.making import encode_with
from recsim.packages import optional_module

SOURCE = Path(__file__).parents[3] / "shared" / "data" / "openclipart"
ROWS = list(range(0, 1852, 160))


@pytest.fixture(scope="module")
def shop():
    return load_catalog("openclipart")


@pytest.fixture(scope="module")
def text_encoder():
    return text.TextEncoder(batch_size=5)


@pytest.fixture(scope="module")
def image_encoder():
    return image.ImageEncoder(batch_size=5)


def cosine(one, other):
    return (one * other).sum(axis=1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def agreement(one, other):
    """Correlation of the cosines of all pairs of rows, after centring."""
    pairs = np.triu_indices(len(one), 1)
    cosines = [unit(rows - rows.mean(axis=0)) for rows in (unit(one), unit(other))]
    return np.corrcoef(*[(rows @ rows.T)[pairs] for rows in cosines])[0, 1]


def source_rows(file_name):
    if not SOURCE.is_dir():
        pytest.skip("the raw source of the bundled catalogue is not beside the checkout")
    return np.load(SOURCE / file_name)[ROWS].astype(np.float64)


def test_batches():
    assert [list(batch) for batch in batches("abcde", 2)] == [["a", "b"], ["c", "d"], ["e"]]
    assert list(batches([], 2)) == []


def test_a_missing_package_says_what_to_install():
    with pytest.raises(
        ModuleNotFoundError,
        match=r'needs the package no-such.*pip install "recsim-slate\[text-image\]".* --no-deps no-such',
    ):
        optional_module("no_such_module", "no-such")


def test_a_broken_package_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "recsim_test_broken.py").write_text("import recsim_test_its_own_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'recsim_test_its_own_dependency'"):
        optional_module("recsim_test_broken", "broken")


def test_importing_the_encoders_imports_no_heavy_package():
    code = (
        "import sys, recsim.modalities.text, recsim.modalities.image, recsim.modalities.making, "
        "recsim.modalities.vision, recsim.modalities.glove, recsim.modalities.hashing, recsim.modalities.histogram; "
        "print(sorted({'torch', 'transformers', 'sklearn', 'PIL'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_image_lies_on_white_and_is_resized(tmp_path):
    Image.new("RGBA", (10, 20), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("L", (3, 3), 100).save(tmp_path / "grey.png")
    clear = image.read_image(tmp_path / "clear.png")
    assert (clear.shape, clear.dtype) == ((224, 224, 3), np.float32)
    assert (clear == 255).all()
    assert (image.read_image(tmp_path / "grey.png") == 100).all()


@pytest.mark.slow
def test_text_is_encoded_as_in_the_source(shop, text_encoder):
    encoded = text_encoder.encode([shop.table["text"].iloc[row] for row in ROWS])
    assert encoded.shape == (len(ROWS), text_encoder.dim) == (12, 384)
    np.testing.assert_allclose(np.linalg.norm(encoded, axis=1), 1, rtol=1e-5)
    assert cosine(encoded, source_rows("emb_text_minilm384.npy")).min() > 0.9999


@pytest.mark.slow
def test_images_are_encoded_as_in_the_source(shop, image_encoder):
    encoded = image_encoder.encode([shop.image_path(row) for row in ROWS])
    assert encoded.shape == (len(ROWS), image_encoder.dim) == (12, 1280)
    assert cosine(encoded, source_rows("emb_image_efflite0_1280.npy")).min() > 0.9999


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text", "image"])
def test_the_bundled_columns_keep_the_similarities(shop, text_encoder, image_encoder, name):
    """Centred similarities of fresh full embeddings against those of the bundled 64 columns, and of shifted ones."""
    if name == "text":
        full = text_encoder.encode([shop.table["text"].iloc[row] for row in ROWS])
    else:
        full = image_encoder.encode([shop.image_path(row) for row in ROWS])
    bundled = shop.modalities[name].embedding[ROWS]
    assert agreement(full, bundled) > 0.9
    assert agreement(full, np.roll(bundled, 1, axis=0)) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text", "image"])
def test_fresh_items_land_on_the_bundled_rows(shop, text_encoder, image_encoder, name, tmp_path):
    """And not on those of other items."""
    bundled = shop.modalities[name]
    items = {"text": shop.table["text"].to_list(), "image": [shop.image_path(row) for row in range(len(shop))]}[name]
    encoder = {"text": text_encoder, "image": image_encoder}[name]
    assert (bundled.encoding.source, bundled.encoding.encoder) == (name, encoder.name)
    with EmbeddingCache(tmp_path / "cache.sqlite") as cache:
        made = encode_with(bundled.encoding, [items[row] for row in ROWS], cache, encoder=encoder)
    assert cosine(made, bundled.embedding[ROWS]).min() > 0.99
    assert cosine(made, np.roll(bundled.embedding[ROWS], 1, axis=0)).max() < 0.9


@pytest.mark.slow
def test_a_text_does_not_depend_on_its_batch(text_encoder):
    texts = ["a red apple", "bee", "a very long description of a green house " * 20, "", "dog", "cat", "sun"]
    together = text_encoder.encode(texts)
    alone = np.concatenate([text_encoder.encode([item]) for item in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert text_encoder.encode([]).shape == (0, 384)
    assert cosine(*text_encoder.encode(["puppy", "a young dog"])[:, None]) > cosine(
        *text_encoder.encode(["puppy", "tax law"])[:, None]
    )


@pytest.mark.slow
def test_texts_are_cut_at_the_maximal_length():
    short = text.TextEncoder(max_length=8)
    start = "one two three four five six seven eight nine ten"
    np.testing.assert_allclose(short.encode([start + " apple"]), short.encode([start + " war"]), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "near"), [("float16", 0.9999), ("bfloat16", 0.99)])
def test_images_in_a_smaller_type(shop, image_encoder, dtype, near):
    paths = [shop.image_path(row) for row in ROWS[:2]]
    small = image.ImageEncoder(dtype=dtype)
    assert small.name == f"efficientnet-lite0@{dtype}"
    assert small.fingerprint != image_encoder.fingerprint
    assert near < cosine(small.encode(paths), image_encoder.encode(paths)).min() < 1


@pytest.mark.slow
def test_no_images_no_rows(image_encoder):
    assert image_encoder.encode([]).shape == (0, 1280)


@pytest.mark.slow
def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no text model: there is no config\.json"):
        text.TextEncoder(tmp_path)
