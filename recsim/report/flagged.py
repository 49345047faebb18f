"""What was flagged about the items of a catalogue, with examples and their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsim.report.catalog_facts import Flagged, flagged
from recsim.report.plain_text import line
from recsim.report.shown_items import ItemCard, item_card

if TYPE_CHECKING:
    from recsim.catalog import Catalog
    from recsim.report.album import Album

EXAMPLES = 6  # of a kind
LONGEST = 160  # characters


@dataclass(frozen=True)
class Example:
    """A finding.

    Attributes:
        item: what it is about; None where that is the whole catalogue or an item that is gone.
        item_id: "" for the whole catalogue.
        found: what was there.
        done: what was done about it.
    """

    item: ItemCard | None
    item_id: str
    found: str
    done: str


@dataclass(frozen=True)
class Kind:
    """Findings of one kind, with the first few of them."""

    facts: Flagged
    what: str
    examples: tuple[Example, ...]


def kinds(catalog: Catalog, album: Album) -> list[Kind]:
    """All kinds of findings, the most frequent first."""
    rows = {item_id: row for row, item_id in enumerate(catalog.table["item_id"].to_list())}
    found = []
    for facts in flagged(catalog):
        own = catalog.findings[catalog.findings["what"] == facts.what].head(EXAMPLES)
        told = zip(own["item_id"].to_list(), own["found"].to_list(), own["done"].to_list(), strict=True)
        examples = tuple(_example(catalog, rows.get(one), one, was, done, album) for one, was, done in told)
        found.append(Kind(facts, line(facts.what, LONGEST), examples))
    return found


def _example(catalog: Catalog, row: int | None, item_id: str, found: str, done: str, album: Album) -> Example:
    item = None if row is None else item_card(catalog, row, album)
    name = line(item_id, LONGEST) if item_id else ""
    return Example(item, name, line(found, LONGEST), line(done, LONGEST))
