"""Estimators of the mean value of single actions, as `recsim.ope.evaluate` knows them.

Those that tame large weights by a number take it from `TRIED`: the strongest that SLOPE finds to be harmless, by the
reward (Su, Srinath and Krishnamurthy 2020; `recsim.ope.selection`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recsim.ope import bandit
from recsim.ope.embedding import mips, offcem
from recsim.ope.embedding_weights import cluster_weight
from recsim.ope.evaluation.case import Case, Unavailable
from recsim.ope.evaluation.estimator import Estimator
from recsim.ope.evaluation.slate_estimators import WHOLE
from recsim.ope.evaluation.weights import Weighting
from recsim.ope.loggers import UnknownPrecisionError, weighted, weighted_weight
from recsim.ope.selection import slope
from recsim.ope.terms import Terms

Floats = NDArray[np.float64]
Made = TypeVar("Made")

LIMITS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0)
TRIED: dict[str, Sequence[float]] = {
    "clipped-ips": LIMITS,
    "switch-dr": LIMITS,
    "dros": tuple(limit**2 for limit in LIMITS),
    "subgaussian-ips": (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001),
    "subgaussian-dr": (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001),
}
_MAKE: dict[str, Callable[[Case, float], Terms]] = {
    "clipped-ips": lambda case, limit: bandit.ips(*case.action, clip=limit),
    "switch-dr": lambda case, limit: bandit.switch_dr(*case.action, *_models(case), threshold=limit),
    "dros": lambda case, limit: bandit.dros(*case.action, *_models(case), shrinkage=limit),
    "subgaussian-ips": lambda case, share: bandit.subgaussian_ips(*case.action, share=share),
    "subgaussian-dr": lambda case, share: bandit.subgaussian_dr(*case.action, *_models(case), share=share),
}


def tuning(case: Case, name: str) -> float:
    """The number of `TRIED` that SLOPE takes for the estimator `name` on this case."""
    if name not in case.tuned:
        inputs = case.inputs
        found = {number: _MAKE[name](case, number).grouped(inputs.cluster, inputs.n_clusters) for number in TRIED[name]}
        case.tuned[name] = slope(found)[-1]
    return case.tuned[name]


def _models(case: Case) -> tuple[Floats, Floats]:
    return case.model[0][:, 0], case.model[1][:, 0]


def _plain(case: Case) -> Floats:
    return case.prefix[:, -1]


def _tuned(name: str, what: str, tames: str, weight: Callable[..., Floats], needs: tuple[str, ...] = ()) -> Estimator:
    def used(case: Case) -> Floats:
        return weight(*case.action[1:], tuning(case, name))[:, None]

    return Estimator(
        name,
        what,
        "slate",
        lambda case: _MAKE[name](case, tuning(case, name)),
        Weighting(f"{name} weights", "slate", used, _plain),
        needs,
        tames=tames,
    )


def _group_weight(case: Case) -> Floats:
    groups, action = case.groups
    return cluster_weight(groups, action, *case.table)


def _weighted(case: Case) -> Terms:
    log_prob_by, logger, _ = case.loggers
    return _precise(case, weighted, log_prob_by, logger)


def _own_weight(case: Case) -> Floats:
    """(n, 1) as the weighted sum of the objectives is weighted."""
    log_prob_by, logger, _ = case.loggers
    return _precise(case, weighted_weight, log_prob_by, logger)[:, -1:]


def _precise(case: Case, make: Callable[..., Made], *by_logger: NDArray[Any]) -> Made:
    try:
        return make(*case.action[:2], *by_logger)
    except UnknownPrecisionError as unknown:
        raise Unavailable(
            f"needs the precision of every logger, and {unknown.count:,} row(s) of {case.loggers[2][unknown.logger]!r} "
            f"all contribute {unknown.value:g} to {case.inputs.objectives[unknown.objective]}."
        ) from unknown


OWN = Weighting("each row’s own logger", "slate", _own_weight)
GROUPS = Weighting("groups of actions", "slate", lambda case: _group_weight(case)[:, None])

ACTION_ESTIMATORS = (
    Estimator(
        "replay",
        "the rows where the policy would have done what was drawn at random, and no others",
        "slate",
        lambda case: bandit.replay(*case.action),
        Weighting("replayed rows", "slate", lambda case: bandit.replay_weight(*case.action[1:])[:, None], _plain),
    ),
    Estimator(
        "ips",
        "logged actions weighted by how much likelier the policy would have taken them",
        "slate",
        lambda case: bandit.ips(*case.action),
        WHOLE,
    ),
    Estimator(
        "snips",
        "ips divided by the mean weight: a little bias for much less noise",
        "slate",
        lambda case: bandit.snips(*case.action),
        WHOLE,
    ),
    _tuned("clipped-ips", "ips with weights of at most so much", "ips", bandit.clipped_weight),
    _tuned("subgaussian-ips", "ips with weights pulled smoothly towards 1", "ips", bandit.subgaussian_weight),
    Estimator(
        "sndr",
        "dr with its weights divided by their mean",
        "slate",
        lambda case: bandit.sndr(*case.action, *_models(case)),
        WHOLE,
        ("model",),
    ),
    _tuned("switch-dr", "dr where weights are moderate, dm elsewhere", "dr", bandit.switched_weight, ("model",)),
    _tuned("dros", "dr with large weights shrunk", "dr", bandit.shrunk_weight, ("model",)),
    _tuned("subgaussian-dr", "dr with weights pulled smoothly towards 1", "dr", bandit.subgaussian_weight, ("model",)),
    Estimator(
        "weighted",
        "ips of each of the policies that wrote the log by itself, averaged by their precision",
        "slate",
        _weighted,
        OWN,
        ("loggers",),
    ),
    Estimator(
        "mips",
        "ips by groups of actions: how much likelier the policy would have taken one of the same group",
        "slate",
        lambda case: mips(case.action[0], _group_weight(case)),
        GROUPS,
        ("table", "groups"),
        held_against="snips",
    ),
    Estimator(
        "offcem",
        "mips, with the reward model for differences inside a group",
        "slate",
        lambda case: offcem(case.action[0], _group_weight(case), *_models(case)),
        GROUPS,
        ("table", "groups", "model"),
        held_against="snips",
    ),
)
