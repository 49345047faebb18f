"""The steps on several modalities: each takes a catalogue and gives it back changed, with findings that say so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.modalities.preparing.aligning import fit, held_out
from recsim.modalities.preparing.disagreement import agreement
from recsim.modalities.preparing.fusing import fit_fusion
from recsim.modalities.preparing.neighbours import same_category
from recsim.modalities.preparing.pairs import Floats, copies, folds, modality_of, pairs_of, rows_of, splits
from recsim.modalities.preparing.recall import recall_at
from recsim.modalities.preparing.reporting import Finding, item_ids, reported
from recsim.modalities.preparing.settings import Align, Fuse, Inconsistent, Vote
from recsim.modalities.preparing.voting import vote
from recsim.modality import Modality
from recsim.streams import sub_seed

NEAREST = 5  # items by which a fusion is judged


def find_inconsistent(catalog: Catalog, step: Inconsistent, seed: int) -> Catalog:
    """Items whose two modalities say different things, flagged, those that agree least first."""
    pairs = pairs_of(catalog, step.first, step.second)
    found = agreement(pairs, step.method, n_folds=step.folds, divisions=step.divisions, seed=seed)
    ids = item_ids(catalog)
    order = np.argsort(found.standing, kind="stable")
    findings = [
        Finding(
            ids[found.items[row]],
            f"{step.first} and {step.second} disagree",
            f"agreement {found.standing[row]:.2f} (1: partners, 0.5: by chance)",
            "flagged",
        )
        for row in order
        if found.standing[row] < step.below
    ]
    return reported(catalog, findings)


def align(catalog: Catalog, step: Align, seed: int) -> Catalog:
    """Two modalities in one space, learned from the items that have both; the finding says how well it holds."""
    pairs = pairs_of(catalog, step.first, step.second)
    groups = copies(pairs.first, pairs.second)
    fold = folds(groups, step.folds, sub_seed(seed, "folds"))
    tried = held_out(step.method, pairs, fold, dim=step.dim, groups=groups, seed=sub_seed(seed, "held out"))
    alignment = fit(step.method, pairs.first, pairs.second, dim=step.dim, groups=groups, seed=sub_seed(seed, "all"))
    views = ((step.first, alignment.first), (step.second, alignment.second))
    new = [_modality(name, view.transform(rows_of(modality_of(catalog, name)))) for name, view in views]
    sentence = (
        f"by {step.method} into {new[0].dim} columns; held out, {step.first} finds its {step.second} first in "
        f"{recall_at(1, tried.forward):.1%} and among ten in {recall_at(10, tried.forward):.1%} of "
        f"{len(pairs) // step.folds}"
    )
    findings = [Finding("", "aligned modalities", f"{step.first} and {step.second} in spaces of their own", sentence)]
    ids = item_ids(catalog)
    findings += [
        Finding(ids[row], "aligned modalities", f"nothing is left of {one.name}", "absent")
        for one in new
        for row in np.flatnonzero(catalog.modalities[one.name].present & ~one.present)
    ]
    return reported(catalog, findings, modalities=new)


def hold_vote(catalog: Catalog, step: Vote, seed: int) -> Catalog:
    """Items whose neighbours are of another category than the table says, flagged, the surest first."""
    modalities = [modality_of(catalog, name) for name in step.modalities]
    views = [rows_of(one) for one in modalities]
    groups = copies(*views)
    verdict = vote(
        views,
        [one.present for one in modalities],
        catalog.category,
        len(catalog.categories),
        step.neighbours,
        groups=groups,
        fold=folds(groups, step.folds, sub_seed(seed, "folds")),
    )
    ids, said = item_ids(catalog), verdict.probability.argmax(axis=1)
    sure = verdict.probability[np.arange(len(catalog)), said]
    wrong = np.flatnonzero((said != catalog.category) & (sure > step.above))
    findings = [
        Finding(
            ids[row],
            "category outvoted",
            f"category {catalog.categories[catalog.category[row]]}",
            f"flagged: neighbours say {catalog.categories[said[row]]} ({sure[row]:.0%})",
        )
        for row in wrong[np.argsort(-sure[wrong], kind="stable")]
    ]
    votes = ", ".join(
        f"{one.name} {accuracy:.0%} right, weight {weight:.2f}"
        for one, accuracy, weight in zip(modalities, verdict.accuracy, verdict.weights, strict=True)
    )
    right = float((said == catalog.category).mean())
    return reported(catalog, [Finding("", "category vote", votes, f"together {right:.0%} right"), *findings])


def fuse(catalog: Catalog, step: Fuse, seed: int) -> Catalog:
    """One modality of several, beside them or in their place.

    Raises:
        ValueError: if the new name is taken by a modality that stays.
    """
    stays = set(catalog.modalities) - (set(step.modalities) if step.replace else set())
    if step.name in stays:
        raise ValueError(f"modality {step.name!r} is in the catalogue already: give the fused one another name.")
    views = [rows_of(modality_of(catalog, name)) for name in step.modalities]
    everyone, groups = np.ones(len(catalog), np.bool_), copies(*views)
    fusion = fit_fusion(step.method, views, catalog.category, everyone, groups=groups, seed=sub_seed(seed, "all"))
    weights = ", ".join(f"{name} {weight:.1f}" for name, weight in zip(step.modalities, fusion.weights, strict=True))
    earned = _held_out_share(catalog, step, views, seed)
    finding = Finding(
        "",
        "fused modality",
        f"{' and '.join(step.modalities)} ({weights})",
        f"{step.name} by {step.method}; held out, {earned:.1%} of the {NEAREST} nearest are of the item's category",
    )
    new = _modality(step.name, fusion.transform(views))
    return reported(catalog, [finding], modalities=[new], without=step.modalities if step.replace else ())


def _held_out_share(catalog: Catalog, step: Fuse, views: list[Floats], seed: int) -> float:
    """Share of nearest items of the same category, of items whose pair and label taught nothing; no copy counts."""
    groups = copies(*views)
    one_of_each = np.isin(np.arange(len(groups)), np.unique(groups, return_index=True)[1])
    fold = folds(groups, step.folds, sub_seed(seed, "folds"))
    shares = []
    for number, (others, own) in enumerate(splits(fold)):
        fusion = fit_fusion(
            step.method, views, catalog.category, others, groups=groups, seed=sub_seed(seed, f"fold {number}")
        )
        rows = fusion.transform(views)
        there: NDArray[np.bool_] = np.asarray(rows.any(axis=1)) & one_of_each
        shares.append(same_category(rows, catalog.category, np.flatnonzero(own & there), NEAREST, among=there))
    return float(np.concatenate(shares).mean())


def _modality(name: str, rows: Floats) -> Modality:
    return Modality(name, rows.astype(np.float32), np.asarray(rows.any(axis=1)))
