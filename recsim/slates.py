"""Slates as they are shown: whole item numbers without repeats, checked row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.catalog import Catalog
from recsim.jit import kernel

Floats = NDArray[np.float64]
Items = NDArray[np.int64]


def shown_once(slate: ArrayLike, n: int, slate_size: int, catalog: Catalog, *, least: int = -1) -> Items:
    """(n, k) int64, the slates with every repeat after the first position replaced by -1; -1 stays, if `least` is -1.

    Raises:
        ValueError: if they have another shape or type, or name an item that does not exist: the row, the position and
            the value are named.
    """
    given, shape = as_array(slate), (n, slate_size)
    if given.shape != shape:
        raise ValueError(f"slate has shape {given.shape}; {shape} is needed: a row a user.")
    shown = np.empty(shape, np.int64)
    wrong = _show_once(_whole_numbers(given), least, len(catalog), shown)
    if wrong >= 0:
        row, position = divmod(wrong, slate_size)
        raise ValueError(
            f"row {row}, position {position} of the slate is item {given[row, position]}; "
            f"items of {catalog.name!r} are 0 to {len(catalog) - 1}."
        )
    return shown


def as_array(slate: ArrayLike) -> NDArray[Any]:
    """An array, or one sentence where the rows differ in length."""
    try:
        return np.asarray(slate)
    except ValueError as error:
        raise ValueError("slate has rows of different length; k item numbers a row are needed.") from error


def checked_slates(logits: Floats, slate: Items) -> Items:
    """The slates (n, k), contiguous.

    Raises:
        ValueError: if a slate has an item twice, an empty position or an item that does not exist.
    """
    if slate.ndim != 2 or len(slate) != len(logits):
        raise ValueError(
            f"slates have shape {slate.shape}; for {len(logits)} rows of logits ({len(logits)}, k) is needed."
        )
    ordered = np.sort(slate, axis=1)
    wrong = (
        (ordered[:, :1] < 0)
        | (ordered[:, -1:] >= logits.shape[1])
        | (ordered[:, 1:] == ordered[:, :-1]).any(1, keepdims=True)
    )
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"row {row} is the slate {slate[row].tolist()}; it needs distinct items 0 to {logits.shape[1] - 1}."
        )
    return np.ascontiguousarray(slate)


def check_size(scores: Floats, k: int) -> None:
    if not 1 <= k <= scores.shape[1]:
        raise ValueError(f"slates of {k} items asked for among {scores.shape[1]}; 1 to {scores.shape[1]} are possible.")


def _whole_numbers(given: NDArray[Any]) -> Items:
    """The same numbers as int64, those beyond its range at its end."""
    kind = given.dtype.kind
    if kind == "u":
        given = np.minimum(given, np.uint64(np.iinfo(np.int64).max))
    elif kind != "i":
        wrong = ~np.isfinite(given) | (given != np.floor(given)) if kind == "f" else np.ones(given.shape, bool)
        row, position = np.unravel_index(wrong.argmax(), wrong.shape)
        raise ValueError(
            f"row {row}, position {position} of the slate is {given[row, position]!s}, in an array of {given.dtype}; "
            "items are whole numbers. Convert it with astype(int)."
        )
    return np.ascontiguousarray(given, np.int64)


@kernel
def _show_once(slate: Items, least: int, n_items: int, shown: Items) -> int:
    """Fill `shown` with the slates, repeats after the first position -1; where an item does not exist, -1 if all do."""
    n, k = slate.shape
    for row in range(n):
        for position in range(k):
            item = slate[row, position]
            if item < least or item >= n_items:
                place: int = row * k + position
                return place
            repeated = False
            for above in range(position):  # to the end, without a branch: as vector instructions
                repeated |= slate[row, above] == item
            shown[row, position] = -1 if repeated else item
    return -1
