"""What the command line prints about a catalogue: its card, tables that fit 80 columns, and what was flagged."""

from __future__ import annotations

from math import isclose

import pandas as pd
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from recsim.catalog import Catalog
from recsim.experiments.tables import STYLE
from recsim.report.card import card_tokens
from recsim.report.catalog_facts import CatalogFacts, catalog_facts
from recsim.report.format import number
from recsim.report.plain_text import line

WIDTH = 80
CATEGORIES = 40  # that have a row of their own
LONGEST = 200  # characters of a cell


def print_catalog(catalog: Catalog) -> None:
    """The card of a catalogue, modalities, categories, prices, a few items and what was flagged.

    Texts of the catalogue are printed as they are, without what would steer the terminal.
    """
    console, facts = Console(), catalog_facts(catalog)
    width = min(console.width, WIDTH)
    if facts.card.strip():
        console.print(_card(facts.card), width=width)
        console.print()
    title = Text.assemble((line(facts.name, LONGEST), "bold"), f": {facts.size}")
    console.print(title, width=width)
    for table in (_modalities(facts), _by_category(facts), _popular(facts)):
        console.print(table, width=width)
    if facts.flagged:
        console.print(_flagged(facts), width=width)
    else:
        console.print("Nothing is noted about any item.", highlight=False)


def print_findings(findings: pd.DataFrame) -> None:
    """How many findings there are of each kind, with the first of them."""
    console = Console(highlight=False)
    if findings.empty:
        console.print("Nothing was found.")
        return
    table = Table("kind", title=_counted(len(findings)), **STYLE)
    for name in ("found, for example", "done"):
        table.add_column(name)
    table.add_column("items", justify="right")
    for what, own in findings.groupby("what", sort=False):
        first, items = own.iloc[0], own["item_id"][own["item_id"] != ""].nunique()
        table.add_row(_cell(str(what)), _cell(first["found"]), _cell(first["done"]), f"{items:,}" if items else "")
    console.print(table, width=min(console.width, WIDTH))


def _counted(findings: int) -> str:
    return f"{findings:,} finding{'' if findings == 1 else 's'}"


def _card(card: str) -> Markdown:
    """The card as rich draws Markdown, but with HTML in it shown as text, where rich would leave it out."""
    drawn = Markdown("", hyperlinks=False)
    drawn.parsed = card_tokens(card)
    return drawn


def _modalities(facts: CatalogFacts) -> Table:
    table = Table("name", title="Modalities", **STYLE)
    table.add_column("dimensions", justify="right")
    table.add_column("items that have it", justify="right")
    table.add_column("encoder")
    for one in facts.modalities:
        encoder = f"{line(one.encoder, LONGEST)}, from the {one.source}" if one.encoder else "not recorded"
        table.add_row(one.name, str(one.dim), f"{one.share:.1%}", _cell(encoder))
    return table


def _by_category(facts: CatalogFacts) -> Table:
    table = Table("category", title="Categories", **STYLE)
    for name in ("items", "median price", "popularity"):
        table.add_column(name, justify="right")
    for one in facts.categories[:CATEGORIES]:
        table.add_row(_cell(one.name), f"{one.items:,}", number(one.median_price, 2), f"{one.popularity:.1%}")
    if others := facts.categories[CATEGORIES:]:
        share = sum(one.popularity for one in others)
        table.add_row(f"{len(others):,} smaller ones", f"{sum(one.items for one in others):,}", "", f"{share:.1%}")
    return table


def _popular(facts: CatalogFacts) -> Table:
    equal = isclose(facts.popular[0].popularity * facts.items, 1.0)  # the largest share is the mean one
    title = "Items, all equally popular" if equal else "The most popular items"
    table = Table("title", "category", title=title, **STYLE)
    table.add_column("price", justify="right")
    for one in facts.popular:
        table.add_row(_cell(one.title), _cell(one.category), number(one.price, 2))
    return table


def _flagged(facts: CatalogFacts) -> Table:
    table = Table("kind", title=f"What was flagged: {_counted(facts.findings)}", **STYLE)
    table.add_column("findings", justify="right")
    table.add_column("for example")
    for one in facts.flagged:
        item = f"{line(one.item_id, LONGEST)}: " if one.item_id else ""
        table.add_row(_cell(one.what), f"{one.count:,}", _cell(f"{item}{one.found}; {one.done}"))
    return table


def _cell(text: str) -> Text:
    """A text of the catalogue in one line that wraps wherever it must."""
    return Text(line(text, LONGEST), overflow="fold")
