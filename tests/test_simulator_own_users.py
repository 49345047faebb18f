"""What the core refuses of somebody's own users: answers, states and profiles that cannot be."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.users.contract import Response

K = 4


@dataclass
class Visits:
    """Slates seen so far, and how many the user sits through."""

    seen: np.ndarray
    stays: np.ndarray


class Clockwork:
    """Users without luck or profile: user u clicks item u and leaves after five slates."""

    def sample(self, users: Streams) -> Visits:
        return visitors(len(users))

    def respond(self, state: Visits, slate: np.ndarray, users: Streams) -> tuple[Response, Visits]:
        click = slate == users.user.astype(np.int64)[:, None]
        seen = state.seen + 1
        return Response(click, click & False, seen >= state.stays), Visits(seen, state.stays)


def visitors(n: int) -> Visits:
    return Visits(np.zeros(n, np.int64), np.full(n, 5))


BAD_ANSWERS = [
    ("click", np.zeros((3, K)), r"Mumbling\.respond gave click as an array \(3, 4\) float64; \(3, 4\) bool is needed"),
    ("conversion", np.zeros((3, K + 1), bool), r"gave conversion as an array \(3, 5\) bool; \(3, 4\) bool is needed"),
    ("leave", np.zeros((3, 1), bool), r"gave leave as an array \(3, 1\) bool; \(3,\) bool is needed"),
]


@pytest.mark.parametrize(("name", "flags", "message"), BAD_ANSWERS)
def test_a_wrong_answer_is_named_and_changes_nothing(
    catalog: Catalog, name: str, flags: np.ndarray, message: str
) -> None:
    class Mumbling(Clockwork):
        def respond(self, state: Visits, slate: np.ndarray, users: Streams) -> tuple[Response, Visits]:
            answer, after = super().respond(state, slate, users)
            return replace(answer, **{name: flags}), after

    simulator = Simulator(catalog, Mumbling(), slate_size=K)
    simulator.reset(3)
    with pytest.raises(ValueError, match=message):
        simulator.step(np.zeros((3, K), int))
    assert simulator.streams.step.tolist() == simulator.state.seen.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("name", "place", "message"),
    [
        (
            "click",
            (1, 2),
            r"Eager\.respond gave a click on the empty position 2 of row 1; return click & \(slate >= 0\)",
        ),
        ("conversion", (2, 3), r"gave a conversion without a click at position 3 of row 2; return conversion & click"),
    ],
)
def test_an_answer_that_cannot_be_earns_nothing(
    catalog: Catalog, name: str, place: tuple[int, int], message: str
) -> None:
    class Eager(Clockwork):
        def respond(self, state: Visits, slate: np.ndarray, users: Streams) -> tuple[Response, Visits]:
            answer, after = super().respond(state, slate, users)
            getattr(answer, name)[place] = True
            return answer, after

    simulator = Simulator(catalog, Eager(), slate_size=K)
    simulator.reset(3)
    with pytest.raises(ValueError, match=message):
        simulator.step(np.array([[5, 6, -1, 7]] * 3))
    assert simulator.streams.step.tolist() == simulator.state.seen.tolist() == [0, 0, 0]


class Sampling(Clockwork):
    """Clockwork users whose hidden state and profile are given from outside."""

    def __init__(self, state: Callable[[int], Any], profile: Callable[[int], Any] = lambda n: np.zeros((n, 2))) -> None:
        self.state, self.told = state, profile

    def sample(self, users: Streams) -> Any:
        return self.state(len(users))

    def profile(self, state: Any) -> Any:
        return self.told(len(state.seen))


@pytest.mark.parametrize(
    ("state", "kind", "message"),
    [
        (np.zeros, TypeError, r"Sampling\.sample gave ndarray; a state is a dataclass of arrays, a row a user"),
        (lambda n: Visits, TypeError, r"Sampling\.sample gave type; a state is a dataclass"),
        (lambda n: Visits(np.zeros(n), [5] * n), TypeError, "gave a state whose stays is list; it is an array"),
        (
            lambda n: Visits(np.zeros(n), np.array(5)),
            ValueError,
            r"whose stays is an array \(\) for 1 users; its first",
        ),
    ],
)
def test_what_is_no_state_is_refused_at_once(catalog: Catalog, state: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        Simulator(catalog, Sampling(state), slate_size=K)


def test_a_state_of_too_few_users_is_refused_at_reset(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Sampling(lambda n: visitors(1)), slate_size=K)
    with pytest.raises(ValueError, match=r"whose seen is an array \(1,\) for 3 users; its first axis has length 3"):
        simulator.reset(3)
    assert simulator.n == 0


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (
            lambda n: np.zeros(n),
            r"Sampling\.profile gave an array \(1,\) float64 for 1 users; \(1, p\) float32 is needed",
        ),
        (lambda n: np.zeros((n + 1, 2)), r"gave an array \(2, 2\) float64 for 1 users"),
        (lambda n: np.zeros((n, 2), int), r"gave an array \(1, 2\) int64 for 1 users"),
        (lambda n: np.array([[0.5, np.nan]] * n), r"profile gave nan in row 0, column 1; agents see .* Write 0 where"),
    ],
)
def test_what_is_no_profile_is_refused_at_once(catalog: Catalog, profile: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Simulator(catalog, Sampling(visitors, profile), slate_size=K)


def test_a_renewed_users_profile_is_checked_too(catalog: Catalog) -> None:
    told = [np.zeros((1, 1)), np.zeros((2, 1)), np.array([[np.inf]])]
    simulator = Simulator(catalog, Sampling(visitors, lambda n: told.pop(0)), slate_size=K)
    simulator.reset(2)
    with pytest.raises(ValueError, match="gave inf in row 0, column 0"):
        simulator.renew(np.array([False, True]))


def test_a_profile_keeps_its_width(catalog: Catalog) -> None:
    simulator = Simulator(catalog, Sampling(visitors, lambda n: np.zeros((n, n))), slate_size=K)
    with pytest.raises(ValueError, match=r"gave an array \(3, 3\) float64 for 3 users; \(3, 1\) float32 is needed"):
        simulator.reset(3)


def test_what_a_model_keeps_for_itself_is_never_written(catalog: Catalog) -> None:
    class Tabled(Clockwork):
        """Users whose states are views of one table."""

        table = np.arange(12)

        def sample(self, users: Streams) -> Visits:
            rows = self.table[int(users.user[0]) :][: len(users)]
            return Visits(rows, rows)

        def respond(self, state: Visits, slate: np.ndarray, users: Streams) -> tuple[Response, Visits]:
            return super().respond(state, slate, users)[0], state

    simulator = Simulator(catalog, Tabled(), slate_size=K)
    simulator.reset(3)
    for ended in ([True, False, False], [False, True, True]):
        simulator.renew(np.array(ended))
        simulator.ended[:] = False
        simulator.step(np.tile(np.arange(K), (3, 1)))
    assert Tabled.table.tolist() == list(range(12))
    assert simulator.state.seen.tolist() == [3, 4, 5]


def test_an_answer_without_the_state_after_it_is_told(catalog: Catalog) -> None:
    class Forgetful(Clockwork):
        def respond(self, state: Visits, slate: np.ndarray, users: Streams) -> Any:
            return super().respond(state, slate, users)[0]

    simulator = Simulator(catalog, Forgetful(), slate_size=K)
    simulator.reset(3)
    with pytest.raises(TypeError, match="Forgetful.respond gave Response; it returns a pair"):
        simulator.step(np.zeros((3, K), int))


def test_a_profile_that_the_model_keeps_stays_its_own(catalog: Catalog) -> None:
    class Labelled(Clockwork):
        labels = np.arange(6, dtype=np.float32).reshape(3, 2)

        def profile(self, state: Visits) -> np.ndarray:
            return self.labels[: len(state.seen)]

    users = Labelled()
    users.labels.flags.writeable = False
    simulator = Simulator(catalog, users, slate_size=K)
    simulator.reset(3)
    observation = simulator.renew(np.array([False, False, True]))
    assert simulator.layout.read(observation, "profile").tolist() == [[0, 1], [2, 3], [0, 1]]
    assert users.labels.tolist() == [[0, 1], [2, 3], [4, 5]]
