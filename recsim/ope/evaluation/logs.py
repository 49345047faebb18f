"""Off-policy evaluation of policies on a log: estimators, all objectives, intervals and verdicts in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike

from recsim.ope.evaluation.beyond import guaranteed, in_force
from recsim.ope.evaluation.estimators import chosen, default
from recsim.ope.evaluation.evidence import Evidence
from recsim.ope.evaluation.inputs import inputs_of
from recsim.ope.evaluation.judged import Judged
from recsim.ope.evaluation.result import Evaluation
from recsim.ope.evaluation.weights import detail
from recsim.ope.intervals import Resamples
from recsim.ope.reward_model import Features
from recsim.streams import sub_seed

if TYPE_CHECKING:
    from recsim.logs import Log
    from recsim.policy import Policy

Progress = Callable[[int, int, str], None]


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str: ...


def evaluate_log(
    log: Log,
    policies: Sequence[Policy],
    *,
    seed: int,
    features: Features | None = None,
    logging: Policy | None = None,
    groups: ArrayLike | None = None,
    examination: ArrayLike | None = None,
    estimators: Sequence[str] | None = None,
    n_boot: int = 200,
    level: float = 0.95,
    n_samples: int = 1,
    n_folds: int = 2,
    progress: Progress | None = None,
) -> Evaluation:
    """Values of `policies` estimated from a log of another policy.

    Estimands: the mean value of one slate of the target policy at the contexts of the log, V = E_{x ~ log}
    E_{s ~ pi_e(x)}[r(x, s)], for every objective and for their weighted sum (objective `reward`). The contexts are
    those into which the *logging* policy led its users. Estimators of sessions (`Estimate.estimand`) value whole
    sessions under the target policy instead.

    Args:
        log: logged slates with exact propensities.
        policies: target policies, of different names.
        seed: of the bootstrap, the reward model and the target policies' draws.
        features: `features(observation (n, d), slate (n, k)) -> (n, k, f) float32` for models of rewards and sessions.
        logging: the policy that was in force, for estimators that need more of it than the logged propensities.
        groups: (m,) whole numbers, the group of every item, such as `Catalog.category`: for mips and offcem.
        examination: (k,) how often users look at each position, in any unit: for pbm, pbm-dr and interpol.
        estimators: names of `recsim.ope.ESTIMATORS`; by default those that are fast.
        n_boot: bootstrap draws.
        level: of the intervals.
        n_samples: slates drawn from a stochastic target policy per context (DM and DR); the intervals include the
            noise of the draws, which for DR is small beside that of the rewards.
        n_folds: folds of sessions of the reward model.
        progress: called as `progress(done, total, what)` after every part of the work.

    Raises:
        ValueError: if the log, or what a policy or the features return, cannot be used; the message names row, column
            and remedy. If an estimator that was asked for cannot be used on this log.
        TypeError: if an array of the log does not hold numbers.
    """
    names = names_of(policies)
    inputs = inputs_of(log)
    wanted = chosen(default(inputs) if estimators is None else estimators)
    group = None if groups is None else np.asarray(groups, np.int64)
    looked = None if examination is None else np.asarray(examination, np.float64)
    resamples = Resamples.draw(inputs.n_clusters, n_boot, sub_seed(seed, "bootstrap"))
    tick = _Ticker((n_folds if features else 0) + 2 * len(policies), progress)
    evidence = Evidence.of(log, inputs, logging, group, looked, features, seed, n_samples, n_folds, tick)
    judged: dict[str, Judged] = {}
    for name, policy in zip(names, policies, strict=True):
        case = evidence.case(policy)
        tick(f"{name}: propensities and reward model")
        judged[name] = Judged.of(case, wanted, resamples, level)
        if estimators is not None:
            refuse_missing(name, judged[name])
        tick(f"{name}: estimates and intervals")
    return evaluation_of(judged, resamples, level, seed)


def evaluation_of(judged: Mapping[str, Judged], resamples: Resamples, level: float, seed: int) -> Evaluation:
    """The evaluation of policies, all on the same log, by their names."""
    inputs = next(iter(judged.values())).case.inputs
    return Evaluation(
        estimates=tuple(estimate for name, one in judged.items() for estimate in one.estimates(name)),
        warnings={name: one.warnings(name) for name, one in judged.items()},
        left_out={key: why for one in judged.values() for key, why in one.left_out.items()},
        overlap={name: detail(one.case) for name, one in judged.items()},
        guaranteed=tuple(bound for name, one in judged.items() for bound in guaranteed(name, one.case, level)),
        region=tuple(bound for name, one in judged.items() for bound in one.region(name, resamples, level)),
        in_force=in_force(inputs, resamples, level),
        objectives=inputs.objectives,
        weights=inputs.weights,
        level=level,
        n_slates=len(inputs.reward),
        n_sessions=inputs.n_clusters,
        n_boot=len(resamples.counts),
        seed=seed,
        terms={(name, key): part for name, one in judged.items() for key, part in one.terms.items()},
        resamples=resamples,
    )


def refuse_missing(policy: str, judged: Judged) -> None:
    """Raise ValueError where an estimator that was asked for by name cannot be used for `policy`."""
    for name, why in judged.left_out.items():
        raise ValueError(f"estimator {name!r} cannot be used for policy {policy!r}: it {why}")


class _Ticker:
    """Counts the parts of the work that are done."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self, what: str) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total, what)


def names_of(policies: Sequence[Named]) -> list[str]:
    """The names of policies.

    Raises:
        ValueError: if there are none, or two have the same.
    """
    names = [policy.name for policy in policies]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two policies are called {twice[0]!r}; give every policy a name of its own.")
    if not names:
        raise ValueError("no policies were given; pass at least one policy to evaluate.")
    return names
