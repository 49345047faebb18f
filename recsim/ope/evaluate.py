"""Off-policy evaluation of policies on a log: all estimators, all objectives, intervals and verdicts in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recsim.ope import reward_model
from recsim.ope.inputs import Inputs, inputs_of, target_of
from recsim.ope.intervals import Resamples
from recsim.ope.judged import Judged
from recsim.ope.result import Estimate, Evaluation
from recsim.ope.reward_model import Features, RewardModel
from recsim.ope.terms import Terms
from recsim.streams import sub_seed

if TYPE_CHECKING:
    from recsim.logs import Log
    from recsim.policy import Policy

Floats = NDArray[np.float64]
Progress = Callable[[int, int, str], None]


def evaluate(
    log: Log,
    policies: Sequence[Policy],
    *,
    features: Features,
    seed: int,
    n_boot: int = 200,
    level: float = 0.95,
    n_samples: int = 1,
    n_folds: int = 2,
    progress: Progress | None = None,
) -> Evaluation:
    """Values of `policies` estimated from a log of another policy.

    Estimand: the mean value of one slate of the target policy at the contexts of the log, V = E_{x ~ log}
    E_{s ~ pi_e(x)}[r(x, s)], for every objective and for their weighted sum (objective `reward`). The contexts are
    those into which the *logging* policy led its users; what the target policy would change about later contexts, and
    so about the return of a session, is not in it.

    Args:
        log: logged slates with exact propensities.
        policies: target policies, of different names.
        features: `features(observation (n, d), slate (n, k)) -> (n, k, f) float32` for the reward model of DM and DR.
        seed: of the bootstrap, the reward model and the target policies' draws.
        n_boot: bootstrap draws.
        level: of the intervals.
        n_samples: slates drawn from a stochastic target policy per context (DM and DR); the intervals include the
            noise of the draws, which for DR is small beside that of the rewards.
        n_folds: folds of sessions of the reward model.
        progress: called as `progress(done, total, what)` after every part of the work.

    Raises:
        ValueError: if the log, or what a policy or the features return, cannot be used; the message names row, column
            and remedy.
        TypeError: if an array of the log does not hold numbers.
    """
    names = _names(policies)
    inputs = inputs_of(log)
    resamples = Resamples.draw(inputs.n_clusters, n_boot, sub_seed(seed, "bootstrap"))
    tick = _Ticker(n_folds + 2 * len(policies), progress)
    model = _Model.fit(log, inputs, features, seed, n_folds, lambda: tick("fitting the reward model"))
    estimates: list[Estimate] = []
    terms: dict[tuple[str, str], Terms] = {}
    warnings: dict[str, list[str]] = {}
    for name, policy in zip(names, policies, strict=True):
        target, model_target = target_of(policy, log), model.under(policy, log, inputs, seed, n_samples)
        tick(f"{name}: propensities and reward model")
        result = Judged.of(inputs, target, model.logged, model_target, resamples, level)
        estimates += result.estimates(name, inputs.objectives)
        warnings[name] = result.warnings(name)
        terms |= {(name, key): part for key, part in result.terms.items()}
        tick(f"{name}: estimates and intervals")
    return Evaluation(
        estimates=tuple(estimates),
        warnings=warnings,
        objectives=inputs.objectives,
        level=level,
        n_slates=len(inputs.reward),
        n_sessions=inputs.n_clusters,
        n_boot=n_boot,
        seed=seed,
        terms=terms,
        resamples=resamples,
    )


class _Ticker:
    """Counts the parts of the work that are done."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self, what: str) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total, what)


@dataclass(frozen=True, eq=False)
class _Model:
    """The reward model of a log and its values there.

    Attributes:
        model: of the objectives without their weighted sum, which follows from them.
        logged: (n, k, o + 1) float64, its values of the logged slates.
    """

    model: RewardModel
    logged: Floats

    @classmethod
    def fit(
        cls, log: Log, inputs: Inputs, features: Features, seed: int, n_folds: int, on_fold: Callable[[], None]
    ) -> _Model:
        """Fit on the log, score the log."""
        model = reward_model.cross_fit(
            log.observation,
            log.slate,
            inputs.reward[:, :, : len(inputs.weights)],
            inputs.cluster,
            features=features,
            seed=seed,
            n_folds=n_folds,
            order=inputs.order,
            on_fold=on_fold,
        )
        logged = inputs.with_total(reward_model.predict_logged(model, log.observation, log.slate))
        return cls(model, logged)

    def under(self, policy: Policy, log: Log, inputs: Inputs, seed: int, n_samples: int) -> Floats:
        """(n, k, o + 1) expectation under the slates of `policy`; every policy draws with the same luck."""
        streams = reward_model.sample_streams(seed, log.user, log.session, log.step)
        return inputs.with_total(
            reward_model.expected_under(policy, self.model, log.observation, log.slate.shape[1], streams, n_samples)
        )


def _names(policies: Sequence[Policy]) -> list[str]:
    names = [policy.name for policy in policies]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two policies are called {twice[0]!r}; give every policy a name of its own.")
    if not names:
        raise ValueError("no policies were given; pass at least one policy to evaluate.")
    return names
