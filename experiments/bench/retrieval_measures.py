"""What one division of a catalogue into folds measures: nearest items, partners across modalities, imputed rows.

Alignments, fusions and imputations are fitted without the fold of the item that is asked about, and copies of an item
share a fold: neither its pair, nor its label, nor a copy of it has taught them anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.experiments.bench.retrieval_intervals import Measures
from recsim.experiments.bench.retrieval_spaces import (
    Alignments,
    Space,
    aligned_spaces,
    alignments,
    fixed_spaces,
    taught_spaces,
)
from recsim.modalities.preparing.aligning import cross_fitted
from recsim.modalities.preparing.imputing import Method as Imputation
from recsim.modalities.preparing.imputing import held_out_cosines
from recsim.modalities.preparing.neighbours import same_category
from recsim.modalities.preparing.pairs import Floats, Items, Pairs, copies, folds, pairs_of
from recsim.modalities.preparing.recall import partner_ranks, recall_at
from recsim.streams import sub_seed

NEAREST = 5
CUTOFFS = (1, 10)
IMPUTATIONS: tuple[Imputation, ...] = ("ridge", "knn")
CARELESS = "copies on both sides"


@dataclass(frozen=True)
class Sample:
    """Items with both modalities.

    Attributes:
        pairs: text and image of p items.
        category: (p,) int64.
        groups: (p,) int64 in 0..G - 1, groups of copies.
    """

    pairs: Pairs
    category: Items
    groups: Items

    @classmethod
    def of(cls, catalog: Catalog) -> Sample:
        """The items of a catalogue that have both text and image."""
        pairs = pairs_of(catalog, "text", "image")
        return cls(pairs, catalog.category[pairs.items], copies(pairs.first, pairs.second))

    def part(self, items: NDArray[np.bool_]) -> Sample:
        """Some of the items, (p,) bool: whole groups of copies."""
        pairs = Pairs(self.pairs.items[items], self.pairs.first[items], self.pairs.second[items])
        return Sample(pairs, self.category[items], np.unique(self.groups[items], return_inverse=True)[1])

    @property
    def alone(self) -> NDArray[np.bool_]:
        """(p,) bool, one item of each group of copies."""
        alone = np.zeros(len(self.pairs), np.bool_)
        alone[np.unique(self.groups, return_index=True)[1]] = True
        return alone


def measured(sample: Sample, n_folds: int, seed: int) -> Measures:
    """By a division into folds that is drawn: the tables nearest, recall and imputed.

    A row of nearest is (share of nearest items of the same category, the same among one of each group of copies); one
    of recall the shares of partners among the first 1 and 10; one of imputed (mean cosine with the truth,).

    Raises:
        ValueError: if there are too few items.
    """
    pairs, groups = sample.pairs, sample.groups
    fold = folds(groups, n_folds, sub_seed(seed, "folds"))
    learned = alignments(pairs, fold, groups, seed)
    spaces = fixed_spaces(pairs, seed) | aligned_spaces(pairs, learned)
    spaces |= taught_spaces(pairs, sample.category, fold, groups, seed)
    careless = folds(np.arange(len(pairs)), n_folds, sub_seed(seed, "folds"))  # copies on both sides, for contrast
    leaking = list(cross_fitted("cca", pairs, careless, groups=groups, seed=sub_seed(seed, "cca")))
    recall = {f"{method}, text to image": _recall(sample, parts) for method, parts in learned.items()}
    recall |= {f"{method}, image to text": _recall(sample, parts, backward=True) for method, parts in learned.items()}
    return {
        "nearest": {name: _shares(sample, space) for name, space in spaces.items()},
        "recall": recall | {f"cca, text to image, {CARELESS}": _recall(sample, leaking)},
        "imputed": _imputed(sample, fold),
    }


def _shares(sample: Sample, space: Space) -> Floats:
    found = []
    for among in (np.ones(len(sample.pairs), np.bool_), sample.alone):
        shares = [
            same_category(rows, sample.category, queries[among[queries]], NEAREST, among=among)
            for queries, rows in space
        ]
        found.append(np.concatenate(shares).mean())
    return np.array(found)


def _recall(sample: Sample, parts: Alignments, *, backward: bool = False) -> Floats:
    ranks = []
    for own, alignment in parts:
        sides = alignment.first.transform(sample.pairs.first[own]), alignment.second.transform(sample.pairs.second[own])
        queries, answers = sides[::-1] if backward else sides
        ranks.append(partner_ranks(queries, answers, sample.groups[own]))
    return np.array([recall_at(cutoff, np.concatenate(ranks)) for cutoff in CUTOFFS])


def _imputed(sample: Sample, fold: Items) -> dict[str, Floats]:
    first, second = sample.pairs.first, sample.pairs.second
    return {
        f"{name}, {method}": held_out_cosines(method, *both, fold, groups=sample.groups).mean(keepdims=True)
        for name, both in (("image from text", (first, second)), ("text from image", (second, first)))
        for method in IMPUTATIONS
    }
