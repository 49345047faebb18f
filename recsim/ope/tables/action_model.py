"""A reward model of single actions on a table, cross-fitted by session: q(x, position, a) for every action of the log.

Its values are asked for every action, not for draws, so that expectations under a target policy are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.ope.folds import session_folds
from recsim.ope.reward_model import TRAINING_CELLS, Head, fit_head
from recsim.ope.tables.columns import one_hot
from recsim.streams import sub_seed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Context = NDArray[np.float32]

FREQUENT_ACTIONS = 64  # with a column of their own in the design; rarer ones share what is left
_CELLS_AT_ONCE = 200_000


@dataclass(frozen=True, eq=False)
class ActionModel:
    """Cross-fitted reward models of a table.

    Attributes:
        context: (n, d) float32, what was known before the choice, the position included.
        action: (n,) int64 in 0..m-1, the logged actions.
        indicator: (m, f) float32, the columns of each action in the design.
        fold: (n,) int64, for every row the fold whose models score it: they were fitted on the other folds.
        heads: one list of o models per fold.
    """

    context: Context
    action: Integers
    indicator: Context
    fold: Integers
    heads: list[list[Head]]

    @classmethod
    def fit(
        cls,
        context: Context,
        action: Integers,
        n_actions: int,
        reward: Floats,
        cluster: Integers,
        *,
        seed: int,
        n_folds: int = 2,
        on_fold: Callable[[], None] | None = None,
    ) -> ActionModel:
        """Reward models of every objective, one set per fold of sessions.

        Args:
            context: see `ActionModel`.
            action: see `ActionModel`.
            n_actions: m.
            reward: (n, o) float64.
            cluster: (n,) int64, the session of each row.
            seed: chooses rows when there are more than are needed.
            n_folds: number of folds.
            on_fold: called after every fold.

        Raises:
            ValueError: if there are fewer sessions than folds.
        """
        fold = np.empty(len(action), np.int64)
        frequent = one_hot(action, n_actions, FREQUENT_ACTIONS)
        indicator = np.zeros((n_actions, frequent.shape[1]), np.float32)
        indicator[action] = frequent
        heads = []
        for number, (rows, score) in enumerate(session_folds(cluster, n_folds)):
            fold[score] = number
            if len(rows) > TRAINING_CELLS:
                generator = np.random.Generator(np.random.Philox(sub_seed(seed, f"reward model fold {number}")))
                rows = np.sort(generator.choice(rows, TRAINING_CELLS, replace=False))
            design = np.concatenate([context[rows], frequent[rows]], axis=1)
            heads.append([fit_head(design, one) for one in reward[rows].T])
            if on_fold:
                on_fold()
        return cls(context, action, indicator, fold, heads)

    def values(self, tables: Mapping[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
        """The model at the logged actions (n, o), and its expectation under each policy (n, o).

        Args:
            tables: for each policy (n, m) float64, the probabilities of all actions.
        """
        n, n_objectives = len(self.action), len(self.heads[0])
        logged = np.zeros((n, n_objectives))
        under = {name: np.zeros((n, n_objectives)) for name in tables}
        at_once = max(1, _CELLS_AT_ONCE // len(self.indicator))
        for number, heads in enumerate(self.heads):
            rows = np.flatnonzero(self.fold == number)
            distinct, which = np.unique(self.context[rows], axis=0, return_inverse=True)
            which = which.reshape(-1)
            for start in range(0, len(distinct), at_once):
                here = np.flatnonzero((which >= start) & (which < start + at_once))
                own, known = rows[here], which[here] - start
                value = self._every_action(heads, distinct[start : start + at_once])[known]  # (rows, m, o)
                logged[own] = value[np.arange(len(own)), self.action[own]]
                for name, table in tables.items():
                    under[name][own] = np.einsum("nm,nmo->no", table[own], value)
        return logged, under

    def _every_action(self, heads: list[Head], context: Context) -> Floats:
        """(c, m, o) the models' values of every action in each of c contexts."""
        c, m = len(context), len(self.indicator)
        design = np.concatenate([np.repeat(context, m, axis=0), np.tile(self.indicator, (c, 1))], axis=1)
        return np.stack([head(design).reshape(c, m) for head in heads], axis=2)
