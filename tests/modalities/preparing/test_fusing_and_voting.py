"""Fusions and votes: what they weigh, and that nobody's own label helps."""

import numpy as np
import pytest

from recsim import Catalog
from recsim.encoding import unit_rows
from recsim.modalities.preparing.fusing import chosen_weights, fit_fusion, weighted_rows
from recsim.modalities.preparing.neighbours import nearest, same_category, voted
from recsim.modalities.preparing.pairs import rows_of
from recsim.modalities.preparing.voting import vote

M = 120
EVERYONE = np.ones(M, np.bool_)


def telling_and_noise(m: int = M, spread: float = 0.3) -> tuple[list[np.ndarray], np.ndarray]:
    """A modality that tells four categories apart, one that is noise, and the categories."""
    rng = np.random.default_rng(0)
    category = np.arange(m) % 4
    telling = unit_rows(np.eye(4)[category] + spread * rng.standard_normal((m, 4)))
    return [telling, unit_rows(rng.standard_normal((m, 4)))], category


def test_the_cosine_of_weighted_rows_is_the_weighted_mean_of_cosines() -> None:
    views, _ = telling_and_noise()
    rows = weighted_rows(views, np.array([0.7, 0.3]))
    assert rows @ rows.T == pytest.approx(0.7 * views[0] @ views[0].T + 0.3 * views[1] @ views[1].T)


def test_an_item_with_one_modality_is_what_that_one_says() -> None:
    views, category = telling_and_noise()
    views[1][5], views[0][6], views[1][6] = 0.0, 0.0, 0.0
    rows = fit_fusion("concatenated", views, category, EVERYONE, groups=np.arange(M), seed=0).transform(views)
    assert rows[5, :4] == pytest.approx(views[0][5])
    assert not rows[5, 4:].any()
    assert not rows[6].any()


def test_noise_gets_no_weight_and_equal_modalities_equal_ones() -> None:
    views, category = telling_and_noise()
    weights = chosen_weights(views, category, EVERYONE, np.arange(M))
    assert weights[0] >= 0.8
    twice = [views[0], views[0]]
    assert chosen_weights(twice, category, EVERYONE, np.arange(M)).tolist() == [0.5, 0.5]


def test_learned_fusions_bring_categories_together() -> None:
    views, category = telling_and_noise(spread=0.5)
    teaching = np.arange(M) % 3 > 0
    share = {
        method: same_category(
            fit_fusion(method, views, category, teaching, groups=np.arange(M), seed=0).transform(views),
            category,
            np.flatnonzero(~teaching),
            5,
            among=EVERYONE,
        ).mean()
        for method in ("concatenated", "weighted", "discriminant")
    }
    assert share["weighted"] > share["concatenated"] + 0.05
    assert share["discriminant"] > share["concatenated"] + 0.05


@pytest.mark.parametrize("method", ["weighted", "discriminant"])
def test_labels_of_items_that_may_not_teach_are_not_looked_at(method: str) -> None:
    views, category = telling_and_noise()
    teaching = np.arange(M) % 3 > 0
    wrong = np.where(teaching, category, (category + 1) % 4)
    rows = [
        fit_fusion(method, views, labels, teaching, groups=np.arange(M), seed=0).transform(views)  # type: ignore[arg-type]
        for labels in (category, wrong)
    ]
    assert np.array_equal(rows[0], rows[1])


@pytest.mark.parametrize("method", ["cca", "procrustes", "contrastive"])
def test_aligned_modalities_are_averaged(method: str) -> None:
    catalog = Catalog.synthetic(M, missing=0.1)
    views = [rows_of(one) for one in catalog.modalities.values()]
    fusion = fit_fusion(method, views, catalog.category, EVERYONE, groups=np.arange(M), seed=0)  # type: ignore[arg-type]
    assert fusion.alignment is not None
    first, second = fusion.alignment.first.transform(views[0]), fusion.alignment.second.transform(views[1])
    assert fusion.transform(views) == pytest.approx(unit_rows(first + second))


def test_what_cannot_be_fused() -> None:
    views, _ = telling_and_noise()
    same = np.zeros(M, np.int64)
    with pytest.raises(ValueError, match=r"of one category only: discriminant needs two"):
        fit_fusion("discriminant", views, same, EVERYONE, groups=np.arange(M), seed=0)
    with pytest.raises(ValueError, match=r"10 items have both modalities: at least 20"):
        fit_fusion("cca", views, same, np.arange(M) < 10, groups=np.arange(M), seed=0)


def test_nearest_items_are_those_of_a_slow_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsim.modalities.preparing.neighbours._BLOCK", 11)
    rows, among = telling_and_noise()[0][1], np.arange(M) % 2 == 0
    queries = np.array([0, 3, 50, 119])
    found = nearest(rows, queries, 4, among=among)
    for query, own in zip(queries, found, strict=True):
        others = [item for item in np.flatnonzero(among) if item != query]
        assert own.tolist() == sorted(others, key=lambda item: -float(rows[query] @ rows[item]))[:4]
    with pytest.raises(ValueError, match=r"3 items have no 3 nearest others"):
        nearest(rows, queries, 3, among=np.arange(M) < 3)


def test_votes_by_hand() -> None:
    rows = unit_rows(np.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0]]))
    category, present = np.array([0, 0, 1, 1, 1]), np.array([True, True, True, True, False])
    shares = voted(rows, category, 2, 2, present=present, groups=np.arange(5))
    prior = np.array([2 / 5, 3 / 5])
    assert shares[0] == pytest.approx((np.array([1, 1]) + prior) / 3)  # neighbours 1 and 2
    assert shares[2] == pytest.approx((np.array([2, 0]) + prior) / 3)  # neighbours 1 and 0: its own label takes no part
    assert shares[4] == pytest.approx(prior)  # absent: says nothing
    copied = voted(rows, category, 2, 2, present=present, groups=np.array([0, 0, 1, 2, 3]))
    assert copied[0] == pytest.approx((np.array([0, 2]) + prior) / 3)  # neighbours 2 and 3: its copy 1 does not vote
    with pytest.raises(ValueError, match=r"4 items have no 2 nearest others"):
        voted(rows, category, 2, 2, present=present, groups=np.array([0, 0, 0, 2, 3]))


def test_the_vote_listens_to_what_is_right() -> None:
    views, category = telling_and_noise(600, spread=0.6)
    everyone = np.ones(600, np.bool_)
    verdict = vote(views, [everyone, everyone], category, 4, 8, groups=np.arange(600), fold=np.arange(600) % 5)
    assert verdict.weights[0] > 4 * verdict.weights[1]
    assert verdict.accuracy[0] > 0.7 > 0.35 > verdict.accuracy[1]
    assert verdict.probability.sum(axis=1) == pytest.approx(np.ones(600))
    assert (verdict.probability.argmax(axis=1) == category).mean() > verdict.accuracy[0] - 0.02


def test_a_wrong_label_is_outvoted() -> None:
    views, category = telling_and_noise()
    broken = category.copy()
    broken[::20] = (category[::20] + 1) % 4
    verdict = vote(views[:1], [EVERYONE], broken, 4, 8, groups=np.arange(M), fold=np.arange(M) % 5)
    assert (verdict.probability.argmax(axis=1)[::20] == category[::20]).mean() > 0.8


def test_nobody_is_judged_by_weights_that_have_seen_the_label_or_that_of_a_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted: list[np.ndarray] = []

    def watched(prior: np.ndarray, evidence: np.ndarray, category: np.ndarray) -> np.ndarray:
        fitted.append(category)
        return np.array([float(len(fitted))])  # other weights in each fold

    monkeypatch.setattr("recsim.modalities.preparing.voting._fitted", watched)
    views, category = telling_and_noise()
    fold = np.arange(M) % 3
    verdict = vote(views[:1], [EVERYONE], category, 4, 8, groups=np.arange(M), fold=fold)
    assert [labels.tolist() for labels in fitted] == [category[fold != number].tolist() for number in range(3)]
    assert verdict.weights.tolist() == [2.0]  # the mean of 1, 2 and 3
    share = voted(views[0], category, 4, 8, present=EVERYONE, groups=np.arange(M))
    assert verdict.probability == pytest.approx(_by_hand(share, fold))


def _by_hand(share: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Shares divided by the prior, 1/4 of each category, to the power of the fold's weight, scaled to sum 1."""
    pooled = (share * 4) ** (fold[:, None] + 1)
    return np.asarray(pooled / pooled.sum(axis=1, keepdims=True))
