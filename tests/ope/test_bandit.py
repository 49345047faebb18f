from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.ope import bandit, overlap_of, verdict_of
from recsim.ope.bandit import (
    clipped_weight,
    dm,
    dr,
    dros,
    importance_weight,
    ips,
    replay,
    shrunk_weight,
    sndr,
    snips,
    subgaussian_dr,
    subgaussian_ips,
    subgaussian_weight,
    switch_dr,
    switched_weight,
)

MODEL_FREE = {
    "ips": ips,
    "clipped ips": partial(ips, clip=2.0),
    "snips": snips,
    "subgaussian_ips": partial(subgaussian_ips, share=0.1),
}
MODELLED = {
    "dr": dr,
    "clipped dr": partial(dr, clip=2.0),
    "sndr": sndr,
    "switch_dr": partial(switch_dr, threshold=2.0),
    "dros": partial(dros, shrinkage=3.0),
    "subgaussian_dr": partial(subgaussian_dr, share=0.1),
}
ALL = MODEL_FREE | MODELLED


def estimate(name, reward, target, logged, model_logged, model_target):
    """The terms of any estimator that takes log-propensities."""
    if name in MODEL_FREE:
        return MODEL_FREE[name](reward, target, logged)
    return MODELLED[name](reward, target, logged, model_logged, model_target)


def modelled(world, log, seed=0):
    """A model that is wrong, at the logged actions and under the target."""
    table = world.expected + np.random.default_rng(seed).normal(0.0, 0.3, world.expected.shape)
    return table[log.context, log.action], np.einsum("na,nao->no", log.target_table, table[log.context])


@pytest.fixture
def small():
    """Random rewards (60, 3), propensities of both policies and models (60, 3)."""
    rng = np.random.default_rng(5)
    reward, model_logged, model_target = rng.normal(size=(3, 60, 3))
    target, logged = np.log(rng.uniform(0.05, 0.9, (2, 60)))
    return reward, target, logged, model_logged, model_target


def test_ips_is_unbiased_by_enumeration(actions):
    e = actions.everything()
    terms = ips(e.reward, e.target, e.logged)
    assert e.chance @ terms.numerator[:, 0] == pytest.approx(actions.truth, abs=1e-12)


def test_dr_is_unbiased_with_a_wrong_model(actions):
    e = actions.everything()
    models = modelled(actions, e)
    terms = dr(e.reward, e.target, e.logged, *models)
    assert e.chance @ terms.numerator[:, 0] == pytest.approx(actions.truth, abs=1e-12)
    assert np.abs(e.chance @ dm(models[1]).numerator[:, 0] - actions.truth).max() > 0.01


@pytest.mark.parametrize("name", sorted(MODELLED))
def test_a_right_model_makes_every_weight_unbiased(actions, name):
    e = actions.everything()
    at_logged = actions.expected[e.context, e.action]
    under_target = np.einsum("na,nao->no", e.target_table, actions.expected[e.context])
    numerator = MODELLED[name](e.reward, e.target, e.logged, at_logged, under_target).numerator
    assert e.chance @ numerator.sum(axis=1) == pytest.approx(actions.truth, abs=1e-12)


@pytest.mark.parametrize("name", ["snips", "sndr"])
def test_self_normalised_are_consistent_by_enumeration(actions, name):
    e = actions.everything()
    terms = estimate(name, e.reward, e.target, e.logged, *modelled(actions, e))
    assert e.chance @ terms.denominator == pytest.approx(np.ones(terms.denominator.shape[1]), abs=1e-12)
    expected = np.einsum("n,ngo->o", e.chance, terms.numerator)
    assert expected == pytest.approx(actions.truth, abs=1e-12)


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr"])
def test_within_three_standard_errors_on_logs(actions, name):
    errors = []
    for seed in range(40):
        log = actions.log(500, seed)
        terms = estimate(name, log.reward, log.target, log.logged, *modelled(actions, log))
        errors.append(terms.value - actions.truth)
    standard_error = np.std(errors, axis=0, ddof=1) / np.sqrt(len(errors))
    assert (np.abs(np.mean(errors, axis=0)) < 3 * standard_error).all()


def test_bias_of_a_transformed_weight_is_what_the_formula_says(actions):
    e = actions.everything()
    weight = importance_weight(e.target, e.logged)
    for transformed, terms in [
        (clipped_weight(e.target, e.logged, 2.0), ips(e.reward, e.target, e.logged, clip=2.0)),
        (subgaussian_weight(e.target, e.logged, 0.1), subgaussian_ips(e.reward, e.target, e.logged, share=0.1)),
    ]:
        bias = e.chance @ ((transformed - weight)[:, None] * e.reward)
        assert e.chance @ terms.numerator[:, 0] - actions.truth == pytest.approx(bias, abs=1e-12)


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr"])
def test_on_policy_is_the_mean_reward(small, name):
    reward, _, logged, model, _ = small
    value = estimate(name, reward, logged, logged, model, model).value
    assert value == pytest.approx(reward.mean(axis=0), rel=1e-12)


@pytest.mark.parametrize("name", sorted(ALL))
def test_all_objectives_at_once_equal_each_alone(small, name):
    reward, target, logged, model_logged, model_target = small
    alone = [
        estimate(name, reward[:, o], target, logged, model_logged[:, o], model_target[:, o]).value[0] for o in range(3)
    ]
    assert estimate(name, *small).value == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("name", sorted(ALL))
def test_scale_and_row_order_do_not_matter(small, name):
    reward, target, logged, *models = small
    value = estimate(name, *small).value
    rows = np.random.default_rng(0).permutation(len(reward))
    scaled = estimate(name, -7.0 * reward, target, logged, *(-7.0 * model for model in models)).value
    assert scaled == pytest.approx(-7.0 * value, rel=1e-12)
    assert estimate(name, *(array[rows] for array in small)).value == pytest.approx(value, rel=1e-12)


def test_ends_of_the_tuning_ranges(small):
    reward, target, logged, _, model_target = small
    plain, modelled_only = dr(*small).value, dm(model_target).value
    assert dros(*small, shrinkage=np.inf).value == pytest.approx(plain, rel=1e-15)
    assert dros(*small, shrinkage=0.0).value == pytest.approx(modelled_only, rel=1e-15)
    assert switch_dr(*small, threshold=np.inf).value == pytest.approx(plain, rel=1e-15)
    assert switch_dr(*small, threshold=0.0).value == pytest.approx(modelled_only, rel=1e-15)
    assert subgaussian_dr(*small, share=0.0).value == pytest.approx(plain, rel=1e-15)
    assert subgaussian_ips(reward, target, logged, share=1.0).value == pytest.approx(reward.mean(axis=0), rel=1e-12)
    assert ips(reward, target, logged, clip=0.0).value == pytest.approx(np.zeros(3))


def test_ends_of_the_tuning_ranges_where_the_target_never_acts_so():
    target, logged = np.array([-np.inf, 0.0]), np.log([0.5, 0.5])
    assert subgaussian_weight(target, logged, 1.0).tolist() == [0.0, 1.0]
    assert shrunk_weight(target, logged, 0.0).tolist() == [0.0, 0.0]
    assert shrunk_weight(target, logged, np.inf) == pytest.approx([0.0, 2.0])
    assert shrunk_weight(target, logged, 1e-300) == pytest.approx([0.0, 5e-301])


def test_extreme_weights_shrink_without_overflow():
    target, logged = np.zeros(1), np.full(1, -299.0)
    assert shrunk_weight(target, logged, 1e-300)[0] == pytest.approx(0.0, abs=1e-300)
    assert shrunk_weight(target, logged, 1e308)[0] == pytest.approx(np.exp(299.0), rel=1e-12)
    assert subgaussian_weight(target, logged, 1e-9)[0] == pytest.approx(1e9)


def test_switching_keeps_the_weight_at_the_threshold():
    target, logged = np.log([0.5, 0.5]), np.log([0.25, 0.125])
    weight = importance_weight(target, logged)
    assert switched_weight(target, logged, weight[0]).tolist() == [weight[0], 0.0]


def test_replay_averages_the_rows_that_match():
    logged = np.log(np.full(4, 0.25))
    terms = replay([[1, 5], [0, 1], [1, 0], [9, 9]], np.array([0.0, 0.0, 0.0, -np.inf]), logged)
    assert terms.value == pytest.approx([2 / 3, 6 / 3])
    assert terms.denominator[:, 0].tolist() == [1, 1, 1, 0]


def test_replay_finds_the_value_of_a_deterministic_policy(actions):
    uniform = np.full((3, 6), 1 / 6)
    best = actions.expected[:, :, 0].argmax(axis=1)
    log = actions.log(20_000, 4, uniform)
    target = np.where(log.action == best[log.context], 0.0, -np.inf)
    terms = replay(log.reward, target, log.logged)
    error = np.sqrt(np.square(terms.influence).sum(axis=0))
    truth = actions.expected[np.arange(3), best].mean(axis=0)
    assert (np.abs(terms.value - truth) < 3 * error).all()
    assert terms.value == pytest.approx(snips(log.reward, target, log.logged).value, rel=1e-12)


def test_replay_refuses_what_it_would_get_wrong():
    logged = np.log(np.full(3, 0.25))
    with pytest.raises(ValueError, match=r"row 2 of target log_prob is -0.6.*always make the same choice.*Use snips"):
        replay(np.ones(3), np.array([0.0, -np.inf, np.log(0.5)]), logged)
    uneven = np.log([0.25, 0.25, 0.5])
    with pytest.raises(ValueError, match=r"row 2 of logged log_prob is -0.6.*row 0 is -1.38.*uniform choices.*snips"):
        replay(np.ones(3), np.zeros(3), uneven)


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_tuned_numbers_are_in_their_range(small, value):
    with pytest.raises(ValueError, match=rf"clip is {value}; it must be a number from 0 to inf"):
        ips(*small[:3], clip=value)
    with pytest.raises(ValueError, match=r"threshold is .*; it must be"):
        switch_dr(*small, threshold=value)
    with pytest.raises(ValueError, match=r"shrinkage is .*; it must be"):
        dros(*small, shrinkage=value)
    with pytest.raises(ValueError, match=r"share is .*; it must be a number from 0 to 1"):
        subgaussian_dr(*small, share=value)


def test_errors_name_what_is_wrong(small):
    reward, target, logged, model_logged, model_target = small
    with pytest.raises(ValueError, match=r"logged has 59 rows but target has 60; all arrays need one row per logged"):
        snips(reward, target, logged[1:])
    with pytest.raises(ValueError, match=r"weight has 60 rows but reward has 59"):
        ips(reward[1:], target, logged)
    with pytest.raises(ValueError, match=r"model_target has 59 rows but reward has 60"):
        dr(reward, target, logged, model_logged, model_target[1:])
    with pytest.raises(ValueError, match=r"model_logged has 2 objectives but reward has 3"):
        sndr(reward, target, logged, model_logged[:, :2], model_target)
    heavy = logged.copy()
    heavy[3] = -400.0
    with pytest.raises(ValueError, match=r"row 3: the weight is e\^[34]\d\d, so the action was logged"):
        ips(reward, target, heavy)
    with pytest.raises(ValueError, match=r"row 0, objective 0 of model_target is nan"):
        dm([np.nan])


def test_no_overlap_is_said_by_the_diagnostics(small):
    reward, _, logged, *_ = small
    never = np.full(60, -np.inf)
    assert np.isnan(snips(reward, never, logged).value).all()
    overlap = overlap_of(importance_weight(never, logged), np.arange(60), 60)
    assert verdict_of(overlap).level == "do not use"


BAD = {
    "reward": [np.nan, np.inf, -np.inf, 1e200],
    "target": [np.nan, np.inf, 0.5],
    "logged": [np.nan, np.inf, -np.inf, 0.5, -900.0],
    "model_logged": [np.nan, np.inf, -np.inf, 1e200],
    "model_target": [np.nan, np.inf, -np.inf, 1e200],
}


@st.composite
def logs(draw, bad=False):
    """Arrays of a log, at random; with `bad`, one value of one array cannot be."""
    n, objectives = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    number = st.floats(-1e15, 1e15)
    chance = st.floats(-150.0, 0.0)
    rows = {
        name: np.array(draw(st.lists(number, min_size=n * objectives, max_size=n * objectives))).reshape(n, objectives)
        for name in ("reward", "model_logged", "model_target")
    }
    rows["logged"] = np.array(draw(st.lists(chance, min_size=n, max_size=n)))
    rows["target"] = np.array(draw(st.lists(chance | st.just(-np.inf), min_size=n, max_size=n)))
    if bad:
        name = draw(st.sampled_from(sorted(BAD)))
        place = draw(st.integers(0, n - 1))
        rows[name][place] = draw(st.sampled_from(BAD[name]))
        if name == "logged":
            rows["target"][place] = 0.0  # a weight of e^900 where the target does act so
        return name, rows
    return rows


def arrays_of(rows):
    return [rows[name] for name in ("reward", "target", "logged", "model_logged", "model_target")]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(logs(bad=True))
def test_a_bad_log_never_gives_a_number(found):
    name, rows = found
    for estimator in ALL:
        if name.startswith("model") and estimator in MODEL_FREE:
            continue
        with pytest.raises(ValueError, match=r"row \d+.* is |^row \d+: the weight is"):
            estimate(estimator, *arrays_of(rows))
    if name == "model_target":
        with pytest.raises(ValueError, match=r"row \d+, objective \d of model_target is"):
            dm(rows["model_target"])


@settings(derandomize=True, deadline=None, max_examples=60)
@given(logs())
def test_a_good_log_always_gives_numbers(rows):
    seen = np.exp(rows["target"] - rows["logged"]).sum() > 0
    for estimator in ALL:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value = estimate(estimator, *arrays_of(rows)).value
        assert np.isfinite(value).all() or (not seen and estimator in ("snips", "sndr"))


def test_everything_is_offered_in_one_place():
    assert all(callable(getattr(bandit, name)) for name in bandit.__all__)
