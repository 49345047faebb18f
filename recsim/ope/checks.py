"""Refusing what cannot be evaluated: every error names the row, the column, the value and the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SLATE_AXES = ("row", "position", "objective")
ROUNDING = 1e-9  # a log-probability may exceed 0 by this much: sums of exponentials round
LARGEST_LOG_WEIGHT = 300.0  # squares of a weight of e^300 times a reward of 1e15 still fit in float64
LARGEST_REWARD = 1e15


def reward_array(reward: ArrayLike, name: str = "reward") -> Floats:
    """`reward` as (n, k, o) float64, from (n, k) or (n, k, o) finite numbers.

    Raises:
        TypeError: if it does not hold numbers.
        ValueError: if its shape is another, it is empty, or a value is not finite.
    """
    values = numeric(reward, name, "biuf")
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3:
        raise ValueError(
            f"{name} has shape {values.shape}; it must be (slates, positions) or (slates, positions, objectives). "
            "Reshape a table with one line per position first."
        )
    refuse_empty(values, name)
    refuse_large(values, name, SLATE_AXES)
    return values


def logged_array(step_log_prob: ArrayLike, name: str = "logged step_log_prob") -> Floats:
    """`step_log_prob` (n, k) of the policy that was in force: finite and at most 0.

    Raises:
        TypeError: if it does not hold floating-point numbers.
        ValueError: if a value is NaN, infinite (probability 0) or above 0, or the shape is not (n, k).
    """
    return checked_logged(_log_probabilities(step_log_prob, name), name, "slate")


def target_array(step_log_prob: ArrayLike, name: str = "target step_log_prob") -> Floats:
    """`step_log_prob` (n, k) of the policy to evaluate: at most 0, -inf where it would never make the choice.

    Raises:
        TypeError: if it does not hold floating-point numbers.
        ValueError: if a value is NaN or above 0, or the shape is not (n, k).
    """
    return checked_target(_log_probabilities(step_log_prob, name), name, "slate", "slates that it never shows")


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
    """Raise ValueError where a weight is too large to be averaged.

    Args:
        log_weight: (n, k), cumulated over positions, or (n,) of single actions.
    """
    wrong = log_weight > LARGEST_LOG_WEIGHT
    if wrong.any():
        place, value = first_wrong(wrong, log_weight, SLATE_AXES)
        unit = "slate" if log_weight.ndim == 2 else "action"
        raise ValueError(
            f"{place}: the weight is e^{value:.0f}, so the {unit} was logged with almost no probability at all. "
            f"Check the logged log-propensities, or drop the {unit}."
        )


def checked_logged(values: Floats, name: str, unit: str) -> Floats:
    """`values`, log-probabilities of what was logged, unless one is infinite, NaN or above 0: ValueError."""
    wrong = ~np.isfinite(values)
    if wrong.any():
        place, value = first_wrong(wrong, values, SLATE_AXES)
        reason = "a logged choice cannot have had probability 0" if value == -np.inf else "that is no log-probability"
        raise ValueError(
            f"{place} of {name} is {value}; {reason}. Drop the {unit} or pass the propensities that were in force."
        )
    _refuse_above_zero(values, name)
    return values


def checked_target(values: Floats, name: str, unit: str, never: str) -> Floats:
    """`values`, log-probabilities under the policy to evaluate, unless one is NaN or above 0: ValueError."""
    wrong = np.isnan(values)
    if wrong.any():
        place, _ = first_wrong(wrong, values, SLATE_AXES)
        raise ValueError(
            f"{place} of {name} is nan; a policy must give every logged {unit} a log-probability. "
            f"Return -inf for {never}."
        )
    _refuse_above_zero(values, name)
    return values


def first_wrong(wrong: NDArray[np.bool_], values: NDArray[Any], axes: tuple[str, ...]) -> tuple[str, Any]:
    """Where the first wrong value stands, in words, and the value."""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    words = [
        f"{axis} {number:,}" if axis == "row" else f"{axis} {number}" for axis, number in zip(axes, index, strict=False)
    ]
    return ", ".join(words), values[index]


def numeric(values: ArrayLike, name: str, kinds: str) -> Floats:
    """`values` as float64, if numpy counts their type among `kinds`, else TypeError."""
    array = np.asarray(values)
    if array.dtype.kind not in kinds:
        wanted = "floating-point numbers" if kinds == "f" else "numbers"
        raise TypeError(f"{name} holds {array.dtype}; it must hold {wanted}. Convert it with .astype(float).")
    return array.astype(np.float64, copy=False)


def refuse_large(values: Floats, name: str, axes: tuple[str, ...]) -> None:
    """Raise ValueError where a value is NaN, infinite or beyond LARGEST_REWARD."""
    wrong = ~(np.abs(values) <= LARGEST_REWARD)
    if wrong.any():
        place, value = first_wrong(wrong, values, axes)
        unit = "slate" if values.ndim == 3 else "row"
        raise ValueError(
            f"{place} of {name} is {value}; every value must be a number of at most {LARGEST_REWARD:g} in size. "
            f"Drop the {unit} or record what happened (0 for nothing)."
        )


def refuse_empty(values: NDArray[Any], name: str) -> None:
    """Raise ValueError if there are no values at all."""
    if values.size == 0:
        raise ValueError(f"{name} is empty (shape {values.shape}); an evaluation needs at least one logged row.")


def _log_probabilities(step_log_prob: ArrayLike, name: str) -> Floats:
    values = numeric(step_log_prob, name, "f")
    if values.ndim != 2:
        raise ValueError(
            f"{name} has shape {values.shape}; it must be (slates, positions), the log-probability of each position's "
            "item given the items above it."
        )
    refuse_empty(values, name)
    return values


def _refuse_above_zero(values: Floats, name: str) -> None:
    wrong = values > ROUNDING
    if wrong.any():
        place, value = first_wrong(wrong, values, SLATE_AXES)
        raise ValueError(
            f"{place} of {name} is {value:g}, a probability above 1; logarithms of probabilities are at "
            "most 0. If these are probabilities, pass their logarithms."
        )
