"""How good a guide off-policy estimates are to choosing policies, where the truth is known: a row per estimator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.ope.choosing import (
    errors,
    precision_at,
    rank_correlation,
    regret_at,
    safety_errors,
    sharpe_ratio_at,
    worst_at,
)

Floats = NDArray[np.float64]

_NEEDED = ("policy", "estimator", "objective", "value", "verdict")


def assess(
    estimates: pd.DataFrame,
    truth: Mapping[str, float],
    *,
    logging_policy: str,
    objective: str = "reward",
    k: Sequence[int] = (1,),
    safety: float = 0.9,
) -> pd.DataFrame:
    """How well each estimator's values would have guided the choice among the candidate policies.

    Candidates stand in the order of their names, which decides between equal estimates. What the numbers mean stands
    in `recsim.ope.choosing`.

    Args:
        estimates: one row per policy, estimator and objective with the columns policy, estimator, objective, value and
            verdict, such as `Evaluation.to_frame` returns. An estimate of verdict `do not use` counts as none.
        truth: true value of the objective by policy, that of the logging policy among them.
        logging_policy: its name; the other policies of `estimates` are the candidates.
        objective: which one.
        k: how many policies are chosen for an A/B test; for each number the columns `regret@k`, `precision@k`,
            `worst@k` and `sharpe_ratio@k`.
        safety: a policy is safe if it keeps this share of the logging policy's value.

    Returns:
        One row per estimator: estimator, candidates, usable (candidates with a usable estimate), spearman, kendall,
        mean_squared_error, relative_error, type_1, type_2, the columns of each k, and `note`, which says in words why
        a number is missing.

    Raises:
        ValueError: if a column or a true value is missing, there are fewer than 2 candidates, a row is there twice, or
            an option cannot be.

    >>> frame = pd.DataFrame({"policy": ["a", "b", "c"], "estimator": "dr", "objective": "reward"})
    >>> frame = frame.assign(value=[1.0, 3.0, 9.0], verdict=["trust", "trust", "do not use"])
    >>> found = assess(frame, {"now": 2.0, "a": 1.0, "b": 2.5, "c": 4.0}, logging_policy="now").loc[0]
    >>> [float(found[name]) for name in ("usable", "regret@1", "mean_squared_error")]  # of 3; 4 - 2.5; (0 + 0.5^2) / 2
    [2.0, 1.5, 0.125]
    """
    rows = _rows_of(estimates, objective, logging_policy)
    policies = sorted(rows["policy"].unique())
    values, logged = _true_values(policies, truth, logging_policy)
    _check_options(len(policies), k, safety)
    value = rows["value"].astype(float)
    usable = rows.assign(value=value.where((rows["verdict"] != "do not use") & np.isfinite(value)))
    found = []
    for estimator, own in usable.groupby("estimator", sort=False):
        estimate = own.set_index("policy")["value"].reindex(policies).to_numpy(np.float64)
        found.append({"estimator": estimator} | _row(estimate, values, logged, k, safety))
    return pd.DataFrame(found)


def _row(estimate: Floats, truth: Floats, logged: float, ks: Sequence[int], safety: float) -> dict[str, float | str]:
    rho, tau = rank_correlation(estimate, truth)
    squared, relative = errors(estimate, truth)
    first, second = safety_errors(estimate, truth, logged, safety)
    row: dict[str, float | str] = {
        "candidates": len(truth),
        "usable": int(np.isfinite(estimate).sum()),
        "spearman": rho,
        "kendall": tau,
        "mean_squared_error": squared,
        "relative_error": relative,
        "type_1": first,
        "type_2": second,
    }
    for k in ks:
        row[f"regret@{k}"] = regret_at(estimate, truth, k, logged)
        row[f"precision@{k}"] = precision_at(estimate, truth, k)
        row[f"worst@{k}"] = worst_at(estimate, truth, k, logged)
        row[f"sharpe_ratio@{k}"] = sharpe_ratio_at(estimate, truth, k, logged)
    return row | {"note": " ".join(_notes(row))}


def _notes(row: Mapping[str, float | str]) -> list[str]:
    missing = {name for name, value in row.items() if isinstance(value, float) and math.isnan(value)}
    if row["usable"] == 0:
        found = ["no policy has a usable estimate: the logging policy stays."]
    elif "spearman" in missing:
        found = ["fewer than 2 different usable estimates, or true values, to rank."]
    else:
        found = []
    if "relative_error" in missing and row["usable"]:
        found.append("no relative error: a true value is 0.")
    found += ["no policy is unsafe."] * ("type_1" in missing) + ["no policy is safe."] * ("type_2" in missing)
    return found


def _rows_of(estimates: pd.DataFrame, objective: str, logging_policy: str) -> pd.DataFrame:
    """The candidates' rows of an objective."""
    missing = [name for name in _NEEDED if name not in estimates.columns]
    if missing:
        raise ValueError(
            f"the estimates have no column {missing[0]!r}; pass a table with the columns {', '.join(_NEEDED)}."
        )
    own = estimates[estimates["objective"] == objective]
    if own.empty:
        known = ", ".join(sorted(map(str, estimates["objective"].unique())))
        raise ValueError(f"the estimates have no objective {objective!r}; choose from {known}.")
    twice = own.duplicated(["policy", "estimator"])
    if twice.any():
        policy, estimator = own.loc[twice, ["policy", "estimator"]].iloc[0]
        raise ValueError(
            f"policy {policy!r} with estimator {estimator!r} and objective {objective!r} has two rows; keep one."
        )
    return own[own["policy"] != logging_policy]


def _true_values(policies: list[str], truth: Mapping[str, float], logging_policy: str) -> tuple[Floats, float]:
    """(p,) of the policies, and that of the logging policy."""
    for policy in (*policies, logging_policy):
        if policy not in truth:
            raise ValueError(
                f"the truth has no value of policy {policy!r}; pass that of every policy that is assessed."
            )
        if not math.isfinite(truth[policy]):
            raise ValueError(f"the truth of policy {policy!r} is {truth[policy]}; it must be a finite number.")
    return np.array([truth[policy] for policy in policies], np.float64), float(truth[logging_policy])


def _check_options(n_policies: int, ks: Sequence[int], safety: float) -> None:
    if n_policies < 2:
        raise ValueError(
            f"there are {n_policies} candidates beside the logging policy; choosing needs at least 2. "
            "Evaluate more policies."
        )
    for k in ks:
        if not 1 <= k <= n_policies:
            raise ValueError(f"k is {k}; of {n_policies} candidates, 1 to {n_policies} can be chosen.")
    if not 0 <= safety <= 1:
        raise ValueError(f"safety is {safety}; a share of the logging policy's value is from 0 to 1.")
