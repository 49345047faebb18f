"""Users who answer in place and enter their own answers: the same, to the bit, as users whom the core must ask."""

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.simulator import Simulator
from recsim.streams import Streams
from recsim.testing.global_random import seeded_globally
from recsim.users.choice import BUILT_IN, DependentClick
from recsim.users.contract import Appeal, ChoiceModel, Choices, Response, UpdatesState
from recsim.users.interest import InterestConfig, InterestState, InterestUsers

N, K, STEPS = 40, 4, 12
EVERYTHING: dict[str, Any] = {
    "click_offset": -1.0, "conversion_offset": -1.0, "conversion_delay": 2.0, "arriving": 0.4, "ageing": 0.5,
    "slate_days": 1.0, "trust_scale": 1.0, "personas": 3, "return_offset": 0.5,
}  # fmt: skip


class Foreign:
    """A choice model that kernels cannot run: it does not say how users browse."""

    def __init__(self, inner: ChoiceModel) -> None:
        self.inner = inner

    def probabilities(self, appeal: Appeal, slate: np.ndarray) -> Choices:
        return self.inner.probabilities(appeal, slate)

    def sample(self, appeal: Appeal, slate: np.ndarray, users: Streams) -> tuple[np.ndarray, np.ndarray]:
        return self.inner.sample(appeal, slate, users)

    def best_slate(self, appeal: Appeal, worth: np.ndarray, slate_size: int) -> np.ndarray:
        return self.inner.best_slate(appeal, worth, slate_size)


class Pure:
    """The same users without `update`."""

    def __init__(self, users: InterestUsers) -> None:
        self.sample, self.respond, self.come_back, self.profile = (
            users.sample, users.respond, users.come_back, users.profile,
        )  # fmt: skip
        self.appeal, self.choice, self.born, self.now = users.appeal, users.choice, users.born, users.now


CHOICES: dict[str, Callable[[], ChoiceModel]] = {**BUILT_IN, "foreign": lambda: Foreign(DependentClick())}


def world(catalog: Catalog, choice: str, constants: dict[str, Any] = EVERYTHING, *, pure: bool = False) -> Simulator:
    users = InterestUsers(catalog, InterestConfig(choice=CHOICES[choice](), **constants), seed=3)
    assert isinstance(users, UpdatesState)
    assert not isinstance(Pure(users), UpdatesState)
    model = Pure(users) if pure else users
    return Simulator(catalog, model, slate_size=K, horizon=6, sessions=2, recent=3, seed=3)


def slates(catalog: Catalog, steps: int = STEPS) -> np.ndarray:
    """(steps, N, K), some with repeats and empty positions."""
    return np.random.Generator(np.random.Philox(1)).integers(-1, len(catalog), (steps, N, K))


def parts(state: Any) -> dict[str, np.ndarray]:
    return {f.name: getattr(state, f.name).copy() for f in fields(state)}


def equal(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def lived(simulator: Simulator, taken: np.ndarray) -> list[dict[str, np.ndarray]]:
    """All that a step tells, step by step, where ended sessions are renewed."""
    seen = []
    for slate in taken:
        step = simulator.step(slate)
        answer: Response = step.response
        seen.append(
            {name: getattr(step, name) for name in ("objectives", "reward", "terminated", "truncated", "slate")}
        )
        for name in ("click", "conversion", "examined", "delay"):
            if getattr(answer, name) is not None:
                seen[-1][name] = getattr(answer, name)
        seen[-1]["last"] = step.observation.copy()
        seen[-1]["observation"] = simulator.renew(simulator.ended, step.observation)
        seen[-1]["user"] = simulator.streams.user
    return seen


@pytest.mark.parametrize("constants", [EVERYTHING, {}], ids=["everything", "defaults"])
@pytest.mark.parametrize("choice", CHOICES)
def test_answers_in_place_are_those_of_pure_users(catalog: Catalog, choice: str, constants: dict[str, Any]) -> None:
    fast, slow = (world(catalog, choice, constants, pure=pure) for pure in (False, True))
    assert np.array_equal(fast.reset(N), slow.reset(N))
    left, right = (lived(simulator, slates(catalog)) for simulator in (fast, slow))
    assert all(map(equal, left, right))
    assert equal(parts(fast.state), parts(slow.state))
    assert sum(step["click"].sum() for step in left) > 30
    assert left[-1]["user"].max() >= 2 * N


def test_a_choice_model_of_ones_own_is_the_one_it_wraps(catalog: Catalog) -> None:
    own, built_in = world(catalog, "foreign"), world(catalog, "dcm")
    own.reset(N), built_in.reset(N)
    left, right = (lived(simulator, slates(catalog)) for simulator in (own, built_in))
    assert all(map(equal, left, right))


NOBODY, SHOWN = np.zeros((2, K), bool), np.array([[True, True, False, True]] * 2)


@pytest.mark.parametrize(
    ("examined", "click", "message"),
    [
        (SHOWN[0], NOBODY, r"gave examined as an array \(4,\) bool; \(2, 4\) bool is needed"),
        (SHOWN, NOBODY.astype(float), r"gave click as an array \(2, 4\) float64; \(2, 4\) bool is needed"),
        (~NOBODY, NOBODY, r"gave a look at the empty position 2 of row 0; return examined & \(slate >= 0\)"),
        (SHOWN, ~SHOWN, r"gave a click without a look at position 2 of row 0; return click & examined"),
        (NOBODY, SHOWN, r"gave a click without a look at position 0 of row 0"),
    ],
)
def test_a_choice_that_cannot_be_changes_nothing(
    catalog: Catalog, examined: np.ndarray, click: np.ndarray, message: str
) -> None:
    class Odd(Foreign):
        def sample(self, appeal: Appeal, slate: np.ndarray, users: Streams) -> tuple[np.ndarray, np.ndarray]:
            return examined, click

    users = InterestUsers(catalog, InterestConfig(choice=Odd(DependentClick())))
    simulator = Simulator(catalog, users, slate_size=K)
    simulator.reset(2)
    before = parts(simulator.state)
    with pytest.raises(ValueError, match=rf"Odd\.sample {message}"):
        simulator.step(np.array([[0, 1, -1, 2]] * 2))
    assert equal(parts(simulator.state), before)
    assert simulator.streams.step.tolist() == simulator.history.step.tolist() == [0, 0]


@pytest.mark.parametrize("pure", [False, True], ids=["in place", "pure"])
@pytest.mark.parametrize("choice", ["pbm", "foreign"])
def test_a_state_that_was_handed_out_never_changes(catalog: Catalog, choice: str, pure: bool) -> None:
    """Whenever it is taken: before a step, after one, after a renewal, or after a step that followed another taking."""
    undisturbed, simulator = world(catalog, choice, pure=pure), world(catalog, choice, pure=pure)
    undisturbed.reset(N), simulator.reset(N)
    expected = lived(undisturbed, slates(catalog))
    held: list[tuple[InterestState, dict[str, np.ndarray]]] = []
    for number, slate in enumerate(slates(catalog)):
        taken = [number % 3 == 0, number % 4 == 1, number % 5 == 2]
        if taken[0]:
            held.append((simulator.state, parts(simulator.state)))
        step = simulator.step(slate)
        if taken[1]:
            held.append((simulator.state, parts(simulator.state)))
        observation = simulator.renew(simulator.ended, step.observation)
        if taken[2]:
            held.append((simulator.state, parts(simulator.state)))
        assert np.array_equal(observation, expected[number]["observation"])
        assert all(equal(parts(state), before) for state, before in held)
    assert len(held) >= 8


def test_a_state_that_was_put_in_never_changes(catalog: Catalog) -> None:
    simulator = world(catalog, "pbm")
    simulator.reset(N)
    given = simulator.users.sample(Streams.of(77, N))
    before = parts(given)
    simulator.state = given
    lived(simulator, slates(catalog))
    assert equal(parts(given), before)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))], ids=["copy", "pickle"])
@pytest.mark.parametrize("choice", CHOICES)
def test_copies_go_on_alike_and_apart(catalog: Catalog, choice: str, copied: Callable[[Simulator], Simulator]) -> None:
    simulator = world(catalog, choice)
    simulator.reset(N)
    before, after = slates(catalog)[:5], slates(catalog)[5:]
    with seeded_globally(1) as touched:
        lived(simulator, before)
        twin = copied(simulator)
        left = lived(simulator, after)
        assert all(map(equal, left, lived(twin, after)))
        assert equal(parts(simulator.state), parts(twin.state))
    assert touched == []


ELSEWHERE = """
import hashlib
import sys
import numpy as np
from recsim import load_catalog
from recsim.jit import set_threads
from recsim.simulator import Simulator
from recsim.users import make_users
from recsim.users.choice import BUILT_IN

set_threads(int(sys.argv[1]))
catalog = load_catalog(sys.argv[2])
draw = np.random.Generator(np.random.Philox(3))
slates = draw.integers(0, len(catalog), (12, 600, 4))
for choice in BUILT_IN:
    options = {"choice": choice, "conversion_delay": 2.0, "arriving": 0.4, "personas": 3, "return_offset": 0.5}
    simulator = Simulator(catalog, make_users("feed", catalog, options), slate_size=4, horizon=6, sessions=2)
    digest = hashlib.sha256(simulator.reset(600).tobytes())
    for slate in slates:
        step = simulator.step(slate)
        for part in (step.observation, step.objectives, step.reward, step.response.click, step.response.delay):
            digest.update(part.tobytes())
        digest.update(simulator.renew(simulator.ended).tobytes())
    for part in simulator.state.rows:
        digest.update(part.tobytes())
    print(choice, digest.hexdigest())
"""


@pytest.mark.slow
def test_users_are_the_same_on_any_number_of_threads(catalog: Catalog, tmp_path: Path) -> None:
    folder = str(catalog.save(tmp_path / "catalog"))
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
    told = [
        subprocess.run(
            [sys.executable, "-c", ELSEWHERE, threads, folder],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        ).stdout.splitlines()
        for threads in ("1", "2")
    ]
    assert told[0] == told[1]
    assert [line.split()[0] for line in told[0]] == list(BUILT_IN)
    assert len({line.split()[1] for line in told[0]}) == len(BUILT_IN)
