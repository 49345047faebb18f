"""One log written by several policies: propensities of their mixture, and averages that trust each logger by its noise.

Logger j of l wrote n_j of the n rows. Naive estimates weigh each row by the propensity of its own logger
(`own_log_prob`), so a logger that hardly ever did what the target does spoils the estimate for all. Two remedies:
weigh rows by the mixture of all loggers (`balanced_log_prob`, usually best, but it needs every logger's propensity for
every row), or average the loggers' own estimates by their precision (`by_precision`).

Shapes: `logger` (n,) int, who wrote the row, 0..l-1; `log_prob_by` (n, l) log-propensities of the logged action under
    every logger (-inf where one would never have chosen it; finite for the row's own).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim.ope.action_checks import action_logged_array, action_target_array, code_array, refuse_rows
from recsim.ope.action_weights import importance_weight
from recsim.ope.bandit import ips
from recsim.ope.checks import numeric
from recsim.ope.terms import Terms, mean_terms, sum_by

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

EQUAL = 1e-9  # contributions of a logger that differ by less, as a share of the largest, are one number


class UnknownPrecisionError(ValueError):
    """A logger's rows all contribute the same, so that nothing is known of their variance.

    Attributes:
        logger: its number.
        count: of its rows.
        objective: to which they do.
        value: what they contribute.
    """

    def __init__(self, logger: int, count: int, objective: int, value: float) -> None:
        """Say so."""
        self.logger, self.count, self.objective, self.value = logger, count, objective, value
        super().__init__(
            f"logger {logger} has {count:,} row(s), which all contribute {value:g} to objective {objective}, so its "
            "precision is unknown. Use balanced_log_prob, or leave it out."
        )


def balanced(reward: ArrayLike, target: ArrayLike, log_prob_by: ArrayLike, logger: ArrayLike) -> Terms:
    """`ips` under the mixture of the loggers: w_i = pi_e(a_i | x_i) / sum_j (n_j / n) pi_j(a_i | x_i).

    Unbiased if the loggers together could do whatever the target does. Pass `balanced_log_prob` as `logged` to the
    other estimators of `recsim.ope.bandit` for their balanced forms.

    Source: Agarwal, Basu, Schnabel and Joachims 2017, "Effective evaluation using logged bandit feedback from multiple
    loggers" (balanced IPS).

    >>> terms = balanced([1, 0], np.log([0.6, 0.4]), np.log([[0.2, 0.4], [0.8, 0.6]]), [0, 1])
    >>> round(float(terms.value[0]), 9)  # 0.6 / (0.2 / 2 + 0.4 / 2) * 1 / 2
    1.0
    """
    return ips(reward, target, balanced_log_prob(log_prob_by, logger))


def weighted(reward: ArrayLike, target: ArrayLike, log_prob_by: ArrayLike, logger: ArrayLike) -> Terms:
    """`ips` by each logger's own propensities, the loggers averaged `by_precision`.

    Source: Agarwal, Basu, Schnabel and Joachims 2017 (weighted IPS).

    >>> target, own = np.zeros(4), np.log([[0.5, 0.9], [0.5, 0.9], [0.9, 0.5], [0.9, 0.5]])
    >>> terms = weighted([0, 1, 1, 3], target, own, [0, 0, 1, 1])  # w r = 0, 2 and 2, 6: variances 2 and 8
    >>> round(float(terms.value[0]), 9)  # (1 / 2 + 4 / 8) / (1 / 2 + 1 / 8)
    1.6
    """
    return by_precision(ips(reward, target, own_log_prob(log_prob_by, logger)), logger)


def weighted_weight(reward: ArrayLike, target: ArrayLike, log_prob_by: ArrayLike, logger: ArrayLike) -> Floats:
    """(n, o) what `weighted` multiplies rewards with: importance weights times the logger's precision, of mean 1.

    >>> target, own = np.zeros(4), np.log([[0.5, 0.9], [0.5, 0.9], [0.9, 0.5], [0.9, 0.5]])
    >>> weight = weighted_weight([0, 1, 1, 3], target, own, [0, 0, 1, 1])  # as above: 2 * 1.6 and 2 * 0.4
    >>> weight[:, 0].round(9).tolist()
    [3.2, 3.2, 0.8, 0.8]
    """
    own = own_log_prob(log_prob_by, logger)
    *_, scale = _precision(ips(reward, target, own), logger)
    found: Floats = scale * importance_weight(target, own)[:, None]
    return found


def balanced_log_prob(log_prob_by: ArrayLike, logger: ArrayLike) -> Floats:
    """(n,) log of the loggers' mixture, sum_j (n_j / n) pi_j(a_i | x_i).

    Raises:
        ValueError: if the row's own logger gives it no probability, or a value is no log-probability.

    >>> np.exp(balanced_log_prob(np.log([[0.2, 0.4], [0.8, 0.6]]), [0, 1])).round(9).tolist()
    [0.3, 0.7]
    """
    values, codes = _checked(log_prob_by, logger)
    share = np.bincount(codes, minlength=values.shape[1]) / len(codes)
    seen = share > 0
    mixed: Floats = np.logaddexp.reduce(values[:, seen] + np.log(share[seen]), axis=1)
    return np.minimum(mixed, 0.0)  # the sum of probabilities of 1 may round above it


def own_log_prob(log_prob_by: ArrayLike, logger: ArrayLike) -> Floats:
    """(n,) log-propensity of each row under the logger that wrote it, for naive estimates.

    >>> np.exp(own_log_prob(np.log([[0.2, 0.4], [0.8, 0.6]]), [0, 1])).round(9).tolist()
    [0.2, 0.6]
    """
    values, codes = _checked(log_prob_by, logger)
    own: Floats = values[np.arange(len(codes)), codes]
    return own


def by_precision(terms: Terms, logger: ArrayLike) -> Terms:
    """The loggers' own averages of a plain average (`ips`, `dr` ...) weighted by precision: n_j / V_j for logger j.

    V_j is the variance of what the logger's rows contribute, per objective. The combination has the least variance of
    all that are unbiased for fixed weights; since the weights are estimated, it is consistent. Each row contributes its
    logger's deviation only, so that intervals do not count the fixed division of the log as luck.

    Source: Agarwal, Basu, Schnabel and Joachims 2017: scale n / (V_j sum_i n_i / V_i) of the rows of logger j.

    Args:
        terms: one row per logged action.
        logger: who wrote each row.

    Raises:
        ValueError: if `terms` are no plain average, or a logger has one row only or contributes one number only, whose
            variance says nothing.
    """
    contribution, value, mean, scale = _precision(terms, logger)
    return mean_terms(value + scale * (contribution - mean))


def _precision(terms: Terms, logger: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    """What rows contribute (n, o), the average (o,), and of each row's logger its mean and its rows' scale, (n, o)."""
    if terms.denominator.shape[1] != 1 or (terms.denominator != 1).any():
        raise ValueError(
            "the terms are of a ratio; only plain averages such as ips or dr can be weighted by precision."
        )
    n_loggers = int(np.max(np.asarray(logger), initial=0)) + 1
    codes = code_array(logger, n_loggers, "logger", kind="logger")
    contribution = terms.numerator[:, 0]  # (n, o)
    refuse_rows(terms=contribution, logger=codes)
    mean, variance, count = _by_logger(contribution, codes, n_loggers)
    present = count > 0
    precision = np.divide(count[:, None], variance, out=np.zeros_like(variance), where=present[:, None])  # (l, o)
    share = precision / precision.sum(axis=0)
    scale = np.divide(len(codes) * share, count[:, None], out=np.zeros_like(share), where=present[:, None])
    return contribution, (share * mean).sum(axis=0), mean[codes], scale[codes]


def _by_logger(contribution: Floats, codes: Integers, n_loggers: int) -> tuple[Floats, Floats, Integers]:
    """Means and variances (l, o) of what each logger's rows contribute, and their number (l,)."""
    count = np.bincount(codes, minlength=n_loggers)
    mean = sum_by(contribution, codes, n_loggers) / np.maximum(count, 1)[:, None]
    squares = sum_by(np.square(contribution - mean[codes]), codes, n_loggers)
    for number in np.flatnonzero(count):
        values = contribution[codes == number]
        same = np.ptp(values, axis=0) <= EQUAL * np.abs(values).max(axis=0)
        if same.any():
            objective = int(same.argmax())
            raise UnknownPrecisionError(int(number), int(count[number]), objective, float(values[0, objective]))
    return mean, squares / np.maximum(count - 1, 1)[:, None], count


def _checked(log_prob_by: ArrayLike, logger: ArrayLike) -> tuple[Floats, Integers]:
    values = numeric(log_prob_by, "log_prob_by", "f")
    if values.ndim != 2:
        raise ValueError(f"log_prob_by has shape {values.shape}; it must be (rows, loggers).")
    codes = code_array(logger, values.shape[1], "logger", kind="logger")
    refuse_rows(log_prob_by=values, logger=codes)
    for number, column in enumerate(values.T):
        action_target_array(column, f"log_prob_by of logger {number}")
    action_logged_array(values[np.arange(len(codes)), codes], "log_prob_by of the row's own logger")
    return values, codes
