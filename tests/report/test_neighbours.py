"""Neighbours of items: against a slow search, with absent modalities, and which items are shown."""

import numpy as np
import pytest

from recsim import Catalog, Modality
from recsim.report import neighbours
from recsim.report.neighbours import NONE, TOGETHER, Neighbours, agreements, nearest, sample


def slow(catalog: Catalog, item: int, name: str, count: int) -> list[int]:
    """The same by a loop over all items."""
    scores = {}
    for other in range(len(catalog)):
        cosines = {}
        for place, modality in enumerate(catalog.modalities.values()):
            columns = slice(catalog.offsets[place], catalog.offsets[place + 1])
            if modality.present[item] and modality.present[other]:
                cosines[modality.name] = float(catalog.taste[item, columns] @ catalog.taste[other, columns])
        if other != item and (name == TOGETHER or name in cosines):
            scores[other] = sum(cosines.values()) if name == TOGETHER else cosines[name]
    return sorted(scores, key=lambda other: (-scores[other], other))[:count]


@pytest.mark.parametrize("block", [7, 16_384])
def test_neighbours_are_those_of_a_slow_search(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog.synthetic(60, 4, dims={"text": 6, "image": 5}, seed=3, missing=0.3)
    monkeypatch.setattr("recsim.catalog._BLOCK", block)
    found = nearest(catalog, np.arange(60), 5)
    assert list(found.by) == ["text", "image", TOGETHER]
    for name, rows in found.by.items():
        assert [[item for item in row if item != NONE] for row in rows.tolist()] == [
            slow(catalog, item, name, 5) for item in range(60)
        ]
    lacking = ~catalog.modalities["image"].present
    assert lacking.any()
    assert (found.by["image"][lacking] == NONE).all()


def test_neighbours_in_a_catalogue_of_two_items_and_one_modality() -> None:
    catalog = Catalog.synthetic(2, 1, dims={"text": 3})
    found = nearest(catalog, np.array([0, 1]), 5)
    assert {name: rows.tolist() for name, rows in found.by.items()} == {"text": [[1], [0]]}


def test_an_item_alone_has_no_neighbours() -> None:
    found = nearest(Catalog.synthetic(1, 1), np.array([0]), 5)
    assert all((rows == NONE).all() for rows in found.by.values())
    assert found.same_category(Catalog.synthetic(1, 1), "text") is None


def test_shares_of_the_same_category_and_of_shared_neighbours() -> None:
    catalog = Catalog.synthetic(6, 2)  # items 0, 2 and 4 are of the first category
    by = {"text": np.array([[2, 1], [3, NONE]]), "image": np.array([[1, 3], [NONE, NONE]])}
    found = Neighbours(np.array([0, 1]), by)
    assert found.same_category(catalog, "text") == 2 / 3
    assert found.same_category(catalog, "image") == 0.0
    assert found.shared("text", "image") == 1 / 2  # only item 0 has neighbours by both; of 2 and 1, 1 is shared
    assert agreements(found, ["text", "image"]) == [("text", "image", 0.5)]
    assert agreements(Neighbours(np.array([0]), {"a": np.array([[NONE]]), "b": np.array([[1]])}), ["a", "b"]) == []


def test_every_category_is_shown_before_a_second_item_of_any() -> None:
    rare = Catalog.synthetic(103, 3)
    names = ["common"] * 100 + ["rare", "rarer", "rarest"]
    catalog = rare.replaced(table=rare.table.assign(category=names))
    for seed in range(20):
        shown = sample(catalog, 5, seed)
        assert {100, 101, 102} <= set(shown.tolist())
        assert len(set(shown.tolist())) == 5
        assert (np.diff(catalog.category[shown]) >= 0).all()
    assert set(sample(catalog, 1000, 0).tolist()) == set(range(103))


def test_items_are_drawn_at_random_and_by_the_seed_alone() -> None:
    catalog = Catalog.synthetic(40, 4)
    drawn = np.bincount(np.concatenate([sample(catalog, 8, seed) for seed in range(400)]), minlength=40)
    # An item is drawn with probability 8 / 40: 80 of 400 times, with standard deviation (400 * 0.2 * 0.8) ** 0.5 = 8.
    assert (np.abs(drawn - 80) < 4.5 * 8).all()
    assert sample(catalog, 8, 1).tolist() == sample(catalog, 8, 1).tolist() != sample(catalog, 8, 2).tolist()


def test_memory_does_not_grow_with_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = neighbours._Best.take

    def take(self: neighbours._Best, scores: np.ndarray, items: np.ndarray) -> None:
        seen.append(scores.size)
        original(self, scores, items)

    monkeypatch.setattr(neighbours._Best, "take", take)
    n = 40_000
    text = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    small = Catalog.synthetic(n, 2, dims={"text": 2})
    catalog = small.replaced(modalities={"text": Modality("text", text, np.ones(n, np.bool_))})
    found = nearest(catalog, np.arange(3), 4)
    assert max(seen) == 3 * 16_384
    cosines = catalog.taste[:3] @ catalog.taste.T
    cosines[np.arange(3), np.arange(3)] = -np.inf
    chosen = np.take_along_axis(cosines, found.by["text"], axis=1)
    np.testing.assert_allclose(chosen, -np.sort(-cosines, axis=1)[:, :4], rtol=1e-6)
