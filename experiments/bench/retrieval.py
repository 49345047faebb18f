"""What preparing is worth: `recsim bench retrieval`, nearest items, partners across modalities, and planted faults.

Alignments, fusions and imputations are fitted without the fold of the item that is asked about, and copies of an item
share a fold: neither its pair, nor its label, nor a copy of it has taught them anything. Votes leave out the item
itself only: its copies are among its neighbours, and the weights of the modalities are fitted to all labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.experiments.bench.machine import machine
from recsim.experiments.bench.planted import labels_found, swaps_found
from recsim.experiments.bench.retrieval_spaces import METHODS, aligned_spaces, fixed_spaces, taught_spaces
from recsim.experiments.errors import UserError
from recsim.experiments.progress import Display
from recsim.experiments.run_folder import all_versions
from recsim.experiments.threads import threads
from recsim.metrics import mean_interval
from recsim.modalities.preparing.aligning import held_out
from recsim.modalities.preparing.imputing import Method as Imputation
from recsim.modalities.preparing.imputing import held_out_cosines
from recsim.modalities.preparing.neighbours import same_category
from recsim.modalities.preparing.pairs import Floats, Items, copies, folds, pairs_of
from recsim.ope.intervals import Resamples
from recsim.streams import sub_seed

NEAREST = 5
CUTOFFS = (1, 10)
IMPUTATIONS: tuple[Imputation, ...] = ("ridge", "knn")


@dataclass(frozen=True)
class RetrievalSize:
    """How much is measured.

    Attributes:
        seeds: divisions into folds, each with its own training.
        folds: of each division.
        draws: bootstrap draws.
        level: of all intervals.
        share: of the items in which a fault is planted.
    """

    seeds: int = 5
    folds: int = 5
    draws: int = 2000
    level: float = 0.95
    share: float = 0.05


def retrieval(catalogs: Sequence[Catalog], size: RetrievalSize, display: Display) -> dict[str, Any]:
    """The measures of every catalogue, which must have the modalities text and image.

    Raises:
        UserError: if there are fewer than 2 seeds or draws.
        ValueError: if a catalogue is too small, or lacks a modality.
    """
    if min(size.seeds, size.draws, size.folds) < 2 or not (0 < size.level < 1 and 0 < size.share < 0.5):
        raise UserError(
            f"{size.seeds} seeds, {size.folds} folds, {size.draws} draws, level {size.level} and a share of "
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
        self._pairs = pairs_of(catalog, "text", "image")
        self._category: Items = catalog.category[self._pairs.items]
        self._groups = copies(self._pairs.first, self._pairs.second)
        counts = np.unique(self._groups, return_index=True)[1]
        self._alone = np.zeros(len(self._pairs), np.bool_)
        self._alone[counts] = True  # one item of each group of copies
        self._draws = Resamples.draw(len(counts), size.draws, sub_seed(0, catalog.name)).counts.astype(np.float64)

    def record(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {
            "name": self._name,
            "items": len(self._pairs),
            "groups": int(self._alone.sum()),
            "nearest": self._over_seeds("nearest items", self._nearest, self._judged),
            "recall": self._over_seeds("partners", self._partners, self._recalled),
            "swaps": self._planted("swaps", self._swaps),
            "labels": self._planted("labels", self._labels),
            "imputed": self._imputed(),
        }

    def _over_seeds(
        self,
        what: str,
        measure: Callable[[int], dict[str, Floats]],
        told: Callable[[dict[str, Floats]], list[dict[str, Any]]],
    ) -> list[dict[str, Any]]:
        """What `told` makes of the means over seeds of what each item earns."""
        with self._display.stage(f"{self._name}: {what}", self._size.seeds) as progress:
            found = []
            for seed in range(self._size.seeds):
                found.append(measure(seed))
                progress(seed + 1)
        return told({name: np.stack([one[name] for one in found]) for name in found[0]})

    def _nearest(self, seed: int) -> dict[str, Floats]:
        """By space: (2, p), shares among all items, and among one of each group of copies (NaN for the others)."""
        fold = folds(self._groups, self._size.folds, sub_seed(seed, "folds"))
        everyone = np.arange(len(self._pairs))
        spaces = {name: [(everyone, rows)] for name, (_, rows) in fixed_spaces(self._pairs, seed).items()}
        spaces |= aligned_spaces(self._pairs, fold, self._groups, seed)
        spaces |= taught_spaces(self._pairs, self._category, fold, self._groups, seed)
        return {name: self._shares(parts) for name, parts in spaces.items()}

    def _shares(self, parts: list[tuple[Items, Floats]]) -> Floats:
        shares = np.full((2, len(self._pairs)), np.nan)
        for queries, rows in parts:
            for row, among in enumerate((np.ones(len(rows), np.bool_), self._alone)):
                asked = queries[among[queries]]
                shares[row, asked] = same_category(rows, self._category, asked, NEAREST, among=among)
        return shares

    def _judged(self, found: dict[str, Floats]) -> list[dict[str, Any]]:
        learns = {name: what for name, (what, _) in fixed_spaces(self._pairs, 0).items()}
        text = found["text"].mean(axis=0)
        rows = []
        for name, shares in found.items():
            mean = shares.mean(axis=0)
            rows.append(
                {
                    "space": name,
                    "learns": learns.get(name, "pairs" if "aligned" in name else "categories"),
                    "all": self._interval(mean[0]),
                    "less_text": self._interval(mean[0] - text[0]),
                    "without_copies": self._interval(mean[1]),
                    "without_copies_less_text": self._interval(mean[1] - text[1]),
                    "deviation_of_seeds": float(np.nanmean(shares[:, 0], axis=1).std(ddof=1)),
                }
            )
        return rows

    def _partners(self, seed: int) -> dict[str, Floats]:
        """By method and direction: (2, p), whether the partner is among the first 1 and 10."""
        fold = folds(self._groups, self._size.folds, sub_seed(seed, "folds"))
        found = {}
        for method in METHODS:
            ranks = held_out(method, self._pairs, fold, groups=self._groups, seed=sub_seed(seed, method))
            found[f"{method}, text to image"] = _hits(ranks.forward)
            found[f"{method}, image to text"] = _hits(ranks.backward)
        # For contrast: folds that put copies on both sides.
        single = np.arange(len(self._pairs))
        careless = folds(single, self._size.folds, sub_seed(seed, "folds"))
        leaking = held_out("cca", self._pairs, careless, groups=self._groups, seed=sub_seed(seed, "cca"))
        return {**found, "cca, text to image, copies on both sides": _hits(leaking.forward)}

    def _recalled(self, found: dict[str, Floats]) -> list[dict[str, Any]]:
        rows = []
        for name, hits in found.items():
            mean = hits.mean(axis=0)
            recall = {f"recall_{k}": self._interval(mean[row]) for row, k in enumerate(CUTOFFS)}
            deviation = float(hits[:, -1].mean(axis=1).std(ddof=1))
            rows.append({"method": name, **recall, "deviation_of_seeds": deviation})
        return rows

    def _planted(self, what: str, measure: Callable[[int], dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
        with self._display.stage(f"{self._name}: {what}", self._size.seeds) as progress:
            found = []
            for seed in range(self._size.seeds):
                found.append(measure(seed))
                progress(seed + 1)
        return [
            {
                "method": name,
                **{key: asdict(mean_interval([one[name][key] for one in found], self._size.level)) for key in first},
            }
            for name, first in found[0].items()
        ]

    def _swaps(self, seed: int) -> dict[str, dict[str, float]]:
        return {method: swaps_found(self._pairs, method, self._size.share, seed) for method in METHODS}

    def _labels(self, seed: int) -> dict[str, dict[str, float]]:
        return {"vote": labels_found(self._pairs, self._category, self._size.share, seed)}

    def _imputed(self) -> list[dict[str, Any]]:
        rows = []
        fold = folds(self._groups, self._size.folds, 0)
        for name, source, target in (
            ("image from text", self._pairs.first, self._pairs.second),
            ("text from image", self._pairs.second, self._pairs.first),
        ):
            for method in IMPUTATIONS:
                cosine = self._interval(held_out_cosines(method, source, target, fold, groups=self._groups))
                rows.append({"what": name, "method": method, "cosine": cosine})
        return rows

    def _interval(self, values: Floats) -> dict[str, float]:
        """The mean with its percentile bootstrap over groups of copies; items without a value are left out."""
        given = ~np.isnan(values)
        sums = np.bincount(self._groups, np.where(given, values, 0.0))
        sizes = np.bincount(self._groups, given)
        drawn = (self._draws @ sums) / (self._draws @ sizes)
        tail = (1 - self._size.level) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return {"mean": float(sums.sum() / sizes.sum()), "low": float(low), "high": float(high)}


def _hits(ranks: NDArray[np.int64]) -> Floats:
    return np.stack([ranks < k for k in CUTOFFS]).astype(np.float64)
