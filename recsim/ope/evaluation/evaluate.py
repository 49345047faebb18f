"""One call for both forms of logged data: a log of this package, or anybody's table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import pandas as pd
from numpy.typing import ArrayLike

from recsim.ope.evaluation.logs import evaluate_log
from recsim.ope.evaluation.result import Evaluation
from recsim.ope.reward_model import Features
from recsim.ope.tables.table import evaluate_table
from recsim.ope.tables.targets import Policies

if TYPE_CHECKING:
    from recsim.logs import Log
    from recsim.policy import Policy

Progress = Callable[[int, int, str], None]


@overload
def evaluate(
    log: Log,
    policies: Sequence[Policy],
    *,
    seed: int,
    features: Features | None = None,
    logging: Policy | None = None,
    groups: ArrayLike | None = None,
    examination: ArrayLike | None = None,
    estimators: Sequence[str] | None = None,
    n_boot: int = 200,
    level: float = 0.95,
    n_samples: int = 1,
    n_folds: int = 2,
    progress: Progress | None = None,
) -> Evaluation: ...


@overload
def evaluate(
    log: pd.DataFrame,
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
    progress: Progress | None = None,
) -> Evaluation: ...


def evaluate(log: Any, *policies: Any, **options: Any) -> Evaluation:
    """Values of policies estimated from what another policy logged.

    Of a `recsim.logs.Log` these are its slates, and the other arguments those of `recsim.ope.evaluate_log`: `policies`,
    `seed`, `features` ... Of a pandas table they are those of `recsim.ope.evaluate_table`: `policy`, `columns`,
    `weights` ...

    Raises:
        ValueError: if a value cannot be; the message names row, column and remedy.
        TypeError: if something does not hold what it should.

    >>> table = pd.DataFrame({"item": [0, 1] * 60, "chance": [0.5, 0.5] * 60, "click": [1, 0, 0, 0] * 30})
    >>> columns = {"reward": "click", "action": "item", "propensity": "chance"}
    >>> evaluation = evaluate(table, policy={0: 1.0, 1: 0.0}, columns=columns)  # item 0 was clicked in 30 of 60 rows
    >>> float(evaluation.to_frame().set_index(["estimator", "objective"]).loc[("snips", "reward"), "value"])
    0.5
    """
    if isinstance(log, pd.DataFrame) or "columns" in options:  # tables of other libraries are refused in words
        return evaluate_table(log, *policies, **options)
    found: Evaluation = evaluate_log(log, *policies, **options)
    return found
