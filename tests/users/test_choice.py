"""Choice models against their textbook formulas, a slow per-user loop and the rates of a million draws."""

import math
from typing import Any

import numba
import numpy as np
import pytest

from recsim import jit
from recsim.streams import Streams, purpose_key
from recsim.users.choice import Cascade, DependentClick, DynamicBayesian, MultinomialLogit, PositionBased
from recsim.users.contract import Appeal

MODELS: list[Any] = [
    PositionBased(0.7),
    Cascade(),
    DependentClick(0.6),
    DynamicBayesian(0.8),
    MultinomialLogit(0.5),
]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
top_down = pytest.mark.parametrize("model", MODELS[:4], ids=lambda model: type(model).__name__)


def luck(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=list(key)))


def some_appeal(shape: tuple[int, ...], key: int = 1) -> Appeal:
    draws = luck(0, key).random((3, *shape))
    return Appeal(draws[0], draws[1], draws[2])


def some_slates(n: int, k: int) -> np.ndarray:
    """(n, k) slates without repeats among 30 items, some positions empty."""
    draws = luck(2, 3)
    slate = np.argsort(draws.random((n, 30)), axis=1)[:, :k].astype(np.int64)
    slate[draws.random((n, k)) < 0.2] = -1
    slate[0] = -1
    return slate


def textbook(model: Any, p: np.ndarray, s: np.ndarray, slate: np.ndarray) -> list[tuple[float, float]]:
    """Probability of examination and click at every position of one slate, by the formulas of the papers."""
    shown = [j for j in range(len(slate)) if slate[j] >= 0]
    answer = []
    for j in range(len(slate)):
        above = [i for i in shown if i < j]
        examined = float(j in shown)
        if isinstance(model, PositionBased):
            examined *= (j + 1) ** -model.decay
        if isinstance(model, Cascade):
            examined *= math.prod(1 - p[i] for i in above)
        if isinstance(model, DependentClick):
            examined *= math.prod(1 - (1 - model.continuation) * p[i] for i in above)
        if isinstance(model, DynamicBayesian):
            examined *= math.prod(model.perseverance * (1 - p[i] * s[i]) for i in above)
        click = examined * p[j]
        if isinstance(model, MultinomialLogit):
            weight = [p[i] / (1 - p[i]) for i in shown]
            click = examined * p[j] / (1 - p[j]) / (math.exp(model.outside) + sum(weight))
        answer.append((examined, click))
    return answer


@each_model
def test_probabilities_are_those_of_the_papers(model: Any) -> None:
    slate = some_slates(50, 6)
    appeal = some_appeal(slate.shape)
    assert appeal.satisfaction is not None
    found = model.probabilities(appeal, slate)
    expected = np.array(
        [textbook(model, p, s, row) for p, s, row in zip(appeal.click, appeal.satisfaction, slate, strict=True)]
    )
    np.testing.assert_allclose(found.examined, expected[..., 0], rtol=1e-12)
    np.testing.assert_allclose(found.click, expected[..., 1], rtol=1e-12)


@each_model
def test_rates_of_a_million_users(model: Any) -> None:
    n, slate = 1_000_000, np.array([3, 11, -1, 7, 0])
    one = some_appeal((1, 5))
    assert one.satisfaction is not None
    appeal = Appeal(*(np.broadcast_to(part, (n, 5)) for part in (one.click, one.conversion, one.satisfaction)))
    expected = model.probabilities(one, slate[None])
    examined, click = model.sample(appeal, np.broadcast_to(slate, (n, 5)), Streams.of(4, n))
    for flags, probability in ((examined, expected.examined[0]), (click, expected.click[0])):
        error = np.sqrt(probability * (1 - probability) / n)
        assert (np.abs(flags.mean(axis=0) - probability) <= 4 * error).all()
    assert not (click & ~examined).any()


def continuation(model: Any, click: bool, satisfaction: float) -> float:
    """Probability of going on after a look."""
    if isinstance(model, DynamicBayesian):
        return model.perseverance * (1 - click * satisfaction)
    if isinstance(model, DependentClick):
        return model.continuation if click else 1.0
    return float(not (click and isinstance(model, Cascade)))


def answered(model: Any, p: np.ndarray, s: np.ndarray, slate: np.ndarray, *where: int) -> list[tuple[bool, bool]]:
    """What one user (seed, user, session, step) examines and clicks, in plain Python on numpy's own generator."""
    seed, user, session, step = where

    def draw(purpose: str, lane: int) -> float:
        counter = np.array([lane // 4, step, session, user], np.uint64)
        bits = np.random.Philox(key=np.array([seed, purpose_key(purpose)], np.uint64), counter=counter)
        return (int(bits.random_raw(4)[lane % 4]) >> 11) * 2.0**-53 + 2.0**-54

    if isinstance(model, MultinomialLogit):
        gumbel = [-math.inf if i < 0 else -math.log(-math.log(draw("choose", i))) for i in slate]
        utility = [noise + math.log(chance / (1 - chance)) for noise, chance in zip(gumbel, p, strict=True)]
        utility.append(model.outside - math.log(-math.log(draw("stay away", 0))))
        return [(i >= 0, j == int(np.argmax(utility))) for j, i in enumerate(slate)]
    answer, browsing = [], True
    for j, item in enumerate(slate):
        look = browsing and item >= 0
        if isinstance(model, PositionBased):
            look = look and draw("examine", j) < (j + 1) ** -model.decay
        click = look and draw("click", item) < p[j]
        answer.append((bool(look), bool(click)))
        if look:
            browsing = draw("go on", item) < continuation(model, bool(click), s[j])
    return answer


@each_model
def test_a_slow_loop_draws_the_same(model: Any) -> None:
    slate = some_slates(60, 6)
    appeal = some_appeal(slate.shape)
    assert appeal.satisfaction is not None
    users = Streams.of(9, 60, session=np.arange(60) % 3, step=np.arange(60) % 5)
    examined, click = model.sample(appeal, slate, users)
    for row in range(60):
        where = (9, row, row % 3, row % 5)
        expected = answered(model, appeal.click[row], appeal.satisfaction[row], slate[row], *where)
        assert list(zip(examined[row].tolist(), click[row].tolist(), strict=True)) == expected
    assert click.any()


def everything(model: Any, rows: Any) -> list[np.ndarray]:
    """All that a model says of some rows among 600."""
    slate = some_slates(600, 6)
    drawn = some_appeal(slate.shape)
    assert drawn.satisfaction is not None
    appeal = Appeal(drawn.click[rows], drawn.conversion[rows], drawn.satisfaction[rows])
    exact = model.probabilities(appeal, slate[rows])
    best = model.best_slate(appeal, appeal.conversion - 0.3, 3)
    return [*model.sample(appeal, slate[rows], Streams.of(9, 600)[rows]), exact.examined, exact.click, best]


@each_model
def test_a_row_does_not_depend_on_the_others(model: Any) -> None:
    together = everything(model, slice(None))
    for rows in (slice(5, 6), slice(77, 80)):
        for one, all_rows in zip(everything(model, rows), together, strict=True):
            assert np.array_equal(one, all_rows[rows])


@pytest.mark.slow
@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba was started with one thread")
@each_model
def test_threads_change_nothing(model: Any) -> None:
    alone = everything(model, slice(None))
    jit.set_threads(2)
    try:
        together = everything(model, slice(None))
    finally:
        jit.set_threads(1)
    assert all(np.array_equal(left, right) for left, right in zip(alone, together, strict=True))


@each_model
def test_an_item_keeps_its_luck_at_another_position(model: Any) -> None:
    n = 5000
    order = np.array([0, 1, 4, 3, 2])
    slate, appeal = np.tile(np.arange(7, 12), (n, 1)), some_appeal((n, 5))
    assert appeal.satisfaction is not None
    swapped = Appeal(appeal.click[:, order], appeal.conversion[:, order], appeal.satisfaction[:, order])
    examined, click = model.sample(appeal, slate, Streams.of(3, n))
    examined_too, click_too = (flags[:, order] for flags in model.sample(swapped, slate[:, order], Streams.of(3, n)))
    both = examined & examined_too
    assert both[:, 4].sum() > 100
    assert np.array_equal(click & both, click_too & both)
    assert np.array_equal(click[:, :2], click_too[:, :2])


@pytest.mark.parametrize("model", MODELS[1:], ids=lambda model: type(model).__name__)
def test_an_empty_position_is_passed_over(model: Any) -> None:
    n, full = 3000, [0, 2, 5]
    sparse = np.tile([4, -1, 6, -1, -1, 8], (n, 1))
    appeal = some_appeal((n, 6))
    assert appeal.satisfaction is not None
    dense = Appeal(appeal.click[:, full], appeal.conversion[:, full], appeal.satisfaction[:, full])
    slates = ((appeal, sparse), (dense, sparse[:, full]))
    with_gaps, without = (model.sample(part, slate, Streams.of(3, n)) for part, slate in slates)
    exact_with_gaps, exact = (vars(model.probabilities(part, slate)).values() for part, slate in slates)
    for found, expected in zip([*with_gaps, *exact_with_gaps], [*without, *exact], strict=True):
        np.testing.assert_allclose(found[:, full], expected, rtol=1e-12)
        assert not found[:, [1, 3, 4]].any()


@pytest.mark.parametrize(
    ("model", "same"),
    [
        (DependentClick(0), Cascade()),
        (DependentClick(1.0), PositionBased(0)),
        (DynamicBayesian(1), Cascade()),
    ],
)
def test_special_cases_draw_the_same(model: Any, same: Any) -> None:
    slate = some_slates(500, 6)
    drawn = some_appeal(slate.shape)
    appeal = Appeal(drawn.click, drawn.conversion, np.ones(slate.shape))  # every click satisfies
    users = Streams.of(2, 500)
    assert np.array_equal(model.sample(appeal, slate, users), same.sample(appeal, slate, users))
    assert np.array_equal(model.probabilities(appeal, slate).click, same.probabilities(appeal, slate).click)


@each_model
def test_certain_appeal_stays_a_probability(model: Any) -> None:
    slate, appeal = np.arange(8)[None], np.array([[0.0, 1.0, 1.0, 0.0, 1.0, 0.5, 1.0, 0.0]])
    given = Appeal(appeal, appeal, appeal)
    found = model.probabilities(given, slate)
    assert (found.click >= 0).all()
    assert (found.click <= found.examined).all()
    assert (found.examined <= 1).all()
    examined, click = model.sample(given, slate, Streams.of(0, 1))
    assert not click[appeal == 0].any()
    if not isinstance(model, MultinomialLogit):
        assert np.array_equal(click[appeal == 1], examined[appeal == 1])


def test_a_logit_user_who_likes_everything_clicks_one() -> None:
    likes = np.full((1000, 3), 1.0)
    _, click = MultinomialLogit().sample(Appeal(likes, likes), np.tile([3, 1, 2], (1000, 1)), Streams.of(0, 1000))
    assert (click.sum(axis=1) == 1).all()
    assert click.mean(axis=0).min() > 0.25


def test_the_dynamic_bayesian_network_needs_satisfaction() -> None:
    model, half, slate = DynamicBayesian(), np.full((2, 3), 0.5), np.tile([3, 1, 2], (2, 1))
    message = r"how likely a click satisfies, and these users' appeal has no satisfaction\. Give it one, or take"
    with pytest.raises(ValueError, match=message):
        model.probabilities(Appeal(half, half), slate)
    with pytest.raises(ValueError, match=message):
        model.sample(Appeal(half, half), slate, Streams.of(0, 2))
    with pytest.raises(ValueError, match=message):
        model.best_slate(Appeal(half, half), half, 2)


@each_model
def test_appeal_of_other_items_or_users_is_refused(model: Any) -> None:
    appeal, users = some_appeal((2, 4)), Streams.of(0, 2)
    slate = np.tile([3, 1, 2], (2, 1))
    with pytest.raises(ValueError, match=r"click of the appeal is an array \(2, 4\); \(2, 3\) is needed, a row a user"):
        model.probabilities(appeal, slate)
    with pytest.raises(ValueError, match=r"click of the appeal is an array \(2, 4\); \(2, 3\) is needed"):
        model.sample(appeal, slate, users)
    with pytest.raises(ValueError, match=r"there are 3 streams for 2 slates; a stream a slate is needed"):
        model.sample(some_appeal((2, 3)), slate, Streams.of(0, 3))


@pytest.mark.parametrize(
    ("make", "value", "message"),
    [
        (DependentClick, 1.5, "continuation of the dependent click model is 1.5; it is a number from 0 to 1"),
        (DependentClick, True, "continuation of the dependent click model is True; it is a number from 0 to 1"),
        (DynamicBayesian, -0.1, "perseverance of the dynamic Bayesian network is -0.1; it is a number from 0 to 1"),
        (DynamicBayesian, "0.9", "perseverance of the dynamic Bayesian network is '0.9'; it is a number"),
        (MultinomialLogit, math.nan, "outside of the multinomial logit is nan; it is a number from -100 to 100"),
        (PositionBased, "steep", "decay of the examination is 'steep'; it is a finite number from 0 up"),
    ],
)
def test_parameters_that_make_no_sense(make: Any, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(value)
