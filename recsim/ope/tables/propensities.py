"""Estimated propensities for logs that do not have them, and how well they are calibrated.

Without context the propensity of an action is its frequency (at its position). With context a classifier predicts the
logged action from what was known before the choice; each session is scored by a classifier that saw none of its rows.
Its predictions are then sharpened or flattened by a temperature and mixed with the frequencies, both fitted on the rows
that the classifiers had not seen: over-confident propensities near 0 would give weights that were never in the log.

Source: Guo et al. 2017, "On calibration of modern neural networks", section 4.2 (temperature); Chernozhukov et al.
2018, "Double/debiased machine learning" (cross-fitting).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from recsim.ope.folds import session_folds
from recsim.ope.tables.calibration import Calibration, calibration_of, log_loss_of, of_logged
from recsim.ope.tables.columns import one_hot

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Context = NDArray[np.float32]

TEMPERATURES = np.geomspace(0.5, 4.0, 13)
SHARES = (0.001, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # of frequencies; 0 would allow propensities of 0


@dataclass(frozen=True, eq=False)
class Propensities:
    """Estimated propensities of a log's actions.

    Attributes:
        table: (n, m) float64, of every action in every row; rows add up to 1.
        logged: (n,) float64, of the logged actions; above 0.
        calibration: how far they agree with the log.
    """

    table: Floats
    logged: Floats
    calibration: Calibration


def frequencies(action: Integers, n_actions: int, position: Integers | None = None) -> Propensities:
    """The share of each action at its position: right where nothing else decided.

    Args:
        action: (n,) int64 in 0..m-1.
        n_actions: m.
        position: (n,) int64; None for a single one.

    Raises:
        ValueError: if there are no rows, lengths differ or an action has no number in 0..m-1.

    >>> frequencies(np.array([0, 0, 1, 0]), 2).logged.tolist()  # 3/4 and 1/4
    [0.75, 0.75, 0.25, 0.75]
    """
    _check(action, n_actions, position)
    table = _frequency_table(action, n_actions, position)
    loss = log_loss_of(table, action)
    return Propensities(table, of_logged(table, action), calibration_of(table, action, "frequency", loss))


def classified(
    action: Integers,
    n_actions: int,
    context: Context,
    cluster: Integers,
    *,
    position: Integers | None = None,
    classifier: Any | None = None,
    n_folds: int = 3,
    calibrate: bool = True,
) -> Propensities:
    """Propensities by a classifier of the logged action, cross-fitted by session and calibrated.

    Args:
        action: (n,) int64 in 0..m-1.
        n_actions: m.
        context: (n, d) float32, what was known before the choice.
        cluster: (n,) int64, the session of each row.
        position: (n,) int64; None for a single one.
        classifier: any scikit-learn classifier with `predict_proba`; by default multinomial logistic regression on
            scaled context.
        n_folds: number of folds; sessions are never divided.
        calibrate: whether to fit temperature and mixture; else a share of 0.001 of the frequencies keeps every
            propensity above 0.

    Raises:
        ValueError: as in `frequencies`, or if there are fewer sessions than folds.
    """
    _check(action, n_actions, position)
    base = _frequency_table(action, n_actions, position)
    folds = list(session_folds(cluster, n_folds))
    where = np.zeros_like(action) if position is None else position
    design = np.concatenate([context, one_hot(where, int(where.max()) + 1, 32)], axis=1)
    raw = np.zeros((len(action), n_actions))
    for train, score in folds:
        raw[score] = _predict(classifier, design, action, train, score, n_actions)
    table = np.empty_like(raw)
    settings = []
    for rest, score in folds:  # chosen on the other folds, so that no row chooses for itself
        found = _fit_mixture(raw[rest], base[rest], action[rest]) if calibrate else (1.0, SHARES[0])
        table[score] = _mixed(raw[score], base[score], *found)
        settings.append(found)
    temperature, share = (float(x) for x in np.mean(settings, axis=0))
    marginal = log_loss_of(base, action)
    report = calibration_of(table, action, "classifier", marginal, temperature=temperature, frequency_share=share)
    return Propensities(table, of_logged(table, action), report)


def _check(action: Integers, n_actions: int, position: Integers | None) -> None:
    if len(action) == 0:
        raise ValueError("there are no rows to estimate propensities from; pass at least one.")
    if position is not None and len(position) != len(action):
        raise ValueError(f"position has {len(position):,} rows but action has {len(action):,}; pass one for each.")
    wrong = (action < 0) | (action >= n_actions)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"row {row:,}: action is {action[row]}; number the {n_actions:,} actions from 0.")


def _frequency_table(action: Integers, n_actions: int, position: Integers | None) -> Floats:
    where = np.zeros_like(action) if position is None else position
    size = int(where.max()) + 1
    counts = np.bincount(where * n_actions + action, minlength=size * n_actions).reshape(size, n_actions)
    share: Floats = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return share[where]


def _predict(classifier: Any, design: Context, action: Integers, train: Integers, score: Integers, m: int) -> Floats:
    out = np.zeros((len(score), m))
    known = np.unique(action[train])
    if len(known) == 1:
        out[:, known] = 1.0
        return out
    with ThreadpoolController().limit(limits=1):  # results differ in their last bits from one number to another
        fitted = _new(classifier).fit(design[train], action[train])
        out[:, fitted.classes_] = fitted.predict_proba(design[score])
    return out


def _new(classifier: Any) -> Any:
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if classifier is not None:
        return clone(classifier)
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200, tol=1e-3))


def _fit_mixture(raw: Floats, base: Floats, action: Integers) -> tuple[float, float]:
    """The temperature and the share of the frequencies with the smallest log-loss."""
    found = []
    own = of_logged(base, action)
    for temperature in TEMPERATURES:
        sharp = of_logged(_tempered(raw, temperature), action)
        for share in SHARES:
            loss = -np.log((1 - share) * sharp + share * own).mean()
            found.append((float(loss), abs(float(np.log(temperature))), float(temperature), share))
    _, _, temperature, share = min(found)  # of equal ones that which changes least
    return temperature, share


def _mixed(raw: Floats, base: Floats, temperature: float, share: float) -> Floats:
    return (1 - share) * _tempered(raw, temperature) + share * base


def _tempered(raw: Floats, temperature: float) -> Floats:
    power = np.power(raw, 1 / temperature)
    total: Floats = power / power.sum(axis=1, keepdims=True)
    return total
