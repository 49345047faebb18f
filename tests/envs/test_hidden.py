"""The hidden state as numbers with names."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.envs.hidden import Gauge, gauges, printable, told
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.contract import Response
from recsim.users.interest import InterestUsers


def by_name(simulator: Simulator) -> dict[str, Gauge]:
    return {gauge.name: gauge for gauge in gauges(simulator)}


def mean_match(simulator: Simulator, category: int) -> float:
    """What the utility of a category's items holds of the user's interests, item by item and modality by modality."""
    catalog, state, similar = simulator.catalog, simulator.state, []
    for item in np.flatnonzero(catalog.category == category):
        parts = [slice(*catalog.offsets[part : part + 2]) for part in range(len(catalog.modalities))]
        similar.append(
            sum(
                state.weight[0, part] * (state.interest[0, columns] @ catalog.taste[item, columns])
                for part, columns in enumerate(parts)
            )
        )
    return float(np.mean(similar))


def test_the_built_in_users_by_hand(catalog: Catalog) -> None:
    simulator = Simulator(catalog, InterestUsers(catalog), slate_size=4)
    simulator.reset([5])
    simulator.step(np.array([[0, 4, 8, 1]]))
    state, shown = simulator.state, by_name(simulator)
    assert shown["patience"].columns[""].tolist() == state.patience.tolist()
    assert shown["patience"].full[""] == simulator.users.config.patience_limit  # type: ignore[attr-defined]
    assert shown["modality weights"].labels == ("text", "image")
    assert shown["modality weights"].columns[""].tolist() == state.weight[0].tolist()
    categories = shown["categories"]
    assert categories.labels == tuple(catalog.categories)
    expected = [mean_match(simulator, category) for category in range(4)]
    np.testing.assert_allclose(categories.columns["match"], expected, rtol=1e-5)
    assert categories.columns["satiation"].tolist() == state.satiation[0].tolist()
    assert categories.columns["satiation"].any()
    assert categories.full["match"] == pytest.approx(np.abs(expected).max())
    assert shown["price sensitivity"].columns[""].tolist() == state.price_sensitivity.tolist()
    assert not {"interest", "declared"} & set(shown)


def test_many_categories_are_cut_to_the_best_matches() -> None:
    simulator = Simulator(catalog := Catalog.synthetic(60, 30), InterestUsers(catalog), slate_size=4)
    simulator.reset(1)
    shown = by_name(simulator)["categories"]
    match = {name: mean_match(simulator, number) for number, name in enumerate(catalog.categories)}
    assert shown.labels == tuple(sorted(match, key=lambda name: -match[name])[:16])
    assert shown.more == 14


def test_what_a_user_declares(catalog: Catalog) -> None:
    simulator = Simulator(catalog, InterestUsers(catalog, None), slate_size=4)
    seen = set()
    for user in range(8):
        simulator.reset([user])
        favourite = int(simulator.state.declared[0])
        name = "" if favourite < 0 else f"Declared favourite: {catalog.categories[favourite]}."
        assert told(simulator) == name
        seen.add(bool(name))
    assert seen == {True, False}


@dataclass
class Mixed:
    """Fields of every kind."""

    mood: np.ndarray
    loyal: np.ndarray
    taste_for_red: np.ndarray
    visits: np.ndarray
    long: np.ndarray
    square: np.ndarray
    name: np.ndarray


class MixedUsers:
    def sample(self, users: Streams) -> Mixed:
        n = len(users)
        return Mixed(
            mood=np.full(n, 0.25, np.float32),
            loyal=np.ones(n, bool),
            taste_for_red=np.tile([0.5, -2.0, np.nan], (n, 1)),
            visits=np.full((n, 2), 7),
            long=np.zeros((n, 17)),
            square=np.zeros((n, 2, 2)),
            name=np.full(n, "Ann"),
        )

    def respond(self, state: Mixed, slate: np.ndarray, users: Streams) -> tuple[Response, Mixed]:
        nothing = np.zeros(slate.shape, bool)
        return Response(nothing, nothing, np.zeros(len(slate), bool)), state


def test_own_users_by_the_names_of_their_fields(catalog: Catalog) -> None:
    simulator = Simulator(catalog, MixedUsers(), slate_size=4)
    simulator.reset(1)
    shown = by_name(simulator)
    assert list(shown) == ["mood", "loyal", "taste for red", "visits"]
    assert shown["mood"].labels == ("",)
    assert shown["mood"].full == {}
    assert shown["taste for red"].labels == ("0", "1", "2")
    assert shown["taste for red"].full == {"": 2.0}
    assert shown["visits"].columns[""].tolist() == [7, 7]
    assert told(simulator) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\nlines\t and  spaces", "two lines and spaces"),
        ("\x1b[2Jred\x00", "[2Jred"),
        ("日本 é", "日本 é"),
        ("\n", ""),
    ],
)
def test_text_of_a_catalogue_steers_no_terminal(text: Any, expected: str) -> None:
    assert printable(text) == expected
