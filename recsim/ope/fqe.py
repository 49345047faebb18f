"""Fitted Q evaluation: a model of the reward to go under the target policy, for `dm`, `dr`, `wdr` and `magic`.

Q(s, a) is what a session still earns, discounted from here, if a is shown now and the target policy acts from the next
step on. It is fitted backwards: the regression target of a row is its reward plus gamma times the expectation of Q over
what the target policy would show at the next row, which is a mean over its actions or over draws of them, never its
best action. The last row of a session has nothing ahead. Sessions are divided in folds, and every row is scored by a
model fitted on the other folds alone, without which doubly robust estimates are biased by the model's memory.

Source: Le, Voloshin and Yue 2019, "Batch policy learning under constraints" (fitted Q evaluation); cross-fitting as in
Chernozhukov et al. 2018, "Double/debiased machine learning".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.steps import Rows, Steps, discounts

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Model = Literal["trees", "ridge", "table"] | Callable[[], Any]


@dataclass(frozen=True, eq=False)
class FittedQ:
    """Rewards to go of a log's rows under a target policy, by models that saw nothing of the row's session.

    Attributes:
        q_logged: (n, o) of what was shown.
        v_target: (n, o) expectation over what the target policy would show in the same state.
        fold: (n,) int64, the fold that a row is in; its model was fitted on all others.
    """

    q_logged: Floats
    v_target: Floats
    fold: Integers


def fitted_q(
    features: ArrayLike,
    target_features: ArrayLike,
    reward: ArrayLike,
    *,
    session: ArrayLike,
    step: ArrayLike,
    gamma: float = 1.0,
    target_probability: ArrayLike | None = None,
    model: Model = "trees",
    by_step: bool = False,
    n_iterations: int | None = None,
    n_folds: int = 2,
) -> FittedQ:
    """The reward to go at every row of a log, for every objective; rows in any order.

    Sessions that end because a user leaves need no more than that; sessions cut off at a horizon are worth less the
    nearer it is. Both are covered, because the step number is the models' last feature, or with `by_step` every step
    has a model of its own.

    Args:
        features: (n, f) of each row's state and of what was shown there.
        target_features: (n, d, f) of the same state and d actions of the target policy: draws, or all its actions
            with `target_probability`.
        reward: (n,) or (n, o).
        session: (n,) session numbers.
        step: (n,) steps from 0 up.
        gamma: discount per step.
        target_probability: (n, d) of the actions in `target_features`, rows summing to 1; None for draws, which count
            alike.
        model: "trees" (gradient boosting), "ridge" (linear; give it features that suit), "table" (the mean of rows with
            equal features: exact for small worlds), or a function that returns an unfitted scikit-learn regressor.
        by_step: one model per step, fitted backwards once. Otherwise one model for all steps, fitted again
            `n_iterations` times. Steps that no session of the other folds reached are scored by the model of the last
            step that one did.
        n_iterations: of the single model; as many as the longest session has steps, if None. Fewer than that leave out
            what comes later, which a small gamma makes little of.
        n_folds: folds of sessions.

    >>> rows = {"session": [0, 0, 1, 1], "step": [0, 1, 0, 1]}
    >>> shown, either = [0, 1, 0, 1], [[0, 1]] * 4
    >>> fitted = fitted_q(shown, either, [1, 4, 1, 4], **rows, gamma=0.5, model="table")  # each session by the other
    >>> fitted.q_logged[:, 0].tolist()  # 1 + 0.5 * 4 at the first step, as the second is always worth 4
    [3.0, 4.0, 3.0, 4.0]

    Raises:
        TypeError: if a column holds no numbers.
        ValueError: if shapes do not agree, values are not finite, or there are fewer sessions than folds.
    """
    log = _Log.of(features, target_features, reward, Steps.of(session, step), gamma, target_probability)
    make = _maker(model)
    rounds = _rounds(log.steps.shape[1], n_iterations, by_step)
    fold = log.steps.folds(n_folds)
    q, v = np.empty_like(log.reward), np.empty_like(log.reward)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # more threads move the last digits, and lose wherever the cores are busy
        for train, scored in log.steps.splits(n_folds):
            fitted = _backward(log, train, make) if by_step else _repeated(log, train, make, rounds)
            q[scored], v[scored] = fitted[0][scored], fitted[1][scored]
    return FittedQ(q, v, fold)


@dataclass(frozen=True, eq=False)
class _Log:
    steps: Steps
    design: Floats  # (n, f + 1)
    ahead: Floats  # (n, d, f + 1)
    chance: Floats  # (n, d)
    reward: Floats  # (n, o)
    gamma: float

    @classmethod
    def of(
        cls,
        features: ArrayLike,
        target_features: ArrayLike,
        reward: ArrayLike,
        steps: Steps,
        gamma: float,
        target_probability: ArrayLike | None,
    ) -> _Log:
        design, ahead, chance = state_actions(steps, features, target_features, target_probability)
        number = steps.step.astype(np.float64)
        design = np.concatenate([design, number[:, None]], axis=1)
        ahead = np.concatenate([ahead, np.broadcast_to(number[:, None, None], (*ahead.shape[:2], 1))], axis=2)
        discounts(gamma, 1)
        return cls(steps, design, ahead, chance, steps.values(reward, "reward"), float(gamma))

    def later(self, value: Floats) -> Floats:
        """(n, o) gamma times the value of the next row, 0 after the last."""
        following = self.steps.following
        return self.gamma * np.where((following >= 0)[:, None], value[following], 0.0)

    def expected(self, heads: list[Any], rows: Integers) -> Floats:
        """(rows, o) expectation of the models over the target policy's actions."""
        flat = self.ahead[rows].reshape(-1, self.ahead.shape[2])
        values = _predict(heads, flat).reshape(len(rows), -1, len(heads))
        mean: Floats = np.einsum("ndo,nd->no", values, self.chance[rows])
        return mean


def state_actions(
    steps: Steps, features: ArrayLike, target_features: ArrayLike, target_probability: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    """Features of what was shown (n, f) and of the target policy's actions (n, d, f), and how much each counts (n, d).

    Raises:
        TypeError: if they hold no numbers.
        ValueError: if shapes do not agree, a value is not finite, or probabilities of a row do not sum to 1.
    """
    design, ahead = steps.values(features, "features"), steps.values(target_features, "target_features", axes=2)
    if design.shape[1] != ahead.shape[2]:
        raise ValueError(
            f"target_features has {ahead.shape[2]} features but features has {design.shape[1]}; both describe a state "
            "with an action, in the same columns."
        )
    if target_probability is None:
        return design, ahead, np.full(ahead.shape[:2], 1.0 / ahead.shape[1])
    chance = steps.values(target_probability, "target_probability")
    if chance.shape[1] != ahead.shape[1]:
        raise ValueError(
            f"target_probability has {chance.shape[1]} actions per row but target_features has {ahead.shape[1]}; both "
            "need the same actions."
        )
    wrong = np.flatnonzero((chance < 0).any(axis=1) | (np.abs(chance.sum(axis=1) - 1.0) > 1e-6))
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(
            f"row {row:,} of target_probability sums to {chance[row].sum():g} or is negative; it must be the "
            "probabilities of all actions. Divide it by its sum, or pass draws without probabilities."
        )
    return design, ahead, chance


def _backward(log: _Log, train: Rows, make: Callable[[], Any]) -> tuple[Floats, Floats]:
    q, v = np.zeros_like(log.reward), np.zeros_like(log.reward)
    order, step = log.steps.order, log.steps.step
    last = int(step[train].max())
    for number in range(last, -1, -1):
        here = order[step[order] == number]
        heads = _fit(log, here[train[here]], log.reward + log.later(v), make)
        scored = here if number < last else order[step[order] >= last]
        q[scored], v[scored] = _predict(heads, log.design[scored]), log.expected(heads, scored)
    return q, v


def _repeated(log: _Log, train: Rows, make: Callable[[], Any], rounds: int) -> tuple[Floats, Floats]:
    order = log.steps.order
    rows, others, v = order[train[order]], order[~train[order]], np.zeros_like(log.reward)
    for _ in range(rounds):
        heads = _fit(log, rows, log.reward + log.later(v), make)
        v[rows] = log.expected(heads, rows)
    v[others] = log.expected(heads, others)
    return _predict(heads, log.design), v


def _fit(log: _Log, rows: Integers, wanted: Floats, make: Callable[[], Any]) -> list[Any]:
    return [make().fit(log.design[rows], column) for column in wanted[rows].T]


def _predict(heads: list[Any], design: Floats) -> Floats:
    return np.stack([np.asarray(head.predict(design), np.float64) for head in heads], axis=1)


def _rounds(n_steps: int, n_iterations: int | None, by_step: bool) -> int:
    if n_iterations is None:
        return n_steps
    if by_step or n_iterations < 1:
        raise ValueError(
            f"n_iterations is {n_iterations} and by_step is {by_step}; a single model for all steps is fitted at least "
            "once, and models by step exactly once. Leave n_iterations out."
        )
    return n_iterations


def _maker(model: Model) -> Callable[[], Any]:
    if callable(model):
        return model
    named: dict[str, Callable[[], Any]] = {"trees": _trees, "ridge": _ridge, "table": _table}
    if model not in named:
        raise ValueError(f"model is {model!r}; it must be 'trees', 'ridge', 'table', or a function that makes one.")
    return named[model]


def _trees() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=50,
        learning_rate=0.15,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )


def _ridge() -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Ridge())


def _table() -> Any:
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(random_state=0)  # grown to the end, it has one leaf for equal features
