"""Intervals of what is measured on a catalogue, which is a sample of items: who asks, who is found, who has taught.

A bootstrap over the items that ask has only the first of these. One over all items is not valid for nearest items, as
an item that is drawn twice is nearest to itself (Abadie & Imbens 2008, "On the failure of the bootstrap for matching
estimators"), and a jackknife is too wide for what is no sum over independent items (Efron & Stein 1981, "The jackknife
estimate of variance"). So the groups of copies are halved at random, several times, and everything is learned and
measured anew in each half. The halves share no item. With t and t' what is measured in them, (t - t')² / 4 is on
average Var(t) / 2, which is the variance for the whole as far as variances are inversely proportional to the number of
items (half-samples and their complements: McCarthy 1969, "Pseudo-replication: half samples"; Wolter 2007, "Introduction
to variance estimation", sections 2.4 and 3.3). Sums over nearest neighbours vary so (Penrose & Yukich 2001, "Central
limit theorems for some graphs in computational geometry"); of what is learned, this is taken for granted. Over
halvings, differences are nearly independent and normal, so b of them have b degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from recsim.modalities.preparing.pairs import Floats, Items

Measures = dict[str, dict[str, Floats]]  # by table and row, numbers (v,)


@dataclass(frozen=True)
class Estimate:
    """Numbers that were measured, and the same in halves.

    Attributes:
        divisions: (s, v) float64, of all items, by each division into folds.
        halves: (b, 2, v) float64, of both halves of each halving.
    """

    divisions: Floats
    halves: Floats

    def __sub__(self, other: Estimate) -> Estimate:
        """The difference of two, of the same items, divisions and halves: what both share cancels."""
        return Estimate(self.divisions - other.divisions, self.halves - other.halves)

    def interval(self, number: int, level: float) -> dict[str, float]:
        """The mean over divisions of one of the numbers, with its interval by Student's t."""
        mean = float(self.divisions[:, number].mean())
        apart = self.halves[:, 0, number] - self.halves[:, 1, number]
        error = np.sqrt(np.square(apart).mean()) / 2
        reach = float(stdtrit(len(apart), (1 + level) / 2) * error)
        return {"mean": mean, "low": mean - reach, "high": mean + reach}

    def deviation(self, number: int) -> float:
        """Standard deviation of one of the numbers over divisions."""
        return float(self.divisions[:, number].std(ddof=1))


def estimates(
    divisions: Sequence[Measures], halves: Sequence[tuple[Measures, Measures]]
) -> dict[str, dict[str, Estimate]]:
    """By table and row, what the divisions of all items and the halves say of it."""
    return {
        table: {
            row: Estimate(
                np.stack([one[table][row] for one in divisions]),
                np.stack([[half[table][row] for half in both] for both in halves]),
            )
            for row in rows
        }
        for table, rows in divisions[0].items()
    }


def halved(groups: Items, seed: int) -> NDArray[np.bool_]:
    """(n,) bool, the items of one half: half of the groups of copies (0..G - 1), drawn at random."""
    n = int(groups.max()) + 1
    order = np.random.Generator(np.random.Philox(seed)).permutation(n)
    return np.asarray((order < n // 2)[groups])
