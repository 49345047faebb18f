"""Click and conversion rates against their closed forms: position-based examination times appeal."""

from dataclasses import fields

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.streams import Streams
from recsim.users.choice import PositionBased
from recsim.users.interest import InterestConfig, InterestState, InterestUsers

N = 200_000
SLATE = np.array([3, 11, -1, 7, 0, 19])


def copies(state: InterestState, n: int) -> InterestState:
    """The one user of `state`, n times."""
    return InterestState(*(np.repeat(getattr(state, f.name), n, axis=0) for f in fields(state)))


def standard_error(probability: np.ndarray, count: float) -> np.ndarray:
    return np.sqrt(probability * (1 - probability) / count)


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.5])
def test_rates_are_those_of_the_position_based_model(catalog: Catalog, decay: float) -> None:
    config = InterestConfig(click_offset=-0.5, conversion_offset=0.0, choice=PositionBased(decay))
    users = InterestUsers(catalog, config)
    one = users.sample(Streams.of(0, [17]))
    appeal = users.appeal(one, SLATE[None])
    response, _ = users.respond(copies(one, N), np.tile(SLATE, (N, 1)), Streams.of(1, N))
    assert response.examined is not None
    theta = np.arange(1.0, 7.0) ** -decay
    shown = SLATE >= 0
    click, examined, conversion = (
        flags[:, shown] for flags in (response.click, response.examined, response.conversion)
    )
    expected = (theta * appeal.click[0])[shown]
    assert (np.abs(examined.mean(axis=0) - theta[shown]) <= 4 * standard_error(theta[shown], N)).all()
    assert (np.abs(click.mean(axis=0) - expected) < 4 * standard_error(expected, N)).all()
    for position, chance in enumerate(appeal.conversion[0][shown]):
        clicked = click[:, position]
        rate = conversion[clicked, position].mean()
        assert abs(rate - chance) < 4 * standard_error(chance, clicked.sum())


def test_positions_are_examined_independently(catalog: Catalog) -> None:
    users = InterestUsers(catalog)
    one = users.sample(Streams.of(0, 1))
    response, _ = users.respond(copies(one, N), np.tile(np.arange(4), (N, 1)), Streams.of(1, N))
    assert response.examined is not None
    theta = users.choice.theta(4)
    both = (response.examined[:, 1] & response.examined[:, 3]).mean()
    assert abs(both - theta[1] * theta[3]) < 4 * standard_error(theta[1] * theta[3], N)


def test_examination_falls_as_a_power_of_the_position() -> None:
    np.testing.assert_allclose(PositionBased(0.5).theta(4), [1, 1 / np.sqrt(2), 1 / np.sqrt(3), 0.5])
    assert PositionBased(0.0).theta(3).tolist() == [1.0, 1.0, 1.0]
