"""Copies of items, folds that keep them together, and pairs."""

import numpy as np
import pytest

from recsim import Catalog, Modality
from recsim.modalities.preparing.pairs import copies, folds, modality_of, pairs_of, splits


def test_copies_in_any_view_and_copies_of_copies_are_one_group() -> None:
    text = np.eye(6)
    image = np.eye(6)
    text[1] = text[0]
    image[2] = image[1]
    image[4] = [0, 0, 0, 0.995, np.sqrt(1 - 0.995**2), 0]  # its cosine with row 3 is 0.995
    text[5], image[5] = 0.0, 0.0  # has neither
    groups = copies(text, image)
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[4]
    assert len(set(groups.tolist())) == 3
    assert len(set(copies(text, image, cosine=0.999).tolist())) == 4


def test_copies_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).standard_normal((50, 8))
    rows[40] = rows[3]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    whole = copies(rows)
    monkeypatch.setattr("recsim.modalities.preparing.pairs._BLOCK", 7)
    assert np.array_equal(copies(rows), whole)
    assert whole[40] == whole[3]
    assert len(set(whole.tolist())) == 49


def test_folds_keep_groups_together_and_are_of_equal_size() -> None:
    groups = np.repeat(np.arange(40), np.tile([1, 1, 1, 5], 10))
    fold = folds(groups, 4, 0)
    assert all(len(set(fold[groups == group].tolist())) == 1 for group in range(40))
    assert np.bincount(fold).tolist() == [20, 20, 20, 20]
    assert np.array_equal(fold, folds(groups, 4, 0))
    assert not np.array_equal(fold, folds(groups, 4, 1))
    parts = list(splits(fold))
    assert len(parts) == 4
    assert all((others ^ own).all() for others, own in parts)


def test_too_few_groups_for_the_folds() -> None:
    with pytest.raises(ValueError, match=r"6 items make 2 groups without copies: that is too few for 3 folds"):
        folds(np.array([0, 0, 0, 1, 1, 1]), 3, 0)


def test_pairs_are_items_with_both_modalities() -> None:
    catalog = Catalog.synthetic(100, missing=0.3)
    pairs = pairs_of(catalog, "text", "image")
    text, image = catalog.modalities["text"], catalog.modalities["image"]
    assert np.array_equal(pairs.items, np.flatnonzero(text.present & image.present))
    assert np.linalg.norm(pairs.first, axis=1) == pytest.approx(np.ones(len(pairs)))
    item = pairs.items[4]
    assert pairs.second[4] == pytest.approx(image.embedding[item] / np.linalg.norm(image.embedding[item]))


def test_what_makes_no_pairs() -> None:
    catalog = Catalog.synthetic(30)
    with pytest.raises(ValueError, match=r"catalogue 'synthetic' has no modality 'sound': choose from text, image"):
        modality_of(catalog, "sound")
    present = np.arange(30) < 19
    few = catalog.replaced(
        modalities={
            "text": catalog.modalities["text"],
            "image": Modality("image", catalog.modalities["image"].embedding, present),
        }
    )
    with pytest.raises(ValueError, match=r"19 items of catalogue 'synthetic' have both 'text' and 'image'.* 20"):
        pairs_of(few, "text", "image")
