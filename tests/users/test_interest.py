"""The interest users: equal to the slow reference, pure, and row by row independent."""

import re
from dataclasses import fields, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from recsim.catalog import Catalog
from recsim.modality import Modality
from recsim.streams import Streams
from recsim.users.choice import BUILT_IN, PositionBased
from recsim.users.contract import DeclaresAppeal, HasProfile, Response
from recsim.users.interest import InterestState, InterestUsers
from recsim.users.interest.config import _MOST, _RANGES, InterestConfig

FLAGS = ("click", "conversion", "leave", "examined")


def rows_of(state: InterestState, rows: object) -> InterestState:
    return InterestState(*(getattr(state, f.name)[rows] for f in fields(state)))


def same_state(left: InterestState, right: InterestState) -> bool:
    return all(np.array_equal(getattr(left, f.name), getattr(right, f.name)) for f in fields(left))


def same_response(left: Response, right: Response) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in FLAGS)


EVERYTHING = {
    "anchors": 3, "interest_noise": 0.5, "weight_concentration": 2.0, "interest_scale": 5.0, "quality_scale": 0.5,
    "quality_popularity": -0.2, "price_sensitivity": 0.6, "appetite": 0.5, "click_offset": -1.5, "bait_share": 0.5,
    "bait_visibility": 0.4, "bait_lure": 1.5, "bait_regret": 1.0, "conversion_offset": -0.5, "conversion_slope": 0.8,
    "conversion_price": 0.5, "drift": 0.2, "satiation_cost": 0.7, "satiation_seen": 0.2, "satiation_click": 0.1,
    "satiation_recovery": 0.3, "patience": 5.0, "patience_limit": 6.0, "boredom": 0.4, "monotony": 0.8,
    "enjoyment": 0.9, "disappointment": 0.5, "profile_share": 0.3, "personas": 3, "persona_strength": 0.4,
    "trust_scale": 1.5, "trust_memory": 0.6, "arriving": 0.4, "period": 6.0, "slate_days": 0.7, "ageing": 0.8,
    "conversion_delay": 2.5,
}  # fmt: skip


@pytest.mark.parametrize("choice", [None, *BUILT_IN])
def test_kernel_equals_the_reference(
    catalog: Catalog, streams: Streams, slates: np.ndarray, reference: ModuleType, choice: str | None
) -> None:
    """With the default constants, and with others of every kind under every choice model."""
    config = InterestConfig() if choice is None else InterestConfig(choice=BUILT_IN[choice](), **EVERYTHING)  # type: ignore[arg-type]
    users = InterestUsers(catalog, config, seed=5)
    state = users.sample(streams)
    clicks = leaves = late = 0
    for step in range(12):
        response, after = users.respond(state, slates, streams.at(step))
        for row in range(len(slates)):
            moment = reference.Moment(int(streams.seed), int(streams.user[row]), int(streams.session[row]), step)
            answer = reference.respond(users, state, row, slates[row].tolist(), moment)
            for name in FLAGS:
                assert np.asarray(getattr(response, name))[row].tolist() == getattr(answer, name), (step, row, name)
            if response.delay is not None:
                assert response.delay[row].tolist() == answer.delay
            for name in ("interest", "satiation", "patience", "trust", "pleasure", "day"):
                np.testing.assert_allclose(getattr(after, name)[row], getattr(answer, name), atol=1e-5, err_msg=name)
            clicks, leaves, late = clicks + sum(answer.click), leaves + answer.leave, late + sum(answer.delay)
        state = after
    assert clicks > 40
    assert leaves > 20
    assert (late > 10) == (choice is not None)


@pytest.mark.parametrize("constants", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_appeal_equals_the_reference(
    catalog: Catalog, streams: Streams, slates: np.ndarray, reference: ModuleType, constants: dict[str, Any]
) -> None:
    users = InterestUsers(catalog, InterestConfig(**constants), seed=5)
    state = users.sample(streams)
    _, state = users.respond(state, slates, streams)
    appeal = users.appeal(state, slates)
    everything = users.appeal(state, np.tile(np.arange(len(users.catalog)), (len(slates), 1)))
    for row, position in np.ndindex(*slates.shape):
        item = int(slates[row, position])
        if item < 0:
            assert appeal.click[row, position] == appeal.conversion[row, position] == 0
            continue
        true_utility = reference.utility(users, state, row, item)
        click = reference.click_probability(users, true_utility, item)
        conversion = reference.conversion_probability(users, state, row, true_utility, item)
        satisfied = reference.satisfaction_probability(users, true_utility, item)
        assert appeal.click[row, position] == everything.click[row, item] == pytest.approx(click, abs=1e-5)
        assert (
            appeal.conversion[row, position] == everything.conversion[row, item] == pytest.approx(conversion, abs=1e-5)
        )
        assert appeal.satisfaction is not None
        assert appeal.satisfaction[row, position] == pytest.approx(satisfied, abs=1e-5)


def test_utility_by_hand() -> None:
    table = Catalog.synthetic(4, 2).table.assign(price=[0.0, 0.0, 9.0, 9.0], popularity=[0.25] * 4)
    lines = Modality("text", np.array([[1, 0], [0, 1], [1, 0], [3, 4]], np.float32), np.ones(4, bool))
    tones = Modality("image", np.array([[1.0], [1.0], [-2.0], [1.0]], np.float32), np.array([True, True, True, False]))
    config = InterestConfig(
        interest_scale=2.0, quality_scale=0.0, satiation_cost=0.5, click_offset=-1.0, bait_share=0.0,
        conversion_offset=0.25, conversion_slope=0.5, conversion_price=2.0,
    )  # fmt: skip
    users = InterestUsers(Catalog("hand", table, {"text": lines, "image": tones}), config)
    state = InterestState(
        interest=np.array([[0.6, 0.8, 1.0]], np.float32),
        weight=np.array([[0.75, 0.25]], np.float32),
        satiation=np.array([[0.0, 3.0]], np.float32),
        patience=np.ones(1, np.float32),
        price_sensitivity=np.array([0.1], np.float32),
        appetite=np.array([2.0], np.float32),
        trust=np.zeros(1, np.float32),
        pleasure=np.zeros(1, np.float32),
        day=np.zeros(1, np.float32),
        persona=np.array([-1]),
        declared=np.array([-1]),
    )
    # Categories alternate 0, 1; log prices standardise to -1 and 1; all items are equally popular, so novelty is 0.
    utility = np.array(
        [
            2.0 * (0.75 * 0.6 + 0.25 * 1.0) + 0.1 - 2.0 / 2,
            2.0 * (0.75 * 0.8 + 0.25 * 1.0) + 0.1 - 2.0 / 2 - 0.5 * 3.0,
            2.0 * (0.75 * 0.6 - 0.25 * 1.0) - 0.1 - 2.0 / 2,
            2.0 * (0.75 * (0.6 * 0.6 + 0.8 * 0.8) + 0.25 * 0.0) - 0.1 - 2.0 / 2 - 0.5 * 3.0,
        ]
    )
    appeal = users.appeal(state, np.arange(4)[None])
    np.testing.assert_allclose(appeal.click[0], 1 / (1 + np.exp(1.0 - utility)), rtol=1e-6)
    wish = 0.25 + 0.5 * utility - 2.0 * 0.1 * np.array([-1, -1, 1, 1])
    np.testing.assert_allclose(appeal.conversion[0], 1 / (1 + np.exp(-wish)), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("quality_popularity", 2.0, "a number from -1 to 1"),
        ("weight_concentration", 0, "a number from 0.1 to 1e+06"),
        ("bait_share", -0.1, "a number from 0 to 1"),
        ("bait_visibility", -1.1, "a number from -1 to 1"),
        ("drift", 1.5, "a number from 0 to 1"),
        ("anchors", 0, "a whole number from 1 to 1e+06"),
        ("anchors", 1.5, "a whole number from 1 to 1e+06"),
        ("anchors", True, "a whole number from 1 to 1e+06"),
        ("click_offset", -np.inf, "a number from -1e+06 to 1e+06"),
        ("interest_scale", "6", "a number from 0 to 1e+06"),
    ],
)
def test_constants_out_of_range(name: str, value: object, allowed: str) -> None:
    sentence = f"{name} of the interest users is {value!r}; it is {allowed}."
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        InterestConfig(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [f.name for f in fields(InterestConfig) if f.name != "choice"])
def test_no_constant_is_nan_or_unbounded(name: str) -> None:
    for value in (np.nan, 1e9, -1e9):
        with pytest.raises(ValueError, match=f"{name} of the interest users is"):
            InterestConfig(**{name: value})


@pytest.mark.parametrize("decay", [-0.5, np.nan, np.inf])
def test_decay_out_of_range(decay: float) -> None:
    with pytest.raises(ValueError, match=rf"decay of the examination is {decay}; it is a finite number from 0 up"):
        PositionBased(decay)


@pytest.mark.parametrize("end", [0, 1])
def test_every_allowed_world_has_probabilities(catalog: Catalog, end: int) -> None:
    allowed = {f.name: _RANGES.get(f.name, (0, _MOST))[end] for f in fields(InterestConfig) if f.name != "choice"}
    users, streams = InterestUsers(catalog, InterestConfig(**allowed | {"anchors": 1})), Streams.of(0, 20)  # type: ignore[arg-type]
    slate = np.tile(np.arange(6), (20, 1))
    state = users.sample(streams)
    for _ in range(2):
        appeal = users.appeal(state, slate)
        assert ((appeal.click >= 0) & (appeal.click <= 1) & (appeal.conversion >= 0) & (appeal.conversion <= 1)).all()
        _, state = users.respond(state, slate, streams)


def test_what_is_not_a_number_is_no_click(users: InterestUsers, state: InterestState, streams: Streams) -> None:
    lost = replace(state, appetite=np.full_like(state.appetite, np.nan))
    response, _ = users.respond(lost, np.tile(np.arange(6), (40, 1)), streams)
    assert response.examined is not None
    assert response.examined.any()
    assert not response.click.any()


def test_respond_is_pure(users: InterestUsers, state: InterestState, streams: Streams, slates: np.ndarray) -> None:
    before, shown = rows_of(state, np.arange(40)), slates.copy()
    first, after = users.respond(state, slates, streams)
    assert same_state(state, before)
    assert np.array_equal(slates, shown)
    assert not np.shares_memory(after.interest, state.interest)
    again, after_again = users.respond(state, slates, streams)
    assert same_response(first, again)
    assert same_state(after, after_again)


def test_batch_equals_singles_in_any_order(users: InterestUsers, streams: Streams, slates: np.ndarray) -> None:
    order = np.random.Generator(np.random.Philox(1)).permutation(40)
    state = users.sample(streams)
    response, after = users.respond(state, slates, streams)
    assert same_state(users.sample(streams[order]), rows_of(state, order))
    shuffled, after_shuffled = users.respond(rows_of(state, order), slates[order], streams[order])
    assert np.array_equal(shuffled.click, response.click[order])
    assert same_state(after_shuffled, rows_of(after, order))
    for row in range(0, 40, 5):
        one = streams[[row]]
        alone, after_alone = users.respond(users.sample(one), slates[[row]], one)
        assert np.array_equal(alone.conversion[0], response.conversion[row])
        assert same_state(after_alone, rows_of(after, [row]))


def test_luck_belongs_to_the_item(users: InterestUsers, state: InterestState, streams: Streams) -> None:
    config = InterestConfig(choice=type(users.config.choice)(decay=0.0))  # every position is examined
    users = InterestUsers(users.catalog, config, seed=5)
    slate = np.tile(np.arange(6), (40, 1))
    one, _ = users.respond(state, slate, streams)
    other, _ = users.respond(state, slate[:, ::-1].copy(), streams)
    assert np.array_equal(one.click, other.click[:, ::-1])
    assert np.array_equal(one.conversion, other.conversion[:, ::-1])


def test_conversion_needs_a_click_and_a_click_needs_a_look(users: InterestUsers) -> None:
    streams = Streams.of(1, 2000)
    slate = np.tile(np.array([3, -1, 5, 7, -1, 2]), (2000, 1))
    response, _ = users.respond(users.sample(streams), slate, streams)
    assert response.examined is not None
    assert not (response.conversion & ~response.click).any()
    assert not (response.click & ~response.examined).any()
    assert not response.examined[:, [1, 4]].any()
    assert response.conversion.any()


def test_users_declare_what_they_promise(users: InterestUsers, state: InterestState, catalog: Catalog) -> None:
    assert isinstance(users, DeclaresAppeal)
    assert isinstance(users, HasProfile)
    profile = users.profile(state)
    told = state.declared >= 0
    assert profile.shape == (40, len(catalog.categories))
    assert profile.dtype == np.float32
    assert np.array_equal(profile.sum(axis=1), told)
    assert np.array_equal(profile.argmax(axis=1)[told], state.declared[told])
    assert told.any()
    assert not told.all()


def test_hidden_side_of_the_items_follows_the_users_seed(catalog: Catalog) -> None:
    one, same, other = (InterestUsers(catalog, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.quality, same.quality)
    assert np.array_equal(one.bait, same.bait)
    assert not np.array_equal(one.quality, other.quality)
    assert (one.bait >= 0).all()
    assert (one.bait <= 1).all()
