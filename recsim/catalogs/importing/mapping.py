"""Which column of a source is which column of a catalogue: as somebody says, and else by the usual names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from recsim.catalogs.importing.findings import Findings
from recsim.spelling import did_you_mean


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class ColumnMapping(BaseModel):
    """Names of the source's columns; what is None is looked for by the usual names, or not in the source.

    Attributes:
        item_id: what tells items apart.
        title: short, for people.
        text: what encoders read; several columns are joined.
        category: one for each item.
        price: numbers, also as people write them.
        created: dates.
        popularity: numbers above 0, such as how often an item was bought.
        image: file names, relative to the folder of images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    item_id: str | None = None
    title: str | None = None
    text: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    category: str | None = None
    price: str | None = None
    created: str | None = None
    popularity: str | None = None
    image: str | None = None

    def named(self) -> list[tuple[str, str]]:
        """Pairs of our column and the source's, for everything that is mapped."""
        pairs = [(ours, theirs) for ours, theirs in self if isinstance(theirs, str)]
        return pairs + [("text", theirs) for theirs in self.text]


USUAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "item_id": ("item_id", "id", "sku", "product_id", "article_id", "asin", "item", "uid", "code"),
    "title": ("title", "name", "product_name", "product_title", "item_name", "label", "headline"),
    "text": ("text",),
    "category": ("category", "product_category", "category_name", "categories", "class", "product_type", "department"),
    "price": ("price", "sale_price", "unit_price", "price_eur", "price_usd", "list_price", "cost"),
    "created": (
        "created",
        "created_at",
        "created_date",
        "date",
        "published",
        "published_at",
        "release_date",
        "added",
        "listed",
        "listed_on",
        "date_added",
    ),
    "popularity": ("popularity", "views", "clicks", "sales", "orders", "n_ratings", "rating_count", "review_count"),
    "image": ("image", "image_file", "image_path", "image_name", "filename", "file_name", "photo", "picture", "img"),
}
DESCRIPTIONS = ("description", "product_description", "long_description", "body", "details", "summary", "tags")
INSTEAD = {
    "item_id": "the number of the row is the id of an item",
    "title": "the beginning of its text is the title of an item",
    "text": "the title of an item is its text, too",
    "category": "every item is in the category 'unknown'",
    "created": "dates are left empty",
    "popularity": "every item is equally popular",
}


def complete_mapping(mapping: ColumnMapping, columns: Sequence[str], source: Path, findings: Findings) -> ColumnMapping:
    """The mapping with what can be guessed, all of it told in `findings`, as is what there is no column for.

    Raises:
        ValueError: if the mapping names a column that is not there.
    """
    for ours, theirs in mapping.named():
        if theirs not in columns:
            raise ValueError(_unknown(ours, theirs, columns, source))
    taken = {theirs for _, theirs in mapping.named()}
    found: dict[str, str | tuple[str, ...]] = {}
    for ours, names in USUAL_NAMES.items():
        if not getattr(mapping, ours) and (guess := _usual(names, columns, taken)):
            taken.add(guess)
            found[ours] = (guess,) if ours == "text" else guess
            if guess != ours:
                what = "the name of the image" if ours == "image" else ours
                findings.add("guessed column", f"{what} is read from the column {guess!r}")
    if not mapping.text and "text" not in found and (parts := _descriptions(mapping, found, columns, taken)):
        found["text"] = parts
        findings.add("guessed column", f"text is joined from {' and '.join(map(repr, parts))}")
    completed = mapping.model_copy(update=found)
    for ours, filler in INSTEAD.items():
        if not getattr(completed, ours):
            findings.add("missing column", f"there is no column for {ours}", done=filler)
    return completed


def mapping_of_flags(flags: Sequence[str], base: ColumnMapping | None = None) -> ColumnMapping:
    """A mapping from texts such as ``title=product_name`` and ``text=name,description``, over `base`.

    Raises:
        ValueError: if one has another form, or names a column that catalogues do not have.
    """
    known = list(ColumnMapping.model_fields)
    given: dict[str, str | tuple[str, ...]] = {}
    for flag in flags:
        ours, sign, theirs = flag.partition("=")
        if not sign or not theirs:
            raise ValueError(f"--column is {flag!r}: write ours=theirs, such as --column title=product_name.")
        if ours not in known:
            hint = did_you_mean(ours, known)
            raise ValueError(f"--column {flag} names {ours!r}, which is no column of a catalogue: {hint}")
        given[ours] = tuple(theirs.split(",")) if ours == "text" else theirs
    return (base or ColumnMapping()).model_copy(update=given)


def _usual(names: Sequence[str], columns: Sequence[str], taken: set[str]) -> str | None:
    plain = {_plain(column): column for column in reversed(columns) if column not in taken}
    return next((plain[name] for name in names if name in plain), None)


def _descriptions(
    mapping: ColumnMapping, found: Mapping[str, object], columns: Sequence[str], taken: set[str]
) -> tuple[str, ...]:
    """The title and what describes an item further; empty where nothing does."""
    plain = {_plain(column): column for column in reversed(columns) if column not in taken}
    more = [plain[name] for name in DESCRIPTIONS if name in plain]
    title = mapping.title or found.get("title")
    return (*([str(title)] if title else []), *more) if more else ()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")


def _unknown(ours: str, theirs: str, columns: Sequence[str], source: Path) -> str:
    hint = did_you_mean(theirs, columns, otherwise=f"it has {', '.join(map(repr, columns))}.")
    return f"{source} has no column {theirs!r}, from which {ours} is to be read: {hint}"
