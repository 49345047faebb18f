"""What preparing is worth: `recsim bench retrieval`, nearest items, partners across modalities, and planted faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from recsim.catalog import Catalog
from recsim.experiments.bench.machine import machine
from recsim.experiments.bench.planted import labels_found, swaps_found
from recsim.experiments.bench.retrieval_intervals import Estimate, Measures, estimates, halved
from recsim.experiments.bench.retrieval_measures import CARELESS, CUTOFFS, Sample, measured
from recsim.experiments.bench.retrieval_spaces import DISCRIMINANT, METHODS, NAIVE, WEIGHTED, learns_from
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads
from recsim.metrics import mean_interval
from recsim.streams import sub_seed

# What is held against what, on the same items, divisions and halves.
SPACES = (
    *((f"mean, aligned by {method}", NAIVE) for method in METHODS),
    (WEIGHTED, NAIVE),
    (DISCRIMINANT, NAIVE),
    (DISCRIMINANT, "text, discriminant"),
    *((f"{what}, aligned by cca", f"{what}, aligned by contrastive") for what in ("text", "mean")),
)
DIRECTIONS = ("text to image", "image to text")
ALIGNMENTS = (
    *((f"cca, {direction}", f"{other}, {direction}") for other in METHODS[1:] for direction in DIRECTIONS),
    (f"cca, text to image, {CARELESS}", "cca, text to image"),
)
SHARES, RECALLS = ("all", "without_copies"), tuple(f"recall_{cutoff}" for cutoff in CUTOFFS)


@dataclass(frozen=True)
class RetrievalSize:
    """How much is measured.

    Attributes:
        seeds: divisions into folds, each with its own training.
        folds: of each division.
        halvings: of the items, from which intervals follow; each half is measured by one division.
        level: of all intervals.
        share: of the items in which a fault is planted.
    """

    seeds: int = 5
    folds: int = 5
    halvings: int = 10
    level: float = 0.95
    share: float = 0.05


def retrieval(catalogs: Sequence[Catalog], size: RetrievalSize, display: Display) -> dict[str, Any]:
    """The measures of every catalogue, which must have the modalities text and image.

    Raises:
        UserError: if there are fewer than 2 seeds, folds or halvings.
        ValueError: if a catalogue is too small, or lacks a modality.
    """
    if min(size.seeds, size.halvings, size.folds) < 2 or not (0 < size.level < 1 and 0 < size.share < 0.5):
        raise UserError(
            f"{size.seeds} seeds, {size.folds} folds, {size.halvings} halvings, level {size.level} and a share of "
            f"{size.share} cannot be measured; take at least 2 of each, a level below 1 and a share below 1/2."
        )
    started = time.process_time()
    with threads(1):
        found = [_Measured(catalog, size, display).record() for catalog in catalogs]
    return {
        **asdict(size),
        "catalogs": found,
        "cpu_seconds": round(time.process_time() - started, 1),
        "machine": machine(),
        "versions": all_versions(),
    }


class _Measured:
    """What is measured on one catalogue."""

    def __init__(self, catalog: Catalog, size: RetrievalSize, display: Display) -> None:
        self._name, self._size, self._display = catalog.name, size, display
        self._sample = Sample.of(catalog)

    def record(self) -> dict[str, Any]:
        """Everything, as JSON."""
        size = self._size
        divisions = [measured(self._sample, size.folds, seed) for seed in self._counted("divisions", size.seeds)]
        halves = [self._in_halves(number) for number in self._counted("halves", size.halvings)]
        found = estimates(divisions, halves)
        return {
            "name": self._name,
            "items": len(self._sample.pairs),
            "groups": int(self._sample.alone.sum()),
            "nearest": self._nearest(found["nearest"]),
            "nearest_differences": self._differences(found["nearest"], SPACES, SHARES),
            "recall": [
                {"method": name, **self._intervals(one, RECALLS), "deviation_of_seeds": one.deviation(-1)}
                for name, one in found["recall"].items()
            ],
            "recall_differences": self._differences(found["recall"], ALIGNMENTS, RECALLS),
            "imputed": [{"what": name, **self._intervals(one, ("cosine",))} for name, one in found["imputed"].items()],
            "swaps": self._planted("swaps", self._swaps),
            "labels": self._planted("labels", self._labels),
        }

    def _counted(self, what: str, times: int) -> Iterator[int]:
        with self._display.stage(f"{self._name}: {what}", times) as progress:
            for number in range(times):
                yield number
                progress(number + 1)

    def _in_halves(self, number: int) -> tuple[Measures, Measures]:
        first = halved(self._sample.groups, sub_seed(number, "half"))
        one, other = (measured(self._sample.part(half), self._size.folds, number) for half in (first, ~first))
        return one, other

    def _nearest(self, found: dict[str, Estimate]) -> list[dict[str, Any]]:
        return [
            {
                "space": name,
                "learns": learns_from(name),
                **self._intervals(one, SHARES),
                **self._intervals(one - found["text"], ("less_text", "without_copies_less_text")),
                "deviation_of_seeds": one.deviation(0),
            }
            for name, one in found.items()
        ]

    def _differences(
        self, found: dict[str, Estimate], rows: Sequence[tuple[str, str]], names: Sequence[str]
    ) -> list[dict[str, Any]]:
        return [
            {"what": one, "less": other, **self._intervals(found[one] - found[other], names)} for one, other in rows
        ]

    def _intervals(self, one: Estimate, names: Sequence[str]) -> dict[str, dict[str, float]]:
        return {name: one.interval(number, self._size.level) for number, name in enumerate(names)}

    def _planted(self, what: str, measure: Callable[[int], dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
        found = [measure(seed) for seed in self._counted(what, self._size.seeds)]
        return [
            {
                "method": name,
                **{key: asdict(mean_interval([one[name][key] for one in found], self._size.level)) for key in first},
            }
            for name, first in found[0].items()
        ]

    def _swaps(self, seed: int) -> dict[str, dict[str, float]]:
        return {method: swaps_found(self._sample.pairs, method, self._size.share, seed) for method in METHODS}

    def _labels(self, seed: int) -> dict[str, dict[str, float]]:
        return {"vote": labels_found(self._sample.pairs, self._sample.category, self._size.share, seed)}
