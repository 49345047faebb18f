"""Weights position by position: unbiased under their assumption by enumeration, and biased where it fails."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.marginals import plackett_luce_marginal_log_prob
from recsim.ope.behaviour import relevant_positions
from recsim.ope.positions import aips, behaviour_weight, iips, position_weight, sniips
from recsim.ope.slate import prefix_weight, rips, sips, snsips
from recsim.policy import plackett_luce_log_prob

LOOK = 1.0 / (1.0 + np.arange(3))


@pytest.fixture
def small():
    """Random rewards (50, 4, 3) and log-propensities of both policies."""
    rng = np.random.default_rng(5)
    reward = rng.normal(size=(50, 4, 3))
    logged, target = np.log(rng.uniform(0.2, 0.9, (2, 50, 4)))
    return reward, target, logged


@pytest.fixture
def enumerated(world, observe_context):
    """Every slate with its propensities and chance of being logged, and rewards of users who look at one item each."""
    context, slate = world.everything()
    observation = observe_context(context)
    return {
        "context": context,
        "slate": slate,
        "alone": world.appeal[context[:, None], slate] * LOOK[:, None],
        "together": world.expected(context, slate),
        "target": world.target.step_log_prob(observation, slate),
        "logged": world.behaviour.step_log_prob(observation, slate),
        "target_marginal": plackett_luce_marginal_log_prob(world.target.table[context], slate),
        "logged_marginal": plackett_luce_marginal_log_prob(world.behaviour.table[context], slate),
        "chance": world.chance(world.behaviour),
        "target_chance": world.chance(world.target),
    }


def expectation(terms, chance):
    assert (terms.denominator == 1).all()
    return chance @ terms.numerator[:, 0]


def test_iips_is_unbiased_if_items_do_not_interact(enumerated):
    e = enumerated
    mean = expectation(iips(e["alone"], e["target_marginal"], e["logged_marginal"]), e["chance"])
    assert mean == pytest.approx(e["target_chance"] @ e["alone"].sum(axis=1), abs=1e-10)


def test_iips_is_biased_if_they_do(enumerated, world):
    e = enumerated
    mean = expectation(iips(e["together"], e["target_marginal"], e["logged_marginal"]), e["chance"])
    assert np.abs(mean - world.truth(world.target)).min() > 1e-3  # exact, so any distance is one


def test_iips_judges_a_certain_ranking(world, enumerated, observe_context):
    e = enumerated
    best = np.argsort(-world.greedy.table[e["context"]], axis=1)[:, :3]
    target = np.where(best == e["slate"], 0.0, -np.inf)
    mean = expectation(iips(e["alone"], target, e["logged_marginal"]), e["chance"])
    assert mean == pytest.approx(world.chance(world.greedy) @ e["alone"].sum(axis=1), abs=1e-10)


def test_sniips_is_consistent(enumerated):
    e = enumerated
    terms = sniips(e["alone"], e["target_marginal"], e["logged_marginal"])
    assert e["chance"] @ terms.denominator == pytest.approx(np.ones(3), abs=1e-10)
    numerator = np.einsum("n,ngo->o", e["chance"], terms.numerator)
    assert numerator == pytest.approx(e["target_chance"] @ e["alone"].sum(axis=1), abs=1e-10)


@pytest.mark.parametrize("estimator", [iips, sniips])
def test_close_to_the_truth_on_a_log(world, tiny_log, estimator):
    """Rewards are drawn anew, for users who look at one item each."""
    context, slate = tiny_log.observation.argmax(axis=1), tiny_log.slate
    chance = world.appeal[context[:, None], slate] * LOOK[:, None]
    reward = (np.random.default_rng(1).random(chance.shape) < chance).astype(float)
    target, logged = (plackett_luce_marginal_log_prob(p.table[context], slate) for p in (world.target, world.behaviour))
    terms = estimator(reward, target, logged)
    everywhere, slates = world.everything()
    truth = world.chance(world.target) @ (world.appeal[everywhere[:, None], slates] * LOOK[:, None]).sum(axis=1)
    error = np.sqrt(np.square(terms.influence).sum(axis=0))
    assert (np.abs(terms.value - truth) < 3 * error).all()
    assert (error < 0.1 * terms.value).all()


def test_iips_is_not_rips_and_step_propensities_make_it_neither(enumerated, world):
    """The fault of a peer, whose "RIPS" multiplies nothing down the slate."""
    e = enumerated
    honest = expectation(rips(e["together"], e["target"], e["logged"]), e["chance"])
    unmultiplied = expectation(iips(e["together"], e["target"], e["logged"]), e["chance"])
    own = expectation(iips(e["together"], e["target_marginal"], e["logged_marginal"]), e["chance"])
    assert honest == pytest.approx(world.truth(world.target), abs=1e-12)
    for other in (unmultiplied, own):
        assert np.abs(other - honest).min() > 1e-3
    assert np.abs(unmultiplied - own).min() > 1e-3


@pytest.mark.parametrize("behaviour", ["cascade", "standard"])
def test_aips_is_unbiased_where_all_above_matters(enumerated, world, behaviour):
    e = enumerated
    relevant = relevant_positions(behaviour, 3)
    mean = expectation(aips(e["together"], e["target"], e["logged"], relevant), e["chance"])
    assert mean == pytest.approx(world.truth(world.target), abs=1e-12)


def test_aips_is_unbiased_for_users_of_two_kinds(enumerated):
    """In context 0 they read from the top, in 1 the last item bears on the first position."""
    e = enumerated
    reward = e["together"].copy()
    ahead = e["context"] == 1
    reward[ahead, 0] *= 2.0 * (e["slate"][ahead, 2, None] % 2)
    relevant = np.where(ahead[:, None, None], relevant_positions("standard", 3), relevant_positions("cascade", 3))
    truth = e["target_chance"] @ reward.sum(axis=1)
    adapted = expectation(aips(reward, e["target"], e["logged"], relevant), e["chance"])
    cascade = expectation(aips(reward, e["target"], e["logged"], relevant_positions("cascade", 3)), e["chance"])
    assert adapted == pytest.approx(truth, abs=1e-12)
    assert np.abs(cascade - truth).min() > 1e-3


def test_aips_is_unbiased_for_any_relevant_positions_of_product_policies():
    """2 positions, 3 items with repeats; the item of the second position bears on the first, nothing else."""
    rng = np.random.default_rng(2)
    logged, target = rng.dirichlet(np.ones(3), (2, 2))  # (2, positions, items) each
    slates = np.array([(a, b) for a in range(3) for b in range(3)])
    worth = rng.random((3, 3))
    reward = np.column_stack([worth[slates[:, 0], slates[:, 1]], worth[slates[:, 1], 0]])
    at = logged[[0, 1], slates], target[[0, 1], slates]
    chance, wanted = at[0].prod(axis=1), at[1].prod(axis=1)
    relevant = np.array([[True, True], [False, True]])
    terms = aips(reward, np.log(at[1]), np.log(at[0]), relevant)
    assert expectation(terms, chance) == pytest.approx([wanted @ reward.sum(axis=1)], abs=1e-12)


def test_aips_has_mean_weight_one_whatever_is_relevant(enumerated):
    e = enumerated
    relevant = np.random.default_rng(0).random((len(e["slate"]), 3, 3)) < 0.5
    relevant[:] = relevant[0]
    weight = behaviour_weight(e["target"], e["logged"], relevant)
    assert e["chance"] @ weight == pytest.approx(np.ones(3), abs=1e-12)


def test_aips_contains_the_others(small):
    reward, target, logged = small
    standard, cascade, alone = (relevant_positions(name, 4) for name in ("standard", "cascade", "independent"))
    assert aips(reward, target, logged, standard).value == pytest.approx(sips(reward, target, logged).value, rel=1e-12)
    assert aips(reward, target, logged, cascade).value == pytest.approx(rips(reward, target, logged).value, rel=1e-12)
    assert aips(reward, target, logged, alone).value == pytest.approx(iips(reward, target, logged).value, rel=1e-12)
    np.testing.assert_allclose(behaviour_weight(target, logged, cascade), prefix_weight(target, logged))


def test_never_shown_items_matter_only_where_they_are_relevant():
    logged, target = np.log([[0.5, 0.5]]), np.array([[-np.inf, np.log(0.25)]])
    assert behaviour_weight(target, logged, np.eye(2, dtype=bool)).tolist() == [[0.0, 0.5]]
    assert behaviour_weight(target, logged, np.ones((2, 2), bool)).tolist() == [[0.0, 0.0]]


def test_slates_of_one_item_are_a_contextual_bandit(small):
    reward, target, logged = (values[:, :1] for values in small)
    assert iips(reward, target, logged).value == pytest.approx(sips(reward, target, logged).value, rel=1e-13)
    assert sniips(reward, target, logged).value == pytest.approx(snsips(reward, target, logged).value, rel=1e-13)


def every_position(reward, target, logged):
    return aips(reward, target, logged, np.ones((4, 4), bool))


@pytest.mark.parametrize("estimator", [iips, sniips, every_position])
def test_on_policy_is_the_mean_reward(small, estimator):
    reward, _, logged = small
    assert estimator(reward, logged, logged).value == pytest.approx(reward.sum(axis=1).mean(axis=0), rel=1e-13)


@pytest.mark.parametrize("estimator", [iips, sniips, every_position])
def test_scale_row_order_and_other_objectives_do_not_matter(small, estimator):
    reward, target, logged = small
    value = estimator(reward, target, logged).value
    rows = np.random.default_rng(0).permutation(len(reward))
    assert estimator(-7.0 * reward, target, logged).value == pytest.approx(-7.0 * value, rel=1e-12)
    assert estimator(reward[rows], target[rows], logged[rows]).value == pytest.approx(value, rel=1e-12)
    alone = [estimator(reward[:, :, i], target, logged).value[0] for i in range(3)]
    assert value == pytest.approx(alone, rel=1e-13)


def test_sniips_stays_in_the_range_of_the_rewards(small):
    _, target, logged = small
    assert sniips(np.full((50, 4), 0.25), target, logged).value == pytest.approx([1.0], rel=1e-13)


def test_errors_name_what_is_wrong(small):
    reward, target, logged = small
    with pytest.raises(ValueError, match=r"reward has shape \(49, 4, 3\) but logged_marginal has shape \(50, 4\)"):
        sniips(reward[1:], target, logged)
    with pytest.raises(ValueError, match=r"reward has shape \(49, 4, 3\) but logged has shape \(50, 4\)"):
        iips(reward[1:], target, logged)
    with pytest.raises(ValueError, match=r"logged_marginal has shape \(50, 3\) but target_marginal has shape"):
        position_weight(target, logged[:, 1:])
    broken = logged.copy()
    broken[2, 1] = -np.inf
    with pytest.raises(ValueError, match="row 2, position 1 of logged marginal_log_prob is -inf; a logged choice"):
        iips(reward, target, broken)
    broken[2, 1] = -400.0
    for estimator in (iips, every_position):
        with pytest.raises(
            ValueError, match=r"row 2, position [01]: the weight is e\^.*, so the slate was logged with"
        ):
            estimator(reward, target, broken)
    broken = target.copy()
    broken[0, 3] = np.nan
    with pytest.raises(ValueError, match="row 0, position 3 of target marginal_log_prob is nan"):
        iips(reward, broken, logged)


@pytest.mark.parametrize("relevant", [np.ones((3, 3), bool), np.ones((4, 4)), np.ones((49, 4, 4), bool)])
def test_relevant_positions_that_do_not_fit(small, relevant):
    with pytest.raises(ValueError, match=r"relevant holds .* of shape .*; booleans of shape \(4, 4\) or \(50, 4, 4\)"):
        aips(*small, relevant)


def bias_of_steps(m, draws):
    """Mean distance to the truth, as a share of the value, of `aips` with own items alone, for rankers of 2 of m."""
    rng, slates = np.random.default_rng(0), np.array(list(permutations(range(m), 2)))
    off, values = [], []
    for _ in range(draws):
        logged = 0.5 * rng.normal(size=m)
        tables = (np.tile(logits, (len(slates), 1)) for logits in (logged + 0.7 * rng.normal(size=m), logged))
        target, logged = (plackett_luce_log_prob(table, slates) for table in tables)
        reward = rng.uniform(0.1, 0.9, m)[slates] * [1.0, 0.5]
        terms = aips(reward, target, logged, np.eye(2, dtype=bool))
        values.append(np.exp(target.sum(axis=1)) @ reward.sum(axis=1))
        off.append(abs(np.exp(logged.sum(axis=1)) @ terms.numerator[:, 0, 0] - values[-1]))
    return np.mean(off) / np.mean(values)


def test_steps_in_place_of_marginals_matter_less_in_large_catalogues():
    small, large = bias_of_steps(4, 100), bias_of_steps(40, 20)
    assert small > 0.005
    assert large < 0.25 * small


def value_or_refusal(estimator, *arrays):
    try:
        return estimator(*arrays).value
    except ValueError as error:
        return str(error)


PLACES = st.tuples(st.integers(0, 2), st.integers(0, 11))
BAD = st.sampled_from([np.nan, np.inf, -np.inf, 0.5, 1e308, -1e308, -400.0, -1e-300, 5e-324])


@given(place=PLACES, bad=BAD, seed=st.integers(0, 3))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_bad_numbers_are_refused_or_give_numbers(place, bad, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=12), *np.log(rng.uniform(0.1, 0.9, (2, 12)))]
    arrays[place[0]][place[1]] = bad
    reward, target, logged = (values.reshape(4, 3) for values in arrays)
    for estimator in (iips, sniips, lambda *logs: aips(*logs, np.tri(3, dtype=bool))):
        found = value_or_refusal(estimator, reward, target, logged)
        assert "row" in found if isinstance(found, str) else np.isfinite(found).all()
