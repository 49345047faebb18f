"""The core: order of a step, ends, renewal, errors, and that a user is the same person everywhere."""

import os
import random
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.policy import Decision, popularity, uniform
from recsim.simulator import Simulator, Step
from recsim.streams import Streams
from recsim.users.contract import Response
from recsim.users.interest import InterestUsers

K = 4


@dataclass
class Visits:
    """Slates seen so far, and how many the user sits through."""

    seen: np.ndarray
    stays: np.ndarray


class Clockwork:
    """Users without luck: user u clicks item u, buys it at the second sight, and leaves after u + 1 slates."""

    def sample(self, users: Streams) -> Visits:
        return Visits(np.zeros(len(users), np.int64), users.user.astype(np.int64) + 1)

    def respond(self, state: Visits, slate: np.ndarray, users: Streams) -> tuple[Response, Visits]:
        assert (users.step == state.seen).all()
        click = slate == users.user.astype(np.int64)[:, None]
        seen = state.seen + 1
        return Response(click, click & (state.seen[:, None] > 0), seen >= state.stays), Visits(seen, state.stays)


@pytest.fixture
def clockwork(catalog: Catalog) -> Simulator:
    return Simulator(catalog, Clockwork(), slate_size=K, horizon=3)


@pytest.fixture(scope="module")
def simulator(catalog: Catalog) -> Simulator:
    return Simulator(catalog, InterestUsers(catalog, seed=3), slate_size=K, horizon=12, seed=3)


def slates_of(n: int, step: int, catalog: Catalog) -> np.ndarray:
    """(n, K) slates that differ by step but not by row."""
    draw = np.random.Generator(np.random.Philox(step))
    return np.tile(draw.permutation(len(catalog))[:K], (n, 1))


def run(simulator: Simulator, steps: int) -> list[Step]:
    """Some steps in which sessions that ended stay in their row with a next user."""
    taken = []
    for number in range(steps):
        taken.append(simulator.step(slates_of(simulator.n, number, simulator.catalog)))
        simulator.renew(taken[-1].terminated | taken[-1].truncated)
    return taken


def test_a_step_by_hand(clockwork: Simulator) -> None:
    observation = clockwork.reset(np.array([4, 1, 7]))
    assert observation.shape == (3, clockwork.layout.size)
    assert observation.dtype == np.float32
    assert not observation.any()
    slate = np.array([[4, 0, 2, 3], [4, 0, 2, 3], [7, 4, 5, 6]])
    first, second = clockwork.step(slate), clockwork.step(slate)
    novelty = clockwork.catalog.novelty
    np.testing.assert_allclose(first.objectives, [[1, 0, novelty[4]], [0, 0, 0], [1, 0, novelty[7]]])
    np.testing.assert_allclose(second.objectives, [[1, 1, novelty[4]], [0, 0, 0], [1, 1, novelty[7]]])
    np.testing.assert_allclose(second.reward, [1 + 4 + novelty[4] / 2, 0, 1 + 4 + novelty[7] / 2])
    assert first.terminated.tolist() == [False, False, False]
    assert second.terminated.tolist() == [False, True, False]
    assert np.array_equal(second.slate, slate)
    assert clockwork.streams.step.tolist() == [2, 2, 2]
    progress = clockwork.layout.read(second.observation, "progress")
    np.testing.assert_allclose(progress, 2 / 3)


def test_the_horizon_truncates_and_leaving_terminates(clockwork: Simulator) -> None:
    clockwork.reset(np.array([1, 2, 5]))
    ends = []
    for _ in range(3):
        step = clockwork.step(np.tile(np.arange(K), (clockwork.n, 1)))
        ends.append((step.terminated.tolist(), step.truncated.tolist()))
        assert np.array_equal(clockwork.ended, step.terminated | step.truncated)
        clockwork.keep(~clockwork.ended)
    assert ends == [
        ([False, False, False], [False, False, False]),
        ([True, False, False], [False, False, False]),
        ([True, False], [False, True]),  # user 2 leaves at the very horizon: that is leaving
    ]
    assert clockwork.n == 0


def test_a_repeated_item_is_shown_once(clockwork: Simulator) -> None:
    clockwork.reset(np.array([4, 4, 4, 4]))
    slate = np.array([[4, 4, 1, 4], [1, 4, 1, 4], [-1, 4, -1, 4], [0, 1, 2, 4]])
    step = clockwork.step(slate)
    assert step.slate.tolist() == [[4, -1, 1, -1], [1, 4, -1, -1], [-1, 4, -1, -1], [0, 1, 2, 4]]
    assert slate[0].tolist() == [4, 4, 1, 4]
    assert step.response.click.sum(axis=1).tolist() == [1, 1, 1, 1]
    shown = clockwork.layout.read(step.observation, "exposure").sum(axis=1)
    np.testing.assert_allclose(shown, 0.2 / K * np.array([2, 2, 1, 4]), rtol=1e-6)


def test_keep_goes_on_with_the_others(simulator: Simulator) -> None:
    everyone = range(8)
    simulator.reset(np.array(everyone))
    simulator.step(slates_of(8, 0, simulator.catalog))
    kept = np.array([False, True, True, False, False, False, True, False])
    observation = simulator.keep(kept)
    after = [simulator.step(slates_of(3, number, simulator.catalog)) for number in (1, 2)]
    simulator.reset(np.array([1, 2, 6]))
    again = [simulator.step(slates_of(3, number, simulator.catalog)) for number in (0, 1, 2)]
    assert np.array_equal(observation, again[0].observation)
    for left, right in zip(after, again[1:], strict=True):
        assert np.array_equal(left.observation, right.observation)
        assert np.array_equal(left.response.click, right.response.click)


def test_renew_puts_the_next_users_in_the_rows_that_ended(clockwork: Simulator) -> None:
    clockwork.reset(3)
    slate = np.tile(np.arange(K), (3, 1))
    step = clockwork.step(slate)
    assert step.terminated.tolist() == [True, False, False]
    observation = clockwork.renew(step.terminated)
    assert clockwork.streams.user.tolist() == [3, 1, 2]
    assert clockwork.streams.step.tolist() == [0, 1, 1]
    assert not clockwork.ended.any()
    assert not observation[0].any()
    assert np.array_equal(observation[1:], step.observation[1:])
    clockwork.renew(clockwork.step(slate).terminated)
    assert clockwork.streams.user.tolist() == [3, 4, 2]


@pytest.mark.parametrize(
    ("first", "following"), [([17], [18]), ([17, 18], [19, 20]), ([3, 9], [10, 16]), ([5, 5], [6, 6])]
)
def test_nobody_comes_twice(clockwork: Simulator, first: list[int], following: list[int]) -> None:
    clockwork.reset(np.array(first))
    clockwork.renew(np.ones(len(first), bool))
    assert clockwork.streams.user.tolist() == following


def test_a_renewed_row_is_a_fresh_session(simulator: Simulator) -> None:
    simulator.reset(5)
    taken = run(simulator, 30)
    row, alone = 2, 0
    simulator.reset(np.array([row]))
    for number, step in enumerate(taken):
        single = simulator.step(slates_of(1, number, simulator.catalog))
        assert np.array_equal(single.response.click[0], step.response.click[row])
        assert np.array_equal(single.observation[0], step.observation[row])
        assert single.reward[0] == step.reward[row]
        assert single.terminated[0] == step.terminated[row]
        if simulator.ended[0]:
            alone += 1
            simulator.reset(np.array([row + 5 * alone]))
    assert alone > 1


def digest(step: Step) -> str:
    return (
        f"{step.observation.astype(float).sum().hex()} {step.reward.sum().hex()} {step.response.click.tobytes().hex()}"
    )


def session_of(simulator: Simulator, users: np.ndarray, row: int) -> list[str]:
    """What one row goes through in five steps among `users`."""
    simulator.reset(users)
    seen = []
    for number in range(5):
        step = simulator.step(slates_of(len(users), number, simulator.catalog))
        simulator.ended[:] = False
        part = {name: getattr(step, name)[[row]] for name in ("observation", "reward")}
        response = replace(step.response, click=step.response.click[[row]])
        seen.append(digest(step._replace(response=response, **part)))
    return seen


def test_user_17_is_the_same_alone_among_others_and_shuffled(simulator: Simulator) -> None:
    alone = session_of(simulator, np.array([17]), 0)
    order = np.random.Generator(np.random.Philox(8)).permutation(300)
    assert session_of(simulator, np.arange(300), 17) == alone
    assert session_of(simulator, order, int(np.flatnonzero(order == 17)[0])) == alone
    assert session_of(simulator, np.array([18]), 0) != alone


ELSEWHERE = """
import sys
import numpy as np
from recsim import load_catalog
from recsim.jit import set_threads
from recsim.simulator import Simulator
from recsim.users.interest import InterestUsers

set_threads(int(sys.argv[1]))
catalog = load_catalog(sys.argv[2])
simulator = Simulator(catalog, InterestUsers(catalog, seed=3), slate_size=4, horizon=12, seed=3)
simulator.reset(300)
for number in range(5):
    draw = np.random.Generator(np.random.Philox(number))
    step = simulator.step(np.tile(draw.permutation(len(catalog))[:4], (300, 1)))
    simulator.ended[:] = False
    print(step.observation.astype(float).sum().hex(), step.reward.sum().hex(), step.response.click.tobytes().hex())
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_users_are_the_same_in_another_process_on_any_number_of_threads(
    simulator: Simulator, threads: int, tmp_path: Path
) -> None:
    simulator.reset(300)
    here = []
    for number in range(5):
        here.append(digest(simulator.step(slates_of(300, number, simulator.catalog))))
        simulator.ended[:] = False
    command = [sys.executable, "-c", ELSEWHERE, str(threads), str(simulator.catalog.save(tmp_path / "catalog"))]
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
    there = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    assert there.splitlines() == here


def test_sessions_and_seeds_differ(catalog: Catalog, simulator: Simulator) -> None:
    users = np.arange(300)
    simulator.reset(users)
    first = simulator.state
    simulator.reset(users, session=1)
    assert not np.array_equal(first.interest, simulator.state.interest)
    other = Simulator(catalog, simulator.users, slate_size=K, seed=4)
    other.reset(users)
    assert not np.array_equal(first.interest, other.state.interest)


def test_two_policies_meet_the_same_users_with_the_same_luck(catalog: Catalog, simulator: Simulator) -> None:
    policies = uniform(catalog, K), popularity(catalog, K)
    responses = []
    for policy in policies:
        observation = simulator.reset(400)
        first = deepcopy(simulator.state)
        decision: Decision = policy.act(observation, simulator.streams)
        responses.append((first, decision.slate, simulator.step(decision.slate).response))
    (state, slate, response), (other_state, other_slate, other_response) = responses
    for f in fields(state):
        assert np.array_equal(getattr(state, f.name), getattr(other_state, f.name))
    # Where both show an item at the same position, the same user looks, clicks and buys alike.
    same = slate == other_slate
    assert same.sum() > 20
    assert np.array_equal(response.click[same], other_response.click[same])
    assert np.array_equal(response.conversion[same], other_response.conversion[same])


def test_expected_is_the_mean_over_luck(catalog: Catalog, simulator: Simulator) -> None:
    n = 100_000
    simulator.reset(np.array([17]))
    slate = np.array([[5, 9, -1, 20]])
    expected = simulator.expected(slate)[0]
    one = simulator.state
    simulator.reset(np.arange(n))
    simulator.state = type(one)(*(np.repeat(getattr(one, f.name), n, axis=0) for f in fields(one)))
    step = simulator.step(np.tile(slate, (n, 1)))
    drawn = simulator.objectives.per_position(step.response.click, step.response.conversion, step.slate, catalog)
    error = drawn.std(axis=0) / np.sqrt(n)
    assert (np.abs(drawn.mean(axis=0) - expected) <= 4 * error).all()
    assert not expected[2].any()
    assert (expected[[0, 1, 3], :2] > 0).all()


def test_expected_changes_nothing(simulator: Simulator) -> None:
    simulator.reset(3)
    before, state = simulator.history[:], simulator.state
    first = simulator.expected(slates_of(3, 0, simulator.catalog))
    assert np.array_equal(first, simulator.expected(slates_of(3, 0, simulator.catalog)))
    assert simulator.state is state
    assert all(np.array_equal(getattr(before, f.name), getattr(simulator.history, f.name)) for f in fields(before))


def test_a_steps_arrays_are_the_callers(simulator: Simulator) -> None:
    simulator.reset(6)
    first = simulator.step(slates_of(6, 0, simulator.catalog))
    kept = [first.observation.copy(), first.objectives.copy(), first.terminated.copy()]
    simulator.renew(np.ones(6, bool))
    simulator.step(slates_of(6, 1, simulator.catalog))
    assert np.array_equal(first.observation, kept[0])
    assert np.array_equal(first.objectives, kept[1])
    assert np.array_equal(first.terminated, kept[2])


def test_a_state_that_was_handed_out_stays_as_it_was(simulator: Simulator) -> None:
    simulator.reset(6)
    simulator.step(slates_of(6, 0, simulator.catalog))
    held = simulator.state
    copies = {f.name: getattr(held, f.name).copy() for f in fields(held)}
    simulator.renew(np.array([True, False] * 3))
    simulator.step(slates_of(6, 1, simulator.catalog))
    assert all(np.array_equal(getattr(held, name), values) for name, values in copies.items())


BAD_SLATES = [
    (np.zeros((2, K), int), r"slate has shape \(2, 4\); \(3, 4\) is needed: a row a user"),
    (np.zeros((3, K + 1), int), r"slate has shape \(3, 5\); \(3, 4\) is needed"),
    (
        np.array([[0, 1, 2, 3], [0, 1, 2, 24], [0, 1, 2, 3]]),
        r"row 1, position 3 of the slate is item 24; items of 'syn",
    ),
    (np.array([[0, 1, 2, 3], [0, 1, 2, 3], [0, -2, 2, 3]]), r"row 2, position 1 of the slate is item -2; .* 0 to 23"),
    (np.array([[0, 1, 2, 3], [0, 1, 2.5, 3], [0, 1, 2, 3]]), r"row 1, position 2 of the slate is 2\.5.*float64"),
    (np.array([[0, 1, 2, 3], [0, 1, 2, 3], [np.nan, 1, 2, 3]]), r"row 2, position 0 of the slate is nan.*float64"),
    (np.ones((3, K)), r"row 0, position 0 of the slate is 1\.0.*float64.*astype"),
    (np.ones((3, K), bool), r"row 0, position 0 of the slate is True.*bool"),
    ([[0, 1, 2, 2**70], [0, 1, 2, 3], [0, 1, 2, 3]], r"object"),
    ([[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2]], r"rows of different length"),
    (np.full((3, K), 2**64 - 1, np.uint64), r"row 0, position 0 of the slate is item 18446744073709551615"),
]


@pytest.mark.parametrize(("slate", "message"), BAD_SLATES)
def test_a_wrong_slate_is_named_and_changes_nothing(simulator: Simulator, slate: object, message: str) -> None:
    good = slates_of(3, 0, simulator.catalog)
    simulator.reset(3)
    expected = digest(simulator.step(good))
    simulator.reset(3)
    with pytest.raises(ValueError, match=message):
        simulator.step(slate)  # type: ignore[arg-type]
    assert digest(simulator.step(good)) == expected


def test_step_before_reset(catalog: Catalog) -> None:
    fresh = Simulator(catalog, Clockwork(), slate_size=K)
    assert fresh.n == 0
    with pytest.raises(RuntimeError, match="step before reset: there are no users yet. Call reset first"):
        fresh.step(np.zeros((1, K), int))


def test_step_after_the_end(clockwork: Simulator) -> None:
    clockwork.reset(2)
    slate = np.tile(np.arange(K), (2, 1))
    clockwork.step(slate)
    with pytest.raises(RuntimeError, match=r"the session of row 0 has ended: renew\(ended\) or keep\(~ended\)"):
        clockwork.step(slate)
    clockwork.renew(clockwork.ended)
    clockwork.step(slate)


@pytest.mark.parametrize("ended", [np.ones(3, bool), np.array([1, 0]), [[True, False]]])
def test_renew_takes_a_mask_over_the_rows(clockwork: Simulator, ended: object) -> None:
    clockwork.reset(2)
    with pytest.raises(ValueError, match=r"ended is a mask \(2,\) bool"):
        clockwork.renew(ended)  # type: ignore[arg-type]
    assert clockwork.streams.user.tolist() == [0, 1]


def test_sizes_out_of_range(catalog: Catalog) -> None:
    for size in (0, 25):
        with pytest.raises(ValueError, match=rf"slate_size is {size}; the catalogue 'synthetic' allows 1 to 24"):
            Simulator(catalog, Clockwork(), slate_size=size)
    with pytest.raises(ValueError, match="horizon is 0; a session needs at least 1 slate"):
        Simulator(catalog, Clockwork(), horizon=0)


def test_nothing_global_is_drawn(simulator: Simulator) -> None:
    before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    simulator.reset(4)
    run(simulator, 3)
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
