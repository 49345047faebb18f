"""The position-based estimators: exact under their model by enumeration, and between it and the item-position model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.marginals import plackett_luce_position_log_prob
from recsim.ope.exposure import exposure_weight, interpol, pbm, pbm_dr
from recsim.ope.positions import iips, position_weight

LOOK = 1.0 / (1.0 + np.arange(3))


@pytest.fixture
def enumerated(world):
    """Every slate with rewards of the position-based model and the chances of its items at every position."""
    context, slate = world.everything()
    target, logged = (
        plackett_luce_position_log_prob(p.table[context], slate, 3) for p in (world.target, world.behaviour)
    )
    return {
        "context": context,
        "slate": slate,
        "reward": world.appeal[context[:, None], slate] * LOOK[:, None],
        "target": target,
        "logged": logged,
        "chance": world.chance(world.behaviour),
        "target_chance": world.chance(world.target),
    }


@pytest.fixture
def truth(enumerated):
    return enumerated["target_chance"] @ enumerated["reward"].sum(axis=1)


@pytest.fixture
def drawn():
    """Rewards (40, 4, 2) and chances of 4 items at 4 positions under both policies: doubly stochastic mixtures."""
    rng = np.random.default_rng(3)
    shuffles = np.eye(4)[np.array([rng.permutation(4) for _ in range(6)])]
    target, logged = np.einsum("pns,sij->pnij", rng.dirichlet(np.ones(6), (2, 40)), shuffles) * 0.9 + 0.02
    return rng.normal(size=(40, 4, 2)), np.log(target), np.log(logged)


def expectation(terms, chance):
    assert (terms.denominator == 1).all()
    return chance @ terms.numerator[:, 0]


@pytest.mark.parametrize("factor", [1.0, 0.01])
def test_pbm_is_unbiased_under_its_model_whatever_the_factor_of_examination(enumerated, truth, factor):
    e = enumerated
    mean = expectation(pbm(e["reward"], e["target"], e["logged"], factor * LOOK), e["chance"])
    assert mean == pytest.approx(truth, abs=1e-10)


def test_pbm_is_biased_with_wrong_examination_and_where_items_interact(enumerated, truth, world):
    e = enumerated
    wrong = expectation(pbm(e["reward"], e["target"], e["logged"], np.ones(3)), e["chance"])
    assert np.abs(wrong - truth).min() > 1e-3
    together = world.expected(e["context"], e["slate"])
    mean = expectation(pbm(together, e["target"], e["logged"], LOOK), e["chance"])
    assert np.abs(mean - world.truth(world.target)).min() > 1e-3


def test_pbm_judges_a_certain_ranking(world, enumerated):
    e = enumerated
    best = np.argsort(-world.greedy.table[e["context"]], axis=1)[:, :3]
    target = np.where(e["slate"][:, :, None] == best[:, None, :], 0.0, -np.inf)
    mean = expectation(pbm(e["reward"], target, e["logged"], LOOK), e["chance"])
    assert mean == pytest.approx(world.chance(world.greedy) @ e["reward"].sum(axis=1), abs=1e-10)


def test_weights_of_policies_that_only_reorder_are_lighter(drawn):
    _, target, logged = drawn
    places = np.arange(4)
    by_position = position_weight(target[:, places, places], logged[:, places, places])
    by_exposure = exposure_weight(target, logged, np.array([1.0, 0.7, 0.5, 0.3]))
    chance = np.exp(logged[:, places, places])
    assert (chance * (by_exposure - 1.0) ** 2).sum() < 0.5 * (chance * (by_position - 1.0) ** 2).sum()


def test_close_to_the_truth_on_a_log(world, tiny_log, truth):
    context, slate = tiny_log.observation.argmax(axis=1), tiny_log.slate
    chance = world.appeal[context[:, None], slate] * LOOK[:, None]
    reward = (np.random.default_rng(1).random(chance.shape) < chance).astype(float)
    target, logged = (
        plackett_luce_position_log_prob(p.table[context], slate, 3) for p in (world.target, world.behaviour)
    )
    model = np.full(reward.shape, 0.4) * LOOK[:, None]
    for terms in (
        pbm(reward, target, logged, LOOK),
        interpol(reward, target, logged, LOOK, window=0),
        pbm_dr(reward, target, logged, LOOK, model, model),
    ):
        error = np.sqrt(np.square(terms.influence).sum(axis=0))
        assert (np.abs(terms.value - truth) < 3 * error).all()
        assert (error < 0.1 * terms.value).all()


def test_interpol_lies_between(drawn):
    reward, target, logged = drawn
    theta, places = np.array([1.0, 0.7, 0.5, 0.3]), np.arange(4)
    narrow = interpol(reward, target, logged, theta, window=0).value
    wide = interpol(reward, target, logged, theta, window=3).value
    alone = iips(reward, target[:, places, places], logged[:, places, places]).value
    assert narrow == pytest.approx(alone, rel=1e-12)
    assert wide == pytest.approx(pbm(reward, target, logged, theta).value, rel=1e-12)
    between = exposure_weight(target, logged, theta, window=1)
    row, looked = 5, theta[:2]
    by_hand = (np.exp(target[row, 0, :2]) @ looked) / (np.exp(logged[row, 0, :2]) @ looked)
    assert between[row, 0] == pytest.approx(by_hand, rel=1e-12)
    by_hand = (np.exp(target[row, 2, 1:]) @ theta[1:]) / (np.exp(logged[row, 2, 1:]) @ theta[1:])
    assert between[row, 2] == pytest.approx(by_hand, rel=1e-12)


def test_interpol_with_overlapping_windows_is_biased_even_under_the_model(enumerated, truth):
    e = enumerated
    mean = expectation(interpol(e["reward"], e["target"], e["logged"], LOOK, window=1), e["chance"])
    assert np.abs(mean - truth).max() > 1e-4
    for window in (0, 2):
        mean = expectation(interpol(e["reward"], e["target"], e["logged"], LOOK, window), e["chance"])
        assert mean == pytest.approx(truth, abs=1e-10)


def model_of(enumerated, appeal):
    """A position-based model at the logged items, and its expectation under the target in every context."""
    at_logged = appeal[enumerated["context"][:, None], enumerated["slate"]] * LOOK[:, None]
    by_context = [
        2.0 * np.einsum("n,nko->ko", enumerated["target_chance"][here], at_logged[here])
        for here in (enumerated["context"] == c for c in (0, 1))
    ]
    return at_logged, np.array(by_context)[enumerated["context"]]


def test_pbm_dr_is_unbiased_with_any_appeal(enumerated, truth):
    e = enumerated
    wrong = model_of(e, np.random.default_rng(0).random((2, 6, 2)))
    mean = expectation(pbm_dr(e["reward"], e["target"], e["logged"], LOOK, *wrong), e["chance"])
    assert mean == pytest.approx(truth, abs=1e-10)


def test_pbm_dr_is_unbiased_with_wrong_examination_if_the_model_is_right(enumerated, truth, world):
    e = enumerated
    right = model_of(e, world.appeal)
    mean = expectation(pbm_dr(e["reward"], e["target"], e["logged"], np.ones(3), *right), e["chance"])
    assert mean == pytest.approx(truth, abs=1e-10)


def test_a_good_model_lowers_the_variance(enumerated, world):
    e = enumerated
    plain = pbm(e["reward"], e["target"], e["logged"], LOOK).numerator[:, 0]
    corrected = pbm_dr(e["reward"], e["target"], e["logged"], LOOK, *model_of(e, 0.9 * world.appeal)).numerator[:, 0]
    variances = [e["chance"] @ np.square(part - e["chance"] @ part) for part in (plain, corrected)]
    assert (variances[1] < 0.3 * variances[0]).all()


ESTIMATORS = [pbm, lambda *logs: interpol(*logs, window=1), lambda *logs: pbm_dr(*logs, 0.5 * logs[0], 0.3 * logs[0])]


@pytest.mark.parametrize("estimator", ESTIMATORS[:2])
def test_on_policy_is_the_mean_reward(drawn, estimator):
    reward, _, logged = drawn
    value = estimator(reward, logged, logged, np.array([1.0, 0.5, 0.5, 0.1])).value
    assert value == pytest.approx(reward.sum(axis=1).mean(axis=0), rel=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_scale_row_order_and_other_objectives_do_not_matter(drawn, estimator):
    reward, target, logged = drawn
    theta = np.array([1.0, 0.5, 0.5, 0.1])
    value = estimator(reward, target, logged, theta).value
    rows = np.random.default_rng(0).permutation(len(reward))
    assert estimator(-7.0 * reward, target, logged, theta).value == pytest.approx(-7.0 * value, rel=1e-11)
    assert estimator(reward[rows], target[rows], logged[rows], theta).value == pytest.approx(value, rel=1e-11)
    alone = [estimator(reward[:, :, i], target, logged, theta).value[0] for i in range(2)]
    assert value == pytest.approx(alone, rel=1e-12)


def test_chances_beyond_floats_give_no_nan(drawn):
    reward, target, _ = (values[:1, :2] for values in drawn)
    rare = np.full((1, 2, 2), -800.0)
    weight = exposure_weight(np.full((1, 2, 2), -np.inf), rare, np.ones(2))
    assert weight.tolist() == [[0.0, 0.0]]
    with pytest.raises(ValueError, match=r"row 0, position 0: the weight is e\^.*almost no probability"):
        pbm(reward, target[:, :, :2], rare, np.ones(2))


def test_errors_name_what_is_wrong(drawn):
    reward, target, logged = drawn
    theta = np.ones(4)
    with pytest.raises(ValueError, match=r"target position_log_prob has shape \(40, 4\); it must be \(slates, posit"):
        pbm(reward, target[:, :, 0], logged, theta)
    with pytest.raises(ValueError, match=r"reward has shape \(39, 4, 2\) but logged"):
        pbm(reward[1:], target, logged, theta)
    with pytest.raises(ValueError, match=r"model_target has shape \(39, 4, 2\) but reward has shape \(40, 4, 2\)"):
        pbm_dr(reward, target, logged, theta, reward, reward[1:])
    with pytest.raises(
        ValueError, match="row 0, item of position 0, position 0 of target position_log_prob is 0.*pass"
    ):
        pbm(reward, np.exp(target), logged, theta)
    broken = logged.copy()
    broken[3, 1, 1] = -np.inf
    with pytest.raises(ValueError, match="row 3, position 1 of logged position_log_prob on the diagonal is -inf"):
        pbm(reward, target, broken, theta)
    broken[3, 1, 1] = np.nan
    with pytest.raises(ValueError, match="row 3, item of position 1, position 1 of logged position_log_prob is nan"):
        pbm(reward, target, broken, theta)
    with pytest.raises(ValueError, match=r"examination has shape \(3,\); a number for each of the 4 positions"):
        pbm(reward, target, logged, np.ones(3))
    for value in (0.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"examination of position 2 is {value}; it is a chance above 0"):
            pbm(reward, target, logged, np.array([1.0, 1.0, value, 1.0]))
    with pytest.raises(ValueError, match="window is -1; it is a number of positions from 0 up"):
        interpol(reward, target, logged, theta, window=-1)


def value_or_refusal(estimator, *arrays):
    try:
        return estimator(*arrays).value
    except ValueError as error:
        return str(error)


@given(
    which=st.integers(0, 2),
    place=st.integers(0, 17),
    bad=st.sampled_from([np.nan, np.inf, -np.inf, 0.5, 1e308, -1e308, -400.0, -1e-300]),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_bad_numbers_are_refused_or_give_numbers(which, place, bad):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(2, 3)), *np.log(rng.uniform(0.1, 0.3, (2, 2, 3, 3)))]
    arrays[which].flat[place % arrays[which].size] = bad
    for estimator in ESTIMATORS:
        found = value_or_refusal(estimator, *arrays, np.array([1.0, 0.5, 0.25]))
        assert "row" in found if isinstance(found, str) else np.isfinite(found).all()
