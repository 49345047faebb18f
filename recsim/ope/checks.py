"""Refusing what cannot be evaluated: every error names the row, the column, the value and the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ROUNDING = 1e-9  # a log-probability may exceed 0 by this much: sums of exponentials round
LARGEST_LOG_WEIGHT = 300.0  # squares of a weight of e^300 times a reward of 1e15 still fit in float64
LARGEST_REWARD = 1e15


def reward_array(reward: ArrayLike, name: str = "reward") -> Floats:
    """`reward` as (n, k, o) float64, from (n, k) or (n, k, o) finite numbers.

    Raises:
        TypeError: if it does not hold numbers.
        ValueError: if its shape is another, it is empty, or a value is not finite.
    """
    values = _numbers(reward, name, "biuf")
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3:
        raise ValueError(
            f"{name} has shape {values.shape}; it must be (slates, positions) or (slates, positions, objectives). "
            "Reshape a table with one line per position first."
        )
    _refuse_empty(values, name)
    wrong = ~(np.abs(values) <= LARGEST_REWARD)
    if wrong.any():
        row, position, objective = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"row {row:,}, position {position}, objective {objective} of {name} is {values[row, position, objective]}; "
            f"every value must be a number of at most {LARGEST_REWARD:g} in size. "
            "Drop the slate or record what happened (0 for nothing)."
        )
    return values


def logged_array(step_log_prob: ArrayLike, name: str = "logged step_log_prob") -> Floats:
    """`step_log_prob` (n, k) of the policy that was in force: finite and at most 0.

    Raises:
        TypeError: if it does not hold floating-point numbers.
        ValueError: if a value is NaN, infinite (probability 0) or above 0, or the shape is not (n, k).
    """
    values = _log_probabilities(step_log_prob, name)
    wrong = ~np.isfinite(values)
    if wrong.any():
        row, position = (int(i) for i in np.argwhere(wrong)[0])
        value = values[row, position]
        reason = "a logged choice cannot have had probability 0" if value == -np.inf else "that is no log-probability"
        raise ValueError(
            f"row {row:,}, position {position} of {name} is {value}; {reason}. "
            "Drop the slate or pass the propensities that were in force."
        )
    _refuse_above_zero(values, name)
    return values


def target_array(step_log_prob: ArrayLike, name: str = "target step_log_prob") -> Floats:
    """`step_log_prob` (n, k) of the policy to evaluate: at most 0, -inf where it would never make the choice.

    Raises:
        TypeError: if it does not hold floating-point numbers.
        ValueError: if a value is NaN or above 0, or the shape is not (n, k).
    """
    values = _log_probabilities(step_log_prob, name)
    wrong = np.isnan(values)
    if wrong.any():
        row, position = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"row {row:,}, position {position} of {name} is nan; a policy must give every logged slate a "
            "log-probability. Return -inf for slates that it never shows."
        )
    _refuse_above_zero(values, name)
    return values


def refuse_lengths(**parts: NDArray[Any]) -> None:
    """Raise ValueError unless all arrays agree in their first two axes, slates and positions (the first, where 1-d)."""
    (first, reference), *others = parts.items()
    for name, values in others:
        axes = min(2, values.ndim, reference.ndim)
        if values.shape[:axes] != reference.shape[:axes]:
            raise ValueError(
                f"{name} has shape {values.shape} but {first} has shape {reference.shape}; "
                "all arrays need one row per slate and one column per position. Pass the same slates to all of them."
            )


def refuse_heavy(log_weight: Floats) -> None:
    """Raise ValueError where a weight is too large to be averaged: `log_weight` (n, k), cumulated over positions."""
    wrong = log_weight > LARGEST_LOG_WEIGHT
    if wrong.any():
        row, position = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"row {row:,}, position {position}: the weight is e^{log_weight[row, position]:.0f}, so the slate was "
            "logged with almost no probability at all. Check the logged log-propensities, or drop the slate."
        )


def _log_probabilities(step_log_prob: ArrayLike, name: str) -> Floats:
    values = _numbers(step_log_prob, name, "f")
    if values.ndim != 2:
        raise ValueError(
            f"{name} has shape {values.shape}; it must be (slates, positions), the log-probability of each position's "
            "item given the items above it."
        )
    _refuse_empty(values, name)
    return values


def _numbers(values: ArrayLike, name: str, kinds: str) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in kinds:
        wanted = "floating-point numbers" if kinds == "f" else "numbers"
        raise TypeError(f"{name} holds {array.dtype}; it must hold {wanted}. Convert it with .astype(float).")
    return array.astype(np.float64, copy=False)


def _refuse_empty(values: Floats, name: str) -> None:
    if values.size == 0:
        raise ValueError(f"{name} is empty (shape {values.shape}); an evaluation needs at least one logged slate.")


def _refuse_above_zero(values: Floats, name: str) -> None:
    wrong = values > ROUNDING
    if wrong.any():
        row, position = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"row {row:,}, position {position} of {name} is {values[row, position]:g}, a probability above 1; "
            "logarithms of probabilities are at most 0. If these are probabilities, pass their logarithms."
        )
