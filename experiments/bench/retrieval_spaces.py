"""The spaces in which `recsim bench retrieval` looks for nearest items; what learns, learns from other items' folds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsim.encoding import unit_rows
from recsim.modalities.preparing.aligning import Alignment, cross_fitted
from recsim.modalities.preparing.denoising import (
    by_independent_components,
    by_principal_components,
    standardised_columns,
)
from recsim.modalities.preparing.fusing import fit_fusion, weighted_rows
from recsim.modalities.preparing.pairs import Floats, Items, Pairs, splits
from recsim.modalities.preparing.settings import AlignmentMethod, FusionMethod
from recsim.streams import sub_seed

KEPT = 32  # components that denoised rows are made of
STARTS = 5  # of a search for independent components, of which a few in a hundred do not settle in halves
METHODS: tuple[AlignmentMethod, ...] = ("cca", "procrustes", "contrastive")
NAIVE, WEIGHTED, DISCRIMINANT = (f"text and image{how}" for how in (" side by side", ", weighted", ", discriminant"))

Learns = Literal["nothing", "rows", "pairs", "categories"]
# Of some items, (p,) bool, what was learned from the others; and those that ask, (q,) int64, in (p, r) float64 rows.
Alignments = list[tuple[NDArray[np.bool_], Alignment]]
Space = list[tuple[Items, Floats]]


def learns_from(space: str) -> Learns:
    """What a space of this name learns from."""
    if "aligned" in space:
        return "pairs"
    if space.endswith(("weighted", "discriminant")):
        return "categories"
    return "rows" if space.endswith(("standardised", "components")) else "nothing"


def fixed_spaces(pairs: Pairs, seed: int) -> dict[str, Space]:
    """By name, those that need neither pairs nor categories."""
    components = min(KEPT, pairs.first.shape[1], pairs.second.shape[1])
    rows = {
        "text": pairs.first,
        "image": pairs.second,
        NAIVE: weighted_rows([pairs.first, pairs.second], np.array([0.5, 0.5])),
        "text, standardised": standardised_columns(pairs.first),
        "image, standardised": standardised_columns(pairs.second),
        f"text, {components} principal components": by_principal_components(pairs.first, components)[0],
        f"text, {components} independent components": _independent(pairs.first, components, seed),
    }
    return {name: [(np.arange(len(pairs)), unit_rows(one))] for name, one in rows.items()}


def _independent(rows: Floats, components: int, seed: int) -> Floats:
    """Rows of independent components; a search that does not settle begins anew elsewhere, up to four times."""
    for start in range(seed, seed + STARTS - 1):
        with suppress(ValueError):
            return by_independent_components(rows, components, start)[0]
    return by_independent_components(rows, components, seed + STARTS - 1)[0]


def alignments(pairs: Pairs, fold: Items, groups: Items, seed: int) -> dict[str, Alignments]:
    """By method, an alignment for each fold, learned from the others."""
    return {
        method: list(cross_fitted(method, pairs, fold, groups=groups, seed=sub_seed(seed, method)))
        for method in METHODS
    }


def aligned_spaces(pairs: Pairs, learned: dict[str, Alignments]) -> dict[str, Space]:
    """By name, the text and the mean of both where they are aligned."""
    found: dict[str, Space] = {}
    for method, parts in learned.items():
        for own, alignment in parts:
            first, second = alignment.first.transform(pairs.first), alignment.second.transform(pairs.second)
            both = weighted_rows([first + second], np.ones(1))
            for name, rows in ((f"text, aligned by {method}", first), (f"mean, aligned by {method}", both)):
                found.setdefault(name, []).append((np.flatnonzero(own), rows))
    return found


def taught_spaces(pairs: Pairs, category: Items, fold: Items, groups: Items, seed: int) -> dict[str, Space]:
    """By name, fusions that learn from the categories of the other folds; and of text alone, for comparison."""
    both, text = [pairs.first, pairs.second], [pairs.first]
    spaces: tuple[tuple[str, FusionMethod, Sequence[Floats]], ...] = (
        (WEIGHTED, "weighted", both),
        (DISCRIMINANT, "discriminant", both),
        ("text, discriminant", "discriminant", text),
    )
    found: dict[str, Space] = {}
    for name, method, views in spaces:
        for others, own in splits(fold):
            fusion = fit_fusion(method, views, category, others, groups=groups, seed=seed)
            found.setdefault(name, []).append((np.flatnonzero(own), fusion.transform(views)))
    return found
