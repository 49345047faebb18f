"""One image file: what is wrong or odd about it, and the same picture in the form that catalogues keep."""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recsim.files import write_whole
from recsim.modalities.pictures import laid_on_white

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # AVIF where Pillow was built with it
QUALITY = 90  # of the webp that is written
MAX_FILE_BYTES = 100 * 2**20
MAX_PIXELS = 50_000_000
TINY = 16  # pixels of the shorter side
BLANK = 2  # levels of 255 between the darkest and the brightest pixel of each channel
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError)
_SUPPORTED = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_UNSUPPORTED = {
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"%!PS": "PostScript",
    b"\x00\x00\x01\x00": "an icon",
    b"<svg": "SVG",
    b"ftyphei": "HEIC",
    b"ftypmif": "HEIF",
    b"ftypavif": "AVIF",
    b"\x00\x00\x00\x0cjP": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"P6\n": "PPM",
}


@dataclass(frozen=True)
class Limits:
    """What an image may be, and what it becomes.

    Attributes:
        image_size: pixels of the longer side of what is kept, at most.
        max_pixels: of a file, as its header says; more are refused before anything is decoded.
    """

    image_size: int = 256
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True)
class Checked:
    """What was found about a file.

    Attributes:
        name: of the picture that was written, or empty where the file is refused.
        digest: hexadecimal, of the file's bytes; empty where they were not read.
        look: 16 hexadecimal digits, the perceptual hash; empty where there is no picture or nothing on it.
        told: pairs of a kind of finding and what was found.
    """

    name: str
    digest: str
    look: str
    told: tuple[tuple[str, str], ...]


def check_image(path: Path, folder: Path, limits: Limits) -> Checked:
    """Looks at a file, and writes what is kept of it as ``<digest>.webp`` into a folder, whole or not at all.

    Equal bytes give an equal file. Warnings of Pillow are the caller's to silence.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # a pipe would be waited for without end
            return _refused("no image file", f"{path.name} is no ordinary file")
        if facts.st_size > MAX_FILE_BYTES:
            return _refused("huge image", f"{path.name} has {facts.st_size / 2**20:,.0f} MiB")
        data = path.read_bytes()
    except OSError as error:
        return _refused("broken image", f"{path.name} cannot be read ({error.strerror})")
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return _check_bytes(path.name, data, digest, folder, limits)


def _check_bytes(file: str, data: bytes, digest: str, folder: Path, limits: Limits) -> Checked:
    from PIL import Image, UnidentifiedImageError

    Image.init()
    try:
        image = Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])
        width, height = image.size  # of some types, read only now
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _refused("huge image", f"{file} has far more than {limits.max_pixels:,} pixels", digest)
    except UnidentifiedImageError:
        return _refused(*_unidentified(file, data), digest)
    except (*_BROKEN, struct.error, zlib.error) as error:
        return _refused("broken image", f"{file}: {_reason(error)}", digest)
    if width * height > limits.max_pixels:
        return _refused("huge image", f"{file} has {width:,} × {height:,} pixels", digest)
    try:
        told = _oddities(file, image)
        picture = _normalised(image, limits.image_size)
    except (*_BROKEN, struct.error, zlib.error, Image.DecompressionBombError) as error:
        return _refused("broken image", f"{file}: {_reason(error)}", digest)
    flat = laid_on_white(picture)
    blank = all(high - low <= BLANK for low, high in _extrema(flat))
    if blank:
        told.append(("blank image", f"{file} has one colour only"))
    name = f"{digest}.webp"
    write_whole(folder / name, lambda temporary: picture.save(temporary, "WEBP", quality=QUALITY, method=4))
    return Checked(name, digest, "" if blank else _look(flat), tuple(told))


def _refused(what: str, found: str, digest: str = "") -> Checked:
    return Checked("", digest, "", ((what, found),))


def _unidentified(file: str, data: bytes) -> tuple[str, str]:
    head = data[:512].lstrip()
    for signature, name in _UNSUPPORTED.items():
        if signature in head if signature[:1] in (b"<", b"f") else data.startswith(signature):
            return "unsupported image type", f"{file} is {name}: save it as png, jpeg or webp"
    if not data or data.startswith(_SUPPORTED):
        return "broken image", f"{file} is {'cut off or damaged at its beginning' if data else 'empty'}"
    return "no image file", f"{file} is none of {', '.join(FORMATS)}"


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _oddities(file: str, image: Image) -> list[tuple[str, str]]:
    told = []
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # of which the others are the same, or depth
        told.append(("animated image", f"{file} has {getattr(image, 'n_frames', 1)} frames"))
    if image.mode in ("CMYK", "LAB", "YCbCr", "HSV") or image.mode[:1] in "IF":
        told.append(("converted colours", f"{file} has colours of the kind {image.mode}"))
    if min(image.size) < TINY:
        told.append(("tiny image", f"{file} has {image.width} × {image.height} pixels"))
    return told


def _normalised(image: Image, size: int) -> Image:
    """The first frame, upright, as 8-bit RGB or RGBA, at most `size` pixels long, without anything but pixels."""
    from PIL import Image, ImageOps

    image.draft(None, (2 * size, 2 * size))  # lets the JPEG decoder skip detail that would be thrown away
    image.load()
    upright = ImageOps.exif_transpose(image)
    picture = _in_8_bits(upright)
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    picture.info = {}
    return picture


def _in_8_bits(image: Image) -> Image:
    from PIL import Image

    if image.mode[:1] in "IF":
        return Image.fromarray(_levels(np.asarray(image, dtype=np.float64), image.mode)).convert("RGB")
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if transparent else "RGB")


def _levels(pixels: np.ndarray[Any, np.dtype[np.float64]], mode: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Grey of 16 bits or of any range, scaled to 0 to 255: 16 bits by their range, what has no range by its ends."""
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("pixels are not finite")
    if mode.startswith("I;16") or (mode == "I" and low >= 0 and 255 < high <= 65535):
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    return np.rint((pixels - low) * (255.0 / (high - low))).astype(np.uint8)


def _extrema(flat: Image) -> Sequence[tuple[int, int]]:
    return flat.getextrema()  # type: ignore[return-value]


def _look(flat: Image) -> str:
    from imagehash import phash

    return str(phash(flat))
