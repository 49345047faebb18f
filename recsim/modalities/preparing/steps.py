"""The steps on one modality: each takes a catalogue and gives it back changed, with findings that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recsim.catalog import Catalog
from recsim.encoding import Encoding
from recsim.modalities.cache import EmbeddingCache
from recsim.modalities.making import encode_with, with_rows
from recsim.modalities.preparing.denoising import (
    by_independent_components,
    by_principal_components,
    standardised_columns,
)
from recsim.modalities.preparing.imputing import foretold, held_out_cosines
from recsim.modalities.preparing.outlying import clipped, outliers
from recsim.modalities.preparing.pairs import Floats, copies, folds, modality_of, pairs_of, rows_of
from recsim.modalities.preparing.reporting import Finding, item_ids, reported
from recsim.modalities.preparing.settings import Clean, Denoise, Impute, Outliers, Standardise
from recsim.modalities.preparing.texts import without_ids
from recsim.modality import Modality
from recsim.streams import sub_seed
from recsim.text_cleaning import clean_text


class EncodeTexts(Protocol):
    """What brings texts into the space of an encoding."""

    def __call__(self, encoding: Encoding, items: Sequence[str]) -> NDArray[np.float32]:
        """(m, r) float32 rows of length 1, or 0 where a text says nothing."""
        ...


def encode_texts(encoding: Encoding, items: Sequence[str]) -> NDArray[np.float32]:
    """(m, r) float32 from the encoder that the encoding names, through the cache of the user."""
    with EmbeddingCache() as known:
        return encode_with(encoding, items, known)


def clean(catalog: Catalog, step: Clean, seed: int, encode: EncodeTexts) -> Catalog:
    """Titles and texts without what is no text; what was made from texts that changed is made again.

    Raises:
        ValueError: if texts changed and no modality says how it was made from them.
    """
    table, ids, findings = catalog.table.copy(), item_ids(catalog), []
    changed: list[int] = []
    for column in ("title", "text"):
        before = table[column].to_list()
        after = [clean_text(text).text for text in before]
        after = [without_ids(text) for text in after] if step.ids else after
        rows = [row for row, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
        findings += [Finding(ids[row], f"unclean {column}", before[row], f"now: {after[row]}") for row in rows]
        table[column] = after
        changed = rows if column == "text" else changed
    again: list[Modality] = []
    if step.encode and changed:
        again, absent = _encoded(catalog, changed, table["text"].to_list(), encode)
        findings += [Finding(ids[row], "empty text", "nothing is left of the text", "absent") for row in absent]
    return reported(catalog, findings, table=table, modalities=again)


def impute(catalog: Catalog, step: Impute, seed: int) -> Catalog:
    """A modality where it is absent, foretold from another; those items are present from now on."""
    target, source = modality_of(catalog, step.modality), modality_of(catalog, step.source)
    missing = np.flatnonzero(~target.present & source.present)
    if not len(missing):
        sentence = f"no item lacks {step.modality!r} and has {step.source!r}"
        return reported(catalog, [Finding("", "absent modality", sentence, "nothing")])
    pairs = pairs_of(catalog, step.source, step.modality)
    groups = copies(pairs.first, pairs.second)
    fold = folds(groups, step.folds, sub_seed(seed, "folds"))
    known = step.method, pairs.first, pairs.second
    cosine = held_out_cosines(*known, fold, groups=groups, neighbours=step.neighbours)
    guessed = foretold(*known, rows_of(source)[missing], groups=groups, neighbours=step.neighbours)
    guessed *= _typical_length(target)
    quality = f"held-out cosine with the truth {cosine.mean():.2f}"
    filled = with_rows(target, missing, guessed)
    ids = item_ids(catalog)
    findings = [
        Finding(ids[row], "absent modality", f"no {step.modality}", f"imputed from {step.source} by {step.method}")
        for row in missing
    ]
    findings.append(Finding("", "imputed modality", f"{len(missing)} items without {step.modality}", quality))
    return reported(catalog, findings, modalities=[filled])


def standardise(catalog: Catalog, step: Standardise, seed: int) -> Catalog:
    """Columns with mean 0 and standard deviation 1 over the items that have the modality."""
    modality = modality_of(catalog, step.modality)
    present = np.flatnonzero(modality.present)
    rows = standardised_columns(modality.embedding[present].astype(np.float64))
    return _changed(catalog, modality, rows, "standardised modality", "columns of unlike spread", "mean 0, deviation 1")


def denoise(catalog: Catalog, step: Denoise, seed: int) -> Catalog:
    """Rows made again from some of their components."""
    modality = modality_of(catalog, step.modality)
    rows = modality.embedding[modality.present].astype(np.float64)
    if step.method == "pca":
        again, kept = by_principal_components(rows, step.components)
    else:
        again, kept = by_independent_components(rows, step.components, seed)
    done = f"{step.components} components by {step.method} kept, with {kept:.0%} of the variance"
    return _changed(catalog, modality, again, "denoised modality", f"{modality.dim} columns", done)


def find_outliers(catalog: Catalog, step: Outliers, seed: int) -> Catalog:
    """Items that are unlike all others: flagged, or clipped where that is asked for and they lie farther out."""
    modality = modality_of(catalog, step.modality)
    present, ids = np.flatnonzero(modality.present), item_ids(catalog)
    rows = modality.embedding[present].astype(np.float64)
    found, score = outliers(rows, step.share, seed)
    new, moved = clipped(rows, found) if step.action == "clip" else (rows, np.zeros(len(rows), np.bool_))
    stays = "kept: no farther from the centre than other items" if step.action == "clip" else "flagged"
    findings = [
        Finding(
            ids[present[row]],
            f"outlier in {step.modality}",
            f"isolation score {score[row]:.3f}, median {np.median(score):.3f}",
            "clipped toward the centre" if moved[row] else stays,
        )
        for row in np.flatnonzero(found)
    ]
    return reported(catalog, findings, modalities=[with_rows(modality, present[moved], new[moved])])


def _encoded(
    catalog: Catalog, rows: list[int], texts: list[str], encode: EncodeTexts
) -> tuple[list[Modality], list[int]]:
    """The modalities made from texts with new rows, and the items of which nothing is left."""
    made = [one for one in catalog.modalities.values() if one.encoding is not None and one.encoding.source == "text"]
    if not made:
        raise ValueError(
            f"unclean texts in catalogue {catalog.name!r}: {len(rows)}; and none of its modalities says how it was "
            "made from texts: import it again, or clean with encode: false, which leaves modalities as they are."
        )
    absent = [row for row in rows if not texts[row]]
    kept = [row for row in rows if texts[row]]
    new = []
    for modality in made:
        assert modality.encoding is not None
        again = with_rows(modality, kept, encode(modality.encoding, [texts[row] for row in kept]))
        new.append(with_rows(again, absent, 0.0))
    return new, absent


def _changed(catalog: Catalog, modality: Modality, rows: Floats, what: str, found: str, done: str) -> Catalog:
    """The catalogue with all rows of a modality transformed; those that become 0 are absent, and are told of.

    The modality loses its encoding, which leads other items to where these were before.
    """
    ids, present = item_ids(catalog), np.flatnonzero(modality.present)
    new = replace(with_rows(modality, present, rows), encoding=None)
    findings = [Finding("", what, f"{modality.name} of {found}", done)]
    findings += [
        Finding(ids[row], what, f"nothing is left of {modality.name}", "absent")
        for row in np.flatnonzero(modality.present & ~new.present)
    ]
    return reported(catalog, findings, modalities=[new])


def _typical_length(modality: Modality) -> float:
    return float(np.median(np.linalg.norm(modality.embedding[modality.present].astype(np.float64), axis=1)))
