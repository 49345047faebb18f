"""`SlateVectorEnv`: rows are single environments, sessions follow without a gap, infos are arrays."""

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as wrappers

from recsim.envs.single import SlateEnv
from recsim.envs.vector import SlateVectorEnv
from recsim.testing.global_random import seeded_globally
from recsim.users.choice import BUILT_IN

N, STEPS = 5, 30


@pytest.fixture
def env(world: dict[str, Any]) -> SlateVectorEnv:
    return SlateVectorEnv(N, **world)


@pytest.fixture
def slates() -> np.ndarray:
    """(steps, n, k), some with repeats."""
    return np.random.Generator(np.random.Philox(6)).integers(0, 24, (STEPS, N, 4))


def test_rows_are_successive_single_environments(
    env: SlateVectorEnv, world: dict[str, Any], slates: np.ndarray
) -> None:
    first, _ = env.reset(seed=8)
    taken = [env.step(slate) for slate in slates]
    ends = 0
    for row in range(N):
        single, sessions = SlateEnv(**world), 0
        observation, _ = single.reset(seed=8, options={"user": row})
        assert np.array_equal(observation, first[row])
        for slate, (observations, rewards, terminated, truncated, infos) in zip(slates, taken, strict=True):
            observation, *outcome, info = single.step(slate[row])
            assert outcome == [rewards[row], terminated[row], truncated[row]]
            assert np.array_equal(info["objectives"], infos["objectives"][row])
            if terminated[row] or truncated[row]:
                assert np.array_equal(infos["final_obs"][row], observation)
                assert np.array_equal(infos["final_info"]["objectives"][row], info["objectives"])
                sessions += 1
                observation, _ = single.reset(options={"user": row + N * sessions})
            elif "final_obs" in infos:
                assert infos["final_obs"][row] is None
                assert not infos["_final_obs"][row]
            assert np.array_equal(observation, observations[row])
        ends += sessions
    assert ends > 3 * N


@pytest.mark.parametrize("options", [{}, {"users": "news", "sessions": 2}], ids=["plain", "news of two sessions"])
def test_one_row_is_gymnasiums_own_vector_of_one(
    world: dict[str, Any], slates: np.ndarray, options: dict[str, Any]
) -> None:
    ours = SlateVectorEnv(1, **world | options)
    theirs = SyncVectorEnv([lambda: SlateEnv(**world | options)], autoreset_mode=AutoresetMode.SAME_STEP)
    assert data_equivalence(ours.reset(seed=8), theirs.reset(seed=8), exact=True)
    ends = 0
    for slate in slates:
        (*our_step, our_infos), (*their_step, their_infos) = ours.step(slate[:1]), theirs.step(slate[:1])
        assert data_equivalence(our_step, their_step, exact=True)
        if "final_obs" in their_infos:
            ends += 1
            # The row's step is over and reset has no objectives; ours tells those of the step all the same.
            our_infos.pop("objectives"), our_infos.pop("_objectives")
        assert data_equivalence(our_infos, their_infos, exact=True)
    assert ends > 3


def test_infos_are_arrays_with_masks(env: SlateVectorEnv, slates: np.ndarray) -> None:
    assert env.reset()[1] == {}
    seen = 0
    for slate in slates:
        _, _, terminated, truncated, infos = env.step(slate)
        ended = terminated | truncated
        assert infos["objectives"].shape == (N, 3)
        assert infos["objectives"].dtype == np.float64
        assert infos["_objectives"].all()
        assert ("final_obs" in infos) == ended.any()
        if ended.any():
            seen += 1
            assert set(infos) == {
                f"{mask}{name}" for mask in ("", "_") for name in ("objectives", "final_obs", "final_info")
            }
            for mask in (infos["_final_obs"], infos["_final_info"], infos["final_info"]["_objectives"]):
                assert mask.tolist() == ended.tolist()
            assert np.stack(infos["final_obs"][ended]).shape == (ended.sum(), env.simulator.layout.size)
            assert not infos["final_info"]["objectives"][~ended].any()
    assert 0 < seen < STEPS


def test_the_final_observation_is_not_overwritten(env: SlateVectorEnv, slates: np.ndarray) -> None:
    env.reset()
    for slate in slates:
        observation, *_, infos = env.step(slate)
        progress = env.simulator.layout["progress"].start
        for row in np.flatnonzero(infos.get("_final_obs", np.zeros(N, bool))):
            assert infos["final_obs"][row][progress] > 0
            assert observation[row][progress] == 0


def test_ends_by_hand(clockwork: dict[str, Any]) -> None:
    env = SlateVectorEnv(3, **clockwork)
    env.reset(options={"user": 1})  # users 1, 2, 3 stay for 2, 3, 4 slates; the horizon is 3
    slate = np.tile(np.arange(4), (3, 1))
    ends = [tuple(flags.tolist() for flags in env.step(slate)[2:4]) for _ in range(3)]
    nobody = [False, False, False]
    assert ends == [(nobody, nobody), ([True, False, False], nobody), ([True, True, False], [False, False, True])]
    assert env.simulator.streams.user.tolist() == [7, 5, 6]  # user 4 came and left within one slate


@pytest.mark.parametrize("options", [{}, {"users": "news", "sessions": 2}], ids=["plain", "news of two sessions"])
def test_spaces_and_metadata(world: dict[str, Any], slates: np.ndarray, options: dict[str, Any]) -> None:
    env = SlateVectorEnv(N, **world | options)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert env.observation_space.shape == (N, *(env.single_observation_space.shape or ()))
    assert env.action_space.shape == (N, 4)
    assert env.reset()[0] in env.observation_space
    for slate in slates:
        assert slate in env.action_space
        observation, reward, terminated, truncated, _ = env.step(slate)
        assert observation in env.observation_space
        assert (reward.shape, reward.dtype) == ((N,), np.float64)
        assert terminated.dtype == truncated.dtype == np.bool_
        assert not (terminated & truncated).any()
    env.close()


def test_gymnasiums_wrappers_take_it(world: dict[str, Any], slates: np.ndarray) -> None:
    env = gymnasium.make_vec("recsim/Slate-v0", num_envs=N, **world)
    listed = wrappers.DictInfoToList(wrappers.RecordEpisodeStatistics(wrappers.ClipReward(env, 0.0, 1.0)))
    listed.reset(seed=0)
    episodes = 0
    for slate in slates:
        _, reward, terminated, truncated, infos = listed.step(slate)
        assert (reward <= 1.0).all()
        for row, ended in enumerate(terminated | truncated):
            assert infos[row]["objectives"].shape == (3,)
            assert ("final_obs" in infos[row]) == ("episode" in infos[row]) == ended
            if ended:
                assert infos[row]["final_obs"] in env.single_observation_space
                assert infos[row]["final_info"]["objectives"].shape == (3,)
                episodes += 1
    assert episodes > N


def test_reset_goes_on_with_the_next_users(clockwork: dict[str, Any]) -> None:
    env = SlateVectorEnv(4, **clockwork)
    users = []
    for arguments in ({}, {}, {"options": {"user": 17}}, {}, {"seed": 4}, {"seed": 4, "options": {"user": 2}}):
        env.reset(**arguments)
        users.append(env.simulator.streams.user.tolist())
    assert [first for first, *_ in users] == [0, 4, 17, 21, 0, 2]
    assert all(np.diff(row).tolist() == [1, 1, 1] for row in users)


def test_same_seed_same_world(env: SlateVectorEnv, slates: np.ndarray) -> None:
    runs = []
    for seed in (42, 42, 43):
        env.reset(seed=seed)
        runs.append([step[1].tolist() for step in map(env.step, slates)])
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
@pytest.mark.parametrize("choice", BUILT_IN)
def test_copies_go_on_alike_and_apart(world: dict[str, Any], slates: np.ndarray, choice: str, copied: Any) -> None:
    options = {"conversion_delay": 2.0, "return_offset": 3.0, "choice": choice}
    env = SlateVectorEnv(N, **world | {"users": "news", "sessions": 2, "user_options": options})
    with seeded_globally(0) as touched:
        env.reset(seed=1)
        for slate in slates[:4]:
            env.step(slate)
        twin = copied(env)
        ahead = [env.step(slate) for slate in slates]
        assert data_equivalence(ahead, [twin.step(slate) for slate in slates], exact=True)
    assert touched == []


BAD_ACTIONS = [
    (
        np.zeros((N - 1, 4), int),
        r"the action has shape \(4, 4\); \(5, 4\) is needed: an item number for every position",
    ),
    (np.zeros(4, int), r"the action has shape \(4,\); \(5, 4\) is needed"),
    (np.where(np.arange(20).reshape(5, 4) == 14, 24, 0), r"row 3, position 2 of the slate is item 24"),
    (np.where(np.arange(20).reshape(5, 4) == 14, -1, 0), r"row 3, position 2 of the slate is item -1"),
    (np.where(np.arange(20).reshape(5, 4) == 14, 1.5, 0), r"row 3, position 2 of the slate is 1\.5.*astype"),
    (np.where(np.arange(20).reshape(5, 4) == 14, np.nan, 0), r"row 3, position 2 of the slate is nan"),
    (np.where(np.arange(20).reshape(5, 4) == 14, np.inf, 0), r"row 3, position 2 of the slate is inf"),
    (np.zeros((N, 4), bool), r"row 0, position 0 of the slate is False, in an array of bool"),
    ([[0, 1, 2, 3]] * 4 + [[0, 1, 2]], r"slate has rows of different length"),
]


@pytest.mark.parametrize(("action", "message"), BAD_ACTIONS)
def test_a_wrong_action_is_named_and_changes_nothing(
    env: SlateVectorEnv, slates: np.ndarray, action: np.ndarray, message: str
) -> None:
    env.reset(seed=1)
    expected = env.step(slates[0])
    env.reset(seed=1)
    with pytest.raises(ValueError, match=message):
        env.step(action)
    assert data_equivalence(env.step(slates[0]), expected, exact=True)


def test_step_before_reset(env: SlateVectorEnv, slates: np.ndarray) -> None:
    with pytest.raises(RuntimeError, match="step before reset: there are no users yet"):
        env.step(slates[0])
    env.reset()
    env.step(slates[0])


def test_unknown_options(env: SlateVectorEnv) -> None:
    with pytest.raises(ValueError, match="reset has no option 'reset_mask'; there are 'user'"):
        env.reset(options={"reset_mask": np.ones(N, bool)})
