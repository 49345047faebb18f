"""The best slate of every choice model, against all slates."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from recsim.users.choice import Cascade, DependentClick, DynamicBayesian, MultinomialLogit, PositionBased
from recsim.users.contract import Appeal, Floats, Items

MODELS: list[Any] = [
    PositionBased(0.7),
    Cascade(),
    DependentClick(0.6),
    DependentClick(1.0),
    DynamicBayesian(0.8),
    DynamicBayesian(1.0),
    MultinomialLogit(0.5),
    MultinomialLogit(-3.0),
]
each_model = pytest.mark.parametrize("model", MODELS, ids=repr)
M, K = 6, 3
SLATES = np.array(list(permutations(range(M), K)))  # (120, 3)


def earned(model: Any, appeal: Appeal, worth: Floats, slate: Items) -> Floats:
    """(n,) expected sum of clicks × worth."""
    assert appeal.satisfaction is not None
    parts = (appeal.click, appeal.conversion, appeal.satisfaction)
    shown = Appeal(*(np.take_along_axis(part, slate, axis=1) for part in parts))
    total: Floats = (model.probabilities(shown, slate).click * np.take_along_axis(worth, slate, axis=1)).sum(axis=1)
    return total


def check_best(model: Any, appeal: Appeal, worth: Floats) -> None:
    best = model.best_slate(appeal, worth, K)
    assert best.shape == (len(worth), K)
    assert all(len(set(row)) == K for row in best.tolist())
    every = [earned(model, appeal, worth, np.tile(slate, (len(worth), 1))) for slate in SLATES]
    np.testing.assert_allclose(earned(model, appeal, worth, best), np.max(every, axis=0), rtol=1e-12, atol=1e-14)


@each_model
@pytest.mark.parametrize("least", [0.0, -0.5, -2.0])
def test_no_slate_earns_more(model: Any, least: float) -> None:
    draws = np.random.Generator(np.random.Philox(8)).random((4, 400, M))
    check_best(model, Appeal(draws[0] ** 3, draws[1], draws[2]), least + 2.0 * draws[3])


@each_model
def test_no_slate_earns_more_where_values_are_equal_or_extreme(model: Any) -> None:
    draws = np.random.Generator(np.random.Philox(9)).integers(0, 3, (4, 400, M))
    click, satisfaction = draws[0] / 2.0, draws[1] / 2.0  # 0, 1/2 and 1
    check_best(model, Appeal(click, click, satisfaction), draws[2] - 1.0)


@pytest.mark.parametrize("model", [Cascade(), DependentClick(0.5), DynamicBayesian()], ids=repr)
def test_order_weighs_what_an_item_earns_against_whom_it_stops(model: Any) -> None:
    """The first item earns less when looked at, but stops fewer users, so that it stands above."""
    appeal = Appeal(np.array([[0.1, 0.9]]), np.zeros((1, 2)), np.array([[0.5, 1.0]]))
    worth = np.array([[3.0, 1.0]])
    assert (appeal.click * worth)[0].tolist() == pytest.approx([0.3, 0.9])
    assert model.best_slate(appeal, worth, 2).tolist() == [[0, 1]]
    assert PositionBased().best_slate(appeal, worth, 2).tolist() == [[1, 0]]


def test_a_logit_slate_leaves_out_what_lures_away_from_better() -> None:
    """By odds × worth the second item is next best; but next to the first it costs more clicks than it earns."""
    appeal = Appeal(np.array([[0.9, 0.8, 0.1]]), np.zeros((1, 3)))
    worth = np.array([[10.0, 1.0, 1.0]])
    assert MultinomialLogit().best_slate(appeal, worth, 2).tolist() == [[0, 2]]


@each_model
def test_ties_go_to_the_lower_number(model: Any) -> None:
    same = np.full((2, M), 0.25)
    assert model.best_slate(Appeal(same, same, same), same, K).tolist() == [[0, 1, 2]] * 2


@each_model
def test_a_slate_is_no_longer_than_there_are_items(model: Any) -> None:
    same = np.full((1, M), 0.25)
    with pytest.raises(ValueError, match="slates of 7 items asked for among 6; 1 to 6 are possible"):
        model.best_slate(Appeal(same, same, same), same, 7)
