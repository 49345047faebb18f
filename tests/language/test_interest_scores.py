"""Metrics of predicted interests, by hand and against scikit-learn, and intervals over users."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from recsim.language.interest_heads import Predicted
from recsim.language.interest_scores import METRICS, estimates, less, scores_of


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


def test_intervals_are_paired_and_cover() -> None:
    """95 % intervals of a difference that both share noise with: about as wide as the noise of the difference alone."""
    luck = np.random.Generator(np.random.Philox(6))
    held, widths = 0, []
    for replication in range(200):
        shared, own = luck.normal(0.0, 5.0, 80), luck.normal(0.0, 0.5, 80)
        difference = less({"ndcg": shared + 0.3 + own}, {"ndcg": shared})
        found = estimates([difference], 200, 0.95, seed=replication)["ndcg"]
        held += found["low"] <= 0.3 <= found["high"]
        widths.append(found["high"] - found["low"])
    assert 0.89 <= held / 200 <= 0.985  # 0.95 ± 2.6 standard errors, and what a percentile interval lacks
    assert np.mean(widths) == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(80), rel=0.1)


def test_worlds_count_alike_whatever_their_number_of_users() -> None:
    worlds = [{"ndcg": np.zeros(10)}, {"ndcg": np.ones(1000)}]
    found = estimates(worlds, 50, 0.9, seed=0)["ndcg"]
    assert found == {"mean": 0.5, "low": 0.5, "high": 0.5}
