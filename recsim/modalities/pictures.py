"""Image files as encoders see them."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def on_white(path: str | PathLike[str]) -> Picture:
    """The image in RGB: upright, as its EXIF data say, and on white where it is transparent.

    Raises:
        ValueError: if the file is missing or no image that can be read.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            colours = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"image {path} cannot be read ({type(error).__name__}: {error}): repair the file, or mark the item absent."
        ) from error
    return laid_on_white(colours)


def laid_on_white(picture: Picture) -> Picture:
    """A picture as RGB, on white where it is transparent; modes other than RGBA are converted as they are."""
    from PIL import Image

    if picture.mode != "RGBA":
        return picture.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
