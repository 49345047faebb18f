"""Off-policy evaluation of anybody's table: single actions, one row a decision, or slates, one row a position.

Rows are sorted by session, time and content before anything is computed, so that their order changes nothing; where no
session is named, rows of one time are then shuffled by the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from recsim.ope.evaluation.estimator import Estimator
from recsim.ope.evaluation.estimators import chosen
from recsim.ope.evaluation.judged import Judged
from recsim.ope.evaluation.logs import evaluation_of, refuse_missing
from recsim.ope.evaluation.result import Evaluation
from recsim.ope.intervals import Resamples
from recsim.ope.tables.arrays import Table
from recsim.ope.tables.columns import number_of_groups, place_of
from recsim.ope.tables.named_columns import Named, groups_of
from recsim.ope.tables.single import singles_of
from recsim.ope.tables.slates import slates_of
from recsim.ope.tables.targets import Policies
from recsim.streams import sub_seed


def evaluate_table(
    table: pd.DataFrame,
    policy: Policies,
    columns: Mapping[str, Any],
    *,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    estimators: Sequence[str] | None = None,
    classifier: Any | None = None,
    n_boot: int = 200,
    level: float = 0.95,
    n_folds: int = 2,
    progress: Callable[[int, int, str], None] | None = None,
) -> Evaluation:
    """Values of policies estimated from a table of logged actions or slates: `recsim.ope.evaluate(table, ...)`.

    Args:
        table: one row a decision, or one row per slate and position where `columns` names a `slate`.
        policy: see `recsim.ope.tables.targets.targets_of`.
        columns: names of columns by meaning: `reward` (one, a list or a dictionary of objectives), `propensity`
            (estimated where it is not named), `action` or `item`, `position`, `session`, `time`, `context` (a list;
            lets models be fitted); of single actions `group` (of the action) with `propensities` (by action) and, where
            several policies wrote the log, `logger` with `propensity_by` (by logger); of slates `slate` and, instead
            of `propensity`, `joint`.
        weights: of the objectives in their sum; 1 each by default.
        seed: of the bootstrap and the reward model.
        estimators: names of `recsim.ope.ESTIMATORS`; by default the fast ones that the table allows.
        classifier: a scikit-learn classifier for propensities that are estimated from context.
        n_boot: bootstrap draws.
        level: of the intervals.
        n_folds: folds of sessions of the models.
        progress: called as `progress(done, total, what)` after every part of the work.

    Raises:
        ValueError: if a value cannot be; the message names row, column, value and remedy. If an estimator that was
            asked for cannot be used on this table.
        TypeError: if a column does not hold what it is named as.
    """
    found = table_of(table, policy, columns, weights=weights, seed=seed, classifier=classifier, n_folds=n_folds)
    wanted = chosen(found.estimators if estimators is None else estimators)
    _refuse_unordered(table, wanted, Named.of(columns))
    resamples = Resamples.draw(found.inputs.n_clusters, n_boot, sub_seed(seed, "bootstrap"))
    judged = {}
    for number, name in enumerate(found.targets):
        judged[name] = Judged.of(found.case(name), wanted, resamples, level)
        if estimators is not None:
            refuse_missing(name, judged[name])
        if progress:
            progress(number + 1, len(found.targets), f"{name}: estimates and intervals")
    evaluation = evaluation_of(judged, resamples, level, seed)
    warnings = {name: _once(found.sentences(name) + own) for name, own in evaluation.warnings.items()}
    return replace(evaluation, warnings=warnings, calibration=found.calibration)


def table_of(
    table: pd.DataFrame,
    policy: Policies,
    columns: Mapping[str, Any],
    *,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    classifier: Any | None = None,
    n_folds: int = 2,
) -> Table:
    """The checked arrays of a table and of policies on it; arguments and errors as in `evaluate_table`."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"the table is a {type(table).__name__}; pass a pandas.DataFrame (others have .to_pandas()).")
    named = Named.of(columns)
    if len(table) == 0:
        raise ValueError("the table has no rows; an evaluation needs at least 2 sessions.")
    if named.slate:
        return slates_of(table, named, policy, weights)
    return singles_of(table, named, policy, weights, seed, classifier, n_folds)


def _refuse_unordered(table: pd.DataFrame, wanted: Sequence[Estimator], named: Named) -> None:
    of_sessions = [one.name for one in wanted if one.estimand == "session"]
    if not of_sessions:
        return
    if not (named.session and named.time):
        raise ValueError(
            f"estimator {of_sessions[0]!r} values whole sessions, whose rows must be known and in order; "
            "name the columns `session` and `time`."
        )
    _refuse_tied(table, of_sessions[0], named)


def _refuse_tied(table: pd.DataFrame, estimator: str, named: Named) -> None:
    """Steps of one time have no order, and sorting them by what they hold would invent one."""
    session, time = groups_of(table, named.session, "session")[0], groups_of(table, named.time, "time")[0]
    moment, _ = number_of_groups([session, time])
    what, steps = "row", np.arange(len(table))
    if named.slate:
        what, slate = "slate", groups_of(table, named.slate, "slate")[0]
        steps = np.sort(np.unique(slate, return_index=True)[1])  # the first row of every slate
    order = steps[np.argsort(moment[steps], kind="stable")]
    same = np.flatnonzero(np.diff(moment[order]) == 0)
    if len(same):
        first, second = (int(row) for row in order[same[0] : same[0] + 2])
        raise ValueError(
            f"{place_of(table, second)}: session {_value(table, named.session, second)} has a second {what} of time "
            f"{_value(table, named.time, second)}, the first in row {first:,}; estimator {estimator!r} values whole "
            f"sessions and must know their order, so give every {what} of a session its own time."
        )


def _value(table: pd.DataFrame, names: Sequence[str], row: int) -> str:
    return ", ".join(str(table[name].iloc[row]) for name in names)


def _once(sentences: list[str]) -> list[str]:
    """Without those that say the same of another weighting: with one position all weightings are one."""
    found: dict[str, str] = {}
    for sentence in sentences:
        found.setdefault(sentence.split(": ", 1)[-1], sentence)
    return list(found.values())
