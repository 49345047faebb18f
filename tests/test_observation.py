"""What agents see: the layout, and that hidden state cannot reach it."""

from dataclasses import dataclass

import numpy as np

from recsim.catalog import Catalog
from recsim.observation import SCALARS, Layout
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.contract import Response


@dataclass
class Secret:
    """Hidden state: nothing of it may be seen."""

    secret: np.ndarray
    told: np.ndarray


class Poker:
    """Users whose answers depend on the slate alone, whatever they hide."""

    def sample(self, users: Streams) -> Secret:
        return Secret(users.normal("secret", 20), np.full((len(users), 1), 0.5, np.float32))

    def respond(self, state: Secret, slate: np.ndarray, users: Streams) -> tuple[Response, Secret]:
        click = (slate % 3 == 0) & (slate >= 0)
        after = Secret(state.secret + users.normal("secret change", 20), state.told)
        return Response(click, click & (slate % 2 == 0), np.zeros(len(slate), bool)), after

    def profile(self, state: Secret) -> np.ndarray:
        return state.told


def test_hidden_state_does_not_reach_the_observation(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Poker(), slate_size=4)
    first = simulator.reset(np.array([3, 1_000_003]))
    assert np.array_equal(first[0], first[1])
    draw = np.random.Generator(np.random.Philox(2))
    for _ in range(6):
        slate = draw.permutation(len(catalog))[:4]
        observation = simulator.step(np.tile(slate, (2, 1))).observation
        assert not np.isin(simulator.state.secret[0], simulator.state.secret[1]).any()
        assert np.array_equal(observation[0], observation[1])
    assert observation[0].any()


def test_the_profile_is_seen(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Poker(), slate_size=4)
    observation = simulator.reset(3)
    assert simulator.layout.read(observation, "profile").tolist() == [[0.5]] * 3


def test_features_stand_side_by_side_in_order(catalog: Catalog) -> None:
    layout = Layout.of(catalog, profile_size=3)
    sizes = {"liked": 11, "passed": 11, "exposure": 4, "category_clicks": 4, **dict.fromkeys(SCALARS, 1), "profile": 3}
    assert list(layout.columns) == list(sizes)
    start = 0
    for name, size in sizes.items():
        assert layout[name] == slice(start, start + size)
        start += size
    assert layout.size == start == 11 + 11 + 4 + 4 + 6 + 3


def test_read_is_a_view_of_the_columns(catalog: Catalog) -> None:
    layout = Layout.of(catalog)
    observation = np.arange(2 * layout.size, dtype=np.float32).reshape(2, -1)
    passed = layout.read(observation, "passed")
    assert passed.shape == (2, 11)
    assert passed[0, 0] == 11
    assert np.shares_memory(passed, observation)
    assert layout.read(observation, "profile").shape == (2, 0)
