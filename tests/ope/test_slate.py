from __future__ import annotations

import numpy as np
import pytest

from recsim.ope import cascade_dr, dm, dr, prefix_weight, rips, sips, snrips, snsips

WEIGHTED = [sips, rips, snsips, snrips]
UNBIASED = [sips, rips]


@pytest.fixture
def small():
    """Random rewards (50, 4, 3) and propensities of both policies."""
    rng = np.random.default_rng(5)
    reward = rng.normal(size=(50, 4, 3))
    logged, target = np.log(rng.uniform(0.2, 0.9, (2, 50, 4)))
    return reward, target, logged


@pytest.fixture
def enumerated(world, observe_context):
    """Every slate with its expected reward, propensities and chance of being logged."""
    context, slate = world.everything()
    observation = observe_context(context)
    return {
        "reward": world.expected(context, slate),
        "target": world.target.step_log_prob(observation, slate),
        "logged": world.behaviour.step_log_prob(observation, slate),
        "chance": world.chance(world.behaviour),
        "context": context,
        "slate": slate,
    }


def expectation(terms, chance):
    """The mean of an estimator without denominator over everything that can be logged."""
    assert (terms.denominator == 1).all()
    return chance @ terms.numerator[:, 0]


@pytest.mark.parametrize("estimator", UNBIASED)
def test_unbiased_by_enumeration(world, enumerated, estimator):
    e = enumerated
    mean = expectation(estimator(e["reward"], e["target"], e["logged"]), e["chance"])
    assert mean == pytest.approx(world.truth(world.target), abs=1e-12)


@pytest.mark.parametrize("estimator", [snsips, snrips])
def test_self_normalised_are_consistent_by_enumeration(world, enumerated, estimator):
    e = enumerated
    terms = estimator(e["reward"], e["target"], e["logged"])
    numerator = np.einsum("n,ngo->go", e["chance"], terms.numerator)
    denominator = e["chance"] @ terms.denominator
    assert denominator == pytest.approx(np.ones(len(denominator)), abs=1e-12)
    assert numerator.sum(axis=0) == pytest.approx(world.truth(world.target), abs=1e-12)


def model_values(world, enumerated, wrong):
    """A position-additive model of the world, and its expectation under the target at every context."""
    context, slate = enumerated["context"], enumerated["slate"]
    table = np.random.default_rng(9).uniform(0, 1, (2, 6, 3, 2)) if wrong else np.zeros((2, 6, 3, 2))
    at_logged = table[context[:, None], slate, np.arange(3)]  # (n, k, o)
    chance = 2 * world.chance(world.target)
    by_context = np.array([np.einsum("n,nko->ko", chance[context == c], at_logged[context == c]) for c in (0, 1)])
    return at_logged, by_context[context]


@pytest.mark.parametrize("wrong", [True, False])
def test_dr_is_unbiased_with_any_model(world, enumerated, wrong):
    e = enumerated
    terms = dr(e["reward"], e["target"], e["logged"], *model_values(world, enumerated, wrong))
    assert expectation(terms, e["chance"]) == pytest.approx(world.truth(world.target), abs=1e-12)


def test_dr_is_unbiased_with_wrong_propensities_if_the_model_is_right(world, enumerated):
    e = enumerated
    at_logged, under_target = model_values(world, enumerated, wrong=True)
    wrong = e["logged"] - 0.3
    terms = dr(at_logged, e["target"], wrong, at_logged, under_target)  # rewards as the model says
    truth = world.chance(world.target) @ at_logged.sum(axis=1)
    assert expectation(terms, e["chance"]) == pytest.approx(truth, abs=1e-12)
    assert expectation(rips(at_logged, e["target"], wrong), e["chance"]) != pytest.approx(truth, rel=0.1)


def test_dm_is_the_models_value(world, enumerated):
    at_logged, under_target = model_values(world, enumerated, wrong=True)
    expected = world.chance(world.target) @ at_logged.sum(axis=1)
    assert expectation(dm(under_target), enumerated["chance"]) == pytest.approx(expected, abs=1e-12)


def test_cascade_dr_is_unbiased_with_any_model(world, enumerated, observe_context):
    e, table = enumerated, np.random.default_rng(3).uniform(0, 1, (2, 6, 3, 2))
    q_logged = table[e["context"][:, None], e["slate"], np.arange(3)]
    expected = np.empty(q_logged.shape)
    for position in range(3):
        total = np.zeros((len(q_logged), 2))
        for item in range(6):
            slate = e["slate"][:, : position + 1].copy()
            slate[:, position] = item
            with np.errstate(divide="ignore"):
                step = world.target.step_log_prob(observe_context(e["context"]), slate)[:, position]
            total += np.exp(step)[:, None] * table[e["context"], item, position]
        expected[:, position] = total
    terms = cascade_dr(e["reward"], e["target"], e["logged"], q_logged, expected)
    assert expectation(terms, e["chance"]) == pytest.approx(world.truth(world.target), abs=1e-12)


def test_only_sips_survives_users_who_look_ahead(world, enumerated):
    e = enumerated
    reward = e["reward"].copy()
    reward[:, 0] *= (e["slate"][:, 2, None] % 2) * 2.0  # the first position is worth more above an odd last item
    truth = world.chance(world.target) @ reward.sum(axis=1)
    assert expectation(sips(reward, e["target"], e["logged"]), e["chance"]) == pytest.approx(truth, abs=1e-12)
    assert abs(expectation(rips(reward, e["target"], e["logged"]), e["chance"]) - truth).max() > 0.01


@pytest.mark.parametrize("estimator", WEIGHTED)
def test_close_to_the_truth_on_a_log(world, tiny_log, estimator):
    target = world.target.step_log_prob(tiny_log.observation, tiny_log.slate)
    terms = estimator(tiny_log.objectives, target, tiny_log.step_log_prob)
    error = np.sqrt(np.square(terms.influence).sum(axis=0))
    assert (np.abs(terms.value - world.truth(world.target)) < 4 * error).all()
    assert (error < 0.1 * terms.value).all()


@pytest.mark.parametrize("estimator", WEIGHTED)
def test_on_policy_is_the_mean_reward(small, estimator):
    reward, _, logged = small
    assert estimator(reward, logged, logged).value == pytest.approx(reward.sum(axis=1).mean(axis=0), rel=1e-13)


@pytest.mark.parametrize("estimator", WEIGHTED)
def test_all_objectives_at_once_equal_each_alone(small, estimator):
    reward, target, logged = small
    together = estimator(reward, target, logged).value
    alone = [estimator(reward[:, :, i], target, logged).value[0] for i in range(3)]
    assert together == pytest.approx(alone, rel=1e-13)


@pytest.mark.parametrize("estimator", WEIGHTED)
def test_scale_and_row_order_do_not_matter(small, estimator):
    reward, target, logged = small
    value = estimator(reward, target, logged).value
    rows = np.random.default_rng(0).permutation(len(reward))
    assert estimator(-7.0 * reward, target, logged).value == pytest.approx(-7.0 * value, rel=1e-12)
    assert estimator(reward[rows], target[rows], logged[rows]).value == pytest.approx(value, rel=1e-12)


def test_self_normalised_values_stay_in_the_range_of_the_rewards(small):
    _, target, logged = small
    assert snsips(np.full((50, 4), 0.25), target, logged).value == pytest.approx([1.0], rel=1e-13)
    assert snrips(np.full((50, 4), 0.25), target, logged).value == pytest.approx([1.0], rel=1e-13)


def test_a_deterministic_target_has_weight_zero_where_it_disagrees():
    logged = np.log([[0.5, 0.25], [0.5, 0.5]])
    target = np.array([[0.0, 0.0], [0.0, -np.inf]])
    assert prefix_weight(target, logged) == pytest.approx(np.array([[2.0, 8.0], [2.0, 0.0]]))
    assert rips([[1, 1], [1, 1]], target, logged).value == pytest.approx([(2 + 8 + 2 + 0) / 2])
    assert snrips([[1, 0], [0, 1]], target, logged).value == pytest.approx([2 / 4 + 0 / 8])


def test_step_propensities_multiply_down_the_slate():
    target, logged = np.log([[0.6, 0.5, 0.1]]), np.log([[0.3, 0.25, 0.4]])
    assert prefix_weight(target, logged) == pytest.approx(np.array([[2.0, 4.0, 1.0]]))


def test_long_slates_do_not_underflow():
    steps = np.full((2, 200), -5.0)  # a joint probability of e^-1000
    assert sips(np.ones((2, 200)), steps, steps).value == pytest.approx([200.0])


def test_errors_name_what_is_wrong(small):
    reward, target, logged = small
    with pytest.raises(ValueError, match=r"reward has shape \(49, 4, 3\) but logged has shape \(50, 4\)"):
        sips(reward[1:], target, logged)
    with pytest.raises(ValueError, match=r"logged has shape \(50, 3\) but target has shape \(50, 4\)"):
        rips(reward, target, logged[:, 1:])
    with pytest.raises(ValueError, match=r"model_target has shape \(40, 4, 3\) but reward has shape \(50, 4, 3\)"):
        dr(reward, target, logged, reward, reward[:40])
    with pytest.raises(ValueError, match=r"model_logged has 2 objectives but reward has 3; model every objective"):
        dr(reward, target, logged, reward[:, :, :2], reward)
    broken, heavy = reward.copy(), logged.copy()
    broken[0, 0, 1] = np.nan
    heavy[3, 2] = -400.0
    with pytest.raises(ValueError, match=r"row 0, position 0, objective 1 of to_go_logged is nan"):
        cascade_dr(reward, target, logged, broken, reward)
    with pytest.raises(ValueError, match=r"row 3, position 2: the weight is e\^[34]"):
        sips(reward, target, heavy)
