"""Items of a catalogue as a page shows them, alone and beside their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsim.report.format import number
from recsim.report.neighbours import NONE, Neighbours
from recsim.report.plain_text import line

if TYPE_CHECKING:
    from recsim.catalog import Catalog
    from recsim.report.album import Album

LONGEST_TITLE = 80  # characters; so the next two
LONGEST_CATEGORY = 40
LONGEST_TEXT = 200


@dataclass(frozen=True)
class ItemCard:
    """An item.

    Attributes:
        row: its number in the catalogue.
        item_id: its id, in one line; so `title` and `category`.
        title: the id where it has no title.
        category: its category.
        code: number of the category.
        price: as text.
        image: name of its picture, "" where there is none.
    """

    row: int
    item_id: str
    title: str
    category: str
    code: int
    price: str
    image: str


@dataclass(frozen=True)
class NeighbourRow:
    """The neighbours of an item by one modality.

    Attributes:
        name: of the modality.
        items: from the nearest on, and whether each is of the item's category; none where the item lacks the modality.
    """

    name: str
    items: tuple[tuple[ItemCard, bool], ...]


@dataclass(frozen=True)
class ShownItem:
    """An item with the beginning of its text, the modalities it lacks, and its neighbours."""

    card: ItemCard
    text: str
    lacks: tuple[str, ...]
    rows: tuple[NeighbourRow, ...]


def item_card(catalog: Catalog, row: int, album: Album) -> ItemCard:
    """An item as a page shows it."""
    record = catalog.table.iloc[row]
    item_id = str(record["item_id"])
    return ItemCard(
        row,
        line(item_id, LONGEST_TITLE),
        line(str(record["title"]).strip() or item_id, LONGEST_TITLE),
        line(str(record["category"]), LONGEST_CATEGORY),
        int(catalog.category[row]),
        number(float(catalog.price[row]), 2),
        album.picture(item_id),
    )


def shown_items(catalog: Catalog, found: Neighbours, album: Album) -> list[ShownItem]:
    """The items whose neighbours were looked for; their own pictures come before those of the neighbours."""
    cards = [item_card(catalog, row, album) for row in found.items.tolist()]
    return [_shown(catalog, found, place, card, album) for place, card in enumerate(cards)]


def _shown(catalog: Catalog, found: Neighbours, place: int, card: ItemCard, album: Album) -> ShownItem:
    rows = tuple(
        NeighbourRow(name, tuple(_near(catalog, card, row, album) for row in items[place].tolist() if row != NONE))
        for name, items in found.by.items()
    )
    lacks = tuple(name for name, modality in catalog.modalities.items() if not modality.present[card.row])
    return ShownItem(card, line(str(catalog.table["text"].iloc[card.row]), LONGEST_TEXT), lacks, rows)


def _near(catalog: Catalog, card: ItemCard, row: int, album: Album) -> tuple[ItemCard, bool]:
    near = item_card(catalog, row, album)
    return near, near.code == card.code
