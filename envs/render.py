"""A frame of `SlateEnv` as a picture, drawn with Pillow and the font that ships with it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from recsim.envs.hidden import Gauge, figure
from recsim.envs.lettering import cut, width, wrapped, write
from recsim.envs.scene import STATES, Card, Scene
from recsim.report.palette import LIGHT

WIDTH, HEIGHT = 1280, 640  # pixels; slates that do not fit make the picture higher
MARGIN, GAP, HEADER, FOOTER, PANEL = 24, 10, 76, 40, 336
STRIP, CAPTION = 24, 60  # height of what stands above and below the picture of an item
LEAST_SIDE, MOST_SIDE = 96, 320  # of the picture of an item
ACROSS, DOWN = WIDTH - PANEL - 3 * MARGIN + GAP, HEIGHT - HEADER - FOOTER
ROW, LABEL = 19, 122  # of a gauge: height of a row, width of its label
INK = {"clicked": LIGHT["accent"], "bought": LIGHT["caution"], "seen": LIGHT["ink"], "shown": LIGHT["ink"]}


def as_picture(shown: Scene) -> NDArray[np.uint8]:
    """The scene as (h, w, 3) uint8; its size depends on the slate size only."""
    columns, side, height = _grid(len(shown.cards))
    canvas = Image.new("RGB", (WIDTH, height), LIGHT["paper"])
    draw = ImageDraw.Draw(canvas)
    _header(draw, shown)
    wide, high = side + 2 * GAP, side + STRIP + CAPTION + GAP
    left = MARGIN + (ACROSS - columns * (wide + GAP)) // 2
    for number, card in enumerate(shown.cards):
        x, y = left + number % columns * (wide + GAP), HEADER + number // columns * (high + GAP)
        _draw_card(canvas, card, (x, y), (wide, high), side)
    _legend(canvas, shown, height - FOOTER)
    _panel(draw, shown.gauges, height - 12)
    return np.array(canvas)


def _grid(cards: int) -> tuple[int, int, int]:
    """Columns, side of an item's picture and height of the frame, for the largest pictures that fit."""
    most = ACROSS // (LEAST_SIDE + 3 * GAP)
    fits = []
    for columns in range(1, min(cards, most) + 1):
        rows = -(-cards // columns)
        side = min(ACROSS // columns - 3 * GAP, DOWN // rows - STRIP - CAPTION - 2 * GAP, MOST_SIDE)
        fits.append((side, cards - rows * columns, columns))
    side, _, columns = max(max(fits), (LEAST_SIDE, 0, most))
    rows = -(-cards // columns)
    return columns, side, max(HEIGHT, HEADER + FOOTER + rows * (side + STRIP + CAPTION + 2 * GAP))


def _header(draw: ImageDraw.ImageDraw, shown: Scene) -> None:
    write(draw, (MARGIN, 34), shown.who, 26)
    colour = LIGHT["refuse"] if shown.ending == "has left" else LIGHT["muted"]
    write(draw, (MARGIN, 58), f"The user {shown.ending}.", 17, colour)
    start = MARGIN + 16 + width(f"The user {shown.ending}.", 17)
    write(draw, (start, 58), cut(shown.told, 17, MARGIN + ACROSS - 280 - start), 17, LIGHT["muted"])
    right = MARGIN + ACROSS - GAP
    for name, number in (("so far", shown.total), ("reward of this slate", shown.reward)):
        if shown.reward is not None:
            write(draw, (right, 34), f"{number:.2f}", 26, LIGHT["ink"], "rs")
            write(draw, (right, 58), name, 15, LIGHT["muted"], "rs")
        right -= 130


def _draw_card(canvas: Image.Image, card: Card, at: tuple[int, int], size: tuple[int, int], side: int) -> None:
    draw = ImageDraw.Draw(canvas)
    (x, y), (wide, high) = at, size
    box = (x, y, x + wide - 1, y + high - 1)
    chosen = card.state in ("clicked", "bought")
    ink = INK.get(card.state, LIGHT["muted"])
    draw.rectangle(box, LIGHT["paper"], ink if chosen or card.state == "seen" else LIGHT["line"], 3 if chosen else 1)
    if chosen:
        draw.rectangle((x, y, x + wide - 1, y + STRIP), ink)
    words = LIGHT["paper"] if chosen else ink
    write(draw, (x + GAP, y + STRIP // 2 + 1), str(card.position), 15, words, "lm")
    if card.mark:
        write(draw, (x + wide - GAP, y + STRIP // 2 + 1), card.mark, 14, words, "rm")
        start = x + wide - GAP - 20 - width(card.mark, 14)
        canvas.paste(words, (start, y + (STRIP - 14) // 2 + 1), _sign(card.state))
    if not card.title:
        return
    faint = card.state == "unseen"
    top = y + STRIP + GAP // 2
    canvas.paste(_tile(card.image, card.category, side, faint), (x + GAP, top))
    lines = wrapped(card.title, 14, side, 2)
    for number, line in enumerate(lines):
        write(draw, (x + GAP, top + side + 17 + 16 * number), line, 14, LIGHT["muted" if faint else "ink"])
    foot = y + high - GAP + 1
    write(draw, (x + wide - GAP, foot), card.price, 13, LIGHT["muted"], "rs")
    rest = side - width(card.price, 13) - 8
    write(draw, (x + GAP, foot), cut(card.category, 13, rest), 13, LIGHT["muted"])


@lru_cache(maxsize=256)
def _tile(path: Path | None, category: str, side: int, faint: bool) -> Image.Image:
    """The picture of an item in a square, or the name of its category where there is none that can be read."""
    paper = Image.new("RGB", (side, side), LIGHT["paper"])
    try:
        if path is None:
            raise FileNotFoundError
        with Image.open(path) as image:
            picture = image.convert("RGBA")
        scale = side / max(picture.size)
        picture = picture.resize([max(1, round(scale * edge)) for edge in picture.size], Image.Resampling.LANCZOS)
        tile = paper.copy()
        tile.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2), picture)
    except (OSError, Image.DecompressionBombError):
        tile = Image.new("RGB", (side, side), LIGHT["panel"])
        lines = wrapped(category, 16, side - 2 * GAP, 3)
        for number, line in enumerate(lines):
            place = side / 2 + 20 * (number - (len(lines) - 1) / 2)
            write(ImageDraw.Draw(tile), (side / 2, place), line, 16, LIGHT["muted"], "mm")
    return Image.blend(tile, paper, 0.65) if faint else tile


def _legend(canvas: Image.Image, shown: Scene, y: int) -> None:
    draw = ImageDraw.Draw(canvas)
    x, middle = MARGIN, y + FOOTER // 2 - 4
    known = [state for state in STATES if state != "shown"]
    if any(card.state == "shown" for card in shown.cards):
        known = [state for state in STATES if state not in ("seen", "unseen")]
    for state in known:
        canvas.paste(INK.get(state, LIGHT["muted"]), (x, middle - 7), _sign(state))
        write(draw, (x + 20, middle), state, 14, LIGHT["ink"], "lm")
        x += 26 + width(state, 14)
        write(draw, (x, middle), STATES[state], 13, LIGHT["muted"], "lm")
        x += 22 + width(STATES[state], 13)


def _panel(draw: ImageDraw.ImageDraw, gauges: tuple[Gauge, ...], bottom: int) -> None:
    """The hidden state, as far down as there is room."""
    x, y = WIDTH - MARGIN - PANEL, 12
    draw.rectangle((x, y, WIDTH - MARGIN, bottom), LIGHT["panel"])
    x, y, end = x + 14, y + 24, WIDTH - MARGIN - 14
    write(draw, (x, y), "Hidden state", 17)
    write(draw, (end, y), "no policy sees it", 13, LIGHT["muted"], "rs")
    y += 4
    for gauge in gauges:
        single = gauge.labels == ("",)
        rows = len(gauge.labels) + (not single) + bool(gauge.more)
        y += 6 if single else 14
        if y + ROW * rows > bottom:
            write(draw, (x, y + ROW), "…", 14, LIGHT["muted"])
            return
        _draw_gauge(draw, gauge, x, y, end)
        y += ROW * rows


def _draw_gauge(draw: ImageDraw.ImageDraw, gauge: Gauge, x: int, y: int, end: int) -> None:
    single = gauge.labels == ("",)
    first = y if single else y + ROW
    wide = (end - x - LABEL) // len(gauge.columns)
    labels = (gauge.name,) if single else gauge.labels
    if not single:
        write(draw, (x, y + 14), cut(gauge.name, 14, LABEL - 8), 14)
    if gauge.more:
        last = first + ROW * len(labels) + 14
        write(draw, (x, last), f"and {gauge.more} more, of less match", 13, LIGHT["muted"])
    for row, label in enumerate(labels):
        write(draw, (x, first + ROW * row + 14), cut(label, 14, LABEL - 8), 14)
    for column, (heading, values) in enumerate(gauge.columns.items()):
        start, stop = x + LABEL + wide * column, x + LABEL + wide * (column + 1) - 8 * (column + 1 < len(gauge.columns))
        write(draw, (start, y + 14), heading, 13, LIGHT["muted"])
        texts = [figure(value) for value in values]
        tip = stop - max(40, 8 + max(width(text, 13) for text in texts))
        both_ways = not single and bool((values < 0).any())
        for row, (value, text) in enumerate(zip(values, texts, strict=True)):
            base = first + ROW * row
            write(draw, (stop, base + 14), text, 13, LIGHT["ink"], "rs")
            if full := gauge.full.get(heading):
                _bar(draw, value / full, (start, base + 4, tip, base + 14), both_ways)


def _bar(draw: ImageDraw.ImageDraw, share: float, box: tuple[int, int, int, int], both_ways: bool) -> None:
    """A bar for a share of 0 to 1 from the left, or of -1 to 1 from the middle."""
    left, top, right, bottom = box
    zero = (left + right) // 2 if both_ways else left
    draw.rectangle(box, LIGHT["line"])
    if np.isfinite(share):
        tip = zero + round(float(np.clip(share, -1 if both_ways else 0, 1)) * (right - zero))
        draw.rectangle((min(zero, tip), top, max(zero, tip), bottom), LIGHT["accent" if share >= 0 else "muted"])
    draw.line((zero, top - 1, zero, bottom + 1), LIGHT["ink"])


@lru_cache
def _sign(state: str) -> Image.Image:
    """The mark of a state as a mask of 14 × 14 pixels: another shape for each, drawn large and reduced."""
    large = 112
    mask = Image.new("L", (large, large))
    draw = ImageDraw.Draw(mask)
    edge = (8, 8, large - 9, large - 9)
    if state == "bought":  # a tick
        draw.line((10, 60, 42, 92, 102, 22), 255, 20, "curve")
    elif state == "clicked":
        draw.ellipse(edge, 255)
    elif state == "seen":  # a ring with a dot: an eye
        draw.ellipse(edge, 0, 255, 12)
        draw.ellipse((38, 38, large - 39, large - 39), 255)
    elif state == "empty":  # a cross
        draw.line((20, 20, large - 21, large - 21), 255, 14)
        draw.line((20, large - 21, large - 21, 20), 255, 14)
    else:
        draw.ellipse(edge, 0, 255, 12)
    return mask.resize((14, 14), Image.Resampling.LANCZOS)
