"""What an agent sees: one row of named features a user, built from `History` and `profile` and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog

RECENT = ("clicked", "bought")  # item numbers
PREFERENCE = "preference"
MOST_ITEMS = 2**24  # whole numbers up to here are exact in float32
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
        clicked (h), bought (h): item numbers of the last h clicked items and of the last h conversions that have
        arrived, newest first (of one slate's items, the lowest on the page), -1 where there were fewer; only where h,
        `Simulator.recent`, is above 0. Like `liked`, they last as long as the user comes back.
        preference (o): how much each objective counts in this session, from 0 up, the sum 1; only where an environment
        says so (`recsim.envs.Preference`), see `with_preference`.

    Attributes:
        columns: name of a feature to its slice of the row.
        size: d, the length of a row.
    """

    columns: Mapping[str, slice]
    size: int

    @classmethod
    def of(cls, catalog: Catalog, profile_size: int = 0, *, day: bool = False, recent: int = 0) -> Layout:
        """The layout for a catalogue and users who tell `profile_size` numbers.

        Args:
            catalog: the items.
            profile_size: p.
            day: whether there is a calendar.
            recent: h.

        Raises:
            ValueError: if `recent` is below 0, or above 0 and the catalogue has more items than float32 can number.
        """
        if recent < 0:
            raise ValueError(f"recent is {recent}; it counts remembered items, from 0 up.")
        if recent and len(catalog) > MOST_ITEMS:
            raise ValueError(
                f"recent is {recent}, but the catalogue {catalog.name!r} has {len(catalog):,} items, and observations, "
                f"float32, can tell {MOST_ITEMS:,} apart: leave recent at 0."
            )
        taste, categories = int(catalog.offsets[-1]), len(catalog.categories)
        sizes = {"liked": taste, "passed": taste, "exposure": categories, "category_clicks": categories}
        sizes |= dict.fromkeys(SCALARS, 1) | {"profile": profile_size}
        if day:
            sizes["day"] = 1
        if recent:
            sizes |= dict.fromkeys(RECENT, recent)
        columns, start = {}, 0
        for name, size in sizes.items():
            columns[name] = slice(start, start + size)
            start += size
        return cls(columns, start)

    def with_preference(self, size: int) -> Layout:
        """The same layout with a preference among `size` objectives at its end.

        Raises:
            ValueError: if there is one already.
        """
        if PREFERENCE in self.columns:
            raise ValueError("this layout has a preference already; one is enough, so leave the second out.")
        return Layout({**self.columns, PREFERENCE: slice(self.size, self.size + size)}, self.size + size)

    def __getitem__(self, name: str) -> slice:
        """The columns of a feature."""
        return self.columns[name]

    @cached_property
    def quantities(self) -> NDArray[np.int64]:
        """(d',) int64, the columns that are quantities: all but item numbers."""
        quantity = np.ones(self.size, bool)
        for name in RECENT:
            quantity[self.columns.get(name, slice(0))] = False
        return np.flatnonzero(quantity)

    def read(self, observation: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        """(n, size of the feature) float32, a view of the feature's columns."""
        return observation[:, self.columns[name]]
