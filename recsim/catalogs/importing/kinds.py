"""Everything that an import looks for in a table and its images, and what it does about each: one table, for all uses.

The documentation's table is made of this one, and a finding of a kind that is not here cannot be written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["columns", "rows", "texts", "categories", "prices", "dates", "popularity", "images", "modalities"]


@dataclass(frozen=True)
class Kind:
    """One kind of finding.

    Attributes:
        what: its name, as it stands in the column ``what`` of `Catalog.findings`.
        part: what of the source it is about.
        done: what is done about it, unless a finding says something more exact.
    """

    what: str
    part: Part
    done: str


KINDS: tuple[Kind, ...] = (
    Kind("guessed column", "columns", "taken for what its name says; name another one with --column"),
    Kind("missing column", "columns", "filled with what the finding says"),
    Kind("renamed column", "columns", "kept under a name of its own, as the catalogue needs the old one"),
    Kind("row too long", "rows", "the cells beyond the header are left out"),
    Kind("row too short", "rows", "its missing cells are read as empty"),
    Kind("empty marker", "rows", "cells such as NULL or N/A are read as empty"),
    Kind("duplicate row", "rows", "left out: an earlier row has the same id and the same cells"),
    Kind("repeated id", "rows", "kept, as its cells differ, under a new id that ends in -2, -3 and so on"),
    Kind("missing id", "rows", "the number of the row is its id"),
    Kind("repeated content", "rows", "kept: only the id differs from an earlier row"),
    Kind("row without content", "rows", "left out: it has no category, no text and no image"),
    Kind("terminal command", "texts", "removed whole: it sets colours, moves the cursor and the like"),
    Kind("mojibake", "texts", "letters that were decoded wrongly are repaired"),
    Kind("markup", "texts", "HTML tags and entities are turned into plain text"),
    Kind("control characters", "texts", "removed"),
    Kind("missing title", "texts", "the beginning of the text stands for it"),
    Kind("missing text", "texts", "the title stands for it"),
    Kind("very long text", "texts", "kept; encoders see its beginning only"),
    Kind("neither title nor text", "texts", "kept without the modality text"),
    Kind("missing category", "categories", "put into the category 'unknown'"),
    Kind("category spelling", "categories", "put under the most frequent spelling"),
    Kind("missing price", "prices", "filled with the value of --price, or the median of all prices"),
    Kind("unreadable price", "prices", "filled like a missing price"),
    Kind("negative price", "prices", "filled like a missing price"),
    Kind("price with signs", "prices", "read without currency and thousands separators"),
    Kind("ambiguous price", "prices", "read with a decimal point; say --decimal , where commas are meant"),
    Kind("several currencies", "prices", "kept as plain numbers: convert them to one currency first"),
    Kind("price of zero", "prices", "kept"),
    Kind("far-out price", "prices", "kept: its logarithm is further from the median than 3.5 robust deviations"),
    Kind("unreadable date", "dates", "left empty"),
    Kind("ambiguous date", "dates", "left empty: day and month cannot be told apart in this column"),
    Kind("odd date", "dates", "kept: it lies before 1970 or after the day of the import"),
    Kind("unusable popularity", "popularity", "filled with the smallest popularity of the column"),
    Kind("no image named", "images", "kept without an image"),
    Kind("missing image file", "images", "kept without an image"),
    Kind("image outside the folder", "images", "kept without an image; the file is not opened"),
    Kind("image on the web", "images", "kept without an image; nothing is fetched"),
    Kind("image under another name", "images", "the file whose name differs in case or folder only is taken"),
    Kind("broken image", "images", "kept without an image"),
    Kind("no image file", "images", "kept without an image: the file holds something else"),
    Kind("unsupported image type", "images", "kept without an image"),
    Kind("huge image", "images", "kept without an image: it is refused before it is decoded"),
    Kind("animated image", "images", "its first frame is taken"),
    Kind("converted colours", "images", "turned into 8-bit RGB"),
    Kind("tiny image", "images", "kept"),
    Kind("blank image", "images", "kept"),
    Kind("same image", "images", "kept: an earlier item has the same file contents"),
    Kind("near-identical image", "images", "kept: perceptual hashes differ in 3 of 64 bits at most"),
    Kind("unused image file", "images", "left out: no item names it"),
    Kind("nothing to perceive", "modalities", "kept, though it has neither text nor image"),
    Kind("encoder replaced", "modalities", "the encoder that needs no packages is used"),
    Kind("nothing encoded", "modalities", "items in which the encoder knows nothing lack the modality"),
    Kind("fewer dimensions", "modalities", "as many as the items can tell apart"),
    Kind("modality left out", "modalities", "the catalogue is written without it"),
)
KIND_OF = {kind.what: kind for kind in KINDS}
ORDER = {kind.what: place for place, kind in enumerate(KINDS)}
LEFT_OUT = ("duplicate row", "row without content")
