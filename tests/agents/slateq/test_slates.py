from itertools import combinations

import numpy as np

from recsim.agents.slateq.slates import OPTIMISERS, best_slates, earned, greedy_slates, top_k_slates


def problems(n: int, c: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.Generator(np.random.Philox(4))
    return np.exp(draw.normal(0.0, 1.5, (n, c))), draw.gamma(2.0, 2.0, (n, c)), draw.uniform(0.0, 4.0, n)


def test_the_optimisers_by_hand() -> None:
    odds, value, none = np.array([[1.0, 8.0, 1.0]]), np.array([[6.0, 2.0, 5.0]]), np.array([1.0])
    assert top_k_slates(odds, value, none, 2).tolist() == [[1, 0]]  # 16, 6 and 5
    assert greedy_slates(odds, value, none, 2).tolist() == [[0, 2]]  # (1 + 6) / 2 first, then (1 + 6 + 5) / 3
    assert best_slates(odds, value, none, 2).tolist() == [[0, 2]]
    assert earned(odds, value, none, np.array([[1, 0]])).tolist() == [(1 + 16 + 6) / 10]
    assert earned(odds, value, none, np.array([[0, 2]])).tolist() == [4.0]


def test_the_exact_slate_earns_what_the_best_of_all_sets_does() -> None:
    odds, value, none = problems(200)
    every = np.array(list(combinations(range(8), 3)))
    all_earned = np.stack([earned(odds, value, none, np.tile(slate, (200, 1))) for slate in every])
    np.testing.assert_allclose(earned(odds, value, none, best_slates(odds, value, none, 3)), all_earned.max(axis=0))


def test_greedy_slates_earn_more_than_top_k_and_no_more_than_exact_ones() -> None:
    odds, value, none = problems(1000)
    top, greedy, exact = (earned(odds, value, none, build(odds, value, none, 3)) for build in OPTIMISERS.values())
    assert greedy.mean() > top.mean() + 0.1
    assert (exact >= greedy - 1e-12).all()
    assert (exact >= top - 1e-12).all()
    assert (exact > greedy + 1e-6).any()  # greedy is no optimum: some of these slates it misses


def test_each_greedy_item_raises_the_slate_above_it_most() -> None:
    odds, value, none = problems(30)
    for row, slate in enumerate(greedy_slates(odds, value, none, 4)):
        at = slice(row, row + 1)
        for position in range(4):
            left = [item for item in range(8) if item not in slate[:position]]
            tried = [earned(odds[at], value[at], none[at], np.array([[*slate[:position], item]]))[0] for item in left]
            assert slate[position] == left[int(np.argmax(tried))]
