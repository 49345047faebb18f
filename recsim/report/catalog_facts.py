"""What there is to say about a catalogue in numbers: for the terminal, for the page and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from recsim.catalog import Catalog
    from recsim.modality import Modality


@dataclass(frozen=True)
class ModalityFacts:
    """A modality.

    Attributes:
        name: its name.
        dim: columns of its embedding.
        present: number of items that have it.
        share: the same as a share of all items.
        source: what of an item was encoded, "" where that is not known; so the other two.
        encoder: by what it was encoded.
        fingerprint: of the encoder.
    """

    name: str
    dim: int
    present: int
    share: float
    source: str
    encoder: str
    fingerprint: str


@dataclass(frozen=True)
class CategoryFacts:
    """A category with its number of items, their median price and their share of the popularity."""

    name: str
    items: int
    median_price: float
    popularity: float


@dataclass(frozen=True)
class PopularItem:
    """An item that is met often."""

    item_id: str
    title: str
    category: str
    price: float
    popularity: float


@dataclass(frozen=True)
class Flagged:
    """Findings of one kind.

    Attributes:
        what: the kind.
        count: number of findings.
        items: number of items of the catalogue that they are about.
        gone: number of findings about items that are no longer in the catalogue.
        item_id: of the first finding, "" if that is about the whole catalogue; so the other two.
        found: what was there.
        done: what was done about it.
    """

    what: str
    count: int
    items: int
    gone: int
    item_id: str
    found: str
    done: str


@dataclass(frozen=True)
class CatalogFacts:
    """A catalogue in numbers; categories and kinds of findings from the largest to the smallest.

    Attributes:
        name: of the catalogue.
        items: number of items m.
        fingerprint: `Catalog.fingerprint`.
        with_image: number of items with an image.
        modalities: in the order of the catalogue.
        categories: all.
        popular: the five items that are met most often.
        findings: number of all findings.
        flagged: the kinds of findings.
        card: markdown.
    """

    name: str
    items: int
    fingerprint: str
    with_image: int
    modalities: tuple[ModalityFacts, ...]
    categories: tuple[CategoryFacts, ...]
    popular: tuple[PopularItem, ...]
    findings: int
    flagged: tuple[Flagged, ...]
    card: str

    @property
    def size(self) -> str:
        """How many items in how many categories, in words."""
        many = f"{len(self.categories):,} categor{'y' if len(self.categories) == 1 else 'ies'}"
        return f"{self.items:,} item{'' if self.items == 1 else 's'} in {many}"


def catalog_facts(catalog: Catalog) -> CatalogFacts:
    """The facts about a catalogue, in the words that stand in it."""
    images = catalog.image_dir is not None
    return CatalogFacts(
        catalog.name,
        len(catalog),
        catalog.fingerprint,
        int((catalog.table["image"] != "").sum()) if images else 0,
        tuple(_modality(modality) for modality in catalog.modalities.values()),
        _categories(catalog),
        tuple(_popular(catalog, int(item)) for item in (-catalog.popularity).argsort(kind="stable")[:5]),
        len(catalog.findings),
        flagged(catalog),
        catalog.card,
    )


def flagged(catalog: Catalog) -> tuple[Flagged, ...]:
    """The findings of a catalogue by kind, the most frequent kind first."""
    findings, known = catalog.findings, catalog.table["item_id"]
    about = findings["item_id"].isin(known)
    kinds = []
    for what, own in findings.groupby("what", sort=False):
        present = about[own.index]
        first = own.iloc[0]
        gone = int((~present & (own["item_id"] != "")).sum())
        items = int(own["item_id"][present].nunique())
        kinds.append(Flagged(str(what), len(own), items, gone, first["item_id"], first["found"], first["done"]))
    return tuple(sorted(kinds, key=lambda kind: -kind.count))


def _modality(modality: Modality) -> ModalityFacts:
    made = modality.encoding
    how = ("", "", "") if made is None else (made.source, made.encoder, made.fingerprint)
    present = int(modality.present.sum())
    return ModalityFacts(modality.name, modality.dim, present, present / len(modality), *how)


def _categories(catalog: Catalog) -> tuple[CategoryFacts, ...]:
    sizes = np.bincount(catalog.category, minlength=len(catalog.categories))
    popularity = np.bincount(catalog.category, catalog.popularity, len(catalog.categories))
    prices = catalog.table.groupby(catalog.category)["price"].median()
    return tuple(
        CategoryFacts(catalog.categories[code], int(sizes[code]), float(prices[code]), float(popularity[code]))
        for code in (-sizes).argsort(kind="stable")
    )


def _popular(catalog: Catalog, item: int) -> PopularItem:
    row = catalog.table.iloc[item]
    return PopularItem(
        row["item_id"], row["title"], row["category"], float(catalog.price[item]), float(catalog.popularity[item])
    )
