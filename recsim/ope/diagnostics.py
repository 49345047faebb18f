"""Can an off-policy estimate be trusted? Overlap of logged and target policy, in numbers, in words and as a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsim.ope.pareto import pareto_k
from recsim.ope.terms import sum_by

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Level = Literal["trust", "caution", "do not use"]

REFUSE_BELOW_ESS = 50  # effective slates
CAUTION_BELOW_ESS = 500
REFUSE_ABOVE_SHARE = 0.25  # of all weight on one slate
CAUTION_ABOVE_SHARE = 0.05
FAR_FROM_ONE = 0.3  # mean weight further from 1 than this, and significantly: refuse
SIGNIFICANT = 3.0  # standard errors between the mean weight and 1
FAR_MISS = 0.1  # weighted error of the reward model, as a share of the estimate
FEW_SESSIONS = 50
FEW_REWARDED = 20
CAUTION_BELOW_DECIDING = 20  # sessions, of equal influence, that would spread an estimate as much as those of the log
REFUSE_BELOW_DECIDING = 5
HEAVY_TAIL = 0.7  # Pareto shape above which means converge too slowly to be of use (Vehtari et al. 2024)
NO_MEAN = 1.0  # and above which weights with such a tail have no mean at all
FEW_IN_TAIL = 25  # weights above the cutoff, without which no shape is fitted
SEEN = 0.5  # weights of this part of the largest possible one in the log: heavy ones were met
CAUTION_ABOVE_UNSEEN = 0.1  # of what the target policy shows, by chance not in the log
REFUSE_ABOVE_UNSEEN = 0.15
REFUSE_ABOVE_UNSUPPORTED = 0.05  # of what it shows, never possible in the log
_RULE_OF_THREE = 3.0  # -ln 0.05: nothing was seen of what is expected less often than this, with 95 % confidence
_ONE_SIDED = 1.645  # standard errors of a one-sided 95 % limit
ESTIMATED = "the log's propensities are estimates of its policy, and no interval tells how far they are off."
REMEDY = "Rely on a guaranteed interval (recsim.ope.sequences.off_policy or recsim.ope.bounds.maurer_pontil)."
# With these, nominal 95 % intervals from 800 clustered logs of slates of 10 covered 94 to 95 % where the verdict was
# trust, by every weighted estimator; 85 (rips) to 95 % where it was caution; 62 (sips) to 92 % (dr) where it was do not
# use. A test repeats this. docs/coverage.md has rare heavy weights.


@dataclass(frozen=True)
class Overlap:
    """How far a log bears on another policy: the distribution of the importance weights of its slates.

    Attributes:
        n_slates: rows of the log.
        n_sessions: clusters of the log.
        ess: effective sample size in slates, (sum w)^2 / sum w^2 (Kong 1992); for weights that differ by position
            see `harmonic_ess`.
        largest: the largest weight.
        largest_share: the share of the slate with the largest weight in the sum of weights.
        mean: the mean weight, 1 in expectation if the logging policy could show all that the target policy shows.
        mean_se: its standard error, clustered by session.
        zero_share: the share of logged slates with weight 0, which the target policy would never show.
        pareto_k: shape of the tail of the weights (`recsim.ope.pareto`); None where too few are in it.
        possible: the largest weight that could occur (`recsim.ope.support`); None where it is not known.
        unsupported: the share of what the target policy shows that could not be logged; None where it is not known.
        session_ess: effective sample size in sessions, (sum W)^2 / sum W^2 of the weights summed by session.
        unit: what is weighted, `slate` or `session`; attributes that say slates are of sessions then.
    """

    n_slates: int
    n_sessions: int
    ess: float
    largest: float
    largest_share: float
    mean: float
    mean_se: float
    zero_share: float
    pareto_k: float | None = None
    possible: float | None = None
    unsupported: float | None = None
    unit: str = "slate"
    session_ess: float | None = None

    @property
    def zero_slates(self) -> int:
        """Logged slates that the target policy would never show."""
        return round(self.zero_share * self.n_slates)

    @property
    def unseen(self) -> float | None:
        """An upper 95 % limit of what the target policy shows that has weights heavier than any in the log.

        A slate of weight w is logged at least target / possible often, so that a share q of the target policy's slates
        stays out of n logged ones with a chance of at most exp(-n q / possible). The mean of the weights that are there
        is 1 - q but for its error, which is the better limit where it is small. None without `possible`, 0 where
        weights of the size of the largest possible one were seen.
        """
        if self.possible is None:
            return None
        if self.largest >= SEEN * self.possible:
            return 0.0
        by_chance = _RULE_OF_THREE * self.possible / self.n_slates
        return min(1.0, by_chance, max(0.0, 1.0 - self.mean) + _ONE_SIDED * self.mean_se)

    @property
    def z(self) -> float:
        """Standard errors between the mean weight and 1; rounding of equal weights counts as none."""
        distance = self.mean - 1.0
        if abs(distance) < 1e-9:
            return 0.0
        return distance / self.mean_se if self.mean_se > 0 else math.copysign(math.inf, distance)

    @property
    def p_value(self) -> float:
        """Two-sided normal test that the mean weight is 1: small where the log cannot support the target policy."""
        return math.erfc(abs(self.z) / math.sqrt(2.0))


@dataclass(frozen=True)
class Verdict:
    """Whether to act on an estimate, and why, for somebody who knows no importance weights.

    Attributes:
        level: `trust`, `caution` or `do not use`.
        reason: one sentence.
    """

    level: Level
    reason: str


def overlap_of(
    weight: Floats,
    cluster: Integers,
    n_clusters: int,
    *,
    possible: float | None = None,
    unsupported: float | None = None,
) -> Overlap:
    """The overlap diagnostics of weights (n,) whose rows belong to clusters 0..n_clusters-1.

    Args:
        weight: of every row.
        cluster: of every row.
        n_clusters: how many.
        possible: the largest weight that could occur, `recsim.ope.support.largest_weight` of the two policies.
        unsupported: the share of the target's choices that could not be logged, the mean of `unsupported_mass` there.

    >>> overlap = overlap_of(np.array([1.0, 1.0, 2.0, 0.0]), np.array([0, 0, 1, 1]), 2)
    >>> round(overlap.ess, 3), overlap.largest_share, overlap.mean, overlap.zero_share  # 4^2 / 6, 2/4, 4/4, 1/4
    (2.667, 0.5, 1.0, 0.25)
    """
    n, largest = len(weight), float(np.abs(weight).max())  # weights of the pseudo-inverse may be below 0
    scale = largest if largest > 0 else 1.0
    scaled = weight / scale  # squares of huge weights would overflow
    total, squares = float(scaled.sum()), float(np.square(scaled).sum())
    deviation = sum_by(scaled - total / n, cluster, n_clusters)
    by_session = float(np.square(sum_by(scaled, cluster, n_clusters)).sum())
    correction = n_clusters / (n_clusters - 1) if n_clusters > 1 else math.nan
    return Overlap(
        n_slates=n,
        n_sessions=n_clusters,
        ess=total**2 / squares if squares else 0.0,
        largest=largest,
        largest_share=1.0 / total if total > 0 else float(squares > 0),
        mean=scale * total / n,
        mean_se=scale * math.sqrt(correction * float(np.square(deviation).sum())) / n,
        zero_share=float((weight == 0).mean()),
        pareto_k=pareto_k(scaled, FEW_IN_TAIL),
        possible=possible,
        unsupported=unsupported,
        session_ess=total**2 / by_session if by_session else 0.0,
    )


def deciding(influence: Floats) -> Floats:
    """(o,) how many sessions decide the spread of an estimate, (sum f^2)^2 / sum f^4 of their influences (n, o).

    With a few of them, the standard error itself is a matter of luck: what was not seen may be as large. Infinite where
    no session differs from another.

    >>> deciding(np.array([[1.0], [1.0], [-1.0], [0.0]])).tolist()  # 3^2 / 3
    [3.0]
    """
    size = np.abs(influence).max(axis=0)
    squares = np.square(influence / np.where(size > 0, size, 1.0))
    fourth = np.square(squares).sum(axis=0)
    return np.where(fourth > 0, np.square(squares.sum(axis=0)) / np.where(fourth > 0, fourth, 1.0), np.inf)


def harmonic_ess(ess: Floats, share: Floats) -> float:
    """The effective sample size of a sum over positions, 1 / sum_k (share_k / ess_k); 0 where one that counts has none.

    Position k brings the share_k of the objective with ess_k effective slates. Their variances, share_k^2 / ess_k and
    covariances that are at most as large, add up to no more than sum_k (share_k / ess_k) (Jensen).

    Args:
        ess: (k,) of the weights at each position.
        share: (k,) not negative, summing to 1.

    >>> harmonic_ess(np.array([100.0, 25.0]), np.array([0.5, 0.5]))  # 1 / (0.005 + 0.02)
    40.0
    """
    counts = share > 0
    if (ess[counts] == 0).any():
        return 0.0
    return 1.0 / float((share[counts] / ess[counts]).sum())


def verdict_of(
    overlap: Overlap,
    *,
    undefined_draws: int = 0,
    rewarded_sessions: int | None = None,
    deciding_sessions: float | None = None,
    estimated: bool = False,
    refuted: str = "",
) -> Verdict:
    """Whether an estimate with these weights deserves trust; the thresholds are this module's constants.

    Args:
        overlap: of the weights that the estimator uses.
        undefined_draws: bootstrap draws without any overlap.
        rewarded_sessions: sessions with any reward that counts; few of them make intervals too narrow.
        deciding_sessions: how many sessions decide the spread of the estimate (`deciding`).
        estimated: whether the logged propensities are estimates; no interval tells how far they are off.
        refuted: why the logged propensities cannot be those that were in force, in a sentence.
    """
    problems = list(_problems(overlap, undefined_draws))
    if refuted:
        problems.insert(0, ("do not use", refuted))
    if deciding_sessions is not None:
        problems += _few_deciding(deciding_sessions)
    if rewarded_sessions is not None and rewarded_sessions < FEW_REWARDED:
        problems.append(("caution", f"only {rewarded_sessions} sessions have any of it where the weights count."))
    if estimated:
        problems.append(("caution", ESTIMATED))
    for level in ("do not use", "caution"):
        for found, reason in problems:
            if found == level:
                return Verdict(found, reason)
    unit = overlap.unit
    return Verdict("trust", f"effective sample size {overlap.ess:,.0f} {unit}s, and no single {unit} dominates.")


def _few_deciding(sessions: float) -> Iterable[tuple[Level, str]]:
    if np.isinf(sessions):
        yield "caution", "no session differs from another, which says nothing of what happens more rarely."
        return
    found = f"about {sessions:.0f} session{'s' * (round(sessions) != 1)} decide how far the estimate may be off"
    if sessions < REFUSE_BELOW_DECIDING:
        yield "do not use", f"{found}: the next log may hold others."
    elif sessions < CAUTION_BELOW_DECIDING:
        yield "caution", f"{found}: the interval may be too narrow."


def worst(*verdicts: Verdict) -> Verdict:
    """The first of the most severe verdicts."""
    order = ("do not use", "caution", "trust")
    return min(verdicts, key=lambda verdict: order.index(verdict.level))


def assuming_verdict(own: Verdict, other: str, checked: bool, differs: float, error: float) -> Verdict:
    """The verdict on an estimate that rests on an assumption, `caution` at best.

    Args:
        own: of its weights.
        other: the estimator that does without the assumption.
        checked: whether that may be used.
        differs: by how much the two differ on this log.
        error: standard error of the difference.
    """
    if own.level == "do not use":
        return own
    found = f"it assumes more of users than {other}"
    if not checked:
        return worst(own, Verdict("caution", f"{found}, with which the log is too short to compare it."))
    found = f"{found}, from which it differs by {differs:+.2g} ± {error:.1g}"
    if abs(differs) > SIGNIFICANT * error:
        return Verdict("do not use", f"{found}: the log speaks against it.")
    return worst(own, Verdict("caution", f"{found}."))


def tamed_verdict(own: Verdict, plain: Verdict, of: str) -> Verdict:
    """The verdict on an estimate with tamed weights, `caution` at best: no better than with the weights of `of`."""
    if plain.level == "do not use":
        return Verdict("do not use", f"with its plain weights, {plain.reason}")
    biased = f"its weights are tamed, which biases it; the interval holds that of {of}, too."
    return worst(own, Verdict("caution", biased))


def model_verdict(overlap: Overlap, miss: float, miss_se: float) -> Verdict:
    """The verdict on a direct-method estimate, `caution` at best: whether the model is right is never certain.

    Args:
        overlap: of the target policy with the log, the only place where the model can be checked.
        miss: the model's weighted error on the log (DM minus DR), as a share of the estimate.
        miss_se: its standard error.
    """
    found = f"the reward model is off by {miss:+.0%} ± {miss_se:.0%} where the log can check it for this policy"
    if abs(miss) > FAR_MISS and abs(miss) > SIGNIFICANT * miss_se:
        return Verdict("do not use", f"{found}.")
    if verdict_of(overlap).level == "do not use":
        return Verdict(
            "do not use", "only the reward model speaks for this policy; the log has too little to check it against."
        )
    return Verdict("caution", f"{found}; the interval is widened by as much.")


def warnings_of(policy: str, overlap: Overlap, undefined_draws: int = 0) -> list[str]:
    """Everything that a decision maker should know about the overlap of `policy` with the log, in plain sentences."""
    sentences = [f"{policy}: {reason}" for _, reason in _problems(overlap, undefined_draws)]
    if overlap.zero_share > 0.5 and overlap.mean > 0:
        sentences.append(
            f"{policy}: {overlap.zero_share:.0%} of the logged {overlap.unit}s are ones that it would never show."
        )
    return sentences


def _problems(overlap: Overlap, undefined_draws: int) -> Iterable[tuple[Level, str]]:
    if overlap.zero_share == 1.0:
        yield "do not use", f"it would never show any of the logged {overlap.unit}s, so the log says nothing about it."
        return
    ess = f"effective sample size {overlap.ess:,.1f} of {overlap.n_slates:,} logged {overlap.unit}s"
    if overlap.ess < REFUSE_BELOW_ESS:
        yield "do not use", f"{ess}, fewer than {REFUSE_BELOW_ESS}: the two policies are too different."
    elif overlap.ess < CAUTION_BELOW_ESS:
        yield "caution", f"{ess}, fewer than {CAUTION_BELOW_ESS}: the interval may be too narrow."
    share = f"one logged {overlap.unit} carries {overlap.largest_share:.0%} of all weight"
    if overlap.largest_share > REFUSE_ABOVE_SHARE:
        yield "do not use", f"{share}: the estimate is that {overlap.unit}'s luck."
    elif overlap.largest_share > CAUTION_ABOVE_SHARE:
        yield "caution", f"{share}: the estimate leans on it."
    yield from _tail_problems(overlap)
    yield from _support_problems(overlap)
    yield from _mean_problems(overlap)
    if undefined_draws:
        found = f"{undefined_draws} bootstrap draws had no {overlap.unit} that it could have shown"
        yield "do not use", f"{found}; the interval leaves them out."
    if overlap.n_sessions < FEW_SESSIONS:
        few = f"the log has {overlap.n_sessions} sessions"
        yield "caution", f"{few}; intervals from fewer than {FEW_SESSIONS} are too narrow."
    elif overlap.session_ess is not None and overlap.session_ess < FEW_SESSIONS:
        few = f"all weight together is worth {overlap.session_ess:.0f} of {overlap.n_sessions:,} sessions"
        yield "caution", f"{few}; intervals from fewer than {FEW_SESSIONS} are too narrow."


def _tail_problems(overlap: Overlap) -> Iterable[tuple[Level, str]]:
    if overlap.pareto_k is None or overlap.pareto_k <= HEAVY_TAIL or overlap.unseen == 0:
        return  # a fitted tail speaks of weights beyond those seen, and there may be none
    found = f"the largest weights have a heavy tail (Pareto k {overlap.pareto_k:.2f}, above {HEAVY_TAIL:g})"
    if overlap.pareto_k > NO_MEAN:
        yield "do not use", f"{found}: more data of the same kind would not settle the estimate. {REMEDY}"
    else:
        yield "caution", f"{found}: the interval may be too narrow."


def _support_problems(overlap: Overlap) -> Iterable[tuple[Level, str]]:
    if overlap.unsupported:
        yield (
            "do not use" if overlap.unsupported > REFUSE_ABOVE_UNSUPPORTED else "caution",
            f"{overlap.unsupported:.1%} of what it would show was never logged; no weight can stand for it.",
        )
    unseen = overlap.unseen
    if unseen is not None and unseen > CAUTION_ABOVE_UNSEEN:
        size = f"up to {overlap.possible:,.0f}" if math.isfinite(overlap.possible or 0.0) else "any size"
        yield (
            "do not use" if unseen > REFUSE_ABOVE_UNSEEN else "caution",
            f"weights of {size} are possible and none above {overlap.largest:,.1f} was seen: up to {unseen:.0%} of "
            f"what it would show may be missing from the log. {REMEDY}",
        )


def _mean_problems(overlap: Overlap) -> Iterable[tuple[Level, str]]:
    if abs(overlap.z) < SIGNIFICANT:
        return
    far = abs(overlap.mean - 1.0) > FAR_FROM_ONE
    found = f"the average weight is {overlap.mean:.3g} ± {overlap.mean_se:.2g} and should be 1"
    if overlap.mean < 1:
        why = f"about {1 - overlap.mean:.0%} of what it would show was never, or too seldom, shown in the log"
    else:
        why = "the logged propensities are not those that were in force"
    yield ("do not use" if far else "caution"), f"{found}: {why}."
