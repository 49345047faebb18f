"""The vector reward by hand."""

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.objectives import Objectives, add_up

SLATE = np.array([[4, -1, 7], [0, 1, 2]])
CLICK = np.array([[True, False, True], [False, True, False]])
CONVERSION = np.array([[False, False, True], [False, False, False]])


def test_objectives_of_slates_by_hand(catalog: Catalog) -> None:
    objectives = Objectives()
    novelty = catalog.novelty
    total = np.full((2, 3), np.nan)
    for row in range(2):
        add_up(row, SLATE, CLICK, CONVERSION, novelty, total)
    expected = [[2, 1, float(novelty[4]) + float(novelty[7])], [1, 0, novelty[1]]]
    np.testing.assert_allclose(total, expected, rtol=1e-12)
    per_position = objectives.per_position(CLICK, CONVERSION, SLATE, catalog)
    assert per_position[0].tolist() == [[1, 0, novelty[4]], [0, 0, 0], [1, 1, novelty[7]]]
    np.testing.assert_allclose(per_position.sum(axis=1), total, rtol=1e-12)


def test_expectations_pass_through(catalog: Catalog) -> None:
    click = np.array([[0.5, 0.0, 0.25]])
    per_position = Objectives().per_position(click, click * 0.5, SLATE[:1], catalog)
    np.testing.assert_allclose(per_position[0, 2], [0.25, 0.125, 0.25 * catalog.novelty[7]])


def test_an_empty_position_has_no_novelty(catalog: Catalog) -> None:
    per_position = Objectives().per_position(CLICK, CONVERSION, SLATE, catalog)
    assert not per_position[0, 1].any()


def test_names_and_weights_agree() -> None:
    objectives = Objectives(click=2.0, novelty=-1.0)
    assert objectives.names == ("click", "conversion", "novelty")
    assert objectives.weights.tolist() == [2.0, 4.0, -1.0]


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_weights_are_finite(weight: float) -> None:
    with pytest.raises(ValueError, match=rf"weight of objective 'conversion' is {weight}; it is a finite number"):
        Objectives(conversion=weight)
