"""What an agent sees: one row of named features a user, built from `History` and `profile` and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog

SCALARS = ("progress", "clicks_so_far", "last_clicks", "last_conversions", "liked_price", "liked_novelty")


@dataclass(frozen=True)
class Layout:
    """Where each feature stands in an observation row.

    Features, in order (D taste columns, C categories, p profile columns):
        liked (D): mean taste of the items clicked so far, later clicks counting more, shrunk to 0 while there are few.
        passed (D): the same for items shown and not clicked.
        exposure (C): recent share of shown positions per category (exponential average, `history.EXPOSURE_MEMORY`).
        category_clicks (C): recent clicks per category, the same way.
        progress, clicks_so_far (log(1 + clicks)), last_clicks and last_conversions (share of positions in the last
        slate), liked_price and liked_novelty (mean standardised log price and novelty of clicked items, shrunk
        likewise): one number each.
        profile (p): what the user tells openly.
        day (1): today, only in worlds where items appear over time (`Simulator.born` has their birthdays).

    Attributes:
        columns: name of a feature to its slice of the row.
        size: d, the length of a row.
    """

    columns: Mapping[str, slice]
    size: int

    @classmethod
    def of(cls, catalog: Catalog, profile_size: int = 0, *, day: bool = False) -> Layout:
        """The layout for a catalogue and users who tell `profile_size` numbers, with or without a calendar."""
        taste, categories = int(catalog.offsets[-1]), len(catalog.categories)
        sizes = {"liked": taste, "passed": taste, "exposure": categories, "category_clicks": categories}
        sizes |= dict.fromkeys(SCALARS, 1) | {"profile": profile_size}
        if day:
            sizes["day"] = 1
        columns, start = {}, 0
        for name, size in sizes.items():
            columns[name] = slice(start, start + size)
            start += size
        return cls(columns, start)

    def __getitem__(self, name: str) -> slice:
        """The columns of a feature."""
        return self.columns[name]

    def read(self, observation: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        """(n, size of the feature) float32, a view of the feature's columns."""
        return observation[:, self.columns[name]]
