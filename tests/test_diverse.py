from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from recsim import diverse
from recsim.policy import plackett_luce_log_prob

CATEGORY = np.array([0, 0, 0, 1, 1, 2])


def slow_log_prob(scores: NDArray[np.float64], discount: float, slate: tuple[int, ...]) -> list[float]:
    """One softmax after another."""
    left, found = list(range(len(scores))), []
    for position, item in enumerate(slate):
        above = [sum(CATEGORY[other] == CATEGORY[one] for other in slate[:position]) for one in left]
        logits = np.array([scores[one] for one in left]) - discount * np.array(above)
        found.append(float(logits[left.index(item)] - np.log(np.exp(logits).sum())))
        left.remove(item)
    return found


@pytest.mark.parametrize("discount", [0.0, 0.7, 5.0, -1.0])
def test_log_probabilities_are_those_of_one_softmax_after_another(discount: float) -> None:
    scores = np.random.Generator(np.random.Philox(0)).normal(0.0, 2.0, 6)
    slates = np.array(list(permutations(range(6), 3)))
    rows = np.broadcast_to(scores, (len(slates), 6))
    found = diverse.log_prob(rows, np.full(len(slates), discount), CATEGORY, slates)
    expected = [slow_log_prob(scores, discount, tuple(slate)) for slate in slates.tolist()]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.exp(found.sum(axis=1)).sum() == pytest.approx(1.0)


def test_without_a_discount_it_is_plackett_luce() -> None:
    rng = np.random.Generator(np.random.Philox(1))
    scores, slate = rng.normal(0.0, 3.0, (9, 6)), np.argsort(rng.random((9, 6)), axis=1)[:, :4]
    found = diverse.log_prob(scores, np.zeros(9), CATEGORY, slate)
    np.testing.assert_allclose(found, plackett_luce_log_prob(scores, slate), atol=1e-12)


def test_a_whole_catalogue_can_be_shown() -> None:
    slate = np.array([[5, 3, 1, 0, 2, 4]])
    found = diverse.log_prob(np.zeros((1, 6)), np.array([1.0]), CATEGORY, slate)
    assert found[0, -1] == 0.0
    np.testing.assert_allclose(found, [slow_log_prob(np.zeros(6), 1.0, tuple(slate[0]))], atol=1e-12)


@pytest.mark.parametrize("discount", [0.0, 1.5])
def test_slates_come_as_often_as_their_probability_says(discount: float) -> None:
    n = 60_000
    rng = np.random.Generator(np.random.Philox(2))
    scores = np.broadcast_to(np.array([1.0, 0.5, 0.0, 0.3, -0.2, -1.0]), (n, 6))
    drawn = diverse.sample(scores, np.full(n, discount), CATEGORY, rng.random((n, 2, 2)))
    for slate in permutations(range(6), 2):
        probability = np.exp(sum(slow_log_prob(scores[0], discount, slate)))
        share = (drawn == np.array(slate)).all(axis=1).mean()
        assert abs(share - probability) < 4.5 * np.sqrt(probability * (1.0 - probability) / n)


def test_items_far_below_the_others_are_still_drawn_when_nothing_else_is_left() -> None:
    scores = np.array([[0.0, -900.0, -2000.0, -np.inf, -np.inf, -np.inf]])
    drawn = diverse.sample(scores, np.zeros(1), CATEGORY, np.full((1, 3, 2), 0.999))
    np.testing.assert_array_equal(drawn, [[0, 1, 2]])


def test_the_best_slate_takes_the_highest_logit_at_each_step() -> None:
    scores, discount = np.array([[3.0, 2.9, 2.8, 2.0, 1.9, 0.0]]), np.array([1.0])
    assert diverse.best(scores, discount, CATEGORY, 4).tolist() == [[0, 3, 1, 4]]  # 3, then 2 over 1.9, 1.9, then 0.9
    assert diverse.best(scores, np.zeros(1), CATEGORY, 4).tolist() == [[0, 1, 2, 3]]
    assert diverse.best(np.zeros((1, 6)), np.zeros(1), CATEGORY, 3).tolist() == [[0, 1, 2]]


def test_rows_do_not_depend_on_their_batch() -> None:
    rng = np.random.Generator(np.random.Philox(3))
    scores, discount, unit = rng.normal(0.0, 2.0, (200, 6)), rng.random(200), rng.random((200, 3, 2))
    whole = diverse.sample(scores, discount, CATEGORY, unit)
    rows = slice(17, 19)
    np.testing.assert_array_equal(whole[rows], diverse.sample(scores[rows], discount[rows], CATEGORY, unit[rows]))
    found = diverse.log_prob(scores, discount, CATEGORY, whole)
    np.testing.assert_array_equal(found[rows], diverse.log_prob(scores[rows], discount[rows], CATEGORY, whole[rows]))
