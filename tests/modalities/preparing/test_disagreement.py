"""Swapped partners are found, by alignments that have not seen them."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsim import Catalog
from recsim.encoding import unit_rows
from recsim.modalities.preparing.disagreement import agreement, standing
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
    assert roc_auc_score(wrong, -found.standing) > 0.97
    assert wrong[np.argsort(found.standing)[:15]].mean() > 0.7
    assert found.standing[~wrong].min() > 0.5  # nobody else is below chance


def test_agreement_is_a_function_of_the_seed() -> None:
    pairs, _ = planted(100, 5)
    one, again, other = (agreement(pairs, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(one.standing, again.standing)
    assert not np.array_equal(one.standing, other.standing)


def test_standing_by_hand() -> None:
    cosines = np.array([[0.9, 0.2, 0.45], [0.2, 0.3, 0.8], [0.4, 0.0, 0.6]])
    # The means of the others are (0.325, 0.5, 0.2) of rows and (0.3, 0.1, 0.625) of columns; twice the margins are
    # 1.175, 0.0 and 0.375 of own pairs, and of strangers -0.025, -0.05 | -0.4, 0.475 | 0.3, -0.3.
    assert standing(cosines, np.eye(3), np.arange(3)).tolist() == [6 / 6, 4 / 6, 5 / 6]
    # As a copy of item 0, item 2 is no stranger to it: rows (0.2, 0.5, 0.0), columns (0.2, 0.1, 0.8); twice the
    # margins are 1.4, 0.0 and 0.4, and of strangers 0.1 | -0.3, 0.3 | -0.1.
    assert standing(cosines, np.eye(3), np.array([0, 1, 0])).tolist() == [4 / 4, 2 / 4, 4 / 4]


def test_standing_is_that_of_a_slow_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsim.modalities.preparing.disagreement._BLOCK", 7)
    rng = np.random.default_rng(0)
    first, second = unit_rows(rng.standard_normal((40, 5))), unit_rows(rng.standard_normal((40, 5)))
    groups = np.arange(40)
    groups[3] = 2
    cosines = first @ second.T

    def level(row: np.ndarray, item: int) -> float:
        return float(np.sort(row[groups != groups[item]])[-10:].mean())

    margin = {
        (i, j): cosines[i, j] - (level(cosines[i], i) + level(cosines[:, j], j)) / 2
        for i in range(40)
        for j in range(40)
    }
    strangers = [margin[i, j] for i in range(40) for j in range(40) if groups[i] != groups[j]]
    slow = [np.mean([other < margin[i, i] for other in strangers]) for i in range(40)]
    assert standing(first, second, groups) == pytest.approx(np.array(slow), abs=1e-12)


def test_a_fold_of_copies_only_is_refused() -> None:
    rows = unit_rows(np.random.default_rng(0).standard_normal((60, 4)))
    rows[:30] = rows[0]
    with pytest.raises(ValueError, match=r"a fold of 30 items holds copies of one item only: ask for fewer folds"):
        agreement(Pairs(np.arange(60), rows, rows), n_folds=2)
