"""Faults of transmission: images that arrive in part, blurred, noisy or not at all, encoded as they arrived."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.modalities.corruption.damage import (
    Damage,
    Flags,
    Items,
    check_encoding,
    encoded_again,
    modalities_of,
    struck,
    with_modalities,
)
from recsim.modalities.pictures import on_white
from recsim.modality import Modality
from recsim.streams import Streams

if TYPE_CHECKING:
    from recsim.modalities import Encoder
    from recsim.modalities.cache import EmbeddingCache

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, Streams], Pixels]

GREY = 128  # what decoders of JPEG files leave where nothing arrived (level shift of 8-bit samples, ITU-T T.81, A.3.1)
SIDE = 224  # of the images that the strengths are stated for, as in ImageNet-C
_AT_ONCE = 256  # changed images on disk


def truncated_image(catalog: Catalog, share: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Images whose lower part did not arrive, as a tolerant decoder shows them."""
    return _changed(catalog, _has_image(catalog), lambda pixels, _: truncated(pixels, share), luck, cache)


def dropped_image(catalog: Catalog, rate: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """A grey placeholder in the place of some images; nobody tells the agent."""
    return _changed(catalog, _has_image(catalog) & struck(luck, rate), lambda pixels, _: placeholder(), luck, cache)


def blur(catalog: Catalog, sigma: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Images out of focus."""
    return _changed(catalog, _has_image(catalog), lambda pixels, _: blurred(pixels, sigma), luck, cache)


def image_noise(catalog: Catalog, sigma: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Images with noise in every pixel, independent of the others."""
    return _changed(catalog, _has_image(catalog), lambda pixels, own: noisy(pixels, sigma, own), luck, cache)


def truncated(pixels: Pixels, share: float) -> Pixels:
    """The image (h, w, 3) with the lowest `share` of its rows grey."""
    kept = round(len(pixels) * (1.0 - share))
    return np.concatenate([pixels[:kept], np.full_like(pixels[kept:], GREY)])


def placeholder() -> Pixels:
    """(224, 224, 3) grey."""
    return np.full((SIDE, SIDE, 3), GREY, np.uint8)


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    """The image after a Gaussian filter; `sigma` is in pixels of an image whose shorter side has 224."""
    from PIL import Image, ImageFilter

    radius = sigma * min(pixels.shape[:2]) / SIDE
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def noisy(pixels: Pixels, sigma: float, luck: Streams) -> Pixels:
    """The image with normal noise of standard deviation `sigma`, white being 1, clipped; `luck` is one item's."""
    noise = luck.normal("pixel noise", pixels.size).reshape(pixels.shape)
    return np.rint(np.clip(pixels + 255.0 * sigma * noise, 0.0, 255.0)).astype(np.uint8)


def _has_image(catalog: Catalog) -> Flags:
    """(m,) bool, the items with an image from which agents see something.

    Raises:
        ValueError: if the catalogue has no images, or no modality made from them that says how.
    """
    modalities = modalities_of(catalog, "image")
    check_encoding(catalog, modalities)
    if catalog.image_dir is None:
        raise ValueError(
            f"catalogue {catalog.name!r} has no images to corrupt: pass image_dir, or corrupt embeddings (gaussian, "
            "duplicated, stale)."
        )
    seen = np.any([modality.present for modality in modalities], axis=0)
    return np.asarray(seen & (catalog.table["image"] != "").to_numpy(bool))


def _changed(catalog: Catalog, hit: Flags, change: Change, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """The images of the items that are hit, changed and encoded again."""
    from recsim.modalities.making import encoder_of

    changed = []
    for modality in modalities_of(catalog, "image"):
        assert modality.encoding is not None  # of `_has_image`
        encoder = encoder_of(modality.encoding)
        rows = np.flatnonzero(hit & modality.present)
        for start in range(0, len(rows), _AT_ONCE):
            modality = _encoded(catalog, modality, encoder, rows[start : start + _AT_ONCE], change, luck, cache)
        changed.append(modality)
    return Damage(hit, modalities=with_modalities(catalog, changed), found=catalog.table["image"].to_list())


def _encoded(
    catalog: Catalog,
    modality: Modality,
    encoder: Encoder[Any],
    rows: Items,
    change: Change,
    luck: Streams,
    cache: EmbeddingCache | None,
) -> Modality:
    """The modality with the changed images of some rows, which are files while they are encoded."""
    from PIL import Image

    with tempfile.TemporaryDirectory(prefix="recsim-") as folder:
        paths = [Path(folder) / f"{row}.png" for row in rows]
        for row, path in zip(rows, paths, strict=True):
            original = catalog.image_path(int(row))
            assert original is not None  # of `_has_image`
            Image.fromarray(change(np.asarray(on_white(original)), luck[row : row + 1])).save(path, compress_level=1)
        return encoded_again(modality, rows, paths, cache, encoder)
