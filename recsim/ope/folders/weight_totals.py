"""Sums of importance weights, from which the overlap of a policy with a log in parts follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsim.ope.diagnostics import FEW_IN_TAIL, Overlap, harmonic_ess
from recsim.ope.folders.totals import products_of, spread
from recsim.ope.pareto import pareto_k
from recsim.ope.terms import sum_by

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_HEAVIEST = 10_000


@dataclass(frozen=True, eq=False)
class WeightTotals:
    """Sums of the weights of one policy from which its overlap with the log follows.

    Attributes:
        share: (g, o) float64, the part of each objective that accrues where each of the g weights of a row counts (ones
            where a row has one weight); the weights averaged by it are those of the objective.
        n_slates: rows summed.
        n_sessions: sessions summed.
        squares: (g,) float64, of the weights.
        sums: (g + 1,) float64, of the weights, and the number of rows.
        products: (g + 1, g + 1) float64, sums over sessions of the products of two such sums.
        heaviest: (o, t) float64, the largest of the weights averaged, in no order; enough of them for the tail of 11
            million rows (`recsim.ope.pareto`).
        zeros: (o,) int64, rows whose average weight is 0.
        rewarded: (o,) int64, sessions with any of an objective where the weight is not 0.
    """

    share: Floats
    n_slates: int
    n_sessions: int
    squares: Floats
    sums: Floats
    products: Floats
    heaviest: Floats
    zeros: Integers
    rewarded: Integers

    @classmethod
    def of(
        cls, weight: Floats, reward: Floats, cluster: Integers, n_clusters: int, share: Floats | None = None
    ) -> WeightTotals:
        """The totals of some rows.

        Args:
            weight: (n, g).
            reward: (n, k, o); g is k or 1.
            cluster: (n,) session of each row, in 0..n_clusters-1.
            n_clusters: how many.
            share: that of the whole log; not needed where g is 1.
        """
        given = np.ones((1, reward.shape[2])) if share is None else share
        averaged = np.einsum("ng,go->no", weight, given)  # not a BLAS product: those depend on the threads
        sessions = sum_by(np.column_stack([weight, np.ones(len(weight))]), cluster, n_clusters)
        earned = np.einsum("nk,nko->no", np.broadcast_to(weight > 0, reward.shape[:2]), reward != 0)  # in any position
        return cls(
            share=given,
            n_slates=len(weight),
            n_sessions=n_clusters,
            squares=np.square(weight).sum(axis=0),
            sums=sessions.sum(axis=0),
            products=products_of(sessions),
            heaviest=_heaviest(averaged.T),
            zeros=(averaged == 0).sum(axis=0),
            rewarded=(sum_by(earned.astype(np.float64), cluster, n_clusters) > 0).sum(axis=0),
        )

    def merge(self, other: WeightTotals) -> WeightTotals:
        """The totals of both parts, which have no session in common.

        Raises:
            ValueError: if the two do not average weights by the same shares.
        """
        if not np.array_equal(self.share, other.share):
            raise ValueError("the two parts average weights by other shares; pass both the shares of the whole log.")
        return WeightTotals(
            share=self.share,
            n_slates=self.n_slates + other.n_slates,
            n_sessions=self.n_sessions + other.n_sessions,
            squares=self.squares + other.squares,
            sums=self.sums + other.sums,
            products=self.products + other.products,
            heaviest=_heaviest(np.concatenate([self.heaviest, other.heaviest], axis=1)),
            zeros=self.zeros + other.zeros,
            rewarded=self.rewarded + other.rewarded,
        )

    def overlaps(self) -> list[Overlap]:
        """For each objective, what `recsim.ope.evaluation.weights` finds in the rows themselves."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ess = np.where(self.squares > 0, np.square(self.sums[:-1]) / self.squares, 0.0)
        return [self._overlap(objective, harmonic_ess(ess, part)) for objective, part in enumerate(self.share.T)]

    def _overlap(self, objective: int, ess: float) -> Overlap:
        share, n = self.share[:, objective], self.n_slates
        total, largest = float((share * self.sums[:-1]).sum()), float(self.heaviest[objective].max())
        slope = np.append(share, -total / n)[:, None]  # deviations of sessions from the mean weight
        by_session = float(share @ self.products[:-1, :-1] @ share)
        return Overlap(
            n_slates=n,
            n_sessions=self.n_sessions,
            ess=ess,
            largest=largest,
            largest_share=largest / total if total else 0.0,
            mean=total / n,
            mean_se=float(spread(self.products, slope, self.n_sessions)[0]) / n,
            zero_share=float(self.zeros[objective] / n),
            pareto_k=pareto_k(self.heaviest[objective], FEW_IN_TAIL, n),
            session_ess=total**2 / by_session if by_session else 0.0,
        )


def _heaviest(weight: Floats) -> Floats:
    """The largest of each row of `weight` (o, n)."""
    if weight.shape[1] <= _HEAVIEST:
        return np.ascontiguousarray(weight)
    return np.partition(weight, -_HEAVIEST, axis=1)[:, -_HEAVIEST:].copy()
