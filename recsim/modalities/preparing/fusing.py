"""One modality of several.

- concatenated: the unit rows side by side, so that a cosine is the mean of those of the modalities.
- weighted: the same with a weight for each modality, chosen so that nearest items are of the same category.
- discriminant: directions of the concatenated rows that tell categories apart (linear discriminant analysis).
- cca, procrustes, contrastive: the mean of the two modalities in the space of an `aligning.Alignment`.

Weighted and discriminant learn from categories. What they earn on a label that they have seen says nothing: `fit` takes
the items that may teach, so that others can be held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsim.encoding import unit_rows
from recsim.modalities.preparing.aligning import Alignment, View, fit
from recsim.modalities.preparing.neighbours import same_category
from recsim.modalities.preparing.pairs import FEWEST, Floats, Items
from recsim.modalities.preparing.settings import FusionMethod

STEPS = 10  # weights are tenths
NEIGHBOURS = 5  # whose categories weights are chosen by
ASKED = 2000  # items at most whose neighbours are looked at for that, evenly spaced


@dataclass(frozen=True)
class Fusion:
    """A fitted way to make one row of an item's rows.

    Attributes:
        weights: (M,) float64 >= 0 that sum to 1, what the cosine of each modality counts.
        alignment: into whose space the two modalities are brought first, or None.
        discriminant: onto what these rows are projected, or None.
    """

    weights: Floats
    alignment: Alignment | None = None
    discriminant: View | None = None

    def transform(self, views: Sequence[Floats]) -> Floats:
        """(m, r) float64 rows of length 1; 0 where an item has none of the modalities.

        Args:
            views: (m, d) float64 rows of length 1 or, where absent, 0, for each modality.
        """
        if self.alignment is not None:
            return unit_rows(self.alignment.first.transform(views[0]) + self.alignment.second.transform(views[1]))
        rows = weighted_rows(views, self.weights)
        return rows if self.discriminant is None else self.discriminant.transform(rows)


def fit_fusion(
    method: FusionMethod,
    views: Sequence[Floats],
    category: Items,
    teaching: NDArray[np.bool_],
    *,
    groups: Items,
    seed: int,
) -> Fusion:
    """A fusion learned from the items that may teach.

    Args:
        method: see the module.
        views: (m, d) float64 rows of length 1 or, where absent, 0, for each modality.
        category: (m,) int64; those of other items are not looked at.
        teaching: (m,) bool.
        groups: (m,) int64, groups of copies.
        seed: of contrastive.

    Raises:
        ValueError: if too few items have all that an alignment needs.
    """
    equal = np.full(len(views), 1 / len(views))
    if method == "concatenated":
        return Fusion(equal)
    if method == "weighted":
        return Fusion(chosen_weights(views, category, teaching, groups))
    if method == "discriminant":
        return _discriminant(views, equal, category, teaching)
    both = teaching & views[0].any(axis=1) & views[1].any(axis=1)
    if both.sum() < FEWEST:
        raise ValueError(f"{both.sum()} items have both modalities: at least {FEWEST} are needed to align them.")
    return Fusion(equal, fit(method, views[0][both], views[1][both], groups=groups[both], seed=seed))


def weighted_rows(views: Sequence[Floats], weights: Floats) -> Floats:
    """(m, D) float64 rows of length 1 whose cosines are the means of the modalities' cosines by `weights`."""
    return unit_rows(np.hstack([np.sqrt(weight) * rows for weight, rows in zip(weights, views, strict=True)]))


def chosen_weights(views: Sequence[Floats], category: Items, teaching: NDArray[np.bool_], groups: Items) -> Floats:
    """(M,) float64, the tenths by which the 5 nearest teaching items are most often of the same category.

    One item of each group of copies is asked and may be found: copies are near by any weights and would teach nothing.
    The choice of a few weights from many items fits hardly any noise. Ties go to the more even weights.
    """
    alone = teaching & _first_of_group(groups, teaching)
    queries = np.flatnonzero(alone)
    queries = queries[:: -(-len(queries) // ASKED)]
    grid = [np.array(part) / STEPS for part in product(range(STEPS + 1), repeat=len(views)) if sum(part) == STEPS]
    grid.sort(key=lambda weights: float(np.square(weights).sum()))

    def score(weights: Floats) -> float:
        rows = weighted_rows(views, weights)
        asked = queries[rows[queries].any(axis=1)]
        among = alone & rows.any(axis=1)
        if len(asked) <= NEIGHBOURS:
            return 0.0
        return round(float(same_category(rows, category, asked, NEIGHBOURS, among=among).sum()) / len(queries), 9)

    return max(grid, key=score)


def _discriminant(views: Sequence[Floats], weights: Floats, category: Items, teaching: NDArray[np.bool_]) -> Fusion:
    """Linear discriminant analysis with a shrunk covariance (Fisher 1936; Ledoit & Wolf 2004).

    Columns are standardised before the covariance is shrunk, so weights of the modalities would change nothing.
    Categories of one item teach nothing about what items of a category share, and are left out.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rows = weighted_rows(views, weights)
    used = teaching & rows.any(axis=1)
    used &= np.isin(category, np.flatnonzero(np.bincount(category[used]) > 1))
    if len(set(category[used].tolist())) < 2:
        raise ValueError(
            "the items that may teach are of one category only: discriminant needs two with two items each."
        )
    model: Any = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(rows[used], category[used])
    columns = min(len(model.classes_) - 1, rows.shape[1])
    return Fusion(weights, discriminant=View(rows[used].mean(axis=0), model.scalings_[:, :columns]))


def _first_of_group(groups: Items, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(m,) bool, the first item of each group among those given."""
    items = np.flatnonzero(among)
    first = np.zeros(len(groups), np.bool_)
    first[items[np.unique(groups[items], return_index=True)[1]]] = True
    return first
