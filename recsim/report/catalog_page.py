"""A catalogue on one HTML page: its card, counts, a few items with their neighbours, and what was flagged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

import recsim
from recsim.report.album import Album
from recsim.report.answers import Point
from recsim.report.bars import price_columns, year_columns
from recsim.report.card import card_html
from recsim.report.catalog_facts import CatalogFacts, catalog_facts
from recsim.report.flagged import kinds
from recsim.report.format import capitalised, listed, number, percent
from recsim.report.neighbours import Neighbours, agreements, nearest, sample
from recsim.report.palette import DARK, LIGHT
from recsim.report.plain_text import line
from recsim.report.rendering import environment, inlined, script_hash, source
from recsim.report.shown_items import LONGEST_CATEGORY, shown_items

if TYPE_CHECKING:
    from recsim.catalog import Catalog

NEAREST = 5  # neighbours by each modality
SIDE = 96  # pixels of a picture
BUDGET = 2_400_000  # characters of all pictures together; the page stays below 3 MB
CATEGORIES = 20  # that are drawn; the others are counted together


def catalog_page(catalog: Catalog, *, n_items: int = 24, seed: int = 0) -> str:
    """The page of a catalogue as HTML.

    Args:
        catalog: what is shown; texts in it are taken as they are, whatever they hold.
        n_items: how many items are shown with their neighbours.
        seed: which ones.
    """
    facts = catalog_facts(catalog)
    found = nearest(catalog, sample(catalog, n_items, seed), NEAREST)
    album = Album(catalog, SIDE, BUDGET)
    flagged = kinds(catalog, album)
    shown = shown_items(catalog, found, album)
    page = environment()
    script = inlined(source(page, "catalog.js"))
    return page.get_template("catalog.html.j2").render(
        facts=facts,
        name=line(facts.name, 80),
        headline=_headline(facts),
        points=_points(catalog, facts, found),
        card=card_html(facts.card),
        categories=[(line(one.name, LONGEST_CATEGORY), one) for one in facts.categories[:CATEGORIES]],
        others=facts.categories[CATEGORIES:],
        prices=price_columns(catalog.price),
        free=int((catalog.price == 0).sum()),
        years=year_columns(_years(catalog)),
        undated=int((catalog.table["created"] == "").sum()),
        shown=shown,
        filters=list(dict.fromkeys((one.card.code, one.card.category) for one in shown)),
        agreement=_agreement(catalog, found),
        nearest=found.by and next(iter(found.by.values())).shape[1],
        flagged=flagged,
        note=album.note(),
        seed=seed,
        version=recsim.__version__,
        themes={"light": LIGHT, "dark": DARK},
        style=Markup(source(page, "style.css") + source(page, "catalog.css")),
        pictures=album.pictures,
        script=script,
        hashes=[script_hash(script)],
    )


def _headline(facts: CatalogFacts) -> str:
    return f"{line(facts.name, 80)}: {facts.size}"


def _points(catalog: Catalog, facts: CatalogFacts, found: Neighbours) -> list[Point]:
    known = [
        f"{one.name} ({one.dim} dimensions{f', by {line(one.encoder, 40)}' if one.encoder else ''})"
        for one in facts.modalities
    ]
    low, middle, high = (number(float(price)) for price in np.quantile(catalog.price, (0.05, 0.5, 0.95)))
    points = [
        Point("Modalities", f"{capitalised(listed(known))}; {facts.with_image:,} items have an image."),
        Point("Prices", f"Half of the items cost {middle} or less; nine in ten cost between {low} and {high}."),
        Point("Flagged", _flagged(facts)),
    ]
    shares = [(one, found.same_category(catalog, one)) for one in found.by]
    told = [f"{percent(share, 0)} by {name}" for name, share in shares if share is not None]
    if told:
        points.append(
            Point(
                "Neighbours",
                f"Of the nearest items, {listed(told)} are of the same category, counted over the items shown.",
            )
        )
    return points


def _flagged(facts: CatalogFacts) -> str:
    if not facts.flagged:
        return "Nothing is noted about any item."
    kind = facts.flagged[0]
    most = f"“{line(kind.what, 60)}” ({kind.count:,})"
    if len(facts.flagged) == 1:
        return f"{facts.findings:,} findings, all of one kind: {most}."
    return f"{facts.findings:,} findings of {len(facts.flagged)} kinds; most often {most}."


def _agreement(catalog: Catalog, found: Neighbours) -> list[str]:
    """Sentences on how far the modalities name the same neighbours."""
    return [
        f"{percent(share, 0)} of the neighbours by {one} are neighbours by {other} as well."
        for one, other, share in agreements(found, list(catalog.modalities))
    ]


def _years(catalog: Catalog) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    created = catalog.table["created"]
    return created[created != ""].str[:4].to_numpy(dtype=np.int64)
