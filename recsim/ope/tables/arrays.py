"""The arrays of a table that estimators work on, and what of the table a policy can be judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsim.ope.checks import LARGEST_LOG_WEIGHT
from recsim.ope.evaluation.case import Case, Unavailable
from recsim.ope.evaluation.inputs import Inputs
from recsim.ope.tables.calibration import Calibration
from recsim.ope.tables.columns import place_of
from recsim.ope.tables.in_force import Loggers
from recsim.ope.tables.propensities import Propensities
from recsim.ope.tables.targets import SUM_ROUNDING

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NO_SESSION = (
    "no column is named as `session`, so that every row counts as independent: where the same users come back, the "
    "intervals are too narrow."
)


@dataclass(frozen=True, eq=False)
class Table:
    """The checked arrays of a table and of the policies to evaluate on it, rows in canonical order.

    Attributes:
        inputs: rewards (n, k, o + 1), log-propensities (n, k) and sessions; k is 1 for single actions.
        targets: by policy, (n, k) float64 log-probabilities of what was logged; -inf where it would never be.
        estimators: names of those that the table allows.
        notes: what a decision maker should know about the table.
        whole: by policy, (n, m) float64 probabilities of all actions, where they are known.
        elsewhere: by policy, the mean probability of actions that were never logged, where those of all are known.
        model: by policy, the reward model at the logged actions and its expectation under the policy, (n, 1, o + 1)
            each.
        modelled: whether there is a reward model.
        propensities: the estimates, where the table has no propensities.
        in_force: (n, m) float64, the probabilities of all actions under the policy in force, known or estimated.
        groups: the group (m,) of every action, -1 where no row tells it, and the logged actions (n,).
        loggers: who wrote the rows, where several policies did.
    """

    inputs: Inputs
    targets: dict[str, Floats]
    estimators: tuple[str, ...]
    notes: tuple[str, ...] = ()
    whole: dict[str, Floats] = field(default_factory=dict)
    elsewhere: dict[str, float] = field(default_factory=dict)
    model: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)
    modelled: bool = False
    propensities: Propensities | None = None
    in_force: Floats | None = None
    groups: tuple[Integers, Integers] | None = None
    loggers: Loggers | None = None

    @property
    def calibration(self) -> Calibration | None:
        """How well estimated propensities agree with the log; None where the table has propensities."""
        return None if self.propensities is None else self.propensities.calibration

    def case(self, policy: str) -> Case:
        """One policy on this table, for `recsim.ope.evaluation.judged`."""
        case = Case(self.inputs, self.targets[policy], unsupported=self.elsewhere.get(policy))
        if self.modelled:
            case.makers["model"] = lambda: self._model(policy)
        in_force, groups, loggers = self.in_force, self.groups, self.loggers
        if in_force is not None and policy in self.whole:
            case.makers["table"] = lambda: _with_unknown(self.whole[policy], in_force)
            if groups is not None:
                case.makers["groups"] = lambda: self._groups(policy, in_force, *groups)
        if loggers is not None:
            case.makers["loggers"] = lambda: (loggers.log_prob_by, loggers.code, loggers.names)
        return case

    def sentences(self, policy: str) -> list[str]:
        """What somebody who acts on the evaluation of `policy` should know about the table."""
        unknown = self.elsewhere.get(policy, 0.0)
        own = [f"{policy}: {unknown:.2%} of its choices are actions that were never logged."] if unknown > 0 else []
        calibration = self.calibration.sentences() if self.calibration else []
        return [*own, *self.notes, *calibration]

    def _groups(self, policy: str, in_force: Floats, group: Integers, action: Integers) -> tuple[Integers, Integers]:
        unknown = group < 0
        theirs, ours = (float(table[:, unknown].sum(axis=1).mean()) for table in (self.whole[policy], in_force))
        theirs += 1 - float(self.whole[policy].sum(axis=1).mean())
        if theirs > SUM_ROUNDING or ours > SUM_ROUNDING:
            raise Unavailable(
                f"needs the group of every action, and no row tells that of actions that were never logged, which are "
                f"{theirs:.2%} of the policy's choices and {ours:.2%} of those of the policy in force."
            )
        return np.where(unknown, int(group.max()) + 1, group), action

    def _model(self, policy: str) -> tuple[Floats, Floats]:
        if policy not in self.whole:
            raise Unavailable(
                "needs the policy's probabilities of all actions, and only those of the logged ones are known: pass a "
                "mapping, an (n, m) array or a DataFrame with a column per action."
            )
        if self.elsewhere[policy] > 0:
            raise Unavailable(
                f"needs the rewards of actions that were never logged, which are {self.elsewhere[policy]:.2%} of the "
                "policy's choices: no model of this table knows them."
            )
        return self.model[policy]


def _with_unknown(target: Floats, in_force: Floats) -> tuple[Floats, Floats]:
    """Both tables, with one more column where the target chooses actions that the table does not know."""
    rest = 1 - target.sum(axis=1, keepdims=True)
    if (rest <= SUM_ROUNDING).all():
        return target, in_force
    never = np.zeros_like(rest)
    return np.concatenate([target, np.maximum(rest, 0.0)], axis=1), np.concatenate([in_force, never], axis=1)


def log_targets(
    table: pd.DataFrame, probability: dict[str, Floats], rows: Integers, *logged: Floats
) -> dict[str, Floats]:
    """The logarithms (n, k) of policies' probabilities of what was logged.

    Args:
        table: for messages.
        probability: by policy, (n, k) float64.
        rows: (n, k) int64, the table's row of each of them.
        logged: (n, k) float64 each, log-propensities by which weights are made.

    Raises:
        ValueError: where a weight is too large to be averaged.
    """
    found = {}
    for name, values in probability.items():
        with np.errstate(divide="ignore"):
            found[name] = np.log(values)
        for one in logged:
            weight = np.cumsum(found[name] - one, axis=1)
            if (weight > LARGEST_LOG_WEIGHT).any():
                _refuse_weight(table, name, weight, rows)
    return found


def _refuse_weight(table: pd.DataFrame, name: str, weight: Floats, rows: Integers) -> NoReturn:
    place = np.unravel_index(int((weight > LARGEST_LOG_WEIGHT).argmax()), weight.shape)
    raise ValueError(
        f"{place_of(table, int(rows[place]))}: the weight of policy {name!r} is e^{weight[place]:.0f}, so that it was "
        "logged with almost no probability at all. Check the propensities, or drop the row."
    )
