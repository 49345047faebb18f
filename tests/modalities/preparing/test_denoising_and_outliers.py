"""Denoising, outliers and imputation on planted rows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from recsim.encoding import unit_rows
from recsim.modalities.preparing.denoising import (
    by_independent_components,
    by_principal_components,
    standardised_columns,
)
from recsim.modalities.preparing.imputing import ALPHAS, chosen_penalty, foretold, held_out_cosines
from recsim.modalities.preparing.outlying import clipped, outliers
from recsim.modalities.preparing.pairs import folds, splits


def test_standardised_columns_by_hand() -> None:
    rows = standardised_columns(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert rows.tolist() == [[-1.0, 0.0], [1.0, 0.0]]  # mean 2, deviation 1; the second column never varies


def test_principal_components_take_noise_away() -> None:
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((400, 3)) @ rng.standard_normal((3, 20))
    noisy = truth + 0.5 * rng.standard_normal(truth.shape)
    rows, kept = by_principal_components(noisy, 3)
    assert np.square(rows - truth).mean() < 0.3 * np.square(noisy - truth).mean()  # 3 of 20 directions keep their noise
    assert 0.8 < kept < 1
    whole, everything = by_principal_components(noisy, 20)
    assert whole == pytest.approx(noisy)
    assert everything == pytest.approx(1.0)


def test_independent_components_keep_what_is_not_gaussian() -> None:
    rng = np.random.default_rng(1)
    signal = rng.laplace(size=(4000, 2)) @ rng.standard_normal((2, 6))
    noise = 2.0 * rng.standard_normal((4000, 4)) @ rng.standard_normal((4, 6))  # larger than the signal, and Gaussian
    rows, kept = by_independent_components(signal + noise, 2, seed=0)
    wrong = np.square(rows - rows.mean(axis=0) - (signal - signal.mean(axis=0))).mean()
    assert wrong < 0.1 * np.square(signal).mean()
    by_variance = by_principal_components(signal + noise, 2)[0]
    assert np.square(by_variance - signal).mean() > 5 * wrong
    assert 0 < kept < 0.5
    assert np.array_equal(rows, by_independent_components(signal + noise, 2, seed=0)[0])


@pytest.mark.parametrize(
    "method", [by_principal_components, lambda rows, count: by_independent_components(rows, count, 0)]
)
def test_no_more_components_than_directions(method) -> None:  # type: ignore[no-untyped-def]
    rows = np.random.default_rng(0).standard_normal((30, 2)) @ np.ones((2, 5))
    with pytest.raises(ValueError, match=r"2 components cannot be kept of rows that vary in 1 directions"):
        method(rows, 2)


def test_a_search_that_does_not_settle_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsim.modalities.preparing.denoising.ITERATIONS", 1)
    rows = np.random.default_rng(0).laplace(size=(200, 4))
    with pytest.raises(ValueError, match=r"of 200 rows and 4 columns were not found in 1 iterations: take method pca"):
        by_independent_components(rows, 2, 0)


def test_planted_outliers_are_found() -> None:
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((200, 5))
    rows[[3, 50, 120, 199]] *= 8
    found, score = outliers(rows, 0.02, 0)
    assert np.flatnonzero(found).tolist() == [3, 50, 120, 199]
    assert score[found].min() > score[~found].max()
    assert np.array_equal(score, outliers(rows, 0.02, 0)[1])


def test_clipping_by_hand() -> None:
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 4.0], [0.5, 0.0]])
    found = np.array([False, False, False, True, True])
    new, moved = clipped(rows, found)
    # The centre of rows 0 to 2 is 0 and the farthest lies at distance 1: row 3 goes there, row 4 is no farther.
    assert new.tolist() == [[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.5, 0.0]]
    assert moved.tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("method", ["ridge", "knn"])
def test_imputation_beats_any_other_item_on_held_out_items(method: str) -> None:
    rng = np.random.default_rng(3)
    latent = rng.standard_normal((300, 3))
    source, target = (unit_rows(latent @ rng.standard_normal((3, 6))) for _ in range(2))
    fold = folds(np.arange(300), 5, 0)
    cosine = held_out_cosines(method, source, target, fold, groups=np.arange(300))  # type: ignore[arg-type]
    another = held_out_cosines(method, source, rng.permutation(target), fold, groups=np.arange(300))  # type: ignore[arg-type]
    assert abs(another.mean()) < 0.1
    assert cosine.mean() > another.mean() + 0.5


def test_ridge_recovers_a_linear_map() -> None:
    rng = np.random.default_rng(4)
    source = unit_rows(rng.standard_normal((200, 4)))
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    found = foretold("ridge", source, source @ rotation, source[:5], groups=np.arange(200))
    assert found == pytest.approx(source[:5] @ rotation, abs=1e-3)


def test_the_nearest_neighbour_by_hand() -> None:
    source, target = np.eye(3), unit_rows(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    asked = unit_rows(np.array([[0.1, 1.0, 0.0]]))
    assert foretold("knn", source, target, asked, groups=np.arange(3), neighbours=1).tolist() == [[0.0, 1.0]]
    with pytest.raises(ValueError, match=r"3 items have both modalities: that is fewer than 4 neighbours"):
        foretold("knn", source, target, asked, groups=np.arange(3), neighbours=4)


def test_copies_do_not_choose_the_penalty() -> None:
    """With every item there three times and nothing to learn, held-out copies would ask for no penalty at all."""
    rng = np.random.default_rng(5)
    source, target = (np.repeat(unit_rows(rng.standard_normal((40, 30))), 3, axis=0) for _ in range(2))
    asked = unit_rows(rng.standard_normal((500, 30)))

    def spread(groups: NDArray[np.int64]) -> float:
        """How far what is foretold lies from what is foretold on average."""
        rows = foretold("ridge", source, target, asked, groups=groups)
        return float(np.linalg.norm(rows - rows.mean(axis=0), axis=1).mean())

    assert spread(np.repeat(np.arange(40), 3)) < 0.2
    assert spread(np.arange(120)) > 0.9


def test_the_penalty_is_what_scikit_learn_chooses() -> None:
    from sklearn.linear_model import RidgeCV

    rng = np.random.default_rng(6)
    latent = rng.standard_normal((120, 3))
    for noise in (0.1, 1.0, 5.0):
        source, target = (
            unit_rows(latent @ rng.standard_normal((3, 12)) + noise * rng.standard_normal((120, 12))) for _ in range(2)
        )
        groups = np.arange(120) // 2
        inner = [(np.flatnonzero(others), np.flatnonzero(own)) for others, own in splits(folds(groups, 5, 0))]
        theirs = RidgeCV(alphas=ALPHAS, cv=inner, scoring="neg_mean_squared_error").fit(source, target)
        assert chosen_penalty(source, target, groups) == theirs.alpha_
