"""Do verdicts sort intervals by their coverage? Clustered logs of slates of 10, every estimator on its own."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from numpy.typing import NDArray

from recsim.ope import Resamples
from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.estimators import ESTIMATORS
from recsim.ope.evaluation.inputs import Inputs
from recsim.ope.evaluation.judged import Judged

Floats = NDArray[np.float64]
Items = NDArray[np.int64]
NAMES = ("sips", "rips", "snsips", "snrips", "dm", "dr")
TYPES, ITEMS, SIZE, STEPS = 6, 40, 10, 5  # kinds of users, items, slate, slates a session


class ClusteredWorld:
    """Users of six kinds, eager or not for a whole session, who read from the top and tire of what they clicked."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.appeal = 1 / (1 + np.exp(2.2 - rng.normal(size=(TYPES, ITEMS))))
        spread, step = rng.uniform(0.2, 1.0), np.exp(rng.uniform(np.log(0.05), np.log(2.0)))
        self.logging = spread * rng.normal(size=(TYPES, ITEMS))
        self.target = self.logging + step * rng.normal(size=(TYPES, ITEMS))
        wrong = rng.uniform(0.0, 0.6)  # how far the reward model is off
        self.model = self.appeal * np.exp(wrong * (rng.normal(size=(TYPES, ITEMS)) + rng.choice([-1, 0, 1])))
        kind = rng.integers(0, TYPES, 30_000)
        # probabilities instead of clicks: as exact as with several times as many users
        self.truth = self.answered(rng, kind, self.shown(rng, self.target, kind))[1].sum(axis=1).mean()

    def shown(self, rng: np.random.Generator, scores: Floats, kind: Items) -> Items:
        """(n, k) slates, by Plackett-Luce, for users of `kind` (n,)."""
        return np.argsort(-(scores[kind] + rng.gumbel(size=(len(kind), ITEMS))), axis=1)[:, :SIZE]

    def answered(self, rng: np.random.Generator, kind: Items, slate: Items, steps: int = 1) -> tuple[Floats, Floats]:
        """(n, k) clicks, and their probabilities given the clicks above; `steps` rows in turn are of one user."""
        eager = np.repeat(rng.gamma(3.0, 1 / 3, len(kind) // steps), steps)
        rate = self.appeal[kind[:, None], slate] * eager[:, None] / (1 + 0.3 * np.arange(SIZE))
        click = np.zeros(slate.shape)
        for position in range(SIZE):
            tired = 0.8 ** click[:, :position].sum(axis=1)
            rate[:, position] = np.minimum(1.0, rate[:, position] * tired)
            click[:, position] = rng.random(len(kind)) < rate[:, position]
        return click, rate

    def modelled(self, kind: Items, slate: Items) -> Floats:
        """(n, k, 1) the reward model, off by items, and blind to how eager users are and what they clicked."""
        return (self.model[kind[:, None], slate] / (1 + 0.3 * np.arange(SIZE)))[:, :, None]

    def judged(self, rng: np.random.Generator, sessions: int) -> Judged:
        """All estimates from a new log."""
        kind = np.repeat(rng.integers(0, TYPES, sessions), STEPS)
        slate, own = (self.shown(rng, scores, kind) for scores in (self.logging, self.target))
        reward, logged = self.answered(rng, kind, slate, STEPS)[0][:, :, None], log_prob(self.logging[kind], slate)
        inputs = Inputs(
            objectives=("reward",),
            weights=(1.0,),
            reward=reward,
            logged=logged,
            cluster=np.repeat(np.arange(sessions), STEPS),
            n_clusters=sessions,
            order=np.arange(len(kind)),
            estimated=False,
        )
        resamples = Resamples.draw(sessions, 200, int(rng.integers(2**32)))
        modelled = self.modelled(kind, slate), self.modelled(kind, own)
        case = Case(inputs, log_prob(self.target[kind], slate), {"model": lambda: modelled})
        return Judged.of(case, [ESTIMATORS[name] for name in NAMES], resamples, 0.95)


def log_prob(scores: Floats, slate: Items) -> Floats:
    """(n, k) of Plackett-Luce over scores (n, m)."""
    shown = np.take_along_axis(np.exp(scores), slate, axis=1)
    above = np.cumsum(shown, axis=1) - shown
    return np.log(shown / (np.exp(scores).sum(axis=1, keepdims=True) - above))


def test_propensities_of_the_made_up_world_are_those_of_a_policy():
    scores = np.log([[1.0, 2.0, 3.0]])
    assert np.exp(log_prob(scores, np.array([[2, 0]]))) == pytest.approx(np.array([[3 / 6, 1 / 3]]))


@pytest.mark.slow
def test_trusted_intervals_cover_with_every_estimator():
    """A verdict is worth as much as the nominal 95 % intervals under it cover.

    Measured, in percent of the truths, with 800 logs:
                   dr    snrips  rips  snsips  sips   dm
        trust      94.9  94.8    95.2  94.8    94.4   (never)
        caution    88.3  90.1    84.5  95.3    90.9   96.2
        do not use 91.8  88.9    74.7  90.2    61.9   97.8 (its interval is widened by the model's error)
    """
    hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for number in range(100):
        world, rng = ClusteredWorld(number), np.random.default_rng([1, number])
        for sessions in (100, 150, 200, 400, 400, 700, 1000, 1500):
            judged = world.judged(rng, sessions)
            for key, interval in judged.intervals.items():
                covered = bool(interval.low[0] <= world.truth <= interval.high[0])
                hits[key, judged.verdicts[key][0].level].append(covered)
    share = {case: float(np.mean(found)) for case, found in hits.items()}
    assert min(len(found) for found in hits.values()) > 100
    assert ("dm", "trust") not in share
    assert share["dm", "caution"] > 0.92
    for estimator in ("dr", "snrips", "rips", "snsips", "sips"):
        assert share[estimator, "trust"] > 0.92, estimator
        assert 0.8 < share[estimator, "caution"] < share[estimator, "trust"] + 0.02, estimator
        assert share[estimator, "do not use"] < share[estimator, "trust"], estimator
