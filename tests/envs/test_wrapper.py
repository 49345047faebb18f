"""What every wrapper owes: the checkers, single and vector alike to the bit, errors that change nothing."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorWrapper
from gymnasium.wrappers import vector as wrappers
from numpy.typing import NDArray

from recsim.envs import (
    Candidates,
    FusionWeights,
    ProtoAction,
    Reveal,
    RevealWrapper,
    SlateEnv,
    SlateVectorEnv,
    SlateWrapper,
    VectorReward,
)

N, STEPS = 5, 25
WRAP: dict[str, Callable[[Any], Any]] = {
    "proto-action": ProtoAction,
    "fusion weights": FusionWeights,
    "candidates": lambda env: Candidates(env, 9, item_numbers=True),
    "vector reward": VectorReward,
    "reveal": Reveal,
    "reveal in the observation": lambda env: Reveal(env, observation=True),
    "one in the other": lambda env: Candidates(VectorReward(Reveal(env, observation=True)), 9),
}


@pytest.fixture(params=WRAP)
def wrap(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return WRAP[request.param]


def actions(env: Any, steps: int = STEPS) -> list[NDArray[Any]]:
    env.action_space.seed(11)
    return [env.action_space.sample() for _ in range(steps)]


def same(left: Any, right: Any) -> bool:
    return data_equivalence(left, right, exact=True)


def row_of(values: Any, row: int) -> Any:
    """A row of nested infos or observations, without masks."""
    if isinstance(values, dict):
        return {name: row_of(part, row) for name, part in values.items() if not name.startswith("_")}
    return values[row]


# Gymnasium


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version", "ignore:.*reward returned by `step")
def test_gymnasiums_checker(world: dict[str, Any], wrap: Any) -> None:
    check_env(wrap(SlateEnv(**world)), skip_render_check=True)


def test_it_is_a_wrapper_of_its_kind(world: dict[str, Any]) -> None:
    single, vector = ProtoAction(SlateEnv(**world)), ProtoAction(SlateVectorEnv(N, **world))
    assert isinstance(single, ProtoAction)
    assert isinstance(single, gymnasium.Wrapper)
    assert not isinstance(single, VectorWrapper)
    assert isinstance(vector, ProtoAction)
    assert isinstance(vector, VectorWrapper)
    assert str(single) == "<ProtoAction<SlateEnv instance>>"
    assert single.simulator is single.unwrapped.simulator  # type: ignore[attr-defined]
    assert RevealWrapper is Reveal
    made = ProtoAction(gymnasium.make("recsim/Slate-v0", **world))
    made.reset(seed=0)
    assert made.step(made.action_space.sample())[0] in made.observation_space


def test_spaces(world: dict[str, Any], wrap: Any) -> None:
    single, vector = wrap(SlateEnv(**world)), wrap(SlateVectorEnv(N, **world))
    assert vector.single_action_space == single.action_space
    assert vector.single_observation_space == single.observation_space
    assert vector.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert vector.reset(seed=2)[0] in vector.observation_space
    for action in actions(vector):
        observation, *_, infos = vector.step(action)
        assert observation in vector.observation_space
        for row in np.flatnonzero(infos.get("_final_obs", np.zeros(N, bool))):
            assert infos["final_obs"][row] in single.observation_space


# One and many


def test_rows_are_successive_single_environments(world: dict[str, Any], wrap: Any) -> None:
    vector = wrap(SlateVectorEnv(N, **world))
    first, first_infos = vector.reset(seed=8)
    chosen = actions(vector)
    taken = [vector.step(action) for action in chosen]
    ends = 0
    for row in range(N):
        single, sessions = wrap(SlateEnv(**world)), 0
        observation, info = single.reset(seed=8, options={"user": row})
        assert same((observation, info), (row_of(first, row), row_of(first_infos, row)))
        for action, (observations, rewards, terminated, truncated, infos) in zip(chosen, taken, strict=True):
            observation, reward, *end, info = single.step(action[row])
            assert np.array_equal(reward, rewards[row])
            assert end == [terminated[row], truncated[row]]
            if any(end):
                assert same(observation, infos["final_obs"][row])
                last = {name: value for name, value in info.items() if name != "reward"}
                assert same(last, row_of(infos["final_info"], row))
                sessions += 1
                observation, info = single.reset(options={"user": row + N * sessions})
            of_step = {"objectives", "reward", "final_obs", "final_info"}
            assert same(
                {name: value for name, value in info.items() if name not in of_step},
                {name: value for name, value in row_of(infos, row).items() if name not in of_step},
            )
            assert same(observation, row_of(observations, row))
        ends += sessions
    assert ends > 2 * N


@pytest.mark.parametrize("name", ["candidates", "reveal in the observation"])
def test_one_row_is_gymnasiums_own_vector_of_one(world: dict[str, Any], name: str) -> None:
    ours = WRAP[name](SlateVectorEnv(1, **world))
    theirs = SyncVectorEnv([lambda: WRAP[name](SlateEnv(**world))], autoreset_mode=AutoresetMode.SAME_STEP)
    assert same(ours.reset(seed=8), theirs.reset(seed=8))
    ends = 0
    for action in actions(ours):
        (*our_step, our_infos), (*their_step, their_infos) = ours.step(action), theirs.step(action)
        assert same(our_step, their_step)
        if "final_obs" in their_infos:
            ends += 1
            our_infos.pop("objectives"), our_infos.pop("_objectives")  # ours tells those of the step all the same
        assert same(our_infos, their_infos)
    assert ends > 2


def test_gymnasiums_vector_wrappers_take_it(world: dict[str, Any]) -> None:
    env = wrappers.RecordEpisodeStatistics(FusionWeights(SlateVectorEnv(N, **world)))
    env.reset(seed=1)
    episodes = sum(env.step(action)[4].get("_episode", np.zeros(N)).sum() for action in actions(env))
    assert episodes > 2 * N


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
def test_copies_go_on_alike_and_apart(world: dict[str, Any], wrap: Any, copied: Any) -> None:
    for make in (lambda: SlateEnv(**world), lambda: SlateVectorEnv(N, **world)):
        env = wrap(make())
        env.reset(seed=1)
        twin = copied(env)
        assert type(twin) is type(env)
        assert twin.simulator is twin.unwrapped.simulator
        action = actions(env, 1)[0]
        ahead = env.step(action)
        assert same(twin.step(action), ahead)


def test_what_it_gives_is_the_callers(world: dict[str, Any], wrap: Any) -> None:
    """Writing into what was given changes nothing of what comes."""
    for make in (lambda: SlateEnv(**world), lambda: SlateVectorEnv(N, **world)):
        env, other = wrap(make()), wrap(make())
        spoil(env.reset(seed=1))
        other.reset(seed=1)
        for action in actions(env, 6):
            step = env.step(action)
            assert same(step, other.step(action))
            if step[2] is True or step[3] is True:
                step = env.reset()
                other.reset()
            spoil(step)


def spoil(values: Any) -> None:
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, tuple | list):
        for part in values:
            spoil(part)
    elif isinstance(values, np.ndarray) and values.dtype.kind in "fi":
        values[...] = 7


# Errors


def put(value: Any, place: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The same action with another value at a place of the first row."""
    return lambda action: np.where(np.arange(action.size).reshape(action.shape) == place, value, action)


CONTINUOUS = [
    (lambda a: a[..., :-1], r"the action has shape \((5, )?\d+,?\); {name} takes \((5, )?\d+,?\)"),
    (lambda a: a[None], r"the action has shape \(1, .*\); {name} takes"),
    (put(np.nan, 1), "row 0, place 1 of the action is nan; {name} takes numbers"),
    (put(np.inf, 2), "row 0, place 2 of the action is inf; {name} takes numbers"),
    (
        put(-1.5, 0),
        r"row 0, place 0 of the action is -1\.5; {name} takes numbers from -1\.0 to 1\.0 \(gymn",
    ),
    (lambda a: a.astype(str), r"the action is an array of <U\d+; {name} takes numbers"),
]
PLACES = [
    (lambda a: a[..., :-1], r"the action has shape \((5, )?3,?\); {name} takes \((5, )?4,?\)"),
    (put(9, 1), "row 0, place 1 of the action is 9; {name} takes whole numbers from 0 to 8"),
    (put(-1, 3), "row 0, place 3 of the action is -1; {name} takes whole numbers"),
    (lambda a: a.astype(float), "the action is an array of float64; {name} takes whole numbers"),
]
BAD = [
    *[("proto-action", "ProtoAction", *bad) for bad in CONTINUOUS],
    *[("fusion weights", "FusionWeights", *bad) for bad in CONTINUOUS],
    *[("candidates", "Candidates", *bad) for bad in PLACES],
]


@pytest.mark.parametrize(("wrap_name", "name", "wrong", "message"), BAD)
def test_a_wrong_action_is_named_and_changes_nothing(
    world: dict[str, Any], wrap_name: str, name: str, wrong: Any, message: str
) -> None:
    for make in (lambda: SlateEnv(**world), lambda: SlateVectorEnv(N, **world)):
        env, other = WRAP[wrap_name](make()), WRAP[wrap_name](make())
        env.reset(seed=1), other.reset(seed=1)
        for action in actions(env, 2):
            with pytest.raises(ValueError, match=message.format(name=name)):
                env.step(wrong(action))
            assert same(env.step(action), other.step(action))


def test_the_row_of_a_wrong_action(world: dict[str, Any]) -> None:
    env = ProtoAction(SlateVectorEnv(N, **world))
    env.reset()
    action = np.zeros((N, 11))
    action[3, 7] = 1.01
    with pytest.raises(ValueError, match=r"row 3, place 7 of the action is 1\.01; ProtoAction takes numbers"):
        env.step(action)


@pytest.mark.parametrize("make", [SlateEnv, SlateVectorEnv])
def test_step_before_reset(world: dict[str, Any], wrap: Any, make: Any) -> None:
    env = wrap(make(**world))
    with pytest.raises(RuntimeError, match="step before reset: there are no users yet"):
        env.step(actions(env, 1)[0])
    env.reset()
    env.step(actions(env, 1)[0])


def test_step_after_the_end(clockwork: dict[str, Any], wrap: Any) -> None:
    env = wrap(SlateEnv(**clockwork))
    env.reset()
    assert env.step(actions(env, 1)[0])[2]
    with pytest.raises(RuntimeError, match="step after the end: this session is over. Call reset for the next user"):
        env.step(actions(env, 1)[0])
    env.reset()
    env.step(actions(env, 1)[0])


class Foreign(gymnasium.Env[Any, Any]):
    """An environment of somebody else."""


def test_what_cannot_be_wrapped(world: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="ProtoAction wraps SlateEnv or SlateVectorEnv, but <Foreign.* is neither"):
        ProtoAction(Foreign())
    with pytest.raises(TypeError, match="Reveal wraps SlateEnv or SlateVectorEnv, but None is neither"):
        Reveal(None)
    inner = ProtoAction(SlateEnv(**world))
    with pytest.raises(TypeError, match="FusionWeights gives slates, but <Proto.* takes a Box: put it inside"):
        FusionWeights(inner)
    with pytest.raises(TypeError, match="Reveal needs rows to look at, but <Cand.* shows a Dict: put it inside"):
        Reveal(Candidates(SlateEnv(**world), 9))


# Wrappers of one's own


class Reversed(SlateWrapper):
    """Bottom first, and only the first three numbers of the observation."""

    def __init__(self, env: Any) -> None:
        super().__init__(env, action=env.action_space, observation=Box(-9, 9, (3,)))

    def slates(self, action: NDArray[Any], memory: Any) -> NDArray[Any]:
        return action[:, ::-1]


def test_a_wrapper_of_ones_own_is_two_methods(clockwork: dict[str, Any]) -> None:
    env = Reversed(SlateEnv(**clockwork))
    env.reset()
    novelty = env.simulator.catalog.novelty
    info = env.step(np.array([3, 4, 5, 6]))[4]
    assert info["objectives"][2] == pytest.approx(novelty[6])  # clockwork users click the top item
