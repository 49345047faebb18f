"""Image embeddings by colour and where it is, with nothing to learn and nothing to install."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np
import numpy.typing as npt

from recsim.modalities.digest import fingerprint
from recsim.modalities.pictures import on_white

VERSION = 1  # of what is done here to an image: raise it with every change that changes embeddings
SIZE = 64  # pixels a side
BINS = (8, 4, 4)  # of hue, saturation and value
TILES = 4  # a side


class HistogramEncoder:
    """What share of an image has which colour, and the mean colour of each of 4 × 4 tiles.

    The first 128 columns are square roots of the shares of the joint bins of hue, saturation and value, so that inner
    products are Bhattacharyya coefficients (Swain and Ballard, 1991, for histograms of colours). The other 48 are the
    mean red, green and blue of the tiles, from 0 to 1, divided by the root of 48. Both parts are at most 1 in length.

    Attributes:
        name: ``histogram``.
        fingerprint: of the settings and the version of this module.
        dim: 176.
        weight_bytes: 0, as nothing was learned.
    """

    name = "histogram"
    weight_bytes = 0
    dim = BINS[0] * BINS[1] * BINS[2] + 3 * TILES**2

    def __init__(self) -> None:
        """Needs nothing."""
        self.fingerprint = fingerprint(kind="histogram", version=VERSION, dim=self.dim, size=SIZE)

    def encode(self, items: Sequence[str | PathLike[str]]) -> npt.NDArray[np.float32]:
        """(m, 176) float32, one row for each image file."""
        embedding = np.empty((len(items), self.dim), np.float32)
        for item, path in enumerate(items):
            embedding[item] = _describe(path)
        return embedding


def _describe(path: str | PathLike[str]) -> npt.NDArray[np.float32]:
    from PIL import Image

    small = on_white(path).resize((SIZE, SIZE), Image.Resampling.BOX)
    colours = np.asarray(small.convert("HSV"), np.int64).reshape(-1, 3)
    hue, saturation, value = (colours * BINS // 256).T
    joint = (hue * BINS[1] + saturation) * BINS[2] + value
    shares = np.bincount(joint, minlength=BINS[0] * BINS[1] * BINS[2]) / SIZE**2
    tile = SIZE // TILES
    pixels = np.asarray(small, np.float64).reshape(TILES, tile, TILES, tile, 3)
    means = pixels.mean(axis=(1, 3)).ravel() / 255
    return np.concatenate([np.sqrt(shares), means / np.sqrt(len(means))]).astype(np.float32)
