"""Thompson sampling of slates: act on a draw from what is believed, with propensities that can be computed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.agents.bandits.bandit import Bandit, Floats, Items, Observation
from recsim.policy import (
    Decision,
    Policy,
    Scorer,
    certain_log_prob,
    finite_scores,
    only_there,
    plackett_luce_log_prob,
    plackett_luce_sample,
    top_k,
    uniform,
)
from recsim.streams import Streams

_ROWS = 32  # users whose scores under every draw are held at once


class ThompsonBandit(Bandit):
    """A bandit that explores by ranking with draws from its posterior.

    Attributes:
        draws: s, draws of the posterior that users meet between two updates.
        temperature: of the ranking by a draw's scores; 0 is Thompson sampling proper.
        seed: of the draws.
    """

    draws: int
    temperature: float
    seed: int

    @abstractmethod
    def sampled_scores(self, observation: Observation) -> Floats:
        """(n, s, m) float64, scores of every item under each of the s current draws, the same for all users."""

    def normal(self, size: int, purpose: int = 0) -> Floats:
        """(s, size) float64, the standard normal draws behind the current draws, anew after every update."""
        key = np.array([self.seed, 2 * self.updates + purpose], np.uint64)
        return np.random.Generator(np.random.Philox(key=key)).standard_normal((self.draws, size))

    def policy(self, name: str, slate_size: int, *, born: NDArray[np.float32] | None = None) -> Policy:
        """Thompson sampling (see `Bandit.policy`)."""
        there = only_there(uniform(self.catalog, slate_size), born, self.layout).scorer
        return ThompsonSlates(name, self, there, slate_size)


@dataclass(frozen=True)
class ThompsonSlates:
    """Each user meets the ranking of one of s draws, chosen at random: a mixture of s rankings, equally likely.

    The propensity of a slate under Thompson sampling is an integral over the posterior without a closed form. Here the
    posterior is represented by s draws, renewed after every update: P(slate) = mean over draws of P(slate | draw),
    where a ranking by a draw's scores is Plackett-Luce at the temperature, or certain at 0. For the policy that acts
    this is exact: propensities sum to 1, steps (ratios of prefix means) multiply to them, and a slate that was shown
    never has 0.

    As an estimate of Thompson sampling with infinitely many draws, P(slate) is unbiased over the s draws, with variance
    Var(P(slate | draw)) / s. At temperature 0 that is P (1 - P) / s: rare slates are over- or understated by far, and
    those that are shown have at least 1 / s. A temperature makes P(slate | draw) smoother in the draw and the variance
    smaller, at the price of more exploration than the posterior asks for.

    Attributes:
        name: what logs and reports call it.
        bandit: what is believed.
        there: scores far below 0 for items that have not appeared yet, 0 for all others.
        slate_size: k.
    """

    name: str
    bandit: ThompsonBandit
    there: Scorer
    slate_size: int

    def act(self, observation: Observation, streams: Streams) -> Decision:
        """Slates (n, k) and their step-wise log-propensities."""
        slate = np.empty((len(observation), self.slate_size), np.int64)
        log_prob = np.empty(slate.shape)
        draw = streams.choice("thompson", np.full(self.bandit.draws, 1.0 / self.bandit.draws))
        for rows, scores in self._scores(observation):
            chosen = np.take_along_axis(scores, draw[rows, None, None], axis=1)[:, 0]
            slate[rows] = self._shown(chosen, streams[rows])
            log_prob[rows] = self._log_prob(scores, slate[rows])
        return Decision(slate, log_prob)

    def step_log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n, k) float64."""
        out = np.empty(slate.shape)
        for rows, scores in self._scores(observation):
            out[rows] = self._log_prob(scores, slate[rows])
        return out

    def log_prob(self, observation: Observation, slate: Items) -> Floats:
        """(n,) float64."""
        total: Floats = self.step_log_prob(observation, slate).sum(axis=1)
        return total

    def _scores(self, observation: Observation) -> Iterator[tuple[slice, Floats]]:
        """(r, s, m) float64, scores under each draw, for `_ROWS` users at a time."""
        for start in range(0, len(observation), _ROWS):
            rows = slice(start, start + _ROWS)
            seen = observation[rows]
            scores = self.bandit.sampled_scores(seen) + self.there.scores(seen)[:, None]
            yield rows, finite_scores(self.name, scores, start)

    def _shown(self, scores: Floats, streams: Streams) -> Items:
        temperature = self.bandit.temperature
        if temperature == 0.0:
            return top_k(scores, self.slate_size)
        return plackett_luce_sample(scores / temperature, self.slate_size, streams)

    def _log_prob(self, scores: Floats, slate: Items) -> Floats:
        """(r, k) float64, of slates under the mixture of the rankings by scores (r, s, m)."""
        r, s, m = scores.shape
        each, repeated = scores.reshape(r * s, m), np.repeat(slate, s, axis=0)
        if self.bandit.temperature == 0.0:
            step = certain_log_prob(top_k(each, self.slate_size), repeated)
        else:
            step = plackett_luce_log_prob(each / self.bandit.temperature, repeated)
        return mixture_log_prob(step.reshape(r, s, -1))


def mixture_log_prob(step_log_prob: Floats) -> Floats:
    """Step-wise log-probabilities under a mixture of s equally likely parts.

    Args:
        step_log_prob: (n, s, k) float64, under each part.

    Returns:
        (n, k) float64, of each item given those above it: the ratio of the mean probabilities of the prefixes that end
        with it and before it; -inf from where the mixture cannot show the slate.

    >>> parts = np.log([[[0.5, 0.2], [0.1, 0.4]]])
    >>> np.exp(mixture_log_prob(parts)).round(4).tolist()  # (0.5 + 0.1) / 2, then (0.10 + 0.04) / (0.5 + 0.1)
    [[0.3, 0.2333]]
    """
    prefix = np.cumsum(step_log_prob, axis=2)
    highest = prefix.max(axis=1, keepdims=True)
    finite = np.where(np.isfinite(highest), highest, 0.0)
    with np.errstate(divide="ignore"):
        joint = np.log(np.exp(prefix - finite).mean(axis=1)) + finite[:, 0]  # (n, k)
    before = np.concatenate([np.zeros((len(joint), 1)), joint[:, :-1]], axis=1)
    possible = np.isfinite(joint)
    return np.where(possible, joint - np.where(possible, before, 0.0), -np.inf)
