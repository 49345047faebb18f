from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim.ope.bandit import clipped_weight, importance_weight, ips, snips
from recsim.ope.selection import least, shrinkage_mse, slope
from recsim.ope.terms import Terms, mean_terms


def terms_with(value, half_width):
    """Two rows whose average is `value`; delta = 0.25 makes Student's quantile with 1 degree of freedom exactly 1."""
    value, half_width = np.atleast_1d(value), np.atleast_1d(half_width)
    return mean_terms(np.stack([value - half_width, value + half_width]))


def test_slope_by_hand():
    slack = np.sqrt(6) - 1
    first, second = terms_with(0.0, 4.0), terms_with(4.5, 1.0)  # |0 - 4.5| <= 1 + 4 slack
    assert slope({3: first, 2: second}, delta=0.25) == [2]
    reach = 0.1 + slack * 1.0  # of a third, narrower one from the second
    assert slope({3: first, 2: second, 1: terms_with(4.5 - reach + 1e-9, 0.1)}, delta=0.25) == [1]
    assert slope({3: first, 2: second, 1: terms_with(4.5 - reach - 1e-9, 0.1)}, delta=0.25) == [2]


def test_slope_stops_at_the_first_that_is_out_of_reach():
    wide, off, back = terms_with(0.0, 1.0), terms_with(9.0, 0.5), terms_with(0.0, 0.1)
    assert slope({"back": back, "off": off, "wide": wide}, delta=0.25) == ["wide"]


def test_slope_chooses_for_every_objective():
    wide, narrow = terms_with([0.0, 0.0], [1.0, 1.0]), terms_with([0.0, 9.0], [0.1, 0.1])
    assert slope({"wide": wide, "narrow": narrow}, delta=0.25) == ["narrow", "wide"]


def log_of(seed, effect):
    """Rewards around 0 but for `effect` where the logged action was rare; the target draws one of two actions."""
    rng = np.random.default_rng(seed)
    rare = rng.uniform(0.02, 0.5, 3000)
    chosen = rng.random(3000) < rare
    logged = np.log(np.where(chosen, rare, 1 - rare))
    reward = rng.normal(size=3000) + effect * (chosen & (rare < 0.1))
    return reward, np.full(3000, np.log(0.5)), logged


def test_slope_takes_ratios():
    reward, target, logged = log_of(0, effect=0.0)
    candidates = {"ips": ips(reward + 9.0, target, logged), "snips": snips(reward + 9.0, target, logged)}
    assert slope(candidates) == ["snips"]  # as near, and far narrower


def test_a_new_log_is_a_new_choice():
    """Fault 12 of obp: its tuning objects keep the value they chose for the first log."""
    candidates = (1.0, 2.0, 10.0, 100.0)

    def chosen(log):
        return slope({clip: ips(*log, clip=clip) for clip in candidates})

    def by_mse(log):
        weight = importance_weight(*log[1:])
        scores = {
            clip: shrinkage_mse(ips(*log, clip=clip), log[0], weight, clipped_weight(*log[1:], clip), bias_bound=False)
            for clip in candidates
        }
        return least(scores)

    first, second = log_of(0, effect=0.0), log_of(1, effect=20.0)
    for rule in (chosen, by_mse):
        fresh = rule(second)
        assert rule(first) != fresh
        assert rule(second) == fresh


def test_mse_by_hand():
    reward, weight, used = np.array([1.0, 3.0]), np.array([4.0, 1.0]), np.array([2.0, 1.0])
    terms = mean_terms((used * reward)[:, None])  # 2 and 3: variance of the mean 0.25 / 2
    bias = (4 - 2) * 1.0 / 2
    plain = shrinkage_mse(terms, reward, weight, used, bias_bound=False)
    assert plain == pytest.approx([0.125 + bias**2])
    doubt = np.log(2 / 0.1)
    bound = bias + np.sqrt(2 * 8.5 * doubt / 2) + 2 * 4 * doubt / (3 * 2)
    assert shrinkage_mse(terms, reward, weight, used) == pytest.approx([0.125 + bound**2])
    modelled = shrinkage_mse(terms, reward, weight, used, [0.5, 0.0], bias_bound=False)
    assert modelled == pytest.approx([0.125 + ((4 - 2) * 0.5 / 2) ** 2])


def test_the_bound_of_the_bias_does_not_depend_on_the_weights_used():
    reward, target, logged = log_of(2, effect=0.0)
    weight = importance_weight(target, logged)
    added = []
    for clip in (1.0, 5.0, 100.0):
        used = clipped_weight(target, logged, clip)
        terms = ips(reward, target, logged, clip=clip)
        bias = abs(((weight - used) * reward).mean())
        without, bounded = (shrinkage_mse(terms, reward, weight, used, bias_bound=bound)[0] for bound in (False, True))
        added.append(np.sqrt(bounded - (without - bias**2)) - bias)
    assert added == pytest.approx([added[0]] * 3, rel=1e-9)


def test_scale_changes_no_choice():
    reward, target, logged = log_of(3, effect=1.0)
    choices = [slope({c: ips(scale * reward, target, logged, clip=c) for c in (1.0, 3.0, 30.0)}) for scale in (1, -1e6)]
    assert choices[0] == choices[1]


def test_least_of_equals_is_the_last():
    assert least({"a": np.array([1.0]), "b": np.array([1.0]), "c": np.array([2.0])}) == ["b"]


def test_errors_name_what_is_wrong():
    terms = terms_with(0.0, 1.0)
    for rule in (slope, least):
        with pytest.raises(ValueError, match="there are no candidates; at least 1 is needed"):
            rule({})
    with pytest.raises(ValueError, match=r"delta is 1.0; it is a probability between 0 and 1"):
        slope({"a": terms}, delta=1.0)
    with pytest.raises(ValueError, match=r"delta is nan; it is a probability"):
        shrinkage_mse(terms, [0, 1], [1.0, 1.0], [1.0, 1.0], delta=np.nan)
    with pytest.raises(ValueError, match=r"candidates have \[2, 3\] rows; all need the same rows"):
        slope({"a": terms, "b": mean_terms(np.ones((3, 1)))})
    with pytest.raises(ValueError, match=r"candidates have \[1\] rows; .* at least 2"):
        slope({"a": mean_terms(np.ones((1, 1)))})
    with pytest.raises(ValueError, match=r"candidate 'none' has no value: nothing in the log bears on it"):
        slope({"a": terms, "none": Terms(np.zeros((2, 1, 1)), np.zeros((2, 1)))})
    with pytest.raises(ValueError, match=r"candidate 'b' has no score. Leave it out"):
        least({"a": np.array([1.0]), "b": np.array([np.nan])})
    with pytest.raises(ValueError, match=r"used_weight has 3 rows but reward has 2"):
        shrinkage_mse(terms, [0, 1], [1.0, 1.0], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"row 1 of used_weight is -1"):
        shrinkage_mse(terms, [0, 1], [1.0, 1.0], [1.0, -1.0])


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3)), min_size=1, max_size=6))
def test_slope_equals_intersections_of_all_pairs(found):
    """A slower reading: keep the longest run, widest first, in which every pair is within reach."""
    order = sorted(range(len(found)), key=lambda i: -found[i][1])
    kept = 0
    for end in range(1, len(order) + 1):
        run = order[:end]
        if all(
            abs(found[i][0] - found[j][0]) <= found[i][1] + (np.sqrt(6) - 1) * found[j][1] + 1e-9
            for place, i in enumerate(run)
            for j in run[:place]
        ):
            kept = order[end - 1]
        else:
            break
    chosen = slope({i: terms_with(*pair) for i, pair in enumerate(found)}, delta=0.25)
    assert found[chosen[0]][1] == pytest.approx(found[kept][1], abs=1e-9)
