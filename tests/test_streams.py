"""Keyed streams: bit-equal to numpy's Philox, the same draw for the same name, and of the right distribution."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsim import rollout
from recsim.streams import Streams, philox, purpose_key, sub_seed, to_normal, to_unit, user_numbers

WORD = st.integers(0, 2**64 - 1)
DRAWS = 20_000


def numpy_uniform(seed: int, purpose: str, user: int, session: int, step: int, lanes: int) -> np.ndarray:
    """The first draws of a stream by numpy's own generator: 53 bits, moved half a step up, held below 1."""
    key, counter = [seed, int(purpose_key(purpose))], [0, step, session, user]
    words = np.random.Philox(key=np.array(key, np.uint64), counter=np.array(counter, np.uint64)).random_raw(lanes)
    return np.minimum((words >> np.uint64(11)) * 2.0**-53 + 2.0**-54, 1 - 2.0**-53)


@given(key=st.tuples(WORD, WORD), counter=st.tuples(st.integers(0, 2**64 - 2), WORD, WORD, WORD))
@settings(max_examples=200, deadline=None)
def test_philox_is_numpys(key: tuple[int, int], counter: tuple[int, int, int, int]) -> None:
    ours = philox(*(np.uint64(word) for word in (*key, *counter)))
    numpys = np.random.Philox(key=np.array(key, np.uint64), counter=np.array(counter, np.uint64)).random_raw(4)
    assert [int(word) for word in ours] == numpys.tolist()


@given(seed=WORD, user=WORD, session=WORD, step=WORD, purpose=st.text(max_size=20), lanes=st.integers(1, 11))
@settings(max_examples=100, deadline=None)
def test_uniform_is_numpys_philox(seed: int, user: int, session: int, step: int, purpose: str, lanes: int) -> None:
    streams = Streams.of(seed, *(np.array([word], np.uint64) for word in (user, session, step)))
    assert (
        streams.uniform(purpose, lanes)[0].tolist() == numpy_uniform(seed, purpose, user, session, step, lanes).tolist()
    )


def test_lanes_are_items() -> None:
    streams = Streams.of(3, 5, session=2, step=7)
    by_lane = streams.uniform("click", 30)
    items = np.array([[4, 29, 0], [1, 1, 2], [7, 8, 9], [28, 3, 15], [10, 20, 0]])
    for draw in ("uniform", "normal", "gumbel"):
        lanes, named = getattr(streams, draw)("click", 30), getattr(streams, draw)("click", items=items)
        assert np.array_equal(named, np.take_along_axis(lanes, items, axis=1))
    assert np.array_equal(streams.uniform("click"), by_lane[:, 0])
    assert np.array_equal(
        streams.uniform("click", items=items[:, ::-1]), streams.uniform("click", items=items)[:, ::-1]
    )


def test_an_empty_position_has_a_lane_of_its_own() -> None:
    streams = Streams.of(0, 50)
    items = np.tile(np.append(np.arange(40), -1), (50, 1))
    draws = streams.uniform("click", items=items)
    assert len(np.unique(draws)) == draws.size


def test_a_draw_does_not_depend_on_the_other_rows() -> None:
    many = Streams.of(1, 300, session=4, step=9)
    order = np.random.Generator(np.random.Philox(0)).permutation(300)
    draws = many.uniform("click", 6)
    assert np.array_equal(many[order].uniform("click", 6), draws[order])
    assert np.array_equal(many[many.user % 2 == 0].uniform("click", 6), draws[::2])
    assert np.array_equal(Streams.of(1, [17], session=4, step=9).uniform("click", 6)[0], draws[17])


@pytest.mark.parametrize("field", ["seed", "user", "session", "step"])
def test_every_part_of_the_name_changes_the_draws(field: str) -> None:
    names = {"seed": 5, "user": 5, "session": 5, "step": 5}
    first, second = (
        Streams.of(n["seed"], [n["user"]], n["session"], n["step"]).uniform("click", 1000)
        for n in (names, names | {field: 6})
    )
    assert not np.isin(first, second).any()


def test_purposes_are_independent() -> None:
    streams = Streams.of(0, DRAWS)
    names = ("click", "conversion", "examine", "item quality")
    correlation = np.corrcoef([streams.uniform(name) for name in names])[np.triu_indices(len(names), 1)]
    assert np.abs(correlation).max() < 4 / np.sqrt(DRAWS)


def test_lanes_users_steps_and_sessions_are_independent() -> None:
    streams = Streams.of(0, DRAWS)
    here = streams.uniform("click", 9)
    later = streams.at(1).uniform("click", 9)
    again = Streams.of(0, DRAWS, session=1).uniform("click", 9)
    correlation = np.corrcoef(np.concatenate([here, later, again], axis=1).T)
    assert np.abs(correlation[np.triu_indices(27, 1)]).max() < 4.5 / np.sqrt(DRAWS)
    assert abs(np.corrcoef(here[:-1, 0], here[1:, 0])[0, 1]) < 4 / np.sqrt(DRAWS)


@pytest.mark.parametrize(("draw", "distribution"), [("uniform", "uniform"), ("normal", "norm"), ("gumbel", "gumbel_r")])
def test_draws_follow_their_distribution(draw: str, distribution: str) -> None:
    values = getattr(Streams.of(11, DRAWS), draw)("check", 5)
    assert values.shape == (DRAWS, 5)
    assert stats.kstest(values.ravel(), distribution).pvalue > 0.001


def test_normal_is_the_quantile_function() -> None:
    edges = [2.0**-54, 1e-300**0.05, 1e-5, 0.074, 0.0751, 0.4999, 0.5, 0.924, 0.926, 1 - 1e-9, 1 - 2.0**-53]
    units = np.concatenate([edges, Streams.of(0, 2000).uniform("check")])
    np.testing.assert_allclose([to_normal(unit) for unit in units], stats.norm.ppf(units), rtol=1e-13, atol=1e-16)
    streams = Streams.of(0, 9)
    assert streams.normal("check", 4)[3, 2] == to_normal(streams.uniform("check", 4)[3, 2])


def test_uniform_draws_stay_inside_the_open_interval() -> None:
    least, most = to_unit(np.uint64(0)), to_unit(np.uint64(2**64 - 1))
    assert least == 2.0**-54
    assert most == 1 - 2.0**-53
    assert np.isfinite([-np.log(-np.log(least)), -np.log(-np.log(most)), np.log1p(-most)]).all()


def test_choice_follows_the_probabilities() -> None:
    probability = np.array([0.5, 0.0, 0.3, 0.2])
    counts = np.bincount(Streams.of(2, DRAWS).choice("pick", probability), minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]], DRAWS * probability[[0, 2, 3]]).pvalue > 0.001


def test_choice_takes_a_row_for_each_user() -> None:
    certain = np.eye(3)[[2, 0, 1, 1]]
    assert Streams.of(0, 4).choice("pick", certain).tolist() == [2, 0, 1, 1]


@pytest.mark.parametrize(
    "probability", [[0.5, 0.6], [0.5, np.nan], [1.5, -0.5]], ids=["sums to 1.1", "not a number", "negative"]
)
def test_choice_refuses_what_is_no_probability(probability: list[float]) -> None:
    table = np.array([[0.5, 0.5], probability])
    with pytest.raises(ValueError, match=r"row 1 of probability sums to .* or is negative; divide it by its sum"):
        Streams.of(0, 2).choice("pick", table)


def test_at_moves_to_another_step() -> None:
    streams = Streams.of(0, 3, session=1)
    assert streams.at(4).step.tolist() == [4, 4, 4]
    assert streams.at([1, 2, 3]).step.tolist() == [1, 2, 3]
    assert streams.step.tolist() == [0, 0, 0]
    assert np.array_equal(streams.at([0, 2, 0]).uniform("x")[1:2], streams[[1]].at(2).uniform("x"))


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range(seed: int) -> None:
    with pytest.raises(ValueError, match=rf"seed is {seed}; a seed is a whole number from 0 to"):
        Streams.of(seed, 1)
    with pytest.raises(ValueError, match=rf"seed is {seed}; a seed is a whole number from 0 to"):
        sub_seed(seed, "training")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("user", ([-1],)), ("user", (-3,)), ("user", ([0.5],)), ("session", ([0], -1)), ("step", ([0], 0, [1.5]))],
)
def test_names_are_whole_numbers(name: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match=f"{name} numbers must be whole numbers from 0 up"):
        Streams.of(0, *arguments)


@pytest.mark.parametrize("count", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_a_single_number_is_a_count(count: Any) -> None:
    assert user_numbers(count).tolist() == Streams.of(0, count).user.tolist() == [0, 1, 2]
    assert user_numbers([3]).tolist() == Streams.of(0, [3]).user.tolist() == [3]
    assert user_numbers(count).dtype == np.int64
    assert user_numbers(np.array([2**64 - 1], np.uint64)).tolist() == [2**64 - 1]


@pytest.mark.parametrize(
    ("users", "message"),
    [
        (0, "there are no users; at least 1 is needed"),
        ([], "there are no users; at least 1 is needed"),
        (True, "user numbers must be whole numbers from 0 up, but True was given"),
        (2.0, "user numbers must be whole numbers from 0 up, but 2.0 was given"),
        (-3, "user numbers must be whole numbers from 0 up, but -3 was given"),
        ([1.7, 2.2], r"user numbers must be whole numbers from 0 up, but array\(\[1.7, 2.2\]\) was given"),
        ([True, False], "user numbers must be whole numbers from 0 up"),
        ([2**70], "user numbers must be whole numbers from 0 up"),
        ([[1, 2]], r"user numbers have shape \(1, 2\); a count n or an array \(n,\) is needed"),
    ],
)
def test_what_are_no_users(users: Any, message: str) -> None:
    for take in (user_numbers, rollout.user_numbers, lambda users: Streams.of(0, users)):
        with pytest.raises(ValueError, match=message):
            take(users)


def test_purpose_keys_are_fixed_for_ever() -> None:
    assert int(purpose_key("click")) == 3201885008413916684  # first 8 bytes of BLAKE2b-64 of b"click", little-endian
    assert purpose_key("click") != purpose_key("clicks")


def test_sub_seeds_differ_by_part_and_seed() -> None:
    seeds = {sub_seed(seed, part) for seed in range(50) for part in ("training", "evaluation", "log")}
    assert len(seeds) == 150
    assert max(seeds) < 2**32
