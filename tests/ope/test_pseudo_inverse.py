"""The pseudo-inverse estimators: unbiased by enumeration where slates add up, and biased where they do not."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from recsim.marginals import plackett_luce_marginals, plackett_luce_position_log_prob
from recsim.ope.positions import position_weight
from recsim.ope.pseudo_inverse import (
    enumerated_weight,
    pi,
    pi_with_variate,
    pi_with_variates,
    product_weight,
    uniform_weight,
    wpi,
)
from recsim.ope.slate import sips
from recsim.policy import plackett_luce_log_prob

LOOK = 1.0 / (1.0 + np.arange(3))


@pytest.fixture
def additive(world):
    """Every slate of the tiny world with rewards that add up, the chances of both policies and the exact G."""
    context, slate = world.everything()
    shown = np.tile(np.arange(120), 2)
    chances = {name: 2.0 * world.chance(getattr(world, name)) for name in ("behaviour", "target", "greedy")}
    by_context = {name: chance.reshape(2, 120) for name, chance in chances.items()}
    reward = world.appeal[context[:, None], slate] * LOOK[:, None]
    return {
        "context": context,
        "slate": slate,
        "reward": reward,
        "chance": world.chance(world.behaviour),
        "truth": {name: world.chance(getattr(world, name)) @ reward.sum(axis=1) for name in chances},
        "weight": {
            name: enumerated_weight(slate[:120], by_context[name], by_context["behaviour"], shown, context)
            for name in chances
        },
    }


def expectation(terms, chance):
    assert (terms.denominator == 1).all()
    return chance @ terms.numerator[:, 0]


@pytest.mark.parametrize("target", ["target", "greedy", "behaviour"])
def test_unbiased_by_enumeration_where_rewards_add_up(additive, target):
    a = additive
    mean = expectation(pi(a["reward"], a["weight"][target]), a["chance"])
    assert mean == pytest.approx(a["truth"][target], abs=1e-10)


def test_biased_where_items_take_from_their_neighbours(additive, world):
    a = additive
    reward = world.expected(a["context"], a["slate"])
    mean = expectation(pi(reward, a["weight"]["target"]), a["chance"])
    assert np.abs(mean - world.truth(world.target)).min() > 1e-3


def test_the_sum_over_the_slate_is_enough(additive):
    a = additive
    whole = a["reward"].sum(axis=1, keepdims=True)
    assert pi(whole, a["weight"]["target"]).value == pytest.approx(pi(a["reward"], a["weight"]["target"]).value)


def test_on_policy_the_weights_are_one(additive):
    a = additive
    np.testing.assert_allclose(a["weight"]["behaviour"], 1.0, rtol=1e-9)


@pytest.mark.parametrize(("target", "share"), [("target", 0.97), ("greedy", 0.6)])
def test_the_mean_weight_is_one_and_steadier_than_that_of_whole_slates(additive, world, target, share):
    a = additive
    weight, whole = a["weight"][target], world.chance(getattr(world, target)) / a["chance"]
    assert a["chance"] @ weight == pytest.approx(1.0, abs=1e-10)
    assert a["chance"] @ np.square(weight) < share * (a["chance"] @ np.square(whole))


def test_the_inverse_is_that_of_the_policy_in_force(additive, world):
    """The fault of a peer, which inverted the matrix of the target and never asked who had logged."""
    a = additive
    target, logged = (2.0 * world.chance(p).reshape(2, 120) for p in (world.target, world.behaviour))
    shown = np.tile(np.arange(120), 2)
    own = enumerated_weight(a["slate"][:120], target, target, shown, a["context"])
    np.testing.assert_allclose(own, 1.0, rtol=1e-9)  # G of a target on its own log
    honest = pi(a["reward"], a["weight"]["target"])
    assert expectation(honest, a["chance"]) == pytest.approx(a["truth"]["target"], abs=1e-10)
    assert np.abs(expectation(pi(a["reward"], own), a["chance"]) - a["truth"]["target"]).min() > 0.01
    swapped = enumerated_weight(a["slate"][:120], logged, target, shown, a["context"])
    assert np.abs(swapped - a["weight"]["target"]).max() > 0.1


def slates_of(m, k):
    return np.array(list(permutations(range(m), k)))


def chances(logits, slates):
    return np.exp(plackett_luce_log_prob(np.tile(logits, (len(slates), 1)), slates).sum(axis=1))


@pytest.mark.parametrize(("m", "k"), [(1, 1), (3, 1), (4, 2), (5, 3), (4, 4), (6, 3)])
def test_uniform_logging_in_closed_form_equals_the_definition(m, k):
    slates, logits = slates_of(m, k), np.random.default_rng(m).normal(size=m)
    n, rows = len(slates), np.arange(len(slates))
    closed = uniform_weight(plackett_luce_position_log_prob(np.tile(logits, (n, 1)), slates, k), m)
    expected = enumerated_weight(slates, [chances(logits, slates)], [np.full(n, 1 / n)], rows, np.zeros(n, int))
    np.testing.assert_allclose(closed, expected, atol=1e-9)


def test_uniform_logging_of_a_large_catalogue():
    """1,852 items, slates of 10, a log of 4,000 slates, a certain ranking: within 3 standard errors of the truth."""
    rng = np.random.default_rng(0)
    m, k, n = 1852, 10, 4000
    slate = rng.permuted(np.tile(np.arange(m), (n, 1)), axis=1)[:, :k]
    appeal = rng.random(m)
    best = np.argsort(-appeal)[:k]
    target = np.where(slate[:, :, None] == best, 0.0, -np.inf)
    reward = appeal[slate] / (1.0 + np.arange(k))
    terms = pi_with_variate(reward - reward.mean(axis=0), uniform_weight(target, m))
    truth = (appeal[best] / (1.0 + np.arange(k))).sum() - reward.mean(axis=0).sum()
    error = float(np.sqrt(np.square(terms.influence).sum()))
    assert abs(terms.value[0] - truth) < 3 * error
    whole = np.sqrt(float(m) ** k / n)  # the scale of the error by whole slates
    assert error < 1e-10 * whole


@pytest.fixture
def products():
    """Slates of 3 of 4 items drawn position by position: all of them, additive rewards and chances."""
    rng = np.random.default_rng(8)
    slates = np.array(list(product(range(4), repeat=3)))
    target, logged = rng.dirichlet(np.full(4, 3.0), (2, 3))
    at = [table[np.arange(3), slates] for table in (target, logged)]
    reward = rng.random((3, 4, 2))[np.arange(3), slates]
    return slates, reward, np.log(at[0]), np.log(at[1])


def test_product_policies_in_closed_form_equal_the_definition(products):
    slates, _, target, logged = products
    rows = np.arange(len(slates))
    chance = [np.exp(table.sum(axis=1))[None] for table in (target, logged)]
    expected = enumerated_weight(slates, *chance, rows, np.zeros(len(slates), int))
    np.testing.assert_allclose(product_weight(target, logged), expected, atol=1e-10)


def test_product_policies_are_judged_without_bias(products):
    _, reward, target, logged = products
    chance, wanted = np.exp(logged.sum(axis=1)), np.exp(target.sum(axis=1))
    mean = expectation(pi(reward, product_weight(target, logged)), chance)
    assert mean == pytest.approx(wanted @ reward.sum(axis=1), abs=1e-12)


def repeated(products, n, seed):
    """A log of n slates of the product policy in force."""
    _, reward, target, logged = products
    rows = np.random.default_rng(seed).choice(len(reward), n, p=np.exp(logged.sum(axis=1)))
    return reward[rows], target[rows], logged[rows]


def by_product(reward, target, logged):
    return pi(reward, product_weight(target, logged))


def by_ratio(reward, target, logged):
    return wpi(reward, product_weight(target, logged))


def by_variate(reward, target, logged):
    return pi_with_variate(reward, product_weight(target, logged), position_weight(target, logged))


def by_plain_variate(reward, target, logged):
    return pi_with_variate(reward, product_weight(target, logged))


def by_variates(reward, target, logged):
    return pi_with_variates(reward, product_weight(target, logged), position_weight(target, logged))


ESTIMATORS = [by_product, by_ratio, by_variate, by_plain_variate, by_variates]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_close_to_the_truth_on_a_log(products, estimator):
    _, reward, target, _ = products
    terms = estimator(*repeated(products, 20_000, seed=1))
    error = np.sqrt(np.square(terms.influence).sum(axis=0))
    assert (np.abs(terms.value - np.exp(target.sum(axis=1)) @ reward.sum(axis=1)) < 3 * error).all()


def test_control_variates_lower_the_error(products):
    _, reward, target, _ = products
    truth = np.exp(target.sum(axis=1)) @ reward.sum(axis=1)
    values = np.array(
        [[estimator(*repeated(products, 300, seed)).value for estimator in ESTIMATORS] for seed in range(200)]
    )
    plain, ratio, one, plain_one, several = np.square(values - truth).mean(axis=(0, 2))
    assert max(ratio, one, plain_one) < 0.4 * plain
    assert several < 0.4 * plain
    assert np.abs(values.mean(axis=0) - truth).max() < 0.02


def test_reported_errors_are_those_over_logs(products):
    """Betas are estimated, and the terms take them as given: at 300 slates that makes no difference that matters."""
    for estimator in ESTIMATORS:
        terms = [estimator(*repeated(products, 300, seed)) for seed in range(300)]
        spread = np.std([part.value for part in terms], axis=0)
        told = np.sqrt(np.mean([np.square(part.influence).sum(axis=0) for part in terms], axis=0))
        assert told == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_on_policy_is_the_mean_reward(products, estimator):
    reward, _, logged = repeated(products, 50, seed=0)
    assert estimator(reward, logged, logged).value == pytest.approx(reward.sum(axis=1).mean(axis=0), rel=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_scale_row_order_and_other_objectives_do_not_matter(products, estimator):
    reward, target, logged = repeated(products, 50, seed=0)
    value = estimator(reward, target, logged).value
    rows = np.random.default_rng(0).permutation(50)
    assert estimator(-7.0 * reward, target, logged).value == pytest.approx(-7.0 * value, rel=1e-11)
    assert estimator(reward[rows], target[rows], logged[rows]).value == pytest.approx(value, rel=1e-11)
    alone = [estimator(reward[:, :, i], target, logged).value[0] for i in range(2)]
    assert value == pytest.approx(alone, rel=1e-11)


def test_slates_of_one_item_are_a_contextual_bandit(products):
    reward, target, logged = (values[:, :1] for values in repeated(products, 50, seed=0))
    assert by_product(reward, target, logged).value == pytest.approx(sips(reward, target, logged).value, rel=1e-12)


def test_control_variates_by_hand():
    reward, weights = np.array([[1.0], [2.0], [0.0]]), np.array([[2.0, 0.5], [0.5, 1.0], [0.5, 2.0]])
    g = weights.sum(axis=1) - 1.0  # (1.5, 0.5, 1.5)
    one = (1.5 * 0.5 + 1.0 * -0.5) / ((1 + 0.25) + (0.25 + 0) + (0.25 + 1))
    assert pi_with_variate(reward, g, weights).value[0] == pytest.approx((1.5 + 1.0) / 3 - one * 0.5 / 3)
    first, second = (1.5 * 1 - 1.0 * 0.5) / 1.5, (1.5 * -0.5) / 1.25
    expected = (1.5 + 1.0) / 3 - first * 0.0 / 3 - second * 0.5 / 3
    assert pi_with_variates(reward, g, weights).value[0] == pytest.approx(expected)


def bias_of_marginals(m, draws):
    """Mean distance to the truth, as a share of the value, of `product_weight` with marginals of rankers of 2 of m."""
    rng, slates, off, values = np.random.default_rng(0), slates_of(m, 2), [], []
    for _ in range(draws):
        logged = 0.5 * rng.normal(size=m)
        target = logged + 0.7 * rng.normal(size=m)
        marginals = (plackett_luce_marginals(logits[None], 2)[0] for logits in (target, logged))
        weight = product_weight(*(np.log(table[[0, 1], slates]) for table in marginals))
        reward = (rng.uniform(0.1, 0.9, m)[slates] * [1.0, 0.5]).sum(axis=1)
        assert chances(logged, slates) @ weight == pytest.approx(1.0, abs=1e-9)
        values.append(chances(target, slates) @ reward)
        off.append(abs(chances(logged, slates) @ (weight * reward) - values[-1]))
    return np.mean(off) / np.mean(values)


def test_marginals_of_rankers_in_the_product_form_are_an_approximation():
    """The shares that the module names; exact for no catalogue, and better the larger it is."""
    shares = [bias_of_marginals(m, draws) for m, draws in ((4, 300), (10, 100), (40, 20))]
    np.testing.assert_allclose(shares, [0.019, 0.011, 0.002], rtol=0.35)


def test_what_cannot_be_judged_is_refused():
    slates, certain = np.array([[0, 1], [1, 0], [0, 2]]), [[1.0, 0.0, 0.0]]
    with pytest.raises(ValueError, match="in context 0 the target policy shows items at positions where"):
        enumerated_weight(slates, [[0.0, 0.0, 1.0]], certain, [0], [0])
    with pytest.raises(ValueError, match="row 1 shows slate 2, whose logged_chance in context 0 is 0; a logged slate"):
        enumerated_weight(slates, certain, certain, [0, 2], [0, 0])
    with pytest.raises(ValueError, match=r"logged_chance of context 0 adds up to 0.9, its least value being 0"):
        enumerated_weight(slates, certain, [[0.9, 0.0, 0.0]], [0], [0])
    with pytest.raises(ValueError, match=r"target_chance of context 0 adds up to nan"):
        enumerated_weight(slates, [[np.nan, 0.0, 0.0]], certain, [0], [0])
    with pytest.raises(ValueError, match=r"target_chance has shape \(1, 2\); \(contexts, 3\) is needed"):
        enumerated_weight(slates, [[0.5, 0.5]], certain, [0], [0])
    with pytest.raises(ValueError, match=r"target_chance has shape \(2, 3\) but logged_chance has shape \(1, 3\)"):
        enumerated_weight(slates, certain * 2, certain, [0], [0])
    with pytest.raises(ValueError, match="n_items is 1 for slates of 2 different items; at least 2 are needed"):
        uniform_weight(np.zeros((1, 2, 2)), 1)
    with pytest.raises(ValueError, match="row 0, item of position 1, position 0 of target position_log_prob is nan"):
        uniform_weight([[[0.0, -1.0], [np.nan, 0.0]]], 5)


def test_weights_that_do_not_fit_are_refused(products):
    _, reward, target, logged = products
    weight = product_weight(target, logged)
    with pytest.raises(ValueError, match=r"weight has shape \(63,\); \(64,\) is needed: a number for every slate"):
        pi(reward, weight[1:])
    with pytest.raises(ValueError, match=r"position_weights have shape \(64,\); \(64, k\) is needed: a row for every"):
        pi_with_variates(reward, weight, weight)
    with pytest.raises(ValueError, match=r"logged_marginal has shape \(64, 2\) but target_marginal has shape"):
        product_weight(target, logged[:, 1:])
    weight[5] = np.inf
    for estimator in (pi, wpi, pi_with_variate):
        with pytest.raises(ValueError, match="row 5 of weight is inf; weights are finite. Drop the slate or check its"):
            estimator(reward, weight)
    weight[5] = 1.0
    broken = position_weight(target, logged)
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="row 3 of position_weights is nan; weights are finite"):
        pi_with_variate(reward, weight, broken)
