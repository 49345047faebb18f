"""Metrics of slates and rankings, and intervals of means: pure functions on arrays.

Rates are ratios of sums, so the counts may be per position (n, k), per session (n,) or per item (m,). Metrics of a
ranking take slates of item numbers, -1 an empty position, which is never a hit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]
Items = NDArray[np.int64]

_BLOCK = 4_000_000  # numbers of gathered embeddings at a time


@dataclass(frozen=True)
class Interval:
    """A mean with its uncertainty.

    Attributes:
        mean: of the sample.
        se: its standard error.
        low: lower end.
        high: upper end.
    """

    mean: float
    se: float
    low: float
    high: float


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """The mean of `values` (n,) with its two-sided Student t interval.

    mean ± t((1 + level) / 2, n - 1) × s / sqrt(n), s with n - 1 in the denominator. The values must be independent: one
    a session, not one a slate.

    Source: Student 1908, "The probable error of a mean".

    >>> interval = mean_interval([1.0, 2.0, 3.0])  # s = 1, se = 1 / sqrt(3), t(0.975, 2) = 4.3027
    >>> round(interval.mean, 4), round(interval.se, 4), round(interval.high, 4)
    (2.0, 0.5774, 4.4841)

    Raises:
        ValueError: with fewer than 2 values, a value that is not finite, or a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; an interval's level is a probability between 0 and 1, such as 0.95.")
    sample = np.asarray(values, np.float64)
    if sample.ndim != 1 or len(sample) < 2:
        raise ValueError(
            f"values have shape {sample.shape}; an interval of a mean needs one axis of at least 2 values."
        )
    if not np.isfinite(sample).all():
        row = int(np.flatnonzero(~np.isfinite(sample))[0])
        raise ValueError(f"value {row} is {sample[row]}; a mean needs finite numbers. Drop or repair the row.")
    mean = float(sample.mean())
    se = float(sample.std(ddof=1) / np.sqrt(len(sample)))
    half = float(stdtrit(len(sample) - 1, (1 + level) / 2)) * se
    return Interval(mean, se, mean - half, mean + half)


def paired_interval(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Interval:
    """The mean of `a` - `b`, both (n,), row i of both the same user, with its interval: what the rows share cancels.

    >>> paired_interval([2.0, 5.0], [1.0, 4.0])  # the difference is 1 in both rows
    Interval(mean=1.0, se=0.0, low=1.0, high=1.0)

    Raises:
        ValueError: if the two are of different lengths, and as in `mean_interval`.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise ValueError(
            f"a has shape {first.shape} and b {second.shape}; paired values need the same users in the same order."
        )
    return mean_interval(first - second, level)


def click_through_rate(clicks: ArrayLike, shown: ArrayLike) -> float:
    """Clicks per item shown, sum(clicks) / sum(shown); NaN where nothing was shown.

    Source: Richardson, Dominowska & Ragno 2007, "Predicting clicks", section 1.

    >>> click_through_rate([[True, False], [False, False]], [[True, True], [True, True]])  # 1 of 4
    0.25
    """
    return _ratio(clicks, shown)


def conversion_rate(conversions: ArrayLike, clicks: ArrayLike) -> float:
    """Conversions per click, sum(conversions) / sum(clicks); NaN without clicks.

    Source: Ma et al. 2018, "Entire space multi-task model", section 2.1 (post-click conversion rate).

    >>> conversion_rate([1, 0], [2, 2])  # 1 of 4
    0.25
    """
    return _ratio(conversions, clicks)


def novelty_per_click(novelty: ArrayLike, clicks: ArrayLike) -> float:
    """Mean novelty of the clicked items, sum(novelty of clicked items) / sum(clicks); NaN without clicks.

    Source: Castells, Hurley & Vargas 2015, "Novelty and diversity in recommender systems", section 26.3.2.

    >>> novelty_per_click([0.5, 0.25], [1, 2])  # 0.75 in 3 clicks
    0.25
    """
    return _ratio(novelty, clicks)


def catalogue_coverage(exposure: ArrayLike) -> float:
    """Share of the m items that were shown at least once; `exposure` (m,) counts how often each one was.

    Source: Ge, Delgado-Battenfeld & Jannach 2010, "Beyond accuracy", section 3.1.

    >>> catalogue_coverage([3, 0, 1, 0])  # 2 of 4
    0.5
    """
    return float(np.count_nonzero(_exposure(exposure)) / np.size(exposure))


def gini(exposure: ArrayLike) -> float:
    """Gini index of `exposure` (m,): 0 where all items are shown equally often, 1 - 1/m where only one is shown.

    sum over i of (2 i - m - 1) x_i / (m × sum x), x ascending, i from 1; NaN where nothing was shown.

    Source: Fleder & Hosanagar 2009, "Blockbuster culture's next rise or fall", section 4; Gini 1912.

    >>> gini([1, 3])  # (-1 × 1 + 1 × 3) / (2 × 4)
    0.25
    """
    ascending = np.sort(_exposure(exposure))
    m = len(ascending)
    total = ascending.sum()
    signs = 2 * np.arange(1, m + 1) - m - 1
    return float(signs @ ascending / (m * total)) if total > 0 else float("nan")


def intra_list_diversity(slate: Items, embedding: NDArray[np.floating]) -> Floats:
    """Mean cosine distance between the items of each slate, over all pairs that have an embedding.

    2 / (c (c - 1)) × sum over pairs of (1 - cos), c items with an embedding; NaN where there are fewer than two.

    Source: Smyth & McClave 2001, "Similarity vs. diversity"; Castells, Hurley & Vargas 2015, section 26.3.1.

    Args:
        slate: (n, k) int64 item numbers, -1 an empty position.
        embedding: (m, d), an all-zero row is an item without an embedding. `Catalog.taste` or one modality.

    Returns:
        (n,) float64 in [0, 2].

    >>> intra_list_diversity(np.array([[0, 1, 2]]), np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))  # (0 + 1 + 1) / 3
    array([0.66666667])
    """
    rows = max(1, _BLOCK // (slate.shape[1] * embedding.shape[1]))
    blocks = [_diversity(slate[i : i + rows], embedding) for i in range(0, len(slate), rows)]
    return np.concatenate(blocks) if blocks else np.empty(0)


def precision_at(k: int, slate: Items, relevant: NDArray[np.bool_]) -> Floats:
    """Share of the first k positions that hold a relevant item.

    Source: Manning, Raghavan & Schütze 2008, "Introduction to information retrieval", section 8.4.

    Args:
        k: cutoff, at most the length of the slates.
        slate: (n, r) int64 item numbers, best first, -1 an empty position.
        relevant: (n, m) bool.

    Returns:
        (n,) float64.

    >>> precision_at(2, np.array([[4, 0, 1]]), np.array([[True, True, False, False, False]]))  # item 0 of items 4, 0
    array([0.5])
    """
    precision: Floats = _gathered(k, slate, relevant).sum(axis=1) / k
    return precision


def recall_at(k: int, slate: Items, relevant: NDArray[np.bool_]) -> Floats:
    """Share of the relevant items that stand in the first k positions; arguments and source as in `precision_at`.

    0 for a user without relevant items, as in trec_eval.

    >>> recall_at(2, np.array([[4, 0, 1]]), np.array([[True, True, False, True, False]]))  # item 0 of items 0, 1, 3
    array([0.33333333])
    """
    found = _gathered(k, slate, relevant).sum(axis=1)
    recall: Floats = found / np.maximum(relevant.sum(axis=1), 1)
    return recall


def f1_at(k: int, slate: Items, relevant: NDArray[np.bool_]) -> Floats:
    """Harmonic mean of precision and recall at k, 2 p r / (p + r), 0 where both are 0; arguments as in `precision_at`.

    Source: van Rijsbergen 1979, "Information retrieval", chapter 7.

    >>> f1_at(2, np.array([[4, 0, 1]]), np.array([[True, True, False, True, False]]))  # p = 1/2, r = 1/3
    array([0.4])
    """
    precision, recall = precision_at(k, slate, relevant), recall_at(k, slate, relevant)
    total = precision + recall
    f1: Floats = 2 * precision * recall / np.where(total > 0, total, 1.0)
    return f1


def ndcg_at(k: int, slate: Items, gain: NDArray[np.generic]) -> Floats:
    """Normalised discounted cumulative gain of the first k positions.

    DCG = sum over positions j from 1 of gain_j / log2(j + 1), divided by the DCG of the best possible order of all m
    items; 0 where no item has a gain, as in trec_eval. Pass 2 ** relevance - 1 for the exponential form.

    Source: Järvelin & Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques".

    Args:
        k: cutoff, at most the length of the slates.
        slate: (n, r) int64 item numbers, best first, -1 an empty position.
        gain: (n, m) >= 0 of every item.

    Returns:
        (n,) float64 in [0, 1].

    >>> ndcg_at(2, np.array([[1, 0]]), np.array([[3.0, 0.0]]))  # (3 / log2(3)) / (3 / log2(2))
    array([0.63092975])
    """
    if (np.asarray(gain) < 0).any():
        raise ValueError(f"the lowest gain is {np.min(gain)}; the gain of an item in NDCG is 0 or more.")
    found = _gathered(k, slate, gain)
    best = -np.sort(-np.asarray(gain, np.float64), axis=1)[:, :k]
    ideal = best @ _discount(best.shape[1])
    return (found @ _discount(k)) / np.where(ideal > 0, ideal, 1.0)


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> float:
    below = float(np.sum(denominator))
    return float(np.sum(numerator)) / below if below else float("nan")


def _exposure(exposure: ArrayLike) -> Floats:
    counts = np.asarray(exposure, np.float64)
    if counts.ndim != 1 or not len(counts) or not (counts >= 0).all():
        raise ValueError(
            f"exposure of shape {counts.shape} does not count how often each item was shown; "
            "pass (m,) numbers of 0 or more."
        )
    return counts


def _discount(k: int) -> Floats:
    return np.asarray(1.0 / np.log2(np.arange(2, k + 2)), np.float64)


def _gathered(k: int, slate: Items, values: NDArray[np.generic]) -> Floats:
    """(n, k) `values` (n, m) of the items in the first k positions; 0 where a position is empty."""
    if not 1 <= k <= slate.shape[1]:
        raise ValueError(f"k is {k}, but the slates have {slate.shape[1]} positions; choose a cutoff from 1 to that.")
    if len(slate) != len(values):
        raise ValueError(f"there are {len(slate)} slates but {len(values)} rows of relevance; pass one row a slate.")
    top = slate[:, :k]
    found = np.take_along_axis(np.asarray(values, np.float64), np.maximum(top, 0), axis=1)
    return np.where(top >= 0, found, 0.0)


def _diversity(slate: Items, embedding: NDArray[np.floating]) -> Floats:
    rows = embedding[np.maximum(slate, 0)].astype(np.float64)  # (n, k, d)
    norm = np.linalg.norm(rows, axis=2)
    known = (slate >= 0) & (norm > 0)
    unit = np.where(known[..., None], rows / np.where(norm > 0, norm, 1.0)[..., None], 0.0)
    count = known.sum(axis=1)
    # The squared length of the sum of c unit vectors is c + 2 × the sum of cosines over pairs.
    pairs = count * (count - 1)
    cosines = np.square(unit.sum(axis=1)).sum(axis=1) - count
    return np.where(pairs > 0, 1.0 - cosines / np.where(pairs > 0, pairs, 1), np.nan)
