"""Alignments on planted views, where the right answer is known."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recsim.encoding import unit_rows
from recsim.modalities.preparing.aligning import cross_fitted, fit, held_out
from recsim.modalities.preparing.contrastive import loss
from recsim.modalities.preparing.correlation import cca
from recsim.modalities.preparing.pairs import Pairs, folds
from recsim.modalities.preparing.recall import partner_ranks, recall_at
from recsim.modalities.preparing.rotation import procrustes

METHODS = ("cca", "procrustes", "contrastive")
Floats = NDArray[np.float64]


def views(n: int, noise: float, seed: int = 0, widths: tuple[int, int] = (6, 5)) -> tuple[Floats, Floats]:
    """Two views of one latent vector of 3, each mixed and with noise."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, 3))
    return tuple(  # type: ignore[return-value]
        latent @ rng.standard_normal((3, width)) + noise * rng.standard_normal((n, width)) for width in widths
    )


def pairs(n: int = 300, noise: float = 0.3) -> Pairs:
    first, second = views(n, noise)
    return Pairs(np.arange(n), unit_rows(first), unit_rows(second))


def test_cca_finds_the_correlations_that_were_planted() -> None:
    rng = np.random.default_rng(1)
    latent = rng.standard_normal((6000, 2))
    noise = np.array([0.5, 1.0])
    first, second = (latent + noise * rng.standard_normal((6000, 2)) for _ in range(2))
    turn = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    one, other = cca(first[:3000], second[:3000] @ turn, 2)
    x, y = first[3000:] @ one, second[3000:] @ turn @ other
    # Both views are z + noise, so their correlation is 1 / (1 + noise ** 2).
    found = [np.corrcoef(x[:, column], y[:, column])[0, 1] for column in range(2)]
    assert found == pytest.approx(1 / (1 + noise**2), abs=0.04)
    assert abs(np.corrcoef(x[:, 0], y[:, 1])[0, 1]) < 0.05


def test_cca_agrees_with_scikit_learn() -> None:
    from sklearn.cross_decomposition import CCA

    first, second = views(4000, 0.5)
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    theirs = CCA(n_components=3, max_iter=5000).fit(first, second).transform(first, second)
    one, other = cca(first, second, 3)
    x, y = first @ one, second @ other
    for column in range(3):
        expected = np.corrcoef(theirs[0][:, column], theirs[1][:, column])[0, 1]
        assert np.corrcoef(x[:, column], y[:, column])[0, 1] == pytest.approx(expected, abs=2e-3)
        assert abs(np.corrcoef(x[:, column], theirs[0][:, column])[0, 1]) > 0.98


def test_cca_takes_columns_that_never_vary() -> None:
    first, second = views(200, 0.3)
    first[:, 0] = 0.0
    one, other = cca(first - first.mean(axis=0), second - second.mean(axis=0), 5)
    assert np.isfinite(one).all()
    assert np.isfinite(other).all()


def test_procrustes_recovers_a_rotation_exactly() -> None:
    rng = np.random.default_rng(2)
    first = unit_rows(rng.standard_normal((50, 8)))
    rotation = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    alignment = fit("procrustes", first, first @ rotation, groups=np.arange(50), seed=0)
    assert alignment.first.weights == pytest.approx(rotation, abs=1e-12)
    fresh = unit_rows(rng.standard_normal((20, 8)))
    assert alignment.first.transform(fresh) == pytest.approx(alignment.second.transform(fresh @ rotation), abs=1e-12)


def test_procrustes_fills_up_the_narrower_modality() -> None:
    rng = np.random.default_rng(3)
    narrow = rng.standard_normal((40, 3))
    wide = narrow @ np.linalg.qr(rng.standard_normal((5, 3)))[0].T  # (40, 5)
    one, other = procrustes(narrow, wide)
    assert (one.shape, other.shape) == ((3, 5), (5, 5))
    assert narrow @ one == pytest.approx(wide, abs=1e-12)
    back, own = procrustes(wide, narrow)
    assert wide @ back == pytest.approx(narrow @ own, abs=1e-12)


def test_the_contrastive_loss_by_hand() -> None:
    rows = torch.eye(2)
    # Scores are 1 for partners and 0 for others: -log(e / (e + 1)) each way.
    assert float(loss(rows, rows, torch.tensor(0.0))) == pytest.approx(math.log(1 + math.exp(-1)))
    assert float(loss(rows, rows.flip(0), torch.tensor(0.0))) == pytest.approx(math.log(1 + math.e))
    assert float(loss(rows, rows, torch.tensor(math.log(1000)))) == pytest.approx(math.exp(-100))  # scale held at 100


def test_contrastive_is_a_function_of_its_seed() -> None:
    both = pairs(100)
    one, again, other = (
        fit("contrastive", both.first, both.second, groups=np.arange(100), seed=seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(one.first.weights, again.first.weights)
    assert np.array_equal(one.second.weights, again.second.weights)
    assert not np.array_equal(one.first.weights, other.first.weights)


@pytest.mark.parametrize("method", ["cca", pytest.param("contrastive", marks=pytest.mark.slow)])
def test_held_out_partners_find_each_other(method: str) -> None:
    both = pairs(noise=0.1)
    fold = folds(np.arange(300), 3, 0)
    ranks = held_out(method, both, fold, groups=np.arange(300), seed=0)  # type: ignore[arg-type]
    assert recall_at(10, ranks.forward) > 0.6  # by chance 10 of 100
    assert recall_at(10, ranks.backward) > 0.6
    shuffled = Pairs(both.items, both.first, both.second[np.random.default_rng(0).permutation(300)])
    by_chance = held_out(method, shuffled, fold, groups=np.arange(300), seed=0)  # type: ignore[arg-type]
    assert recall_at(10, by_chance.forward) < 0.2


@pytest.mark.parametrize("method", METHODS)
def test_no_pair_is_judged_by_what_has_seen_it(method: str) -> None:
    both = pairs(120)
    groups, fold = np.arange(120), folds(np.arange(120), 3, 0)
    first, second = both.first.copy(), both.second.copy()
    first[fold == 0], second[fold == 0] = first[fold == 0][::-1], -second[fold == 0]
    changed = Pairs(both.items, first, second)
    before, after = (
        next(cross_fitted(method, one, fold, groups=groups, seed=0))  # type: ignore[arg-type]
        for one in (both, changed)
    )
    assert np.array_equal(before[0], fold == 0)
    for name in ("first", "second"):
        assert np.array_equal(getattr(before[1], name).weights, getattr(after[1], name).weights)
        assert np.array_equal(getattr(before[1], name).centre, getattr(after[1], name).centre)


def test_rows_without_a_direction_stay_without_one() -> None:
    both = pairs()
    alignment = fit("cca", both.first, both.second, groups=np.arange(300), seed=0)
    assert not alignment.first.transform(np.zeros((2, 6))).any()
    assert np.linalg.norm(alignment.first.transform(both.first), axis=1) == pytest.approx(np.ones(300))


@pytest.mark.parametrize(
    ("method", "dim", "match"),
    [
        ("cca", 6, r"cca cannot make a space of 6 columns from 300 pairs of 6 and 5 columns: ask for at most 5"),
        ("contrastive", 9, r"contrastive cannot make a space of 9 columns"),
        ("kernel", None, r"there is no alignment 'kernel': choose from cca, procrustes, contrastive"),
    ],
)
def test_what_cannot_be_aligned(method: str, dim: int | None, match: str) -> None:
    both = pairs()
    with pytest.raises(ValueError, match=match):
        fit(method, both.first, both.second, dim=dim, groups=np.arange(300), seed=0)  # type: ignore[arg-type]


def test_ranks_are_those_of_a_slow_count() -> None:
    rng = np.random.default_rng(4)
    queries, answers = unit_rows(rng.standard_normal((30, 4))), unit_rows(rng.standard_normal((30, 4)))
    answers[7] = answers[3]
    groups = np.arange(30)
    groups[9] = 8
    slow = [
        sum(
            float(queries[i] @ answers[j]) >= float(queries[i] @ answers[i])
            for j in range(30)
            if groups[j] != groups[i]
        )
        for i in range(30)
    ]
    found = partner_ranks(queries, answers, groups)
    assert np.array_equal(np.delete(found, [3, 7]), np.delete(slow, [3, 7]))
    assert found[3] >= 1  # answer 7 ties with its own and counts
