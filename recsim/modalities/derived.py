"""What the card of a catalogue says that was made from another one."""

from __future__ import annotations

from recsim.catalog import Catalog


def derived_card(catalog: Catalog, title: str, *paragraphs: str) -> str:
    """The card of `catalog`, and a section on what was made of it: under `title`, from which catalogue, and how."""
    name = catalog.name.replace("`", "'")
    origin = f"Made from the catalogue `{name}` (fingerprint {catalog.fingerprint})."
    parts = (catalog.card.rstrip(), f"## {title}", origin, *paragraphs)
    return "\n\n".join(part for part in parts if part) + "\n"
