"""A reward model for slates, additive over positions, cross-fitted by session.

q_k(x, a) is the expected reward of item a at position k for observation x, one model per objective: gradient-boosted
trees on the caller's features of (observation, item) and the position, a classifier for rewards of 0 and 1 and a
regressor else. Every slate is scored by a model that saw no slate of its session (Chernozhukov et al. 2018,
cross-fitting), without which doubly robust estimates are biased by the model's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from recsim.ope.folds import session_folds
from recsim.streams import Streams, sub_seed

if TYPE_CHECKING:
    from recsim.policy import Policy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Observation = NDArray[np.float32]
Features = Callable[[Observation, Integers], NDArray[np.float32]]

ROWS_AT_ONCE = 2048
TRAINING_CELLS = 100_000  # (slate, position) pairs a model is fitted on; half as many again explained 2 points more
_TREES: dict[str, Any] = {
    "max_iter": 50,
    "learning_rate": 0.15,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": 0,
}


class Head(Protocol):
    """A fitted model of one objective: design (rows, f + 1) -> (rows,) expected reward."""

    def __call__(self, design: NDArray[np.float32], /) -> Floats: ...


@dataclass(frozen=True, eq=False)
class RewardModel:
    """Cross-fitted reward models of a log.

    Attributes:
        features: `features(observation (n, d), slate (n, k)) -> (n, k, f) float32`.
        fold: (n,) int64, for every row of the log the fold whose models score it: they were fitted on the other folds.
        heads: one list of o models per fold.
    """

    features: Features
    fold: Integers
    heads: list[list[Head]]

    def predict(self, observation: Observation, slate: Integers, rows: Integers | slice = slice(None)) -> Floats:
        """(n, k, o) expected rewards of `slate` (n, k), any slates shown in the contexts of the log's `rows`.

        An empty position (-1) is worth 0.
        """
        fold = self.fold[rows]
        design = design_of(self.features, observation, slate, rows)  # (n, k, f + 1)
        out = np.zeros((*slate.shape, len(self.heads[0])))
        for number, heads in enumerate(self.heads):
            cells = (fold == number)[:, None] & (slate >= 0)
            for objective, head in enumerate(heads):
                out[cells, objective] = head(design[cells]) if cells.any() else 0.0
        return out


def cross_fit(
    observation: Observation,
    slate: Integers,
    reward: Floats,
    cluster: Integers,
    *,
    features: Features,
    seed: int,
    n_folds: int = 2,
    order: Integers | None = None,
    on_fold: Callable[[], None] | None = None,
) -> RewardModel:
    """Reward models of every objective, one set per fold of sessions.

    Args:
        observation: (n, d) float32.
        slate: (n, k) int64, -1 where a position is empty.
        reward: (n, k, o) float64.
        cluster: (n,) int64, the session of each row.
        features: see `RewardModel`.
        seed: chooses the slates when there are more than are needed.
        n_folds: number of folds; sessions are never divided.
        order: (n,) int64, the rows in the order in which models meet them, so that a shuffled log gives the same
            models.
        on_fold: called after every fold.

    Raises:
        ValueError: if there are fewer sessions than folds, or the features are not of the promised shape or not finite.
    """
    order = np.arange(len(slate)) if order is None else order
    fold = np.empty(len(slate), np.int64)
    heads: list[list[Head]] = []
    for number, (train, score) in enumerate(session_folds(cluster[order], n_folds)):
        fold[order[score]] = number
        rows = order[_sample(train, slate.shape[1], seed, number)]
        heads.append(_fit(observation, slate, reward, rows, features))
        if on_fold:
            on_fold()
    return RewardModel(features, fold, heads)


def predict_logged(model: RewardModel, observation: Observation, slate: Integers) -> Floats:
    """(n, k, o) the model's values of the logged slates themselves."""
    return np.concatenate([model.predict(observation[rows], slate[rows], rows) for rows in row_blocks(len(slate))])


def expected_under(
    policy: Policy,
    model: RewardModel,
    observation: Observation,
    slate_size: int,
    streams: Callable[[int], Streams],
    n_samples: int = 1,
) -> Floats:
    """(n, k, o) expectation of the reward model over slates that `policy` draws in every context of the log.

    The mean of `n_samples` draws per context: unbiased for any number, and its noise is part of what intervals measure,
    because contexts draw independently. Blocks in which the policy is deterministic take one draw, which is exact.

    Args:
        policy: the target policy.
        model: the reward model.
        observation: (n, d) float32 of the log.
        slate_size: k of the log, which the policy's slates must have.
        streams: `streams(j)` gives the (n,) streams of draw j.
        n_samples: draws per context.

    Raises:
        ValueError: if `n_samples` is below 1 or the policy shows slates of another size.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples is {n_samples}; at least 1 slate must be drawn per context.")
    draws = [streams(sample) for sample in range(n_samples)]
    return np.concatenate(
        [_expected_block(policy, model, observation, slate_size, draws, rows) for rows in row_blocks(len(observation))]
    )


def sample_streams(seed: int, user: Integers, session: Integers, step: Integers) -> Callable[[int], Streams]:
    """Streams for `expected_under`: draw j of a context is a pure function of (seed, user, session, step, j)."""
    return lambda sample: Streams.of(sub_seed(seed, f"target draw {sample}"), user, session, step)


def row_blocks(n: int) -> Iterator[slice]:
    """Slices that cover n rows, small enough that scores of every item fit in memory."""
    return (slice(start, min(start + ROWS_AT_ONCE, n)) for start in range(0, n, ROWS_AT_ONCE))


def design_of(
    features: Features, observation: Observation, slate: Integers, rows: Integers | slice
) -> NDArray[np.float32]:
    """(n, k, f + 1) the features of the log's `rows` with the position as a last column.

    Raises:
        ValueError: if the features are not (n, k, f) or not finite.
    """
    values = np.asarray(features(observation, np.maximum(slate, 0)), np.float32)
    if values.ndim != 3 or values.shape[:2] != slate.shape:
        raise ValueError(
            f"features returned shape {values.shape} for slates of shape {slate.shape}; "
            "it must return (slates, positions, features)."
        )
    if not np.isfinite(values).all():
        row, position, column = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise ValueError(
            f"feature {column} of row {_row_number(rows, row):,}, position {position} (item {slate[row, position]}) is "
            f"{values[row, position, column]}; features must be finite. Replace what is missing by a number."
        )
    positions = np.broadcast_to(np.arange(slate.shape[1], dtype=np.float32)[None, :, None], (*slate.shape, 1))
    return np.concatenate([values, positions], axis=2)


def _expected_block(
    policy: Policy, model: RewardModel, observation: Observation, slate_size: int, draws: list[Streams], rows: slice
) -> Floats:
    values = []
    for streams in draws:
        decision = policy.act(observation[rows], streams[rows])
        if decision.slate.shape != (len(observation[rows]), slate_size):
            raise ValueError(
                f"policy {policy.name!r} showed slates of shape {decision.slate.shape} for {len(observation[rows])} "
                f"contexts logged with {slate_size} positions; evaluate it with slates of the log's size."
            )
        values.append(model.predict(observation[rows], decision.slate, rows))
        if not decision.step_log_prob.any():
            break
    mean: Floats = np.mean(values, axis=0)
    return mean


def _row_number(rows: Integers | slice, row: int) -> int:
    return (rows.start or 0) + row if isinstance(rows, slice) else int(rows[row])


def _sample(train: Integers, slate_size: int, seed: int, number: int) -> Integers:
    most = max(1, TRAINING_CELLS // slate_size)
    if len(train) <= most:
        return train
    generator = np.random.Generator(np.random.Philox(sub_seed(seed, f"reward model fold {number}")))
    return np.sort(generator.choice(train, most, replace=False))


def _fit(observation: Observation, slate: Integers, reward: Floats, rows: Integers, features: Features) -> list[Head]:
    shown = slate[rows] >= 0
    design = design_of(features, observation[rows], slate[rows], rows)[shown]
    return [fit_head(design, reward[rows, :, objective][shown]) for objective in range(reward.shape[2])]


def fit_head(design: NDArray[np.float32], reward: Floats) -> Head:
    """The fitted model of one objective: a constant, a classifier of 0 and 1, or a regressor kept in their range."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    if len(reward) == 0 or reward.min() == reward.max():
        return _Constant(float(reward[0]) if len(reward) else 0.0)
    binary = bool(np.isin(reward, (0.0, 1.0)).all())
    trees = (HistGradientBoostingClassifier if binary else HistGradientBoostingRegressor)(**_TREES)
    with _one_thread():
        trees.fit(design, reward)
    return _Trees(trees, binary, float(reward.min()), float(reward.max()))


@dataclass(frozen=True)
class _Constant:
    value: float

    def __call__(self, design: NDArray[np.float32]) -> Floats:
        return np.full(len(design), self.value)


@dataclass(frozen=True, eq=False)
class _Trees:
    trees: Any
    binary: bool
    low: float
    high: float

    def __call__(self, design: NDArray[np.float32]) -> Floats:
        with _one_thread():
            predicted = self.trees.predict_proba(design)[:, 1] if self.binary else self.trees.predict(design)
        return np.clip(np.asarray(predicted, np.float64), self.low, self.high)


def _one_thread() -> AbstractContextManager[Any]:
    """One OpenMP thread for scikit-learn's trees: more of them spin, and lose, wherever the cores are busy."""
    limit: AbstractContextManager[Any] = _thread_controller().limit(limits=1, user_api="openmp")
    return limit


@cache
def _thread_controller() -> ThreadpoolController:
    return ThreadpoolController()
