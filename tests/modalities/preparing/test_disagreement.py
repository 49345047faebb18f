"""Swapped partners are found, by alignments that have not seen them."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsim import Catalog
from recsim.encoding import unit_rows
from recsim.modalities.preparing.disagreement import _best, agreement, one_way
from recsim.modalities.preparing.pairs import Pairs, pairs_of


def planted(n: int = 300, n_swapped: int = 15) -> tuple[Pairs, np.ndarray]:
    pairs = pairs_of(Catalog.synthetic(n), "text", "image")
    chosen = np.random.default_rng(0).choice(n, n_swapped, replace=False)
    second = pairs.second.copy()
    second[chosen] = pairs.second[np.roll(chosen, 1)]
    wrong = np.zeros(n, np.bool_)
    wrong[chosen] = True
    return Pairs(pairs.items, pairs.first, second), wrong


@pytest.mark.parametrize("method", ["cca", "contrastive"])
def test_swapped_partners_are_found(method: str) -> None:
    pairs, wrong = planted()
    found = agreement(pairs, method)  # type: ignore[arg-type]
    assert roc_auc_score(wrong, -found.margin) > 0.97
    assert roc_auc_score(wrong, -found.standing) > 0.97
    assert wrong[np.argsort(found.margin)[:15]].mean() > 0.7
    assert found.standing[~wrong].min() > 0  # nobody else is below chance


def test_agreement_is_a_function_of_the_seed() -> None:
    pairs, _ = planted(100, 5)
    one, again, other = (agreement(pairs, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one.margin, again.margin)
    assert not np.array_equal(one.margin, other.margin)


def test_standing_and_margin_by_hand() -> None:
    cosines = np.array([[0.9, 0.1, 0.5], [0.2, 0.3, 0.8], [0.4, 0.0, 0.6]])
    standing, margin = one_way(cosines, np.eye(3), np.arange(3))
    # Row 0: others 0.1 and 0.5, mean 0.3, deviation 0.2. Row 1: others 0.2 and 0.8, mean 0.5, deviation 0.3.
    assert standing == pytest.approx([(0.9 - 0.3) / 0.2, (0.3 - 0.5) / 0.3, (0.6 - 0.2) / 0.2])
    assert margin == pytest.approx([0.9 - 0.3, 0.3 - 0.5, 0.6 - 0.2])
    others = ~np.eye(3, dtype=bool)
    assert _best(cosines, others) == pytest.approx([0.3, 0.5, 0.2])
    others[0, 2] = False  # a copy
    assert _best(cosines, others)[0] == pytest.approx(0.1)


def test_a_fold_of_copies_only_is_refused() -> None:
    rows = unit_rows(np.random.default_rng(0).standard_normal((60, 4)))
    rows[:30] = rows[0]
    with pytest.raises(ValueError, match=r"a fold of 30 items holds copies of one item only: ask for fewer folds"):
        agreement(Pairs(np.arange(60), rows, rows), n_folds=2)
