"""What estimates are worth as a guide to choosing policies, where the truth is known: metrics of plain arrays.

One entry per candidate policy: `estimate` (p,), NaN where a policy has no usable estimate, and `truth` (p,). Such a
policy cannot be chosen, passes no test of safety, and stays out of errors and correlations. The logging policy is no
candidate: it is in force already, worth `logged`, and stays so where nothing can be chosen. Of policies with equal
estimates the first is chosen. All raise ValueError if the arrays cannot be, or fewer than 1 or more policies than there
are, `k`, are to be chosen.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def rank_correlation(estimate: ArrayLike, truth: ArrayLike) -> tuple[float, float]:
    """Spearman's rho and Kendall's tau-b of the usable estimates with the truth; NaN unless both vary.

    >>> rho, tau = rank_correlation([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 3.0])
    >>> round(rho, 9), round(tau, 9)  # 1 - 6 * (1 + 1) / (4 * 15); (5 - 1) / 6
    (0.8, 0.666666667)
    """
    from scipy.stats import kendalltau, spearmanr

    guess, value = _usable(estimate, truth)
    if len(guess) < 2 or np.ptp(guess) == 0 or np.ptp(value) == 0:
        return math.nan, math.nan
    return float(spearmanr(guess, value).statistic), float(kendalltau(guess, value).statistic)


def errors(estimate: ArrayLike, truth: ArrayLike) -> tuple[float, float]:
    """Mean squared error and mean relative error |estimate - truth| / |truth| of the usable estimates.

    NaN where there is none; the relative error also where a true value is 0.

    >>> squared, relative = errors([1.0, 3.0, float("nan")], [2.0, 2.0, 5.0])
    >>> squared, relative  # (1 + 1) / 2; (1/2 + 1/2) / 2
    (1.0, 0.5)
    """
    guess, value = _usable(estimate, truth)
    if len(guess) == 0:
        return math.nan, math.nan
    off = guess - value
    relative = float(np.mean(np.abs(off) / np.abs(value))) if (value != 0).all() else math.nan
    return float(np.mean(off**2)), relative


def chosen(estimate: ArrayLike, k: int) -> NDArray[np.int64]:
    """The places of the `k` policies of highest estimates, the best first; fewer where fewer have a usable estimate.

    >>> chosen([0.2, float("nan"), 0.7, 0.2], 2).tolist()
    [2, 0]
    """
    guess = np.asarray(estimate, np.float64)
    if not 1 <= k <= len(guess):
        raise ValueError(f"k is {k}; of {len(guess)} candidate policies, 1 to {len(guess)} can be chosen.")
    order = np.argsort(-np.where(np.isnan(guess), -np.inf, guess), kind="stable")
    return order[: min(k, int((~np.isnan(guess)).sum()))]


def regret_at(estimate: ArrayLike, truth: ArrayLike, k: int, logged: float) -> float:
    """Value given away by an A/B test of the `k` chosen policies: the best candidate's value less that of the best one.

    Source: Doroudi et al. 2017, "Importance sampling for fair policy selection".

    >>> regret_at([3.0, 2.0, 1.0], [1.0, 2.0, 5.0], 2, logged=1.5)  # 5 - max(1, 2)
    3.0
    """
    best = _values_chosen(estimate, truth, k, logged).max()
    return float(np.max(truth) - best)


def precision_at(estimate: ArrayLike, truth: ArrayLike, k: int) -> float:
    """Share of the `k` places of an A/B test that go to one of the `k` best policies; an empty place does not.

    >>> precision_at([3.0, 2.0, 1.0], [1.0, 2.0, 5.0], 2)  # of the first two, the second is among the best two
    0.5
    """
    guess, value = _pair(estimate, truth)
    return float((value[chosen(guess, k)] >= np.sort(value)[-k]).sum() / k)


def worst_at(estimate: ArrayLike, truth: ArrayLike, k: int, logged: float) -> float:
    """The true value of the worst of the `k` chosen policies, which users would meet in an A/B test.

    >>> worst_at([3.0, 2.0, 1.0], [1.0, 2.0, 5.0], 2, logged=1.5)  # min(1, 2)
    1.0
    """
    return float(_values_chosen(estimate, truth, k, logged).min())


def sharpe_ratio_at(estimate: ArrayLike, truth: ArrayLike, k: int, logged: float) -> float:
    """Return over risk of an A/B test of the `k` chosen policies: (best@k - J(pi_b)) / std@k.

    The logging policy pi_b takes part in the test, so that the ratio is never negative; it is 0 where the test neither
    gains nor risks anything. The standard deviation is that of the k + 1 true values, divided by their number.

    Source: Kiyohara et al. 2024, "Towards assessing and benchmarking risk-return tradeoff of off-policy evaluation".

    >>> round(sharpe_ratio_at([3.0, 2.0, 1.0], [1.0, 4.0, 5.0], 2, logged=1.0), 9)  # (4 - 1) / sqrt((1 + 1 + 4) / 3)
    2.121320344
    """
    portfolio = np.append(_values_chosen(estimate, truth, k, logged), logged)
    risk = float(portfolio.std())
    return float(portfolio.max() - logged) / risk if risk > 0 else 0.0


def safety_errors(estimate: ArrayLike, truth: ArrayLike, logged: float, safety: float = 0.9) -> tuple[float, float]:
    """Type I and type II error rates of the test whether a policy keeps a share `safety` of the logging policy's value.

    Type I: the share of unsafe policies that the estimate lets pass. Type II: the share of safe ones that it does not.
    A policy without a usable estimate does not pass. NaN where no policy is unsafe, or safe. A policy is safe from
    J(pi_b) - (1 - safety) |J(pi_b)| up, which is the share itself where values are positive.

    >>> safety_errors([0.95, 0.8, 1.1, float("nan")], [0.5, 0.8, 1.0, 2.0], logged=1.0)  # 1 of 2 unsafe, 1 of 2 safe
    (0.5, 0.5)
    """
    guess, value = _pair(estimate, truth)
    threshold = logged - (1.0 - safety) * abs(logged)
    safe, passed = value >= threshold, guess >= threshold
    return _share(passed, ~safe), _share(~passed, safe)


def _pair(estimate: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    guess, value = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    if guess.ndim != 1 or guess.shape != value.shape or not len(guess):
        raise ValueError(
            f"estimate has shape {guess.shape} and truth {value.shape}; both need one entry for each of the candidate "
            "policies. Pass nan for a policy without an estimate."
        )
    for name, wrong, values in (("estimate", np.isinf(guess), guess), ("truth", ~np.isfinite(value), value)):
        if wrong.any():
            place = int(np.flatnonzero(wrong)[0])
            raise ValueError(f"{name} of policy {place} is {values[place]}; it must be a finite number.")
    return guess, value


def _usable(estimate: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    guess, value = _pair(estimate, truth)
    usable = ~np.isnan(guess)
    return guess[usable], value[usable]


def _values_chosen(estimate: ArrayLike, truth: ArrayLike, k: int, logged: float) -> Floats:
    """True values of the `k` chosen policies; that of the logging policy where none can be chosen."""
    guess, value = _pair(estimate, truth)
    found = value[chosen(guess, k)]
    return found if len(found) else np.array([logged])


def _share(found: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float((found & among).sum() / among.sum()) if among.any() else math.nan
