"""What a step found and did, as rows of a catalogue's findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from recsim.catalog import Catalog
from recsim.catalog_table import findings_table
from recsim.modality import Modality


class Finding(NamedTuple):
    """One row of `Catalog.findings`; `item_id` is "" where it is about all items."""

    item_id: str
    what: str
    found: str
    done: str


def reported(
    catalog: Catalog,
    findings: Iterable[Finding],
    *,
    modalities: Iterable[Modality] = (),
    without: Iterable[str] = (),
    table: pd.DataFrame | None = None,
) -> Catalog:
    """The catalogue with more findings, and with modalities replaced, added (at the end) or left out."""
    kept = {name: one for name, one in catalog.modalities.items() if name not in set(without)}
    return catalog.replaced(
        table=table,
        modalities=kept | {one.name: one for one in modalities},
        findings=pd.concat([catalog.findings, findings_table(findings)], ignore_index=True),
    )


def item_ids(catalog: Catalog) -> list[str]:
    """The ids of all items."""
    return list(map(str, catalog.table["item_id"].to_list()))
