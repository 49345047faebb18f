"""Which items of a slate matter for the reward of a position: named answers, and one chosen from a log, by context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.checks import refuse_lengths, reward_array
from recsim.ope.folds import session_folds
from recsim.ope.terms import sum_by

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

N_CUTS = 8  # thresholds tried for every column of the context


def relevant_positions(behaviour: str, k: int) -> Booleans:
    """(k, k) bool for `recsim.ope.positions.aips`: whether the item of position j (last axis) matters for position k.

    Args:
        behaviour: `independent` (its own item alone), `neighbours` (and those next to it), `cascade` (and all above it)
            or `standard` (all).
        k: positions.

    Raises:
        ValueError: if there is no such behaviour.

    >>> relevant_positions("cascade", 2).tolist()
    [[True, False], [True, True]]
    """
    below = np.arange(k)[:, None] - np.arange(k)  # how far position j stands above k
    answers: dict[str, Booleans] = {
        "independent": below == 0,
        "neighbours": np.abs(below) <= 1,
        "cascade": below >= 0,
        "standard": np.ones((k, k), bool),
    }
    if behaviour not in answers:
        raise ValueError(f"there is no behaviour {behaviour!r}; choose from {', '.join(answers)}.")
    return answers[behaviour]


def chosen_weight(candidates: ArrayLike, choice: Integers) -> Floats:
    """(n, k) the weights of each row's chosen candidate, from `candidates` (c, n, k) and `choice` (n,)."""
    weights: Floats = np.asarray(candidates, np.float64)[choice, np.arange(len(choice))]
    return weights


def choose_behaviour(
    reward: ArrayLike,
    candidates: ArrayLike,
    context: ArrayLike,
    cluster: ArrayLike,
    *,
    n_folds: int = 5,
    depth: int = 2,
    least: int = 100,
) -> Integers:
    """(n,) int64, for every row the candidate whose weights give the least estimated error among users like this one.

    A tree splits the contexts and gives every leaf a candidate. It minimises the sum over leaves of
    share bias^2 + share^2 variance (an upper bound of the mean squared error of the whole, by Jensen's inequality).
    The bias is the distance to the last candidate, of rewards less their mean at each position of the leaf: as all
    weights have mean 1, that takes away noise alone. What chance adds to its square speaks for the last candidate.
    Variances are those between clusters. Trees are grown on other clusters than those that they choose for, so that
    `aips` with the choice stays as unbiased as its candidates are.

    Source: Kiyohara et al. 2023, "Off-policy evaluation of ranking policies under diverse user behavior",
    there with other estimates of the bias.

    Args:
        reward: (n, k) or (n, k, o); errors of objectives are relative to the variance of the last candidate.
        candidates: (c, n, k) float64, weights; the last must be unbiased whatever users do (that of `sips`).
        context: (n, d) what the users can be told apart by.
        cluster: (n,) int64, sessions.
        n_folds: folds of clusters.
        depth: of the trees; 0 chooses one candidate for everybody.
        least: rows in a leaf.

    Raises:
        ValueError: if shapes differ, a number is not finite, or there are fewer clusters than folds.
    """
    values = reward_array(reward)
    weights, seen, codes = _checked(values, candidates, context, cluster)
    scale = np.einsum("nk,nko->no", weights[-1], values).std(axis=0)
    values = values / np.where(scale > 0, scale, 1.0)
    choice = np.empty(len(values), np.int64)
    for train, score in session_folds(codes, n_folds):
        tree = _Tree(values[train], weights[:, train], seen[train], codes[train], least)
        tree.choose(np.arange(len(train)), seen[score], score, choice, depth)
    return choice


@dataclass(frozen=True, eq=False)
class _Tree:
    """Rows to learn from.

    Attributes:
        reward: (n, k, o).
        weights: (c, n, k), candidates.
        context: (n, d).
        cluster: (n,).
        least: rows in a leaf.
    """

    reward: Floats
    weights: Floats
    context: Floats
    cluster: Integers
    least: int

    def choose(self, rows: Integers, context: Floats, score: Integers, choice: Integers, depth: int) -> None:
        """Fill `choice` at the rows `score` with `context`, from the tree below `rows`."""
        cost, best = self._cost(rows)
        split = None
        for column, cut in self._cuts(rows) if depth else ():
            low = self.context[rows, column] <= cut
            if min(low.sum(), (~low).sum()) < self.least:
                continue
            divided = self._cost(rows[low])[0] + self._cost(rows[~low])[0]
            if divided < cost:
                cost, split = divided, (column, cut)
        if split is None:
            choice[score] = best
            return
        column, cut = split
        low, score_low = self.context[rows, column] <= cut, context[:, column] <= cut
        self.choose(rows[low], context[score_low], score[score_low], choice, depth - 1)
        self.choose(rows[~low], context[~score_low], score[~score_low], choice, depth - 1)

    def _cuts(self, rows: Integers) -> Iterator[tuple[int, float]]:
        levels = np.arange(1, N_CUTS + 1) / (N_CUTS + 1)
        for column, values in enumerate(self.context[rows].T):
            for cut in np.unique(np.quantile(values, levels, method="lower")):
                yield column, float(cut)

    def _cost(self, rows: Integers) -> tuple[float, int]:
        """The least estimated error of a leaf, and its candidate."""
        share = len(rows) / len(self.cluster)
        _, codes = np.unique(self.cluster[rows], return_inverse=True)
        reward, weights = self.reward[rows], self.weights[:, rows]
        earned = np.einsum("cnk,nko->cno", weights, reward)
        bias = np.einsum("cnk,nko->co", weights - weights[-1], reward - reward.mean(axis=0)) / len(rows)
        error = share * np.square(bias) + share**2 * _variance(earned, codes)
        total = error.sum(axis=1)
        return float(total.min()), int(total.argmin())


def _variance(values: Floats, cluster: Integers) -> Floats:
    """(c, o) variance of the means over rows of `values` (c, n, o), by what clusters differ."""
    centred = values - values.mean(axis=1, keepdims=True)
    sums = sum_by(np.moveaxis(centred, 1, 0), cluster, int(cluster.max()) + 1)
    variance: Floats = np.square(sums).sum(axis=0) / values.shape[1] ** 2
    return variance


def _checked(
    reward: Floats, candidates: ArrayLike, context: ArrayLike, cluster: ArrayLike
) -> tuple[Floats, Floats, Integers]:
    weights, seen, codes = np.asarray(candidates, np.float64), np.asarray(context, np.float64), np.asarray(cluster)
    if weights.ndim != 3 or len(weights) < 2:
        raise ValueError(
            f"candidates have shape {weights.shape}; (candidates, slates, positions) of at least 2 is needed."
        )
    refuse_lengths(reward=reward, **{f"candidate {number}": weight for number, weight in enumerate(weights)})
    if seen.ndim != 2 or len(seen) != len(reward) or codes.shape != (len(reward),):
        raise ValueError(
            f"context has shape {seen.shape} and cluster {codes.shape}; (n, d) and (n,) with the {len(reward)} slates "
            "of reward are needed."
        )
    for name, values in (("candidates", weights), ("context", seen)):
        if not np.isfinite(values).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise ValueError(f"{name} hold {values[place]} at {place}; every number must be finite.")
    return weights, seen, codes
