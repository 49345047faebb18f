"""Which estimator, or which value of its tuning number, to trust: SLOPE and estimates of the mean squared error.

Every rule is a pure function of one log: nothing is remembered from an earlier one. Rules choose per objective, since
the best estimator of one objective need not be the best of another. See `recsim.ope.importance_fitting` for a rule
that compares any estimators, biased in whatever way.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.action_checks import action_models_like, refuse_rows, reward_and_weight, weight_array
from recsim.ope.terms import Terms, standard_error

Floats = NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)

SLACK = math.sqrt(6.0) - 1.0  # of the earlier candidate's half-width (Su, Srinath and Krishnamurthy 2020)


def slope(candidates: Mapping[Key, Terms], delta: float = 0.1) -> list[Key]:
    """The candidate of each objective that SLOPE chooses: the narrowest whose bias does not show yet.

    Candidates are sorted by the half-width of their intervals, widest first, which should be the least biased. As long
    as a candidate is within reach of all before it, |V_i - V_j| <= h_i + (sqrt(6) - 1) h_j, the next is tried; the last
    one within reach is chosen.

    Source: Su, Srinath and Krishnamurthy 2020, "Adaptive estimator selection for off-policy evaluation".

    Args:
        candidates: the terms of every candidate, on the same rows.
        delta: chance that an interval misses on one side; half-widths are those of Student's t for independent rows.

    Returns:
        o keys of `candidates`, one per objective.

    Raises:
        ValueError: if there are no candidates, a candidate has no value, or `delta` is no probability.

    >>> wide = Terms(np.array([0.0, 4.0])[:, None, None], np.ones((2, 1)))
    >>> near, far = (Terms(np.array([v, v])[:, None, None], np.ones((2, 1))) for v in (3.0, 30.0))
    >>> slope({"wide": wide, "near": near}), slope({"wide": wide, "far": far})  # |2 - 3| and |2 - 30| against 8.9
    (['near'], ['wide'])
    """
    values, widths = _intervals(candidates, delta)  # (candidates, o) both
    keys = list(candidates)
    return [keys[_slope(values[:, o], widths[:, o])] for o in range(values.shape[1])]


def shrinkage_mse(
    terms: Terms,
    reward: ArrayLike,
    weight: ArrayLike,
    used_weight: ArrayLike,
    model_logged: ArrayLike | None = None,
    *,
    delta: float = 0.1,
    bias_bound: bool = True,
) -> Floats:
    """(o,) estimated mean squared error of an estimator that uses `used_weight` instead of the importance `weight`.

    var / n + (|mean((w - w') (r - q))| + sqrt(2 mean(w^2) ln(2 / delta) / n) + 2 max(w) ln(2 / delta) / (3 n))^2.
    The two terms of the bound hold w, not w', so they are the same for every w': with them the rule mostly picks the
    weights closest to w, however noisy. `bias_bound=False` leaves them out.

    Source: Su, Dimakopoulou, Krishnamurthy and Dudik 2020, "Doubly robust off-policy evaluation with shrinkage"
    (direct bias estimation).

    Args:
        terms: of the estimator, a plain average such as `ips` with `clip`, `dros` or `switch_dr`.
        reward: (n,) or (n, o).
        weight: (n,) `importance_weight`.
        used_weight: (n,) `clipped_weight`, `shrunk_weight` ..., what the estimator weighs by.
        model_logged: like `reward`, the estimator's reward model at the logged actions; none for IPS.
        delta: chance that the bound of the bias fails.
        bias_bound: whether to add the bound to the estimated bias.

    Raises:
        ValueError: if arrays do not fit, or `delta` is no probability.
    """
    _refuse_delta(delta)
    values, plain = reward_and_weight(reward, weight)
    used = weight_array(used_weight, "used_weight")
    refuse_rows(reward=values, used_weight=used, terms=terms.numerator)
    left = values if model_logged is None else values - action_models_like(values, model_logged=model_logged)[0]
    bias = np.abs(((plain - used)[:, None] * left).mean(axis=0))
    n, doubt = len(values), math.log(2.0 / delta)
    if bias_bound:
        bias = (
            bias + math.sqrt(2.0 * float(np.square(plain).mean()) * doubt / n) + 2.0 * plain.max() * doubt / (3.0 * n)
        )
    variance = np.square(terms.influence).sum(axis=0)  # of the estimate, with n, not n - 1
    score: Floats = variance + np.square(bias)
    return score


def least(scores: Mapping[Key, Floats]) -> list[Key]:
    """The key with the least score, for each objective; of equal scores the last.

    Equals are common: a clip beyond the largest weight changes nothing. With candidates listed from the strongest
    transformation to the weakest, the one that changes least is chosen.

    >>> least({"ips": np.array([0.3, 0.1]), "dr": np.array([0.2, 0.4])})
    ['dr', 'ips']

    Raises:
        ValueError: if there are no scores, or one is NaN.
    """
    keys, table = list(scores), np.array(list(scores.values()))
    if not keys:
        raise ValueError("there are no candidates; at least 1 is needed.")
    if np.isnan(table).any():
        raise ValueError(f"candidate {keys[int(np.argwhere(np.isnan(table))[0, 0])]!r} has no score. Leave it out.")
    return [keys[-1 - number] for number in table[::-1].argmin(axis=0)]


def _slope(values: Floats, widths: Floats) -> int:
    order = np.argsort(-widths, kind="stable")
    for place, candidate in enumerate(order):
        before = order[:place]
        reach = widths[candidate] + SLACK * widths[before]
        if (np.abs(values[candidate] - values[before]) > reach).any():
            return int(order[place - 1])
    return int(order[-1])


def _intervals(candidates: Mapping[Key, Terms], delta: float) -> tuple[Floats, Floats]:
    from scipy import stats

    _refuse_delta(delta)
    if not candidates:
        raise ValueError("there are no candidates; at least 1 is needed.")
    rows = {len(terms) for terms in candidates.values()}
    if len(rows) > 1 or min(rows) < 2:
        raise ValueError(f"candidates have {sorted(rows)} rows; all need the same rows, at least 2.")
    n = rows.pop()
    for name, terms in candidates.items():
        if np.isnan(terms.value).any():
            raise ValueError(f"candidate {name!r} has no value: nothing in the log bears on it. Leave it out.")
    values = np.array([terms.value for terms in candidates.values()])
    errors = np.array([standard_error(terms.influence) for terms in candidates.values()])
    return values, errors * stats.t.ppf(1 - delta, n - 1)


def _refuse_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}; it is a probability between 0 and 1, such as 0.1.")
