"""Off-policy evaluation of policies on a log: all estimators, all objectives, intervals and verdicts in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recsim.ope import reward_model
from recsim.ope.diagnostics import Overlap, Verdict, model_verdict, overlap_of, verdict_of, warnings_of
from recsim.ope.inputs import Inputs, inputs_of, target_of
from recsim.ope.intervals import Interval, Resamples, bootstrap
from recsim.ope.result import Estimate, Evaluation, estimates_of
from recsim.ope.reward_model import Features, RewardModel
from recsim.ope.slate import dm, dr, prefix_weight, rips, sips, snrips, snsips
from recsim.ope.terms import Terms
from recsim.streams import sub_seed

if TYPE_CHECKING:
    from recsim.logs import Log
    from recsim.policy import Policy

Floats = NDArray[np.float64]
Progress = Callable[[int, int, str], None]

WHOLE_SLATE = ("sips", "snsips")  # estimators that weight a slate as a whole; the others weight its positions


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
        result = _Judged.of(inputs, target, model, model_target, resamples, level)
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
    """The reward model of a log and how well it does there.

    Attributes:
        model: of the objectives without their weighted sum, which follows from them.
        logged: (n, k, o + 1) float64, its values of the logged slates.
        bias: for each objective the mean of prediction minus reward and its standard error, in mean rewards.
    """

    model: RewardModel
    logged: Floats
    bias: list[tuple[float, float]]

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
        miss = dm(logged - inputs.reward).grouped(inputs.cluster, inputs.n_clusters)
        error = np.sqrt(np.square(miss.influence).sum(axis=0))
        size = np.abs(inputs.reward).sum(axis=1).mean(axis=0)  # (o + 1,)
        scale = np.where(size > 0, size, 1.0)
        return cls(model, logged, list(zip((miss.value / scale).tolist(), (error / scale).tolist(), strict=True)))

    def under(self, policy: Policy, log: Log, inputs: Inputs, seed: int, n_samples: int) -> Floats:
        """(n, k, o + 1) expectation under the slates of `policy`; every policy draws with the same luck."""
        streams = reward_model.sample_streams(seed, log.user, log.session, log.step)
        return inputs.with_total(
            reward_model.expected_under(policy, self.model, log.observation, log.slate.shape[1], streams, n_samples)
        )


@dataclass(frozen=True, eq=False)
class _Judged:
    """The estimates of one policy.

    Attributes:
        terms: by estimator, one row per session.
        intervals: by estimator.
        whole: overlap of whole slates.
        by_position: for each objective the overlap of its positions.
        verdicts: by estimator, one per objective.
    """

    terms: dict[str, Terms]
    intervals: dict[str, Interval]
    whole: Overlap
    by_position: list[Overlap]
    verdicts: dict[str, list[Verdict]]

    @classmethod
    def of(
        cls, inputs: Inputs, target: Floats, model: _Model, model_target: Floats, resamples: Resamples, level: float
    ) -> _Judged:
        """All estimators on one target policy."""
        terms = _terms(inputs, target, model.logged, model_target)
        intervals = {key: bootstrap(part, resamples, level) for key, part in terms.items()}
        whole, by_position = _overlaps(inputs, prefix_weight(target, inputs.logged))
        verdicts = {}
        for key, interval in intervals.items():
            overlaps = [whole] * len(inputs.objectives) if key in WHOLE_SLATE else by_position
            rewarded = (terms["sips" if key in WHOLE_SLATE else "rips"].numerator[:, 0] != 0).sum(axis=0)
            if key == "dm":
                verdicts[key] = [model_verdict(part, *miss) for part, miss in zip(overlaps, model.bias, strict=True)]
            else:
                verdicts[key] = [
                    verdict_of(part, undefined_draws=interval.undefined, rewarded_sessions=int(count))
                    for part, count in zip(overlaps, rewarded, strict=True)
                ]
        return cls(terms, intervals, whole, by_position, verdicts)

    def estimates(self, policy: str, objectives: tuple[str, ...]) -> list[Estimate]:
        """The records of this policy."""
        records = []
        for key, interval in self.intervals.items():
            overlaps = [self.whole] * len(objectives) if key in WHOLE_SLATE else self.by_position
            records += estimates_of(policy, key, objectives, interval, overlaps, self.verdicts[key])
        return records

    def warnings(self, policy: str) -> list[str]:
        """What a decision maker should know about this policy's overlap with the log."""
        whole = warnings_of(f"{policy}, whole slates", self.whole, self.intervals["snsips"].undefined)
        total = self.by_position[-1]
        return whole + warnings_of(f"{policy}, position by position", total, self.intervals["snrips"].undefined)


def _names(policies: Sequence[Policy]) -> list[str]:
    names = [policy.name for policy in policies]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two policies are called {twice[0]!r}; give every policy a name of its own.")
    if not names:
        raise ValueError("no policies were given; pass at least one policy to evaluate.")
    return names


def _terms(inputs: Inputs, target: Floats, model_logged: Floats, model_target: Floats) -> dict[str, Terms]:
    reward, logged = inputs.reward, inputs.logged
    rows = {
        "sips": sips(reward, target, logged),
        "rips": rips(reward, target, logged),
        "snsips": snsips(reward, target, logged),
        "snrips": snrips(reward, target, logged),
        "dm": dm(model_target),
        "dr": dr(reward, target, logged, model_logged, model_target),
    }
    return {name: terms.grouped(inputs.cluster, inputs.n_clusters) for name, terms in rows.items()}


def _overlaps(inputs: Inputs, weight: Floats) -> tuple[Overlap, list[Overlap]]:
    """The overlap of whole slates, and for each objective that of its positions.

    Position-wise estimators weight position k by w_ik, so the weights averaged by each position's share of the
    objective decide their spread: a useless weight at a position that earns nothing does no harm.
    """
    whole = overlap_of(weight[:, -1], inputs.cluster, inputs.n_clusters)
    by_position = np.einsum("nk,ko->on", weight, inputs.share)  # not a BLAS product: those depend on the threads
    return whole, [overlap_of(column, inputs.cluster, inputs.n_clusters) for column in by_position]
