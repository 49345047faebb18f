"""Named, seeded corruptions of a catalogue, severities 1 to 5: what agents see while users meet the true items.

After ImageNet-C (Hendrycks and Dietterich 2019, "Benchmarking neural network robustness to common corruptions and
perturbations"), for items with texts, images, labels and embeddings. `CORRUPTIONS` is the whole suite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsim.catalog import Catalog
from recsim.catalog_table import findings_table
from recsim.modalities.corruption.damage import Damage, item_streams
from recsim.modalities.corruption.suite import CORRUPTIONS, SEVERITIES, Corruption, corruption_of

if TYPE_CHECKING:
    from recsim.modalities.cache import EmbeddingCache

__all__ = ["CORRUPTIONS", "SEVERITIES", "Corruption", "corrupt", "corruption_of"]


def corrupt(
    catalog: Catalog, name: str, severity: int, *, seed: int = 0, cache: EmbeddingCache | None = None
) -> Catalog:
    """The same items in the same order as an agent sees them after a corruption; `catalog` stays as it is.

    What happens to an item follows from (seed, name of the corruption, item_id) alone, unless items exchange something.
    Items that are hit at a severity are hit at every higher one, by the same luck. Prices, popularity and the images in
    the folder stay: changed pixels are encoded and not kept.

    Args:
        catalog: the true items, or a view of them that is corrupted further.
        name: a key of `CORRUPTIONS`.
        severity: 1 to 5; `CORRUPTIONS` says what each means.
        seed: of the luck.
        cache: of embeddings, where corrupted texts or images are encoded; by default nothing is kept.

    Returns:
        A catalogue whose name says what was done, and whose findings name every item that was hit. Findings are for
        people: no agent reads them.

    Raises:
        ValueError: if there is no such corruption or severity, the catalogue lacks what is corrupted, or how its
            modality was made is not known (`Modality.encoding`) and corrupted texts or images must be encoded.
    """
    corruption = corruption_of(name)
    parameter = corruption.parameter(severity)
    if corruption.damage is None:
        raise ValueError(
            f"{name!r} corrupts what users report, not a catalogue: wrap the users in "
            "recsim.users.misreporting.Misreporting, or name it among the corruptions of a run's view."
        )
    damage = corruption.damage(catalog, parameter, item_streams(catalog, seed, name), cache)
    return catalog.replaced(
        name=f"{catalog.name}, {name} {severity}",
        table=damage.table,
        modalities=damage.modalities,
        findings=pd.concat([catalog.findings, _findings(catalog, corruption, severity, damage)], ignore_index=True),
    )


def _findings(catalog: Catalog, corruption: Corruption, severity: int, damage: Damage) -> pd.DataFrame:
    """A row for each item that was hit."""
    ids, what = catalog.table["item_id"], f"corruption {corruption.name} {severity}"
    means = corruption.means(severity)
    return findings_table(
        (ids.iloc[row], what, damage.found[row] if damage.found else "", damage.done[row] if damage.done else means)
        for row in np.flatnonzero(damage.hit).tolist()
    )
