"""Tables of single actions, one row a decision; a `position` is context, as where rows of slates are logged apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.ope.evaluation.estimators import ACTIONS, GROUPED, SEVERAL
from recsim.ope.evaluation.inputs import Inputs
from recsim.ope.tables.action_model import ActionModel
from recsim.ope.tables.arrays import NO_SESSION, Table, log_targets
from recsim.ope.tables.columns import context_array, label_column, one_hot, row_codes
from recsim.ope.tables.in_force import Loggers, groups_of_actions, known_table, logged_propensities
from recsim.ope.tables.named_columns import Named, groups_of, objectives_of
from recsim.ope.tables.propensities import Propensities, classified, frequencies
from recsim.ope.tables.refuted import refuted
from recsim.ope.tables.targets import Policies, targets_of
from recsim.streams import sub_seed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_POSITIONS = 32  # with a column of their own in models; rarer ones share what is left


def singles_of(
    table: pd.DataFrame,
    named: Named,
    policy: Policies,
    weights: Mapping[str, float] | None,
    seed: int,
    classifier: Any | None,
    n_folds: int,
) -> Table:
    """The arrays of a table with one row a decision; arguments as in `recsim.ope.evaluate_table`.

    Raises:
        ValueError: if a value cannot be; the message names row, column, value and remedy.
        TypeError: if a column does not hold what it is named as.
    """
    if named.joint:
        raise ValueError("columns names `joint`, which is of slates, but no `slate`; name `propensity` instead.")
    objectives, factors, reward = objectives_of(table, named, weights)
    rows = _Rows.of(table, named, reward, seed)
    targets = targets_of(policy, table, *((rows.action, rows.actions) if rows.actions else (None, None)))
    order = rows.order
    reward, rows = reward[order], rows.sorted()
    targets = {name: target.ordered(order) for name, target in targets.items()}
    propensities = rows.estimated(classifier, n_folds) if rows.logged is None else None
    seen = np.bincount(rows.action, minlength=len(rows.actions)) > 0
    logged = np.log(rows.logged if propensities is None else propensities.logged)[:, None]  # type: ignore[arg-type]
    inputs = Inputs(
        objectives=objectives,
        weights=factors,
        reward=reward[:, None, :],
        logged=logged,
        cluster=rows.cluster,
        n_clusters=int(rows.cluster.max()) + 1,
        order=np.arange(len(table)),
        estimated=propensities is not None,
        refuted=rows.refuted(named) if propensities is None else "",
    )
    whole = {name: target.table for name, target in targets.items() if target.table is not None}
    modelled = named.context is not None and bool(rows.actions)
    return Table(
        inputs=inputs,
        targets=log_targets(
            table,
            {name: t.probability[:, None] for name, t in targets.items()},
            order[:, None],
            logged,
            *((rows.loggers.own[:, None],) if rows.loggers else ()),
        ),
        estimators=(*ACTIONS, *(GROUPED if named.group else ()), *(SEVERAL if named.logger else ())),
        notes=(*(() if named.session else (NO_SESSION,)), *((rows.loggers.sentence,) if rows.loggers else ())),
        whole=whole,
        elsewhere={name: targets[name].elsewhere + _unseen(every, seen) for name, every in whole.items()},
        model=_models(rows, inputs, whole, seed, n_folds) if modelled and whole else {},
        modelled=modelled,
        propensities=propensities,
        in_force=rows.known if propensities is None else propensities.table,
        groups=None if rows.group is None else (rows.group, rows.action),
        loggers=rows.loggers,
    )


def _unseen(whole: Floats, seen: NDArray[np.bool_]) -> float:
    """The mean probability of actions that the table knows of and that were never logged."""
    return float(whole[:, ~seen].sum(axis=1).mean())


@dataclass(frozen=True, eq=False)
class _Rows:
    """Columns of the table besides its rewards, and the order in which they are computed with.

    Attributes:
        context: (n, d) float32, with one column per position.
        logged: (n,) float64 propensities, None where they are to be estimated.
        action: (n,) int64 numbers of the actions, zeros where none are named.
        actions: their labels.
        known: (n, m) float64, the probabilities of all actions under the policy in force, where the table has them.
        group: (m,) int64, the group of every action; None where none are named.
        loggers: who wrote the rows; None where a single policy did.
        position: (n,) int64 numbers of the positions.
        positions: their labels; empty where none are named.
        cluster: (n,) int64 sessions.
        by_context: whether propensities may be estimated from context.
        order: (n,) int64, the table's rows sorted by session, time and content; without sessions by time alone, and
            of one time at random: what bets on each row by those before it must not be told rewards by their order.
    """

    context: NDArray[np.float32]
    logged: Floats | None
    action: Integers
    actions: list[Any]
    known: Floats | None
    group: Integers | None
    loggers: Loggers | None
    position: Integers
    positions: list[Any]
    cluster: Integers
    by_context: bool
    order: Integers

    @classmethod
    def of(cls, table: pd.DataFrame, named: Named, reward: Floats, seed: int) -> _Rows:
        n = len(table)
        loggers = Loggers.of(table, named) if named.logger else None
        known, action, actions = None, np.zeros(n, np.int64), list[Any]()
        if named.propensities:
            known, action, actions = known_table(table, named)
        elif named.action:
            action, actions = label_column(table, named.action, "action")
        logged = logged_propensities(table, named, known, action, loggers)
        group = groups_of_actions(table, named.group, action, actions) if named.group else None
        position, positions = np.zeros(n, np.int64), list[Any]()
        if named.position:
            position, positions = label_column(table, named.position, "position")
        places = one_hot(position, int(position.max()) + 1, MOST_POSITIONS)
        context = np.concatenate([context_array(table, named.context or ()), places], axis=1)
        time = groups_of(table, named.time, "time")[0] if named.time else np.zeros(n, np.int64)
        keys = [*context.T, *reward.T, action, position, time]
        keys = keys if logged is None else [logged, *keys]
        keys = [*(() if known is None else (row_codes(known),)), *(loggers.keys if loggers else ()), *keys]
        cluster = groups_of(table, named.session, "session")[0] if named.session else None
        order = np.lexsort(keys if cluster is None else [*keys, cluster])
        if cluster is None:
            generator = np.random.Generator(np.random.Philox(sub_seed(seed, "order of rows")))
            order = order[generator.permutation(n)]
            order = order[np.argsort(time[order], kind="stable")]
            cluster = np.empty(n, np.int64)
            cluster[order] = np.arange(n)
        return cls(
            context=context,
            logged=logged,
            action=action,
            actions=actions,
            known=known,
            group=group,
            loggers=loggers,
            position=position,
            positions=positions,
            cluster=cluster,
            by_context=bool(named.context),
            order=order,
        )

    def sorted(self) -> _Rows:
        """The same in canonical order."""
        order = self.order
        return replace(
            self,
            context=self.context[order],
            logged=None if self.logged is None else self.logged[order],
            action=self.action[order],
            known=None if self.known is None else self.known[order],
            loggers=None if self.loggers is None else self.loggers.ordered(order),
            position=self.position[order],
            cluster=self.cluster[order],
        )

    def refuted(self, named: Named) -> str:
        """What shows that the table's propensities are not those in force; each row's are those of who wrote it."""
        if not named.action or self.logged is None:
            return ""
        own = self.logged if self.loggers is None else np.exp(self.loggers.own)
        return refuted(self.action, self.actions, named.action, self.position, self.positions, own, self.cluster)

    def estimated(self, classifier: Any | None, n_folds: int) -> Propensities:
        """Propensities from context where some is named, else from frequencies."""
        m = len(self.actions)
        if not self.by_context:
            return frequencies(self.action, m, self.position)
        return classified(
            self.action,
            m,
            self.context,
            self.cluster,
            position=self.position,
            classifier=classifier,
            n_folds=n_folds,
        )


def _models(
    rows: _Rows, inputs: Inputs, whole: dict[str, Floats], seed: int, n_folds: int
) -> dict[str, tuple[Floats, Floats]]:
    n_own = len(inputs.weights)
    model = ActionModel.fit(
        rows.context,
        rows.action,
        len(rows.actions),
        inputs.reward[:, 0, :n_own],
        rows.cluster,
        seed=seed,
        n_folds=n_folds,
    )
    logged, under = model.values(whole)
    return {name: (_with_total(logged, inputs), _with_total(values, inputs)) for name, values in under.items()}


def _with_total(values: Floats, inputs: Inputs) -> Floats:
    """(n, 1, o + 1); an objective that is its own total stands once."""
    total = len(inputs.objectives) > len(inputs.weights)
    return inputs.with_total(values[:, None, :]) if total else values[:, None, :]
