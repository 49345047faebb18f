"""Sessions of any length as a table with one row per step: which row is which step, and whether the columns can be.

The rows may come in any order. What is computed from them is laid out by session number and step, so that it does not
depend on that order in a single bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.checks import LARGEST_LOG_WEIGHT, LARGEST_REWARD, ROUNDING

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Rows = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Steps:
    """Where each of n rows belongs, among s sessions of at most t steps.

    Attributes:
        number: (s,) the sessions' numbers, ascending.
        session: (n,) int64, each row's session as an index of `number`.
        step: (n,) int64, each row's step, from 0 up.
        length: (s,) int64, steps of each session.
    """

    number: NDArray[Any]
    session: Integers
    step: Integers
    length: Integers

    @classmethod
    def of(cls, session: ArrayLike, step: ArrayLike) -> Steps:
        """The steps of a table with columns `session` (n,) and `step` (n,), whole numbers.

        Raises:
            TypeError: if they do not hold whole numbers.
            ValueError: if they do not agree in length, there are none, or a session does not have every step from 0 to
                its last exactly once.
        """
        sessions, steps = _whole(session, "session"), _whole(step, "step")
        if len(sessions) != len(steps) or not len(steps):
            raise ValueError(
                f"session has {len(sessions):,} rows and step has {len(steps):,}; both need one row per step of every "
                "session, and at least one."
            )
        number, index = np.unique(sessions, return_inverse=True)
        length = np.bincount(index)
        order = np.lexsort((steps, index))
        expected = np.arange(len(steps)) - np.repeat(np.cumsum(length) - length, length)
        wrong = np.flatnonzero(steps[order] != expected)
        if wrong.size:
            _refuse_steps(sessions, steps, order, int(wrong[0]), int(expected[wrong[0]]))
        return cls(number, index.astype(np.int64), steps.astype(np.int64), length.astype(np.int64))

    def __len__(self) -> int:
        """The number of rows n."""
        return len(self.step)

    @property
    def shape(self) -> tuple[int, int]:
        """Sessions and the most steps of any, (s, t)."""
        return len(self.length), int(self.length.max())

    @property
    def order(self) -> Integers:
        """(n,) the rows sorted by session and step."""
        return np.lexsort((self.step, self.session))

    @property
    def following(self) -> Integers:
        """(n,) the row that follows each row in its session, -1 after the last."""
        order = self.order
        out = np.full(len(self), -1)
        out[order[:-1]] = np.where(self.session[order[1:]] == self.session[order[:-1]], order[1:], -1)
        return out

    def table(self, values: Floats, after: float = 0.0) -> Floats:
        """`values` (n, ...) as (s, t, ...), with `after` where a session had ended.

        >>> Steps.of([7, 3, 7], [1, 0, 0]).table(np.array([2.0, 5.0, 1.0])).tolist()
        [[5.0, 0.0], [1.0, 2.0]]
        """
        out = np.full((*self.shape, *values.shape[1:]), after)
        out[self.session, self.step] = values
        return out

    def folds(self, n_folds: int) -> Integers:
        """(n,) a fold 0..n_folds-1 for each row: sessions are dealt out in turn, and never divided.

        Raises:
            ValueError: if there are fewer than 2 folds or fewer sessions than folds.
        """
        if not 2 <= n_folds <= len(self.length):
            raise ValueError(
                f"n_folds is {n_folds} and the log has {len(self.length)} session(s); fitting on some sessions and "
                "scoring others needs at least 2 folds and no more folds than sessions."
            )
        return self.session % n_folds

    def splits(self, n_folds: int) -> list[tuple[Rows, Rows]]:
        """(n,) masks of the rows to fit on and of those to score, for each fold; with 1 fold all rows are in both.

        Raises:
            ValueError: as in `folds`, but for 1 fold.
        """
        if n_folds == 1:
            everything = np.ones(len(self), bool)
            return [(everything, everything)]
        fold = self.folds(n_folds)
        return [(fold != number, fold == number) for number in range(n_folds)]

    def values(self, column: ArrayLike, name: str, axes: int = 1) -> Floats:
        """`column` as float64 of n rows and `axes` more axes, a single value per row counting as one more axis of 1.

        Raises:
            TypeError: if it does not hold numbers.
            ValueError: if it has another shape or a value is not finite.
        """
        array = self._numbers(column, name)
        if array.ndim == axes:
            array = array[..., None]
        if array.ndim != axes + 1 or array.size == 0:
            raise ValueError(
                f"{name} has shape {array.shape}; it needs {axes} or {axes + 1} axes, one row per step of every "
                "session first, and at least one value in each."
            )
        self._refuse(~(np.abs(array) <= LARGEST_REWARD), array, name, f"it must be at most {LARGEST_REWARD:g} in size")
        return array

    def like(self, column: ArrayLike, name: str, reward: Floats) -> Floats:
        """`column` (n,) or (n, o) as `values` reads it, with the objectives that `reward` (..., o) has.

        Raises:
            TypeError: as in `values`.
            ValueError: as in `values`, or if the number of objectives is another.
        """
        array = self.values(column, name)
        if array.shape[1] != reward.shape[-1]:
            raise ValueError(
                f"{name} has {array.shape[1]} objectives but reward has {reward.shape[-1]}; give every objective of "
                "the log."
            )
        return array

    def log_ratio(self, target: ArrayLike, logged: ArrayLike) -> Floats:
        """(n,) log pi_e - log pi_b of what was shown at each row; -inf where the target policy never shows it.

        Raises:
            TypeError: if they do not hold numbers.
            ValueError: if they are not (n,), `logged` is not finite, `target` is NaN, one is above 0, or the ratio is
                too large to be averaged.
        """
        wanted, had = self._numbers(target, "target"), self._numbers(logged, "logged")
        for values, name in ((wanted, "target"), (had, "logged")):
            if values.ndim != 1:
                raise ValueError(
                    f"{name} has shape {values.shape}; it must be (rows,), the log-probability of all that was shown "
                    "at a step. Add up the positions of a slate."
                )
        self._refuse(had == -np.inf, had, "logged", "what was shown cannot have had probability 0")
        for values, name in ((wanted, "target"), (had, "logged")):
            why = "logarithms of probabilities are at most 0, and those that are probabilities need np.log"
            self._refuse(np.isnan(values) | (values > ROUNDING), values, name, why)
        why = "the target's propensity is so much larger that the ratio cannot be averaged"
        self._refuse(wanted - had > LARGEST_LOG_WEIGHT, had, "logged", why)
        return wanted - had

    def _numbers(self, column: ArrayLike, name: str) -> Floats:
        array = np.asarray(column)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name} holds {array.dtype}; it must hold numbers. Convert it with .astype(float).")
        if array.ndim == 0 or len(array) != len(self):
            raise ValueError(
                f"{name} has shape {array.shape} but session has {len(self):,} rows; every column needs one row per "
                "step of every session."
            )
        return array.astype(np.float64, copy=False)

    def _refuse(self, wrong: Rows, values: Floats, name: str, why: str) -> None:
        if not wrong.any():
            return
        row, *column = (int(i) for i in np.argwhere(wrong)[0])
        place = f", column {', '.join(map(str, column))}" if column else ""
        raise ValueError(
            f"row {row:,}{place} of {name} (session {self.number[self.session[row]]}, step {self.step[row]}) is "
            f"{values[(row, *column)]:g}; {why}. Correct the value or drop the whole session."
        )


def carried(steps: Steps, log_ratio: Floats) -> Floats:
    """(s, t) the weight w_0:t of every session up to each step; a session that ended keeps the weight it had.

    Raises:
        ValueError: if a weight is too large to be averaged.
    """
    log_weight = np.cumsum(steps.table(log_ratio), axis=1)
    if (log_weight > LARGEST_LOG_WEIGHT).any():
        session, step = (int(i) for i in np.argwhere(log_weight > LARGEST_LOG_WEIGHT)[0])
        raise ValueError(
            f"session {steps.number[session]}, step {step}: the weight of the session so far is "
            f"e^{log_weight[session, step]:.0f}, so it was logged with almost no probability at all. Check the logged "
            "log-propensities, or drop the session."
        )
    return np.exp(log_weight)


def discounts(gamma: float, n_steps: int) -> Floats:
    """(t,) gamma^0, gamma^1, ...; a gamma of 0 counts the first step alone.

    >>> discounts(0, 3).tolist(), discounts(1, 3).tolist()
    ([1.0, 0.0, 0.0], [1.0, 1.0, 1.0])

    Raises:
        ValueError: if gamma is not from 0 to 1.
    """
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(f"gamma is {gamma}; a discount per step is from 0 to 1. Use 1 to add all rewards up.")
    powers: Floats = np.power(float(gamma), np.arange(n_steps))
    return powers


def _whole(column: ArrayLike, name: str) -> NDArray[Any]:
    array = np.asarray(column)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise TypeError(
            f"{name} holds {array.dtype} in shape {array.shape}; it must be whole numbers (rows,). Number the sessions "
            "and their steps."
        )
    return array


def _refuse_steps(
    session: NDArray[Any], step: NDArray[Any], order: NDArray[np.intp], place: int, expected: int
) -> None:
    row, before = order[place], order[max(place - 1, 0)]
    if row != before and session[row] == session[before] and step[row] == step[before]:
        raise ValueError(
            f"rows {before:,} and {row:,} are both step {step[row]} of session {session[row]}; a step "
            "happens once. Drop one of them, or number the sessions apart."
        )
    raise ValueError(
        f"session {session[row]} has step {step[row]} (row {row:,}) but no step {expected}; steps count up from 0 "
        "without gaps. Add what is missing, number the steps again, or drop the session."
    )
