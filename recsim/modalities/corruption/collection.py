"""Faults of collection: texts and images that never came, and texts that were mistyped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsim.catalog import Catalog
from recsim.modalities.corruption.damage import (
    Damage,
    Flags,
    Floats,
    check_encoding,
    encoded_again,
    lost,
    modalities_of,
    struck,
    with_modalities,
)
from recsim.streams import Streams

if TYPE_CHECKING:
    from recsim.modalities.cache import EmbeddingCache

TEXTS = ("title", "text")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHIFTS = (0.0, 0.25, 0.75)  # of the rows of a keyboard, in keys to the right


def missing_text(catalog: Catalog, rate: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Items without title, text and the modalities made from them."""
    modalities = modalities_of(catalog, "text")
    hit = struck(luck, rate) & (_texts_there(catalog) | np.any([modality.present for modality in modalities], axis=0))
    table = catalog.table.assign(**{name: catalog.table[name].mask(hit, "") for name in TEXTS})
    changed = with_modalities(catalog, [lost(modality, hit) for modality in modalities])
    return Damage(hit, table, changed, found=catalog.table["text"].to_list())


def missing_image(catalog: Catalog, rate: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Items without image and the modalities made from it."""
    modalities = modalities_of(catalog, "image")
    hit = struck(luck, rate) & np.any([modality.present for modality in modalities], axis=0)
    changed = with_modalities(catalog, [lost(modality, hit) for modality in modalities])
    if "image" not in catalog.table:
        return Damage(hit, modalities=changed)
    table = catalog.table.assign(image=catalog.table["image"].mask(hit, ""))
    return Damage(hit, table, changed, found=catalog.table["image"].to_list())


def typos(catalog: Catalog, rate: float, luck: Streams, cache: EmbeddingCache | None) -> Damage:
    """Texts as people mistype them, encoded again where anything changed; a title is mistyped as in the text."""
    modalities = modalities_of(catalog, "text")
    check_encoding(catalog, modalities)
    columns = [catalog.table[name].to_list() for name in TEXTS]
    typed = [
        [mistyped(text, rate, _typing(luck[row : row + 1], len(text))) for row, text in enumerate(column)]
        for column in columns
    ]
    hit = np.array([old != new for old, new in zip(columns[-1], typed[-1], strict=True)])
    table = catalog.table.assign(
        **{name: pd.Series(column, dtype="str") for name, column in zip(TEXTS, typed, strict=True)}
    )
    changed = []
    for modality in modalities:
        rows = np.flatnonzero(hit & modality.present)
        changed.append(encoded_again(modality, rows, [typed[-1][row] for row in rows], cache))
    return Damage(hit, table, with_modalities(catalog, changed), found=columns[-1])


def mistyped(text: str, rate: float, luck: Floats) -> str:
    """A text with letters swapped with the next one, replaced by a neighbour on the keyboard, or lost.

    The three are equally likely; where the first two cannot be, the letter is lost. Swaps and keyboard errors: Belinkov
    and Bisk 2018, "Synthetic and natural noise both break neural machine translation", section 3.2.

    Args:
        text: what was meant.
        rate: probability with which a letter is mistyped.
        luck: (2, len(text)) float64 in (0, 1): whether each letter is, and how.
    """
    written: list[str] = []
    place = 0
    while place < len(text):
        letter, follows, how = text[place], text[place + 1 : place + 2], 3.0 * luck[1, place]
        near = NEIGHBOURS.get(letter.lower(), "")
        place += 1
        if not letter.isalpha() or luck[0, place - 1] >= rate:
            written.append(letter)
        elif how < 1.0 and follows.isalpha() and follows != letter:
            written += follows, letter
            place += 1
        elif 1.0 <= how < 2.0 and near:
            struck_key = near[int((how - 1.0) * len(near))]
            written.append(struck_key.upper() if letter.isupper() else struck_key)
    return "".join(written)


def _typing(luck: Streams, length: int) -> Floats:
    """(2, length) draws of one item."""
    return np.concatenate([luck.uniform(purpose, length) for purpose in ("mistyped", "how it is mistyped")])


def _neighbours() -> dict[str, str]:
    """The letters whose keys touch each letter's on a QWERTY keyboard."""
    keys = {
        letter: (column + shift, row)
        for row, (letters, shift) in enumerate(zip(_ROWS, _SHIFTS, strict=True))
        for column, letter in enumerate(letters)
    }
    return {
        letter: "".join(
            other for other, (x, y) in keys.items() if other != letter and abs(x - across) <= 1 and abs(y - down) <= 1
        )
        for letter, (across, down) in keys.items()
    }


NEIGHBOURS = _neighbours()


def _texts_there(catalog: Catalog) -> Flags:
    there: Flags = (catalog.table["text"] != "").to_numpy(bool) | (catalog.table["title"] != "").to_numpy(bool)
    return there
