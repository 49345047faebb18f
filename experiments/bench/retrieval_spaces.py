"""The spaces in which `recsim bench retrieval` looks for nearest items; what learns, learns from other items' folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from recsim.modalities.preparing.aligning import cross_fitted
from recsim.modalities.preparing.denoising import (
    by_independent_components,
    by_principal_components,
    standardised_columns,
)
from recsim.modalities.preparing.fusing import fit_fusion, weighted_rows
from recsim.modalities.preparing.pairs import Floats, Items, Pairs, splits
from recsim.modalities.preparing.settings import AlignmentMethod, FusionMethod
from recsim.streams import sub_seed

Learns = Literal["nothing", "rows", "pairs", "categories"]

KEPT = 32  # components that denoised rows are made of
METHODS: tuple[AlignmentMethod, ...] = ("cca", "procrustes", "contrastive")


def fixed_spaces(pairs: Pairs, seed: int) -> dict[str, tuple[Learns, Floats]]:
    """By name: what a space learns from, and (p, r) float64 rows that need neither pairs nor categories."""
    from recsim.encoding import unit_rows

    components = min(KEPT, pairs.first.shape[1], pairs.second.shape[1])
    naive = weighted_rows([pairs.first, pairs.second], np.array([0.5, 0.5]))
    return {
        "text": ("nothing", pairs.first),
        "image": ("nothing", pairs.second),
        "text and image side by side": ("nothing", naive),
        "text, standardised": ("rows", unit_rows(standardised_columns(pairs.first))),
        "image, standardised": ("rows", unit_rows(standardised_columns(pairs.second))),
        f"text, {components} principal components": (
            "rows",
            unit_rows(by_principal_components(pairs.first, components)[0]),
        ),
        f"text, {components} independent components": (
            "rows",
            unit_rows(by_independent_components(pairs.first, components, seed)[0]),
        ),
    }


def aligned_spaces(pairs: Pairs, fold: Items, groups: Items, seed: int) -> dict[str, list[tuple[Items, Floats]]]:
    """By name, for each fold: which rows are in it, and (p, r) float64 rows of an alignment learned from the others."""
    found: dict[str, list[tuple[Items, Floats]]] = {}
    for method in METHODS:
        for own, alignment in cross_fitted(method, pairs, fold, groups=groups, seed=sub_seed(seed, method)):
            first, second = alignment.first.transform(pairs.first), alignment.second.transform(pairs.second)
            both = weighted_rows([first + second], np.ones(1))
            for name, rows in ((f"text, aligned by {method}", first), (f"mean, aligned by {method}", both)):
                found.setdefault(name, []).append((np.flatnonzero(own), rows))
    return found


def taught_spaces(
    pairs: Pairs, category: Items, fold: Items, groups: Items, seed: int
) -> dict[str, list[tuple[Items, Floats]]]:
    """The same of fusions that learn from categories, those of the other folds; and of text alone, for comparison."""
    both, text = [pairs.first, pairs.second], [pairs.first]
    spaces: tuple[tuple[str, FusionMethod, Sequence[Floats]], ...] = (
        ("text and image, weighted", "weighted", both),
        ("text and image, discriminant", "discriminant", both),
        ("text, discriminant", "discriminant", text),
    )
    found: dict[str, list[tuple[Items, Floats]]] = {}
    for name, method, views in spaces:
        for others, own in splits(fold):
            fusion = fit_fusion(method, views, category, others, groups=groups, seed=seed)
            found.setdefault(name, []).append((np.flatnonzero(own), fusion.transform(views)))
    return found
