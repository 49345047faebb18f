"""Importance weights of what items have in common, for `recsim.ope.embedding`: clusters or embeddings.

w(x, e) = p(e | x, pi_e) / p(e | x, pi_b) with p(e | x, pi) = sum_a pi(a | x) p(e | a).

Shapes: `target_table`, `logged_table` (n, m) probabilities of every item in the context of each row, under the target
    policy and under the policy in force; `action` (n,) int, the logged item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.action_checks import code_array, input_array, probability_table, refuse_rows
from recsim.ope.checks import first_wrong
from recsim.ope.folds import session_folds
from recsim.ope.reward_model import row_blocks

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Match = Callable[[slice], NDArray[Any]]


def cluster_weight(cluster: ArrayLike, action: ArrayLike, target_table: ArrayLike, logged_table: ArrayLike) -> Floats:
    """(n,) pi_e(c | x) / pi_b(c | x) for the cluster c of the logged item, each the sum over the cluster's items.

    Args:
        cluster: (m,) int, the cluster of every item.
        action: the logged items.
        target_table: the target's probabilities.
        logged_table: those in force.

    Raises:
        ValueError: if a table is none of probabilities, an array does not fit, or a logged cluster had probability 0.
    """
    target, logged = table_pair(target_table, logged_table)
    n_items = target.shape[1]
    codes = cluster_codes(cluster, n_items)
    own = codes[code_array(action, n_items, "action")]
    refuse_rows(target_table=target, action=own)
    return _ratio(lambda rows: codes == own[rows, None], target, logged)


def embedding_weight(
    embedding: ArrayLike, chance: Sequence[ArrayLike], target_table: ArrayLike, logged_table: ArrayLike
) -> Floats:
    """(n,) p(e | x, pi_e) / p(e | x, pi_b), where p(e | x, pi) = sum_a pi(a | x) prod_d p(e_d | a).

    The product over the d dimensions of the embedding stands inside the sum over items: dimensions are independent
    given the item, not given the context.

    Args:
        embedding: (n, d) int, or (n,) for one dimension, the logged embeddings.
        chance: d tables (m, values): p(e_d | a) for every item and value of dimension d.
        target_table: the target's probabilities.
        logged_table: those in force.

    Raises:
        ValueError: if a table is none of probabilities, an array does not fit, or a logged embedding had probability 0.

    >>> chance = [np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.0, 1.0], [0.5, 0.5]])]
    >>> target, logged = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    >>> weight = embedding_weight([[0, 1]], chance, target, logged)  # p(e | a) = 0.5 * 1 and 1 * 0.5
    >>> weight.tolist()  # 0.5 / (0.5 * 0.5 + 0.5 * 0.5)
    [1.0]
    """
    target, logged = table_pair(target_table, logged_table)
    values = np.asarray(embedding)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] != len(chance):
        raise ValueError(
            f"embedding has shape {values.shape} but chance has {len(chance)} tables; it must be (rows, dimensions), "
            "one table per dimension."
        )
    parts = []
    for number, (column, table) in enumerate(zip(values.T, chance, strict=True)):
        given = probability_table(table, f"chance[{number}]", columns="value")
        if len(given) != target.shape[1]:
            raise ValueError(f"chance[{number}] has {len(given)} items but target_table has {target.shape[1]}.")
        codes = code_array(column, given.shape[1], f"embedding dimension {number}", kind="value")
        refuse_rows(target_table=target, embedding=codes)
        parts.append((codes, np.ascontiguousarray(given.T)))
    return _ratio(lambda rows: np.prod([table[codes[rows]] for codes, table in parts], axis=0), target, logged)


def fitted_weight(
    embedding: ArrayLike,
    action: ArrayLike,
    target_table: ArrayLike,
    logged_table: ArrayLike,
    session: ArrayLike,
    *,
    context: ArrayLike | None = None,
    classifier: Any = None,
    n_folds: int = 2,
) -> Floats:
    """(n,) w(x, e) = E[w(x, a) | x, e], with a classifier's pi_b(a | x, e): for embeddings without known p(e | a).

    The classifier is cross-fitted: no row is weighed by one that saw its session. Its probabilities are kept to the
    items that the policy in force could have shown in that context.

    Source: Saito and Joachims 2022, "Off-policy evaluation for large action spaces via embeddings" (estimated weights).

    Args:
        embedding: (n, d) float, the logged embeddings.
        action: the logged items.
        target_table: the target's probabilities.
        logged_table: those in force; not 0 where the target's is not, since w(x, a) is needed for every item.
        session: (n,) the session of each row.
        context: (n, f) float, further inputs of the classifier.
        classifier: a scikit-learn classifier with `predict_proba`; logistic regression unless given.
        n_folds: number of folds; sessions are never divided.

    Raises:
        ValueError: if an array does not fit, the target can do what the log cannot, or the classifier leaves a row no
            item that could have been shown.
    """
    target, logged = table_pair(target_table, logged_table)
    codes = code_array(action, target.shape[1], "action")
    inputs = np.concatenate(
        [input_array(embedding, "embedding"), *([] if context is None else [input_array(context, "context")])], axis=1
    )
    groups = np.asarray(session)
    refuse_rows(target_table=target, action=codes, embedding=inputs, session=groups)
    weight = _item_weight(target, logged)
    # Solvers stop a little elsewhere when rows come in another order; a sorted log gives the same weights always.
    order = np.lexsort([*inputs.T, codes, np.unique(groups, return_inverse=True)[1]])
    out = np.empty(len(codes))
    for train, score in session_folds(groups[order], n_folds):
        rows = order[score]
        found = _class_chance(classifier, inputs, codes, order[train], rows, target.shape[1])
        found *= logged[rows] > 0
        total = found.sum(axis=1)
        if (total == 0).any():
            row = int(rows[total == 0].min())
            raise ValueError(
                f"row {row:,}: the classifier gives no chance to any item that logged_table allows there. "
                "Use more folds, merge rare items, or use embedding_weight with known p(e | a)."
            )
        out[rows] = (found * weight[rows]).sum(axis=1) / total
    return out


def table_pair(target_table: ArrayLike, logged_table: ArrayLike) -> tuple[Floats, Floats]:
    """Both tables of probabilities, of the same shape (n, m), or ValueError."""
    target = probability_table(target_table, "target_table")
    logged = probability_table(logged_table, "logged_table")
    if target.shape != logged.shape:
        raise ValueError(
            f"logged_table has shape {logged.shape} but target_table has shape {target.shape}; "
            "both need one row per logged action and one column per item."
        )
    return target, logged


def cluster_codes(cluster: ArrayLike, n_items: int) -> Integers:
    """`cluster` as (m,) int64, from 0 up, one of every item, or ValueError."""
    groups = np.asarray(cluster)
    codes = code_array(groups, int(np.max(groups, initial=0)) + 1, "cluster", kind="cluster")
    if len(codes) != n_items:
        raise ValueError(f"cluster has {len(codes)} items but the tables have {n_items}; give each item a cluster.")
    return codes


def _class_chance(
    classifier: Any, inputs: Floats, action: Integers, train: Integers, rows: Integers, n_items: int
) -> Floats:
    """(rows, m) the chance of every item by a classifier fitted on `train`; 0 for items it has not seen."""
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if classifier is None:
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    out = np.zeros((len(rows), n_items))
    seen = np.unique(action[train])
    if len(seen) == 1:
        out[:, seen] = 1.0
        return out
    fitted = clone(classifier).fit(inputs[train], action[train])
    out[:, fitted.classes_] = fitted.predict_proba(inputs[rows])
    return out


def _item_weight(target: Floats, logged: Floats) -> Floats:
    """(n, m) pi_e(a | x) / pi_b(a | x), 0 where both are 0."""
    missing = (target > 0) & (logged == 0)
    if missing.any():
        place, value = first_wrong(missing, target, ("row", "item"))
        raise ValueError(
            f"{place} of target_table is {value:g} where logged_table is 0, so no classifier can learn its weight. "
            "Use embedding_weight with known p(e | a)."
        )
    return np.divide(target, logged, out=np.zeros_like(target), where=logged > 0)


def _ratio(match: Match, target: Floats, logged: Floats) -> Floats:
    """(n,) sum_a target match / sum_a logged match; `match(rows)` is (rows, m), p(e_i | a) of the rows' embeddings."""
    out = np.empty(len(target))
    for rows in row_blocks(len(target)):
        fits = match(rows)
        under_logged = (logged[rows] * fits).sum(axis=1)
        if (under_logged == 0).any():
            row = rows.start + int((under_logged == 0).argmax())
            raise ValueError(
                f"row {row:,}: what was logged had probability 0 by logged_table. "
                "Drop the row or pass the probabilities that were in force."
            )
        out[rows] = (target[rows] * fits).sum(axis=1) / under_logged
    return out
