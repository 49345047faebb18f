"""Encoders that need no model."""

import colorsys
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from recsim.modalities.glove import VECTORS, GloveEncoder
from recsim.modalities.hashing import HashingEncoder
from recsim.modalities.histogram import BINS, HistogramEncoder
from recsim.modalities.pictures import on_white


def cosine(one, other):
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


@pytest.fixture
def saved(tmp_path):
    """Saves an array of pixels and says where."""

    def save(pixels, name="image.png", **options):
        Image.fromarray(np.asarray(pixels, np.uint8)).save(tmp_path / name, **options)
        return tmp_path / name

    return save


# Word vectors


def test_a_text_is_the_mean_of_its_known_words():
    with np.load(VECTORS) as stored:
        vector = dict(zip(stored["words"].tolist(), stored["vectors"].astype(np.float64), strict=True))
    mean = (2 * vector["apple"] + vector["red"]) / 3
    (encoded,) = GloveEncoder().encode(["Apple, qwxyz apple: RED 7!"])
    np.testing.assert_allclose(encoded, mean, rtol=1e-6)


def test_a_text_without_a_known_word_has_no_direction():
    encoded = GloveEncoder().encode(["", "qwxyz 123 4711", "a dog"])
    assert encoded.any(axis=1).tolist() == [False, False, True]
    assert (encoded.shape, encoded.dtype) == ((3, 50), np.float32)
    assert GloveEncoder().encode([]).shape == (0, 50)


def test_words_with_an_apostrophe_are_one_word():
    one, other = GloveEncoder().encode(["d'orange", "d orange"])
    assert not np.allclose(one, other)


def test_meaning_is_known_to_word_vectors_and_not_to_hashing():
    texts = ["dog", "cat", "guitar"]
    known, hashed = GloveEncoder().encode(texts), HashingEncoder().encode(texts)
    assert cosine(known[0], known[1]) > 0.8 > 0.3 > cosine(known[0], known[2])
    assert abs(cosine(hashed[0], hashed[1])) < 0.3


def test_word_vectors_need_no_torch():
    code = (
        "import sys; from recsim.modalities.names import text_encoder, image_encoder; "
        "text_encoder('glove').encode(['dog']); text_encoder('hashing').encode(['dog']); image_encoder('histogram'); "
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Hashing


def test_hashed_columns_are_signed_counts_of_words_and_pieces():
    """Against a loop over the words and the pieces of " bee ", with scikit-learn's own hash for one word."""
    from sklearn.utils import murmurhash3_32

    pieces = ["bee"]
    for word in [" bee "]:
        for length in (3, 4, 5):
            pieces += [word[start : start + length] for start in range(len(word) - length + 1)]
    expected = np.zeros(512)
    for piece in pieces:
        hashed = murmurhash3_32(piece, seed=0)
        expected[abs(hashed) % 512] += 1 if hashed >= 0 else -1
    (encoded,) = HashingEncoder().encode(["bee"])
    np.testing.assert_allclose(encoded, expected / np.linalg.norm(expected), atol=1e-6)


def test_forms_of_a_word_are_alike():
    one, form, other = HashingEncoder().encode(["strawberries", "strawberry", "locomotive"])
    assert cosine(one, form) > 0.5 > 0.2 > abs(cosine(one, other))


def test_hashing_of_nothing():
    encoded = HashingEncoder().encode(["", "dog"])
    assert encoded.any(axis=1).tolist() == [False, True]
    assert (encoded.shape, encoded.dtype) == ((2, 512), np.float32)
    assert HashingEncoder().encode([]).shape == (0, 512)


# Colours


def test_a_histogram_against_a_loop_over_pixels(saved):
    """64 × 64 pixels are not resized; Pillow's HSV is colorsys's in steps of 1 / 255."""
    draw = np.random.Generator(np.random.Philox(0))
    tiles = draw.integers(0, 256, (4, 4, 3))
    pixels = tiles.repeat(16, axis=0).repeat(16, axis=1)
    shares = np.zeros(BINS)
    for red, green, blue in pixels.reshape(-1, 3).tolist():
        levels = [int(part * 255) for part in colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)]
        shares[tuple(level * bins // 256 for level, bins in zip(levels, BINS, strict=True))] += 1 / 64**2
    (encoded,) = HistogramEncoder().encode([saved(pixels)])
    np.testing.assert_allclose(encoded[:128], np.sqrt(shares).ravel(), atol=1e-6)
    np.testing.assert_allclose(encoded[128:], tiles.ravel() / 255 / np.sqrt(48), atol=1e-6)


def test_what_is_where_counts(saved):
    left = np.zeros((64, 64, 3))
    left[:, :32, 0] = 255
    encoder = HistogramEncoder()
    one, other = encoder.encode([saved(left, "1.png"), saved(left[:, ::-1], "2.png")])
    np.testing.assert_array_equal(one[:128], other[:128])
    assert not np.allclose(one[128:], other[128:])


def test_a_histogram_of_no_images():
    assert HistogramEncoder().encode([]).shape == (0, 176)


# Image files


def test_an_image_is_turned_upright(saved):
    """Orientation 6: the top of the picture is at the right of the stored pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(np.full((10, 20, 3), 200), "photo.jpg", exif=exif)
    assert on_white(path).size == (10, 20)


@pytest.mark.parametrize("broken", ["missing", "text", "cut"])
def test_an_image_that_cannot_be_read_is_named(saved, tmp_path, broken):
    path = tmp_path / "image.png"
    if broken == "text":
        path.write_text("no image")
    if broken == "cut":
        saved(np.random.Generator(np.random.Philox(0)).integers(0, 256, (50, 50, 3)))
        path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"image .*image\.png cannot be read .*repair the file, or mark the item abs"):
        HistogramEncoder().encode([path])
