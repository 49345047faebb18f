"""Policies: from observations to slates, with exact propensities.

Every stochastic ranker here is Plackett-Luce over scores: items are drawn one after another without replacement, each
with probability softmax(score / temperature) among those left (Plackett 1975; drawn by Gumbel-top-k, Kool et al.
2019).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numba
import numpy as np
from numpy.typing import NDArray

from recsim import diverse, marginals
from recsim.catalog import Catalog
from recsim.jit import allocating_row_kernel, inline_kernel
from recsim.observation import Layout
from recsim.slates import check_size, checked_slates
from recsim.streams import Moments, Streams, drawn, purpose_key

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Items = NDArray[np.int64]

_POLICY = purpose_key("policy")
_NEVER = -1e9  # a score that even a softened ranking does not show


@dataclass(frozen=True)
class Decision:
    """What a policy shows, and how likely that was.

    Attributes:
        slate: (n, k) int64, item numbers without repeats.
        step_log_prob: (n, k) float64, log-probability of each item given the items above it; 0 for a deterministic
            policy.
        exact: whether the probabilities are exact, or estimated by Monte Carlo.
    """

    slate: Items
    step_log_prob: Floats
    exact: bool = True

    @property
    def log_prob(self) -> Floats:
        """(n,) float64, joint log-probability of the slate: the sum over positions."""
        total: Floats = self.step_log_prob.sum(axis=1)
        return total


class Policy(Protocol):
    """Anything that shows slates."""

    @property
    def name(self) -> str:
        """What logs and reports call it."""
        ...

    def act(self, observation: Observation, streams: Streams) -> Decision:
        """A slate for each of n users, drawn from `streams` and nothing else."""
        ...

    def step_log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n, k) float64, log-probability of each item of `slate` given those above it; -inf if it cannot be shown."""
        ...

    def log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n,) float64, joint log-probability of `slate`."""
        ...


class Scorer(Protocol):
    """Anything that scores every item for every user: with `Ranking` it becomes a policy."""

    def scores(self, observation: Observation) -> Floats:
        """(n, m) float64, higher is better."""
        ...


@runtime_checkable
class DiverseScorer(Scorer, Protocol):
    """A scorer that also varies its slates: items lose by every item of their category above (`recsim.diverse`)."""

    @property
    def category(self) -> Items:
        """(m,) int64, categories of the items."""
        ...

    def discount(self, observation: Observation) -> Floats:
        """(n,) float64, score lost per item of the same category above."""
        ...


@dataclass(frozen=True)
class Ranking:
    """Show the items that a scorer likes.

    Attributes:
        name: what logs and reports call it.
        scorer: scores every item; a `DiverseScorer` varies the slates, too.
        slate_size: k.
        temperature: 0 shows the k highest scores, best first, ties to the lower item number; above 0 it draws from
            Plackett-Luce over scores / temperature, with the discount of a diverse scorer / temperature.
    """

    name: str
    scorer: Scorer
    slate_size: int
    temperature: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature >= 0.0):
            raise ValueError(f"temperature of {self.name!r} is {self.temperature}; it is a finite number from 0 up.")

    def act(self, observation: Observation, streams: Streams) -> Decision:
        """Slates (n, k) and their step-wise log-propensities; draws are keyed by item, one lane each."""
        scores = self._scores(observation)
        if self.temperature == 0.0:
            slate = self._best(observation, scores)
            return Decision(slate, np.zeros(slate.shape))
        logits = scores / self.temperature
        if isinstance(self.scorer, DiverseScorer):
            discount = self.scorer.discount(observation) / self.temperature
            unit = streams.uniform("policy", 2 * self.slate_size).reshape(len(scores), -1, 2)
            slate = diverse.sample(logits, discount, self.scorer.category, unit)
            return Decision(slate, diverse.log_prob(logits, discount, self.scorer.category, slate))
        slate = plackett_luce_sample(logits, self.slate_size, streams)
        return Decision(slate, plackett_luce_log_prob(logits, slate))

    def step_log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n, k) float64; deterministic: 0 as long as a slate agrees with it from the top, -inf from there on."""
        scores = self._scores(observation)
        if self.temperature == 0.0:
            return certain_log_prob(self._best(observation, scores), slate)
        logits = scores / self.temperature
        if isinstance(self.scorer, DiverseScorer):
            discount = self.scorer.discount(observation) / self.temperature
            return diverse.log_prob(logits, discount, self.scorer.category, checked_slates(logits, slate))
        return plackett_luce_log_prob(logits, slate)

    def log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n,) float64, joint log-probability."""
        total: Floats = self.step_log_prob(observation, slate).sum(axis=1)
        return total

    def marginal_log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n, k) float64, log-probability that each item stands at its position, whatever stands at the others.

        Raises:
            ValueError: if it draws from a diverse scorer, for which no closed form is known.
        """
        scores = self._scores(observation)
        if self.temperature == 0.0:
            slate = checked_slates(scores, slate)
            return _certainly(self._best(observation, scores)[:, : slate.shape[1]] == slate)
        return marginals.plackett_luce_marginal_log_prob(self._plain_logits(scores), slate)

    def position_log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n, k, slate_size) float64, log-probability that each item of `slate` (n, k) stands at each position.

        Raises:
            ValueError: if it draws from a diverse scorer, for which no closed form is known.
        """
        scores = self._scores(observation)
        if self.temperature == 0.0:
            best = self._best(observation, scores)
            return _certainly(best[:, None, :] == checked_slates(scores, slate)[:, :, None])
        return marginals.plackett_luce_position_log_prob(self._plain_logits(scores), slate, self.slate_size)

    def first_probability(self, observation: Observation) -> Floats:
        """(n, m) float64, the chance of every item at the top: of slates of one item, the whole policy."""
        scores = self._scores(observation)
        if self.temperature == 0.0:
            chance = np.zeros_like(scores)
            np.put_along_axis(chance, self._best(observation, scores)[:, :1], 1.0, axis=1)
            return chance
        chance = np.exp((scores - scores.max(axis=1, keepdims=True)) / self.temperature)
        total: Floats = chance / chance.sum(axis=1, keepdims=True)
        return total

    def next_items(self, observation: Observation, slate: Items, streams: Streams) -> Items:
        """(n, k) int64, for every position an item that the policy may show there below the items of `slate` above it.

        Each is drawn from its distribution given those above; of one row, they share their noise. Deterministic: the
        item it would show.
        """
        scores = self._scores(observation)
        slate = checked_slates(scores, slate)
        soft = self.temperature > 0.0
        if isinstance(self.scorer, DiverseScorer):
            noise = self.temperature * streams.gumbel("policy", scores.shape[1]) if soft else 0.0
            return diverse.following(scores + noise, self.scorer.discount(observation), self.scorer.category, slate)
        k = slate.shape[1]
        order = plackett_luce_sample(scores / self.temperature, k, streams) if soft else top_k(scores, k)
        return first_not_above(order, slate)

    def _plain_logits(self, scores: Floats) -> Floats:
        if isinstance(self.scorer, DiverseScorer):
            raise ValueError(
                f"{self.name!r} draws items with a discount for those of their category above, and no closed form is "
                "known for the chance of an item at a position. Use estimators that need only the steps (sips, rips, "
                "snsips, snrips, dr, cascade_dr), or judge it at temperature 0."
            )
        return scores / self.temperature

    def _best(self, observation: Observation, scores: Floats) -> Items:
        if isinstance(self.scorer, DiverseScorer):
            return diverse.best(scores, self.scorer.discount(observation), self.scorer.category, self.slate_size)
        return top_k(scores, self.slate_size)

    def _scores(self, observation: Observation) -> Floats:
        scores = np.ascontiguousarray(self.scorer.scores(observation), np.float64)
        if scores.ndim != 2 or len(scores) != len(observation) or scores.shape[1] < self.slate_size:
            raise ValueError(
                f"scorer of {self.name!r} gave scores of shape {scores.shape} for {len(observation)} users; "
                f"(n, m) with at least {self.slate_size} items is needed."
            )
        return finite_scores(self.name, scores)


@dataclass(frozen=True)
class ConstantScorer:
    """The same scores for everybody.

    Attributes:
        values: (m,) float64.
    """

    values: Floats

    def scores(self, observation: Observation) -> Floats:
        """(n, m) float64."""
        return np.broadcast_to(self.values, (len(observation), len(self.values)))


@dataclass(frozen=True)
class ThereAlready:
    """The scores of another scorer, but far below all others for items that have not appeared yet.

    Attributes:
        scorer: scores every item.
        born: (m,) float32, the day on which each item appears.
        day: column of the observation that holds today.
    """

    scorer: Scorer
    born: NDArray[np.float32]
    day: int

    def scores(self, observation: Observation) -> Floats:
        """(n, m) float64."""
        there = observation[:, self.day, None] >= self.born
        return np.where(there, self.scorer.scores(observation), _NEVER)


@dataclass(frozen=True)
class DiverseThereAlready(ThereAlready):
    """The same for a scorer that varies its slates."""

    scorer: DiverseScorer

    @property
    def category(self) -> Items:
        """(m,) int64."""
        return self.scorer.category

    def discount(self, observation: Observation) -> Floats:
        """(n,) float64."""
        return self.scorer.discount(observation)


def only_there(ranking: Ranking, born: NDArray[np.float32] | None, layout: Layout) -> Ranking:
    """The same ranking, which shows only what has appeared, in a world with birthdays (`Simulator.born`)."""
    if born is None:
        return ranking
    scorer, day = ranking.scorer, layout["day"].start
    if isinstance(scorer, DiverseScorer):
        return replace(ranking, scorer=DiverseThereAlready(scorer, born, day))
    return replace(ranking, scorer=ThereAlready(scorer, born, day))


def uniform(catalog: Catalog, slate_size: int) -> Ranking:
    """Every slate without repeats equally likely."""
    return Ranking("uniform", ConstantScorer(np.zeros(len(catalog))), slate_size, temperature=1.0)


def popularity(catalog: Catalog, slate_size: int, temperature: float = 0.0) -> Ranking:
    """The most popular items by the catalogue's prior; at temperature 1 items are drawn in proportion to it."""
    return Ranking("popularity", ConstantScorer(np.log(catalog.popularity)), slate_size, temperature)


def finite_scores(name: str, scores: Floats, first: int = 0) -> Floats:
    """The scores (n, ..., m) of the policy called `name` for the users in the rows from `first` on.

    Raises:
        ValueError: if one is no finite number.
    """
    if not np.isfinite(scores).all():
        place = np.argwhere(~np.isfinite(scores))[0]
        raise ValueError(
            f"scorer of {name!r} gave {scores[tuple(place)]} for row {first + place[0]}, item {place[-1]}; "
            "scores are finite."
        )
    return scores


def top_k(scores: Floats, k: int) -> Items:
    """(n, k) int64, the k highest scores of each row, best first, ties to the lower item number."""
    check_size(scores, k)
    slate = np.empty((len(scores), k), np.int64)
    _top_k(np.ascontiguousarray(scores), slate)
    return slate


def certain_log_prob(shown: Items, slate: Items) -> Floats:
    """(n, k) float64, for a policy certain to show `shown` (n, k): 0 as long as `slate` agrees from the top, then -inf.

    >>> certain_log_prob(np.array([[3, 1, 2]]), np.array([[3, 2, 2]])).tolist()
    [[0.0, -inf, -inf]]
    """
    return _certainly(np.logical_and.accumulate(shown == slate, axis=1))


def first_not_above(order: Items, slate: Items) -> Items:
    """(n, k) int64, for every position the first item of `order` (n, k) that `slate` (n, k) does not show above it.

    >>> first_not_above(np.array([[3, 1, 2]]), np.array([[5, 3, 0]])).tolist()  # below nothing, 5, and 5 and 3
    [[3, 3, 1]]
    """
    shown = slate[:, :, None] == order[:, None, :]  # (n, k, k), item of the slate and item of the order
    above = np.zeros_like(shown)
    above[:, 1:] = np.logical_or.accumulate(shown[:, :-1], axis=1)
    return np.take_along_axis(order, above.argmin(axis=2), axis=1)


def plackett_luce_sample(logits: Floats, k: int, streams: Streams) -> Items:
    """(n, k) int64, slates drawn from Plackett-Luce with (n, m) float64 logits: the top k of logits + Gumbel noise."""
    check_size(logits, k)
    if len(streams) != len(logits):
        raise ValueError(
            f"there are {len(streams)} streams for {len(logits)} rows of logits; a stream a row is needed."
        )
    slate = np.empty((len(logits), k), np.int64)
    _noisy_top_k(np.ascontiguousarray(logits), streams.moments, slate)
    return slate


def _certainly(shown: NDArray[np.bool_]) -> Floats:
    return np.where(shown, 0.0, -np.inf)


def plackett_luce_log_prob(logits: Floats, slate: Items) -> Floats:
    """Log-probability of each item of a slate given the items above it.

    Position j has logit[s_j] - logsumexp of the logits of all items but s_0..s_{j-1}; the sums are built from the
    bottom of the slate up, so that nothing cancels however concentrated the policy is.

    Args:
        logits: (n, m) float64.
        slate: (n, k) int64 without repeats.

    Returns:
        (n, k) float64.

    Raises:
        ValueError: if a slate has an item twice, an empty position or an item that does not exist.

    >>> plackett_luce_log_prob(np.log([[1.0, 2.0, 3.0]]), np.array([[2, 0]])).round(6).tolist()  # log 3/6, log 1/3
    [[-0.693147, -1.098612]]
    """
    slate = checked_slates(logits, slate)
    out = np.empty(slate.shape)
    _plackett_luce_log_prob(np.ascontiguousarray(logits), slate, out)
    return out


@inline_kernel
def _offer(item: int, score: float, best: Floats, slate: Items) -> None:
    """Take the next item into a row's k highest scores `best` and their items `slate`, if it belongs there."""
    k = len(best)
    if item >= k and score <= best[k - 1]:
        return
    place = min(item, k - 1)
    while place > 0 and best[place - 1] < score:
        best[place] = best[place - 1]
        slate[place] = slate[place - 1]
        place -= 1
    best[place] = score
    slate[place] = item


@allocating_row_kernel
def _top_k(scores: Floats, slate: Items) -> None:
    n, m = scores.shape
    for row in numba.prange(n):
        best = np.full(slate.shape[1], -np.inf)
        for item in range(m):
            _offer(item, scores[row, item], best, slate[row])


@allocating_row_kernel
def _noisy_top_k(logits: Floats, moments: Moments, slate: Items) -> None:
    n, m = logits.shape
    for row in numba.prange(n):
        best = np.full(slate.shape[1], -np.inf)
        for item in range(m):
            draw = drawn(moments, row, _POLICY, item)
            _offer(item, logits[row, item] - np.log(-np.log(draw)), best, slate[row])


@allocating_row_kernel
def _plackett_luce_log_prob(logits: Floats, slate: Items, out: Floats) -> None:
    n, m = logits.shape
    k = slate.shape[1]
    for row in numba.prange(n):
        chosen = np.zeros(m, np.bool_)
        for position in range(k):
            chosen[slate[row, position]] = True
        highest = -np.inf
        for item in range(m):
            if not chosen[item]:
                highest = max(highest, logits[row, item])
        rest = 0.0
        for item in range(m):
            if not chosen[item]:
                rest += np.exp(logits[row, item] - highest)
        log_rest = np.log(rest) + highest if rest > 0.0 else -np.inf
        for position in range(k - 1, -1, -1):
            logit = logits[row, slate[row, position]]
            high = max(logit, log_rest)
            log_rest = high + np.log(np.exp(logit - high) + np.exp(log_rest - high))
            out[row, position] = logit - log_rest
