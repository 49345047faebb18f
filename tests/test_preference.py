"""Preferences: their distribution, their grid, and scorers that are held to one."""

import numpy as np
import pytest
from scipy.stats import beta, kstest

from recsim.catalog import Catalog
from recsim.observation import Layout
from recsim.policy import Ranking
from recsim.preference import Conditioned, checked_preference, drawn_preferences, preference_grid
from recsim.streams import Streams


@pytest.mark.parametrize("concentration", [0.1, 1.0, 3.0])
def test_shares_are_dirichlet(concentration: float) -> None:
    drawn = drawn_preferences(Streams.of(6, 20_000), 3, concentration)
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0)
    for share in drawn.T:  # the marginal of a symmetric Dirichlet distribution of three
        assert kstest(share, beta(concentration, 2 * concentration).cdf).pvalue > 0.01


def test_a_session_has_one_preference_whoever_else_is_there() -> None:
    streams = Streams.of(5, [3, 8], session=[0, 2])
    drawn = drawn_preferences(streams, 3)
    assert np.array_equal(drawn, drawn_preferences(streams.at(7), 3))
    assert np.array_equal(drawn[1:], drawn_preferences(streams[1:], 3))
    assert not np.isin(drawn, drawn_preferences(Streams.of(5, [3, 8], session=1), 3)).any()


def test_the_grid_has_every_share_in_equal_parts() -> None:
    grid = preference_grid(3, 4)
    assert sorted(map(tuple, grid.tolist())) == [
        (a / 4, b / 4, (4 - a - b) / 4) for a in range(5) for b in range(5 - a)
    ]


class Scores:
    """Scores an item by the preference that its number picks, plus the first feature."""

    def scores(self, observation: np.ndarray) -> np.ndarray:
        return observation[:, -3:].astype(np.float64) + observation[:, :1]


def test_a_conditioned_scorer_sees_its_preference_behind_every_observation() -> None:
    conditioned = Conditioned(Scores(), np.array([1.0, 0.0, 3.0]))
    observation = np.array([[0.0, 9.0], [2.0, 9.0]], np.float32)
    assert conditioned.scores(observation).tolist() == [[0.25, 0.0, 0.75], [2.25, 2.0, 2.75]]
    decision = Ranking("conditioned", conditioned, 2).act(observation, Streams.of(0, 2))
    assert decision.slate.tolist() == [[2, 0], [2, 0]]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, np.nan, 0.0], [np.inf, 1, 1]])
def test_a_preference_that_cannot_be_is_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="the preference is .* a weight from 0 up for each of the 3 objectives"):
        checked_preference(weights, 3)


def test_a_concentration_too_low_is_refused() -> None:
    with pytest.raises(ValueError, match=r"concentration is 0.0; it is a number from 0.1 up"):
        drawn_preferences(Streams.of(0, 1), 3, 0.0)


def test_a_layout_has_its_preference_last_and_once(catalog: Catalog) -> None:
    layout = Layout.of(catalog, 2, recent=3)
    extended = layout.with_preference(3)
    assert extended["preference"] == slice(layout.size, layout.size + 3)
    assert extended.size == layout.size + 3
    assert extended.quantities.tolist() == [*layout.quantities, *range(layout.size, layout.size + 3)]
    with pytest.raises(ValueError, match="this layout has a preference already"):
        extended.with_preference(3)
