"""The modality `behaviour`: items are alike where the same users click them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.logs import Log
from recsim.modalities.behaviour.clicks import Clicks, clicks_of_log
from recsim.modalities.behaviour.factors import als, svd
from recsim.modalities.behaviour.item2vec import item2vec
from recsim.modalities.derived import derived_card
from recsim.modality import Modality

Progress = Callable[[int], None]
Method = Callable[[Clicks, int, int, Progress], NDArray[np.float32]]

METHODS: Mapping[str, Method] = {"als": als, "item2vec": item2vec, "svd": svd}
NAME = "behaviour"
_NO_LENGTH = 1e-5  # of the longest vector: what is shorter is rounding, and has no direction


def behaviour_modality(
    log: Log,
    catalog: Catalog,
    method: str,
    *,
    dim: int = 32,
    seed: int = 0,
    counted: str = "click",
    progress: Progress | None = None,
) -> Modality:
    """The modality `behaviour` of a catalogue from a log of its items.

    In a world made with it, users have interests in this space too. To let only agents see it, keep the catalogue with
    which the log was collected as the world's, and hand the one with this modality to the agents as their view.

    Args:
        log: collected with `catalog`.
        catalog: whose items get vectors.
        method: ``als``, ``item2vec`` or ``svd``.
        dim: columns; less than the users with a click and than the items with one.
        seed: of what is drawn; the same seed gives the same bits.
        counted: ``click``, or ``conversion`` for only those that converted.
        progress: takes the percentage done.

    Returns:
        (m, dim); items without a click have none, nor have those of which the method learned no direction: with
        item2vec, those that no session clicked beside another.

    Raises:
        ValueError: if the log shows another catalogue, nothing counts, or method or dim do not fit.
    """
    return modality_of_clicks(clicks_of_log(log, catalog, counted), method, dim=dim, seed=seed, progress=progress)


def modality_of_clicks(
    clicks: Clicks, method: str, *, dim: int = 32, seed: int = 0, progress: Progress | None = None
) -> Modality:
    """The same from clicks, see `recsim.modalities.behaviour.clicks` for tables of one's own."""
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}; choose {', '.join(METHODS)}.")
    if not len(clicks):
        raise ValueError("nobody clicked an item of this catalogue, so there is no behaviour to learn from.")
    users, items = clicks.n_users, len(clicks.clicked)
    if not 1 <= dim < min(users, items):
        fewer = f"ask for 1 to {min(users, items) - 1} or " if min(users, items) > 1 else ""
        raise ValueError(
            f"dim is {dim}, and the users who clicked are {users:,}, the items clicked {items:,}: their matrix has "
            f"no more dimensions than the smaller of the two, so {fewer}pass more clicks."
        )
    vectors = METHODS[method](clicks, dim, seed, progress or (lambda percent: None))
    length = np.linalg.norm(vectors, axis=1)
    present = length > _NO_LENGTH * length.max()
    return Modality(NAME, vectors, present)


def with_behaviour(catalog: Catalog, modality: Modality, clicks: Clicks, method: str) -> Catalog:
    """The catalogue with the modality, in the place of one of that name, and what was done in the card."""
    line = (
        f"Modality `{modality.name}`: {method}, {modality.dim} dimensions, from {len(clicks):,} clicks of "
        f"{clicks.n_users:,} users; {modality.present.sum():,} of {len(catalog):,} items have it."
    )
    card = derived_card(catalog, "Behaviour", line)
    return catalog.replaced(modalities={**catalog.modalities, modality.name: modality}, card=card)
