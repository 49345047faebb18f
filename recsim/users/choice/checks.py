"""What choice models refuse, so that their kernels read only what is there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from recsim.streams import Streams
from recsim.users.contract import Floats, Items


def number(name: str, value: Any, low: float, high: float = math.inf) -> None:
    """Refuse a parameter that is no finite number from `low` to `high`.

    Raises:
        ValueError: if it is not.
    """
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high:
        range_ = f"number from {low:g} to {high:g}" if high < math.inf else f"finite number from {low:g} up"
        raise ValueError(f"{name} is {value!r}; it is a {range_}.")


def table(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """`values` as a contiguous float64 array.

    Raises:
        ValueError: if they have another shape.
    """
    given = np.ascontiguousarray(values, np.float64)
    if given.shape != shape:
        raise ValueError(f"{name} of the appeal is an array {given.shape}; {shape} is needed, a row a user.")
    return given


def one_each(users: Streams, slate: Items) -> None:
    """Refuse streams of other users than the slates'.

    Raises:
        ValueError: if there are more or fewer.
    """
    if len(users) != len(slate):
        raise ValueError(f"there are {len(users)} streams for {len(slate)} slates; a stream a slate is needed.")
