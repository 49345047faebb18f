"""Refusing what cannot be evaluated in logs of single actions: every error names place, value and remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.checks import (
    LARGEST_LOG_WEIGHT,
    checked_logged,
    checked_target,
    first_wrong,
    numeric,
    refuse_empty,
    refuse_large,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ACTION_AXES = ("row", "objective")
SUM_ROUNDING = 1e-6  # by so much the probabilities of a row may miss 1: tables are often stored in float32


def action_reward_array(reward: ArrayLike, name: str = "reward") -> Floats:
    """`reward` of single actions as (n, o) float64, from (n,) or (n, o) finite numbers.

    Raises:
        TypeError: if it does not hold numbers.
        ValueError: if its shape is another, it is empty, or a value is not finite.
    """
    values = numeric(reward, name, "biuf")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise ValueError(
            f"{name} has shape {values.shape}; it must be (rows,) or (rows, objectives), one row per action. "
            "Use recsim.ope.slate for slates."
        )
    refuse_empty(values, name)
    refuse_large(values, name, ACTION_AXES)
    return values


def action_models_like(reward: Floats, **models: ArrayLike) -> list[Floats]:
    """Reward models of single actions as (n, o) arrays with the rows and objectives of `reward` (n, o).

    Raises:
        ValueError: as `action_reward_array`, or if rows or objectives differ from the reward's.
    """
    arrays = {name: action_reward_array(values, name) for name, values in models.items()}
    refuse_rows(reward=reward, **arrays)
    for name, values in arrays.items():
        if values.shape[1] != reward.shape[1]:
            raise ValueError(
                f"{name} has {values.shape[1]} objectives but reward has {reward.shape[1]}; "
                "model every objective of the log."
            )
    return list(arrays.values())


def action_logged_array(log_prob: ArrayLike, name: str = "logged log_prob") -> Floats:
    """`log_prob` (n,) of the logged actions under the policy that was in force: finite and at most 0.

    Raises:
        TypeError: if it does not hold floating-point numbers.
        ValueError: if a value is NaN, infinite (probability 0) or above 0, or the shape is not (n,).
    """
    return checked_logged(_action_log_probabilities(log_prob, name), name, "row")


def action_target_array(log_prob: ArrayLike, name: str = "target log_prob") -> Floats:
    """`log_prob` (n,) of the logged actions under the policy to evaluate: at most 0, -inf where it never acts so.

    Raises:
        TypeError: if it does not hold floating-point numbers.
        ValueError: if a value is NaN or above 0, or the shape is not (n,).
    """
    return checked_target(_action_log_probabilities(log_prob, name), name, "action", "actions that it never takes")


def probability_table(table: ArrayLike, name: str, *, columns: str = "item") -> Floats:
    """`table` (n, m) of probabilities: every row in [0, 1] and summing to 1, to within 1e-6.

    Raises:
        TypeError: if it does not hold floating-point numbers.
        ValueError: if its shape is another, it is empty, a value is no probability, or a row sums to another number.
    """
    values = numeric(table, name, "f")
    if values.ndim != 2:
        raise ValueError(
            f"{name} has shape {values.shape}; it must be (rows, {columns}s), one probability per {columns}."
        )
    refuse_empty(values, name)
    wrong = ~((values >= 0) & (values <= 1 + SUM_ROUNDING))
    if wrong.any():
        place, value = first_wrong(wrong, values, ("row", columns))
        raise ValueError(
            f"{place} of {name} is {value:g}, which is no probability. "
            "Pass probabilities between 0 and 1, not their logarithms or scores."
        )
    total = values.sum(axis=1)
    wrong = np.abs(total - 1.0) > SUM_ROUNDING
    if wrong.any():
        place, value = first_wrong(wrong, total, ("row",))
        raise ValueError(
            f"{place} of {name} sums to {value:.9g} over its {values.shape[1]} {columns}s; a policy's probabilities "
            "sum to 1. Divide the row by its sum, if nothing is missing from it."
        )
    return values


def code_array(codes: ArrayLike, n_codes: int, name: str, *, kind: str = "item") -> Integers:
    """`codes` (n,) as int64: whole numbers from 0 to `n_codes` - 1.

    Raises:
        TypeError: if it does not hold whole numbers.
        ValueError: if its shape is another, it is empty, or a number is out of range.
    """
    values = np.asarray(codes)
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name} holds {values.dtype}; it must hold whole numbers. Convert it with .astype(int).")
    if values.ndim != 1:
        raise ValueError(f"{name} has shape {values.shape}; it must be one-dimensional, one {kind} each.")
    refuse_empty(values, name)
    wrong = (values < 0) | (values >= n_codes)
    if wrong.any():
        place, value = first_wrong(wrong, values, ("row",))
        raise ValueError(
            f"{place} of {name} is {value}, but there are {n_codes} {kind}s, numbered from 0. "
            f"Number the {kind}s as in the other arrays."
        )
    return values.astype(np.int64)


def weight_array(weight: ArrayLike, name: str = "weight") -> Floats:
    """`weight` (n,) of importance weights: finite and not negative.

    Raises:
        TypeError: if it does not hold numbers.
        ValueError: if its shape is another, it is empty, or a value is negative, NaN or too large to be averaged.
    """
    values = numeric(weight, name, "iuf")
    if values.ndim != 1:
        raise ValueError(f"{name} has shape {values.shape}; it must be (rows,), one weight per logged action.")
    refuse_empty(values, name)
    wrong = ~((values >= 0) & (values <= np.exp(LARGEST_LOG_WEIGHT)))
    if wrong.any():
        place, value = first_wrong(wrong, values, ("row",))
        raise ValueError(
            f"{place} of {name} is {value:g}; a weight is a ratio of probabilities, 0 or more and finite. "
            "Check the propensities it comes from."
        )
    return values


def reward_and_weight(reward: ArrayLike, weight: ArrayLike) -> tuple[Floats, Floats]:
    """`reward` as (n, o) and `weight` as (n,), of the same rows, or the errors of their checks."""
    values, weights = action_reward_array(reward), weight_array(weight)
    refuse_rows(reward=values, weight=weights)
    return values, weights


def input_array(values: ArrayLike, name: str) -> Floats:
    """`values` (n, f) as float64, the inputs of a model: finite numbers.

    Raises:
        TypeError: if it does not hold numbers.
        ValueError: if its shape is another, it is empty, or a value is not finite.
    """
    array = numeric(values, name, "biuf")
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; it must be (rows, numbers).")
    refuse_empty(array, name)
    wrong = ~np.isfinite(array)
    if wrong.any():
        place, value = first_wrong(wrong, array, ("row", "column"))
        raise ValueError(f"{place} of {name} is {value}; it must be finite. Replace what is missing by a number.")
    return array


def refuse_rows(**parts: NDArray[Any]) -> None:
    """Raise ValueError unless all arrays agree in their first axis, the rows of a log of single actions."""
    (first, reference), *others = parts.items()
    for name, values in others:
        if len(values) != len(reference):
            raise ValueError(
                f"{name} has {len(values):,} rows but {first} has {len(reference):,}; "
                "all arrays need one row per logged action. Pass the same actions to all of them."
            )


def _action_log_probabilities(log_prob: ArrayLike, name: str) -> Floats:
    values = numeric(log_prob, name, "f")
    if values.ndim != 1:
        raise ValueError(
            f"{name} has shape {values.shape}; it must be (rows,), the log-probability of each logged action. "
            "Use recsim.ope.slate for slates."
        )
    refuse_empty(values, name)
    return values
