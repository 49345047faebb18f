"""What is summed over one file of a log: the terms and weights of every policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recsim.ope.checks import logged_array, target_array
from recsim.ope.evaluation.case import Case
from recsim.ope.evaluation.estimators import ESTIMATORS
from recsim.ope.evaluation.inputs import TOTAL, Inputs
from recsim.ope.evaluation.weights import histogram
from recsim.ope.folders.parts import Batch, batches
from recsim.ope.folders.plan import Plan, TargetColumns, by_objective, placed, reward_of
from recsim.ope.folders.totals import Totals
from recsim.ope.folders.weight_totals import WeightTotals
from recsim.ope.intervals import Resamples

if TYPE_CHECKING:
    from recsim.logs import LogInfo
    from recsim.policy import Policy

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WeightSums:
    """The weights of one policy.

    Attributes:
        whole: of slates.
        positions: of positions, averaged for every objective, then each alone.
        histogram: of the slates' weights, `recsim.ope.evaluation.weights.histogram`.
    """

    whole: WeightTotals
    positions: WeightTotals
    histogram: Integers

    def merge(self, other: WeightSums) -> WeightSums:
        """Those of both parts."""
        return WeightSums(
            self.whole.merge(other.whole),
            self.positions.merge(other.positions),
            self.histogram + other.histogram,
        )


@dataclass(frozen=True, eq=False)
class Sums:
    """All that estimates and diagnostics need.

    Attributes:
        totals: by name of the policy and of the estimator.
        weights: by name of the policy.
    """

    totals: Totals
    weights: dict[str, WeightSums]

    def merge(self, other: Sums) -> Sums:
        """Those of both parts, which have no session in common."""
        weights = {name: mine.merge(other.weights[name]) for name, mine in self.weights.items()}
        return Sums(self.totals.merge(other.totals), weights)


def sums_of(job: tuple[Path, Plan]) -> Sums:
    """The sums over the file job[0], which has rows.

    Raises:
        ValueError: naming the file, the row and the value that cannot be.
    """
    path, plan = job
    return reduce(Sums.merge, (_sums(found, plan) for found in batches(path, plan.columns, plan.batch)))


def _sums(batch: Batch, plan: Plan) -> Sums:
    starts, cluster = batch.starts, batch.cluster
    with placed(batch):
        inputs = _inputs(batch, plan.info, cluster, len(starts))
        cases = {target.name: _case(target, batch, plan.info, inputs) for target in plan.targets}
        terms = {
            (name, key): ESTIMATORS[key].terms(case).grouped(cluster, len(starts))
            for name, case in cases.items()
            for key in plan.summed(name)
        }
        weights = {name: _weights(case, plan.share) for name, case in cases.items()}
    keys = batch.user[starts], batch.session[starts]
    return Sums(Totals.of(terms, Resamples.poisson(*keys, plan.n_boot, plan.seed) if plan.n_boot else None), weights)


def _inputs(batch: Batch, info: LogInfo, cluster: Integers, n_clusters: int) -> Inputs:
    return Inputs(
        objectives=(*info.objectives, TOTAL),
        weights=info.weights,
        reward=reward_of(batch, info),
        logged=logged_array(batch.lists("step_log_prob", info.slate_size), "step_log_prob of the log"),
        cluster=cluster,
        n_clusters=n_clusters,
        order=np.arange(len(cluster)),
        estimated=info.propensities == "estimated",
    )


def _case(target: Policy | TargetColumns, batch: Batch, info: LogInfo, inputs: Inputs) -> Case:
    name = f"step_log_prob of policy {target.name!r}"
    if not isinstance(target, TargetColumns):
        observation, slate = batch.lists("observation", None), batch.lists("slate", info.slate_size)
        return Case(inputs, target_array(target.step_log_prob(observation, slate), name))
    stems: Any = (target.model_logged, target.model_target) if target.model_logged else ()
    models = tuple(by_objective(batch, [f"{stem}_{one}" for one in info.objectives], info) for stem in stems)
    makers = {"model": lambda: tuple(map(inputs.with_total, models))} if models else {}
    return Case(inputs, target_array(batch.lists(target.log_prob, info.slate_size), name), makers)


def _weights(case: Case, share: Floats) -> WeightSums:
    rows = case.reward, case.inputs.cluster, case.inputs.n_clusters
    alone = np.column_stack([share, np.eye(len(share))])
    whole = case.prefix[:, -1:]
    return WeightSums(WeightTotals.of(whole, *rows), WeightTotals.of(case.prefix, *rows, alone), histogram(whole[:, 0]))
