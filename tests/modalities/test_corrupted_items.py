"""What is done to one text, and to the pixels of one image."""

import numpy as np
import pytest

from recsim.modalities.corruption.collection import NEIGHBOURS, mistyped
from recsim.modalities.corruption.labelling import partners
from recsim.modalities.corruption.transmission import blurred, noisy, placeholder, truncated
from recsim.streams import Streams

HIT, SPARED = 0.1, 0.9


def luck(*letters: tuple[float, float]) -> np.ndarray:
    return np.array(letters).T


def test_a_letter_is_swapped_replaced_or_lost() -> None:
    swap, replace, lose = (HIT, 0.2), (HIT, 0.5), (HIT, 0.8)
    spared = (SPARED, 0.5)
    assert mistyped("lamp", 0.5, luck(spared, swap, spared, spared)) == "lmap"
    assert mistyped("lamp", 0.5, luck(spared, lose, spared, spared)) == "lmp"
    near = NEIGHBOURS["a"]
    assert mistyped("lamp", 0.5, luck(spared, replace, spared, spared)) == f"l{near[int(0.5 * len(near))]}mp"
    assert mistyped("LAMP", 0.5, luck(spared, replace, spared, spared))[1].isupper()
    assert mistyped("lamp", 0.05, luck(spared, lose, spared, spared)) == "lamp"


def test_where_a_letter_cannot_be_swapped_or_replaced_it_is_lost() -> None:
    swap, replace, spared = (HIT, 0.2), (HIT, 0.5), (SPARED, 0.5)
    assert mistyped("a b", 0.5, luck(swap, spared, spared)) == " b"  # what follows is no letter
    assert mistyped("aab", 0.5, luck(swap, spared, spared)) == "ab"  # nobody would see the swap
    assert mistyped("b", 0.5, luck(swap)) == ""
    assert mistyped("ж", 0.5, luck(replace)) == ""  # no key of this keyboard
    assert mistyped("7, 8", 1.0, luck(swap, swap, swap, swap)) == "7, 8"  # only letters are mistyped


def test_neighbours_are_the_keys_that_touch() -> None:
    assert set(NEIGHBOURS["a"]) == set("qwsz")
    assert set(NEIGHBOURS["g"]) == set("tyfhvb")
    for letter, near in NEIGHBOURS.items():
        assert all(letter in NEIGHBOURS[other] for other in near)


def test_the_lower_part_of_a_truncated_image_is_grey() -> None:
    pixels = np.arange(10 * 2 * 3, dtype=np.uint8).reshape(10, 2, 3)
    found = truncated(pixels, 0.4)
    assert (found[:6] == pixels[:6]).all()
    assert (found[6:] == 128).all()
    assert placeholder().shape == (224, 224, 3)


def test_noise_is_the_same_draw_at_every_strength() -> None:
    pixels = np.full((40, 50, 3), 128, np.uint8)
    own = Streams.of(0, np.array([5]))
    weak, strong = (noisy(pixels, sigma, own).astype(float) - 128 for sigma in (0.04, 0.08))
    assert weak.std() == pytest.approx(255 * 0.04, rel=3 / np.sqrt(2 * weak.size))
    np.testing.assert_allclose(strong, 2 * weak, atol=1.5)  # rounded twice


def test_blur_spreads_an_edge_by_its_width() -> None:
    pixels = np.zeros((224, 224, 3), np.uint8)
    pixels[:, 112:] = 255
    edge = blurred(pixels, 4.0)[112, :, 0].astype(float)
    spread = np.diff(edge) / 255  # the filter itself
    columns = np.arange(1, 224)
    centre = (spread * columns).sum()
    assert np.sqrt((spread * (columns - centre) ** 2).sum()) == pytest.approx(4.0, abs=0.2)
    small = blurred(pixels[::2, ::2], 4.0)[56, :, 0].astype(float)
    spread, columns = np.diff(small) / 255, np.arange(1, 112)
    assert np.sqrt((spread * (columns - (spread * columns).sum()) ** 2).sum()) == pytest.approx(2.0, abs=0.2)


def test_partners_exchange_and_pairs_are_nested() -> None:
    items = Streams.of(3, 1001)
    before = np.arange(1001)
    for rate in (0.05, 0.2, 0.5, 1.0):
        partner = partners(items, rate)
        assert (partner[partner] == np.arange(1001)).all()
        moved = before != np.arange(1001)
        assert (partner[moved] == before[moved]).all()
        before = partner
        share = (partner != np.arange(1001)).mean()
        assert share == pytest.approx(rate, abs=4 * np.sqrt(2 * rate * (1 - rate) / 1001) + 1 / 1001)
