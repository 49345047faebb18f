"""Estimates as a guide to choosing policies: hand numbers, scipy's own, and estimates that cannot be used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsim.ope import evaluate
from recsim.ope.assessment import assess
from recsim.ope.choosing import (
    chosen,
    errors,
    precision_at,
    rank_correlation,
    regret_at,
    safety_errors,
    sharpe_ratio_at,
    worst_at,
)

TRUTH = {"now": 2.0, "a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
NAN = math.nan


def table(estimator: str = "dr", **values: float) -> pd.DataFrame:
    """Estimates of the reward, all of them to be trusted."""
    return pd.DataFrame(
        {
            "policy": list(values),
            "estimator": estimator,
            "objective": "reward",
            "value": list(values.values()),
            "verdict": "trust",
        }
    )


def assessed(estimates: pd.DataFrame, **options: Any) -> pd.Series:
    return assess(estimates, TRUTH, **{"logging_policy": "now"} | options).loc[0]


def test_every_number_by_hand() -> None:
    """The estimator likes c best (3.5), then a (2.5), d (2) and b (1)."""
    row = assessed(table(a=2.5, b=1.0, c=3.5, d=2.0), k=(1, 2, 4), safety=0.75)
    ranks, order = np.array([3.0, 1.0, 4.0, 2.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert row["spearman"] == pytest.approx(1 - 6 * ((ranks - order) ** 2).sum() / (4 * 15))
    assert row["kendall"] == pytest.approx((3 - 3) / 6)
    assert row["mean_squared_error"] == pytest.approx((1.5**2 + 1 + 0.5**2 + 2**2) / 4)
    assert row["relative_error"] == pytest.approx((1.5 / 1 + 1 / 2 + 0.5 / 3 + 2 / 4) / 4)
    assert row["type_1"] == 1.0  # safe from 1.5 up: a is not, and passes with 2.5
    assert row["type_2"] == pytest.approx(1 / 3)  # b, of b, c and d
    assert row[["regret@1", "regret@2", "regret@4"]].tolist() == [4 - 3, 4 - 3, 0]
    assert row[["precision@1", "precision@2", "precision@4"]].tolist() == [0, 1 / 2, 1]
    assert row[["worst@1", "worst@2", "worst@4"]].tolist() == [3, 1, 1]
    assert row["sharpe_ratio@1"] == pytest.approx((3 - 2) / np.std([3, 2]))
    assert row["sharpe_ratio@2"] == pytest.approx((3 - 2) / np.std([3, 1, 2]))
    assert row["sharpe_ratio@4"] == pytest.approx((4 - 2) / np.std([1, 2, 3, 4, 2]))
    assert row["note"] == ""


def test_of_two_estimators_that_err_alike_the_one_that_risks_less_has_the_higher_sharpe_ratio() -> None:
    """Kiyohara et al. 2024, example 1: one underestimates good policies, the other overestimates bad ones."""
    truth = np.array([1.0, 2.0, 3.0, 8.0, 9.0, 10.0])
    under, over = np.array([1.0, 2.0, 3.0, 2.5, 9.0, 4.0]), np.array([8.5, 9.5, 3.0, 8.0, 9.0, 10.0])
    assert regret_at(under, truth, 3, 3.0) == regret_at(over, truth, 3, 3.0) == 0.0
    assert sharpe_ratio_at(under, truth, 3, 3.0) > sharpe_ratio_at(over, truth, 3, 3.0)


@pytest.mark.parametrize("how", ["nan", "none", "verdict", "row"])
def test_a_policy_without_a_usable_estimate_is_not_chosen(how: str) -> None:
    """The best policy d has the highest estimate, but not one to be used."""
    estimates = table(a=1.0, b=2.0, c=3.0, d=9.0)
    if how == "nan":
        estimates.loc[3, "value"] = NAN
    elif how == "none":
        estimates["value"] = estimates["value"].astype(object)
        estimates.loc[3, "value"] = None
    elif how == "verdict":
        estimates.loc[3, "verdict"] = "do not use"
    else:
        estimates = pd.concat([estimates.iloc[:3], table("sips", a=1.0, b=2.0, c=3.0, d=4.0)], ignore_index=True)
    row = assessed(estimates, k=(1, 4), safety=1.0)
    assert row[["candidates", "usable"]].tolist() == [4, 3]
    assert row[["regret@1", "regret@4", "worst@1"]].tolist() == [1.0, 1.0, 3.0]
    assert row["precision@4"] == 3 / 4  # the fourth place stays empty
    assert row[["spearman", "kendall", "mean_squared_error"]].tolist() == [1.0, 1.0, 0.0]
    assert row["type_2"] == pytest.approx(1 / 3)  # b, c and d are safe; of d nothing is known


def test_without_any_usable_estimate_the_logging_policy_stays() -> None:
    row = assessed(table(a=NAN, b=NAN, c=NAN, d=NAN))
    assert row[["usable", "regret@1", "worst@1", "sharpe_ratio@1"]].tolist() == [0, 4.0 - 2.0, 2.0, 0.0]
    assert row[["precision@1", "type_1", "type_2"]].tolist() == [0.0, 0.0, 1.0]
    assert row[["spearman", "kendall", "mean_squared_error", "relative_error"]].isna().all()
    assert row["note"] == "no policy has a usable estimate: the logging policy stays."


def test_what_is_missing_is_said_in_words() -> None:
    equal = assessed(table(a=1.0, b=1.0, c=1.0, d=1.0), safety=0.5)
    assert math.isnan(equal["spearman"])
    assert math.isnan(equal["type_1"])
    assert equal["note"] == ("fewer than 2 different usable estimates, or true values, to rank. no policy is unsafe.")
    zero = assess(table(a=1.0, b=2.0), {"now": 3.0, "a": 0.0, "b": 1.0}, logging_policy="now").loc[0]
    assert math.isnan(zero["relative_error"])
    assert zero["note"] == "no relative error: a true value is 0. no policy is safe."


def test_neither_the_order_of_rows_nor_other_objectives_change_a_number() -> None:
    estimates = pd.concat([table("dr", a=2.0, b=2.0, c=1.0, d=2.0), table("dm", a=4.0, b=3.0, c=2.0, d=1.0)])
    others = estimates.assign(objective="click", value=7.0)
    mixed = pd.concat([others, estimates.iloc[::-1]], ignore_index=True)
    first = assess(estimates, TRUTH, logging_policy="now", k=(1, 2)).set_index("estimator").sort_index()
    second = assess(mixed, TRUTH, logging_policy="now", k=(1, 2)).set_index("estimator").sort_index()
    pd.testing.assert_frame_equal(first, second)
    assert first.loc["dr", "worst@2"] == 1.0  # a and b, in the order of their names


def test_the_logging_policy_is_no_candidate() -> None:
    row = assessed(table(now=99.0, a=1.0, b=2.0, c=3.0, d=4.0))
    assert row[["candidates", "regret@1", "mean_squared_error"]].tolist() == [4, 0.0, 0.0]


def test_it_takes_what_an_evaluation_returns(world, tiny_log, features) -> None:
    found = evaluate(tiny_log, [world.target, world.behaviour, world.greedy], features=features, seed=0, n_boot=20)
    truth = {policy.name: world.truth(policy)[0] for policy in (world.target, world.behaviour, world.greedy)}
    table = assess(found.to_frame(), truth, logging_policy="behaviour", objective="click", k=(1, 2))
    assert {"sips", "rips", "snsips", "snrips", "dm", "dr"} <= set(table["estimator"])
    row = table.set_index("estimator").loc["dr"]
    assert row["usable"] == 1  # of the deterministic policy the log says too little
    assert row["regret@2"] == pytest.approx(truth["greedy"] - truth["target"])


@pytest.mark.parametrize(
    ("estimates", "truth", "options", "message"),
    [
        (table(a=1.0, b=1.0).drop(columns="verdict"), TRUTH, {}, "no column 'verdict'; pass a table with the columns"),
        (table(a=1.0, b=1.0), TRUTH, {"objective": "like"}, "no objective 'like'; choose from reward"),
        (pd.concat([table(a=1.0, b=1.0)] * 2), TRUTH, {}, "policy 'a' with estimator 'dr' and .* two rows; keep one"),
        (table(a=1.0, x=1.0), TRUTH, {}, "no value of policy 'x'; pass that of every policy"),
        (table(a=1.0, b=1.0), {"a": 1.0, "b": 1.0}, {}, "no value of policy 'now'"),
        (table(a=1.0, b=1.0), TRUTH | {"b": NAN}, {}, "truth of policy 'b' is nan; it must be a finite number"),
        (table(a=1.0, now=1.0), TRUTH, {}, "there are 1 candidates beside the logging policy; choosing needs at least"),
        (table(a=1.0, b=1.0), TRUTH, {"k": (1, 3)}, "k is 3; of 2 candidates, 1 to 2 can be chosen"),
        (table(a=1.0, b=1.0), TRUTH, {"k": (0,)}, "k is 0"),
        (table(a=1.0, b=1.0), TRUTH, {"safety": 1.5}, "safety is 1.5; a share of the logging policy's value"),
    ],
)
def test_tables_that_cannot_be_assessed_are_refused(
    estimates: pd.DataFrame, truth: dict[str, float], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        assess(estimates, truth, **{"logging_policy": "now"} | options)


METRICS = {
    "rank_correlation": rank_correlation,
    "errors": errors,
    "regret_at": lambda e, t: regret_at(e, t, 1, 1.0),
    "precision_at": lambda e, t: precision_at(e, t, 1),
    "worst_at": lambda e, t: worst_at(e, t, 1, 1.0),
    "sharpe_ratio_at": lambda e, t: sharpe_ratio_at(e, t, 1, 1.0),
    "safety_errors": lambda e, t: safety_errors(e, t, 1.0),
}


@pytest.mark.parametrize("name", METRICS)
def test_arrays_that_cannot_be_are_refused(name: str) -> None:
    for estimate, truth, message in (
        ([1.0, 2.0], [1.0], r"estimate has shape \(2,\) and truth \(1,\); both need one entry for each"),
        ([], [], r"estimate has shape \(0,\)"),
        ([1.0, 2.0], [1.0, NAN], "truth of policy 1 is nan; it must be a finite number"),
        ([math.inf, 2.0], [1.0, 1.0], "estimate of policy 0 is inf"),
    ):
        with pytest.raises(ValueError, match=message):
            METRICS[name](estimate, truth)
    with pytest.raises(ValueError, match="k is 3; of 2 candidate policies, 1 to 2 can be chosen"):
        chosen([1.0, 2.0], 3)


def test_negative_values_have_a_threshold_below_them() -> None:
    """Safe is what is no worse than -1 - 0.1."""
    assert safety_errors([-1.05, -1.05], [-1.05, -1.2], logged=-1.0, safety=0.9) == (1.0, 0.0)


numbers = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=8)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(numbers, st.integers(1, 8), st.integers(-5, 5))
def test_bounds_that_hold_for_all_estimates(pairs: list[tuple[int, int]], k: int, logged: int) -> None:
    estimate, truth = (np.array(column, float) for column in zip(*pairs, strict=True))
    k = min(k, len(pairs))
    assert 0.0 <= regret_at(estimate, truth, k, logged) <= np.ptp(truth)
    assert 0.0 <= precision_at(estimate, truth, k) <= 1.0
    assert truth.min() <= worst_at(estimate, truth, k, logged) <= truth.max()
    assert sharpe_ratio_at(estimate, truth, k, logged) >= 0.0
    assert regret_at(truth, truth, k, logged) == 0.0
    assert precision_at(truth, truth, k) == 1.0
    if np.ptp(estimate) and np.ptp(truth):
        rho, tau = rank_correlation(estimate, truth)
        ranks = [stats.rankdata(values) for values in (estimate, truth)]
        assert rho == pytest.approx(np.corrcoef(*ranks)[0, 1])
        assert -1.0 <= tau <= 1.0
        assert rank_correlation(-estimate, truth)[1] == pytest.approx(-tau)
