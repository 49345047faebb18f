"""The card of an imported catalogue: where it comes from and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b, file_digest
from pathlib import Path

from recsim.catalogs.importing.findings import Findings
from recsim.catalogs.importing.mapping import ColumnMapping
from recsim.catalogs.importing.pixels import QUALITY, Limits
from recsim.catalogs.importing.rows import Items
from recsim.modality import Modality


@dataclass(frozen=True)
class Origin:
    """Where a catalogue comes from.

    Attributes:
        source: the file.
        imported: the day.
        mapping: which column was which.
        limits: of images, where there were any.
    """

    source: Path
    imported: date
    mapping: ColumnMapping
    limits: Limits | None


def written_card(
    name: str, origin: Origin, items: Items, modalities: Mapping[str, Modality], findings: Findings
) -> str:
    """Markdown; the same inputs give the same text."""
    parts = (
        f"# {name}",
        _source(origin, items),
        "## Columns\n\n" + _columns(origin.mapping),
        "## Modalities\n\n" + _modalities(modalities, origin.limits),
        "## Findings\n\n" + _findings(findings),
        "Licence and terms of the source: not known to the program that wrote this; add them here.",
    )
    return "\n\n".join(parts) + "\n"


def _source(origin: Origin, items: Items) -> str:
    with origin.source.open("rb") as file:
        digest = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
    count = len(items.left_out)
    left = f", {count:,} {'was' if count == 1 else 'were'} left out" if count else ""
    return (
        f"Imported from `{origin.source.name}` (blake2b {digest}) as of {origin.imported.isoformat()}: "
        f"{items.n_rows:,} rows became {len(items.table):,} items{left}."
    )


def _columns(mapping: ColumnMapping) -> str:
    lines = []
    for ours, theirs in mapping:
        names = [theirs] if isinstance(theirs, str) else list(theirs or ())
        lines.append(f"- {ours}: {', '.join(f'`{_plain(name)}`' for name in names) or 'not in the source'}")
    return "\n".join(lines)


def _modalities(modalities: Mapping[str, Modality], limits: Limits | None) -> str:
    lines = []
    for modality in modalities.values():
        made = modality.encoding
        by = f" by `{made.encoder}` ({made.fingerprint})" if made else ""
        lines.append(f"- {modality.name}: {modality.dim} columns{by}, {int(modality.present.sum()):,} items")
    if limits is not None:
        lines.append(f"- images are kept as webp of quality {QUALITY}, {limits.image_size} pixels long at most")
    return "\n".join(lines)


def _findings(findings: Findings) -> str:
    """Where they are; `recsim catalog show` counts them below the card."""
    if not len(findings):
        return "Nothing was found to be wrong or odd."
    return "What was found wrong or odd, and what was done about it, stands in `findings.parquet`, item by item."


def _plain(text: str) -> str:
    """A text of the source that cannot break the markdown around it."""
    return " ".join(text.replace("`", "'").replace("|", "/").replace("<", "&lt;").replace(">", "&gt;").split())
