"""The hidden state of a user as numbers with names, for the frames of `SlateEnv`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.simulator import Simulator
from recsim.users.interest import InterestUsers

MOST_ROWS = 16  # of a gauge; longer vectors are no reading matter
LEAST_MATCH, LEAST_SATIATION = 0.25, 1.0  # what fills a bar, where all numbers are smaller


@dataclass(frozen=True)
class Gauge:
    """Numbers of the hidden state.

    Attributes:
        name: what they are.
        labels: what each of the r numbers belongs to; ("",) for a number that stands alone.
        columns: (r,) numbers by heading.
        full: by heading, the size of a number that fills its bar; without it there is no bar.
        more: how many rows are left out.
    """

    name: str
    labels: tuple[str, ...]
    columns: dict[str, NDArray[Any]]
    full: dict[str, float]
    more: int = 0


def figure(value: Any) -> str:
    """A number as text of few letters.

    >>> [figure(np.float32(x)) for x in (-0.001, 9.999, 1234.5, 2.5e9)], figure(np.int64(7)), figure(np.True_)
    (['0.00', '10.00', '1234', '2.5e+09'], '7', '1')
    """
    if not abs(value) < 1e5:
        return f"{value:.3g}"
    if not isinstance(value, np.floating):
        return str(int(value))
    return f"{round(float(value), 2) + 0.0:.2f}" if abs(value) < 100 else f"{value:.0f}"  # + 0.0: no minus zero


def printable(text: str) -> str:
    """The text on one line, without the codes that would steer a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def gauges(simulator: Simulator) -> Iterator[Gauge]:
    """The hidden state: what is known of the built-in users by its meaning, and other fields as they are."""
    state, known = simulator.state, frozenset[str]()
    if isinstance(simulator.users, InterestUsers):
        known = frozenset({"interest", "weight", "satiation", "patience", "declared"})
        yield from _interest(simulator)
    for name in (field.name for field in fields(state) if field.name not in known):
        values = np.asarray(getattr(state, name))[0]
        if values.dtype.kind not in "biuf" or values.ndim > 1 or values.size > MOST_ROWS:
            continue
        numbers = np.atleast_1d(values)
        labels = ("",) if values.ndim == 0 else tuple(map(str, range(len(numbers))))
        largest = float(np.abs(numbers, where=np.isfinite(numbers), out=np.zeros(len(numbers))).max(initial=0.0))
        yield Gauge(name.replace("_", " "), labels, {"": numbers}, {"": largest} if values.ndim else {})


def told(simulator: Simulator) -> str:
    """The favourite category that a built-in user declares in the profile, "" for none."""
    if not isinstance(simulator.users, InterestUsers) or simulator.state.declared[0] < 0:
        return ""
    return f"Declared favourite: {printable(simulator.catalog.categories[simulator.state.declared[0]])}."


def _interest(simulator: Simulator) -> Iterator[Gauge]:
    """Hidden state of the built-in users.

    "match" of a category is the mean, over its items, of the similarity that enters their utility: the sum over
    modalities of weight × ⟨interest, taste⟩.
    """
    state, users = simulator.state, simulator.users
    catalog, config = users.catalog, users.config  # type: ignore[attr-defined] # what users meet, not what agents see
    yield Gauge("patience", ("",), {"": state.patience[:1]}, {"": float(config.patience_limit)})
    yield Gauge("modality weights", tuple(catalog.modalities), {"": state.weight[0]}, {"": 1.0})
    similar = catalog.taste @ (state.interest[0] * np.repeat(state.weight[0], np.diff(catalog.offsets)))
    match = np.bincount(catalog.category, similar) / np.bincount(catalog.category)
    satiation = state.satiation[0]
    rows = np.arange(len(match)) if len(match) <= MOST_ROWS else np.argsort(-match, kind="stable")[:MOST_ROWS]
    yield Gauge(
        "categories",
        tuple(printable(catalog.categories[row]) for row in rows),
        {"match": match[rows], "satiation": satiation[rows]},
        {
            "match": max(LEAST_MATCH, float(np.abs(match).max())),
            "satiation": max(LEAST_SATIATION, float(satiation.max())),
        },
        more=len(match) - len(rows),
    )
