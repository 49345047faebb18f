"""Lettering of pictures, in the one font that ships with Pillow: ASCII letters only."""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache

from PIL import ImageDraw, ImageFont

from recsim.report.palette import LIGHT


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    ink: str = LIGHT["ink"],
    anchor: str = "ls",
) -> None:
    """Write one line of text; `anchor` says which point of it stands at `at` (see Pillow's text anchors)."""
    draw.text(at, _plain(text), ink, _font(size), anchor)


def width(text: str, size: int) -> int:
    """Pixels that a line of text takes."""
    return math.ceil(_font(size).getlength(_plain(text)))


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _plain(text: str) -> str:
    """The text without accents, which the font lacks."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def cut(text: str, size: int, room: float) -> str:
    """The beginning of the text that fits into `room` pixels."""
    if width(text, size) <= room:
        return text
    ends = (f"{text[:end].rstrip()}…" for end in range(min(len(text), 200), 0, -1))
    return next((beginning for beginning in ends if width(beginning, size) <= room), "")


def wrapped(text: str, size: int, room: float, most: int) -> list[str]:
    """The text in up to `most` lines, the last one cut where it does not fit."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < most:
        taken = len(words) if len(lines) + 1 == most else 1
        while taken < len(words) and width(" ".join(words[: taken + 1]), size) <= room:
            taken += 1
        lines.append(cut(" ".join(words[:taken]), size, room))
        words = words[taken:]
    return lines
