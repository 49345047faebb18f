"""How many sessions it takes to tell one policy from another: on a log like this one, or in an A/B test.

Two-sided tests by the normal approximation. A session adds to the difference of two estimates with the standard
deviation `spread`, so that n sessions leave the difference a standard error of spread / sqrt(n). A difference is found
with probability `power` once it is z = z_(1+level)/2 + z_power standard errors large: n = (z spread / difference)^2.

Source: Lachin 1981, "Introduction to sample size determination and power analysis for clinical trials", equation 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from recsim.ope.diagnostics import Verdict
from recsim.ope.terms import Terms

Floats = NDArray[np.float64]

UNSTEADY = 0.25  # relative standard error of a variance from which a few sessions decide it: that of 32 normal numbers


@dataclass(frozen=True)
class Power:
    """What a log of sessions can tell of the difference between two policies, and what a longer one could.

    Attributes:
        difference: that is to be found; as the other numbers, in units of the objective.
        spread: standard deviation of what one session adds to the difference of the estimates.
        n_sessions: of the log.
        level: of the two-sided test, 0.95 for one that errs in 5 % of cases without a difference.
        power: probability with which the difference is to be found.
        doubt: why `spread`, and so all numbers here, may be far off, in a sentence; "" if nothing speaks against them.
    """

    difference: float
    spread: float
    n_sessions: int
    level: float
    power: float
    doubt: str = ""

    @property
    def needed(self) -> float:
        """Sessions in all, a whole number; infinite where there is no difference to find."""
        return sessions_needed(self.difference, self.spread, self.level, self.power)

    @property
    def more(self) -> float:
        """Sessions beyond those of the log."""
        return max(0.0, self.needed - self.n_sessions)

    @property
    def detectable(self) -> float:
        """The smallest difference that the log as it is shows with probability `power`."""
        return _quantiles(self.level, self.power) * self.spread / math.sqrt(self.n_sessions)

    @property
    def chance(self) -> float:
        """Probability with which a log of this size shows the difference."""
        if self.difference == 0 or self.spread == 0:
            return float(self.difference != 0)
        standard_errors = abs(self.difference) * math.sqrt(self.n_sessions) / self.spread
        return float(ndtr(standard_errors - ndtri((1 + self.level) / 2)))


def power_of(
    terms: Terms,
    baseline: Terms,
    *,
    objective: int = -1,
    difference: float | None = None,
    level: float = 0.95,
    power: float = 0.8,
    verdicts: Mapping[str, Verdict] | None = None,
) -> Power:
    """What it takes to tell two policies apart on logs of the same logging policy, from their terms on one log.

    Both policies are judged by the same sessions, so that what these share cancels: the spread is that of the paired
    difference. It holds for the logging policy of this log; an A/B test needs other numbers (`sessions_per_arm`).

    Args:
        terms: of a policy, one row per session.
        baseline: of the other one, on the same sessions and by the same estimator.
        objective: its place among the objectives.
        difference: that is to be found; without it, the estimated one, which is as uncertain as the estimates are.
        level: of the two-sided test.
        power: probability with which the difference is to be found.
        verdicts: of both estimates, by name of the policy; a `do not use` among them is a doubt.

    Raises:
        ValueError: if the two are not of the same 2 or more sessions, an estimate is undefined or an option cannot be.

    >>> terms = Terms(np.array([[[1.0]], [[3.0]], [[1.0]], [[3.0]]]), np.ones((4, 1)))
    >>> found = power_of(terms, Terms(np.full((4, 1, 1), 1.5), np.ones((4, 1))))
    >>> found.difference, round(found.spread, 9)  # 2 - 1.5; sqrt(4 / 3)
    (0.5, 1.154700538)
    >>> found.needed  # (1.959964 + 0.841621)^2 * (4 / 3) / 0.25 = 41.9
    42.0
    """
    influence = _influence(terms, baseline, objective)
    gap = float(terms.value[objective] - baseline.value[objective]) if difference is None else difference
    _check(gap, level, power)
    return Power(gap, _spread(influence), len(terms), level, power, _doubt(influence, verdicts or {}))


def spread_of(terms: Terms) -> Floats:
    """(o,) the standard deviation of what one session adds to an estimate; its standard error is this / sqrt(n).

    Of the plain mean of the logged rewards it is the spread of sessions that an A/B test needs to know.

    Raises:
        ValueError: with fewer than 2 sessions, or an undefined estimate.

    >>> spread_of(Terms(np.array([[[1.0]], [[3.0]]]), np.ones((2, 1)))).round(9).tolist()  # sqrt((1 + 1) / (2 - 1))
    [1.414213562]
    """
    _check_sessions(terms)
    return np.array([_spread(column) for column in terms.influence.T])


def sessions_needed(difference: float, spread: float, level: float = 0.95, power: float = 0.8) -> float:
    """Sessions with which a paired difference is found, (z spread / difference)^2 rounded up; infinite without one.

    Raises:
        ValueError: if a number cannot be.

    >>> sessions_needed(0.1, 1.0)  # (1.959964 + 0.841621)^2 / 0.01 = 784.9
    785.0
    """
    _check(difference, level, power)
    if not (spread >= 0 and math.isfinite(spread)):
        raise ValueError(f"spread is {spread}; a standard deviation is a finite number from 0 up.")
    if difference == 0:
        return math.inf
    return float(max(2, math.ceil((_quantiles(level, power) * spread / difference) ** 2)))


def sessions_per_arm(
    difference: float, spread: float, other_spread: float, level: float = 0.95, power: float = 0.8
) -> float:
    """Fresh sessions for each of two arms of an A/B test: z^2 (spread^2 + other_spread^2) / difference^2, rounded up.

    The arms serve other users, so that nothing cancels: their variances add up. On the side of the logging policy,
    `spread_of` its mean reward is the spread; the other policy's is not known before it serves, and commonly taken
    to be the same.

    Raises:
        ValueError: if a number cannot be.

    >>> sessions_per_arm(0.1, 1.0, 1.0)  # twice 784.9
    1570.0
    """
    for value in (spread, other_spread):
        sessions_needed(difference, value, level, power)
    return sessions_needed(difference, math.hypot(spread, other_spread), level, power)


def sentence(found: Power, policy: str, against: str) -> str:
    """How many more sessions would tell `policy` from `against`, for somebody who knows no statistics.

    >>> sentence(Power(0.1, 2.3, 1_000, 0.95, 0.8), "A", "B")
    'about 3,200 more sessions (now 1,000) would tell A from B with 80% probability, if they really differ by 0.1.'
    """
    share = f"{found.power:.0%} probability"
    if found.spread == 0 and found.difference == 0:
        return f"{policy} and {against} earn the same in every session of the log, which cannot tell them apart."
    if found.difference == 0:
        text = (
            f"{policy} and {against} do not differ, which no number of sessions can show; the {found.n_sessions:,} "
            f"sessions would show a difference of {found.detectable:.2g} with {share}"
        )
    elif found.more == 0:
        text = (
            f"the {found.n_sessions:,} sessions suffice to tell {policy} from {against} with {share}, if they "
            f"really differ by {abs(found.difference):.2g}"
        )
    else:
        count = _rounded_up(found.more)
        text = (
            f"about {count:,} more session{'s' * (count > 1)} (now {found.n_sessions:,}) would tell {policy} from "
            f"{against} with {share}, if they really differ by {abs(found.difference):.2g}"
        )
    return f"{text}. This number is a guess: {found.doubt}" if found.doubt else f"{text}."


def ab_sentence(sessions: float, policy: str, against: str, power: float = 0.8) -> str:
    """How many sessions an A/B test needs, from `sessions_per_arm`.

    >>> ab_sentence(1570.0, "A", "B")
    'an A/B test tells A from B with 80% probability once each has served about 1,600 sessions.'
    """
    share = f"{power:.0%} probability"
    if math.isinf(sessions):
        return f"{policy} and {against} do not differ, which no A/B test can show."
    many = f"about {_rounded_up(sessions):,} sessions"
    return f"an A/B test tells {policy} from {against} with {share} once each has served {many}."


def _influence(terms: Terms, baseline: Terms, objective: int) -> Floats:
    if len(terms) != len(baseline):
        raise ValueError(
            f"the terms have {len(terms):,} sessions and the baseline {len(baseline):,}; a paired difference needs "
            "both policies on the same log, grouped by the same sessions (Terms.grouped)."
        )
    for part in (terms, baseline):
        _check_sessions(part)
    difference: Floats = terms.influence[:, objective] - baseline.influence[:, objective]
    return difference


def _check_sessions(terms: Terms) -> None:
    if len(terms) < 2:
        raise ValueError(f"the log has {len(terms)} session(s); a spread needs at least 2. Collect more sessions.")
    if not np.isfinite(terms.value).all():
        raise ValueError(
            "the estimate is undefined: the policy would show none of the logged slates, so that the log says nothing "
            "of it. Judge it by another log."
        )


def _spread(influence: Floats) -> float:
    n = len(influence)
    return n * math.sqrt(float(np.square(influence).sum()) / (n - 1))


def _doubt(influence: Floats, verdicts: Mapping[str, Verdict]) -> str:
    """Why the spread may be far off: the log does not bear on a policy, or a few sessions decide."""
    for name, verdict in verdicts.items():
        if verdict.level == "do not use":
            return f"the log bears too little on {name} to say how much a longer one would: {verdict.reason}"
    squares = np.square(influence)
    total = float(squares.sum())
    if total == 0:
        return ""
    error = math.sqrt(max(0.0, float(np.square(squares / total).sum()) - 1 / len(squares)))
    if error <= UNSTEADY:
        return ""
    return (
        f"a few sessions of large weight decide how much the estimates vary (one makes up {squares.max() / total:.0%}; "
        f"the variance is known to ± {error:.0%}), and a longer log may bring larger ones."
    )


def _quantiles(level: float, power: float) -> float:
    return float(ndtri((1 + level) / 2) + ndtri(power))


def _check(difference: float, level: float, power: float) -> None:
    if not math.isfinite(difference):
        raise ValueError(f"the difference is {difference}; it must be a finite number.")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; a test's level is a probability between 0 and 1, such as 0.95.")
    if not 0.5 <= power < 1:
        raise ValueError(f"power is {power}; it is a probability from 0.5 to below 1, such as 0.8.")


def _rounded_up(count: float) -> int:
    """A count to two digits."""
    unit = 10.0 ** max(0, math.floor(math.log10(count)) - 1)
    return int(math.ceil(count / unit) * unit)
