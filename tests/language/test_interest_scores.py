"""Metrics of predicted interests, by hand and against scikit-learn, and intervals over worlds."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from recsim.language.interest_heads import Predicted
from recsim.language.interest_scores import METRICS, intervals, less, scores_of


def equal(n: int, categories: int) -> np.ndarray:
    return np.full((n, categories), 1.0 / categories)


def test_scores_of_two_users_by_hand() -> None:
    affinity = np.array([[0.4, 0.2, 0.0, 0.1], [0.1, 0.2, 0.3, 0.5]])
    said = np.array([[3.0, 1.0, 0.0, 2.0], [4.0, 3.0, 2.0, 1.0]])
    top = np.array([[0.5, 0.2, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]])
    found = scores_of(Predicted(said, top), affinity)
    gains = np.array([1.0, 0.25, 0.5, 0.0])  # in the order said: the items 0, 3, 1, 2
    ideal = np.array([1.0, 0.5, 0.25, 0.0])
    discount = 1 / np.log2([2.0, 3.0, 4.0, 5.0])
    assert found["ndcg"][0] == pytest.approx(gains @ discount / (ideal @ discount))
    assert found["recall"].tolist() == [1.0, 2 / 3]  # of 3, 2 and 1 the second is told 1 and 2
    assert found["correlation"][1] == pytest.approx(np.corrcoef(said[1], affinity[1])[0, 1])
    assert found["log loss"] == pytest.approx(-np.log([0.5, 0.1]))
    # Two users: without the means they are mirror images of each other.
    half = [np.array([0.15, 0.0, -0.15, -0.2]), np.array([-0.5, -1.0, -1.0, 0.5])]
    assert found["personal correlation"] == pytest.approx(np.corrcoef(*half)[0, 1])


def test_ndcg_is_that_of_scikit_learn() -> None:
    luck = np.random.Generator(np.random.Philox(4))
    affinity, said = luck.random((2, 30, 6))
    found = scores_of(Predicted(said, equal(30, 6)), affinity)["ndcg"]
    least, most = affinity.min(axis=1, keepdims=True), affinity.max(axis=1, keepdims=True)
    gain = (affinity - least) / (most - least)
    assert found == pytest.approx([ndcg_score(gain[[row]], said[[row]]) for row in range(30)])


def test_a_perfect_and_a_constant_prediction() -> None:
    luck = np.random.Generator(np.random.Philox(5))
    affinity = luck.random((40, 5))
    perfect = scores_of(Predicted(7.0 * affinity - 2.0, equal(40, 5)), affinity)
    for name in ("ndcg", "recall", "correlation", "personal correlation"):
        assert perfect[name] == pytest.approx(1.0)
    constant = scores_of(Predicted(np.tile(affinity.mean(axis=0), (40, 1)), equal(40, 5)), affinity)
    assert (constant["personal correlation"] == 0.0).all()
    assert constant["log loss"] == pytest.approx(np.log(5.0))
    assert tuple(constant) == METRICS


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(2, 3\) for affinities of shape \(2, 4\); a row a"):
        scores_of(Predicted(np.zeros((2, 3)), np.zeros((2, 3))), np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"^user in row 1 likes all categories alike, so there is nothing to predict"):
        scores_of(Predicted(np.eye(2), equal(2, 2)), np.array([[0.1, 0.2], [0.3, 0.3]]))


def test_intervals_are_over_worlds_which_count_alike() -> None:
    """Three worlds of different sizes, whose means 0.1, 0.2 and 0.3 above the others' have s = 0.1."""
    luck = np.random.Generator(np.random.Philox(6))
    other = [{"ndcg": luck.normal(0.0, 5.0, n)} for n in (10, 1000, 30)]
    first = [{"ndcg": world["ndcg"] + more} for world, more in zip(other, (0.1, 0.2, 0.3), strict=True)]
    found = intervals([less(a, b) for a, b in zip(first, other, strict=True)], 0.95)["ndcg"]
    half = 4.302653 * 0.1 / np.sqrt(3)  # t(0.975, 2)
    assert found == pytest.approx({"mean": 0.2, "low": 0.2 - half, "high": 0.2 + half})
