"""Marginals of Plackett-Luce: how likely an item stands at a position, whatever stands elsewhere.

Let every item arrive at an exponential time, item b at rate e^logit_b: the order of arrival is Plackett-Luce (Yellott
1977). Item a is at position j if j others came before it, so that

    P(a at j) = integral over t of rate_a e^(-rate_a t) P(j of the others have arrived by t) dt,

where each of the others has arrived with probability 1 - e^(-rate_b t), independently. With t = e^s the integrand is
analytic wherever |Im s| < pi/2, and there at most (1 / cos Im s)^(j+1) times as large as on the real axis, since
|1 - e^-w| <= (1 - e^-Re w) Re w^-1 |w|. So the trapezoidal rule of step h is off by no more than
2 e^(-2 pi d / h) (1 / cos d)^(j+1) of P(a at j) itself for every d < pi/2 (Trefethen & Weideman 2014, theorem 5.1):
the error is relative, and the same for all logits, however far apart. Four nodes per doubling of t make it 4e-15 for
slates of 10. Nodes a doubling apart need no exponentials, and every sum is one of positive numbers: nothing cancels.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from recsim.jit import allocating_row_kernel, inline_kernel
from recsim.slates import check_size, checked_slates

Floats = NDArray[np.float64]
Items = NDArray[np.int64]

_LANES = 4  # nodes per doubling of t, side by side in a vector register
_DOUBLINGS = 32  # before rates are computed anew
_LOG_2 = math.log(2.0)
_START = -20.0 * _LOG_2  # at first no more than 2^-20 items have arrived: what comes before adds 3e-12 of the whole
_EARLY = -30.0  # the logarithm of such a number behind a gap, where it is the share that is lost
_ALL_HERE = math.log(800.0)  # e^-800 is 0
_REST = 1e-13  # of a probability, may lie behind the last node
_NOTHING = 1e-300  # probabilities below are told as 0
_DISCRETE = 1e-11  # largest relative error by the step


def plackett_luce_marginal_log_prob(logits: Floats, slate: Items) -> Floats:
    """Log-probability that each item of a slate stands at its position, whatever stands at the others.

    Exact to a relative error of 2e-11; what has a probability below 1e-300 gets -inf. About 30 doublings of time times
    m times k steps a row, more where the k highest logits lie far apart.

    Args:
        logits: (n, m) float64, finite.
        slate: (n, k) int64 without repeats.

    Returns:
        (n, k) float64.

    Raises:
        ValueError: if a logit is not finite, or a slate has an item twice, an empty position or an item that does not
            exist.

    >>> log_prob = plackett_luce_marginal_log_prob(np.log([[1.0, 2.0, 3.0]]), np.array([[0, 1]]))
    >>> np.exp(log_prob).round(9).tolist()  # 1/6, then 1/6 * 2/5 + 3/6 * 2/3
    [[0.166666667, 0.4]]
    """
    slate = checked_slates(logits, slate)
    return _log_prob(logits, slate, slate.shape[1], own=True)[:, :, 0]


def plackett_luce_position_log_prob(logits: Floats, items: Items, k: int) -> Floats:
    """Log-probability that each of some items stands at each of the positions 0 to k-1; accuracy as above.

    Args:
        logits: (n, m) float64, finite.
        items: (n, w) int64 without repeats in a row.
        k: positions of the slates.

    Returns:
        (n, w, k) float64.

    Raises:
        ValueError: as of `plackett_luce_marginal_log_prob`, or if k is not between 1 and m.

    >>> log_prob = plackett_luce_position_log_prob(np.log([[1.0, 2.0, 3.0]]), np.array([[1]]), 3)
    >>> np.exp(log_prob).round(9).tolist()  # 2/6, then 1/6 * 2/5 + 3/6 * 2/3, then the rest
    [[[0.333333333, 0.4, 0.266666667]]]
    """
    check_size(logits, k)
    return _log_prob(logits, checked_slates(logits, items), k, own=False)


def plackett_luce_marginals(logits: Floats, k: int) -> Floats:
    """(n, k, m) float64, the probability of every item at every position: 8 n k m bytes, so pass a few rows at a time.

    Args:
        logits: (n, m) float64, finite.
        k: positions of the slates.

    Raises:
        ValueError: if a logit is not finite, or k is not between 1 and m.

    >>> plackett_luce_marginals(np.log([[1.0, 3.0]]), 2).round(9).tolist()
    [[[0.25, 0.75], [0.75, 0.25]]]
    """
    check_size(logits, k)
    everything = np.broadcast_to(np.arange(logits.shape[1]), logits.shape)
    log_prob = _log_prob(logits, np.ascontiguousarray(everything), k, own=False)
    return np.exp(log_prob).transpose(0, 2, 1)


def _log_prob(logits: Floats, wanted: Items, k: int, own: bool) -> Floats:
    if not np.isfinite(logits).all():
        row, item = (int(i) for i in np.argwhere(~np.isfinite(logits))[0])
        raise ValueError(
            f"the logit of row {row}, item {item} is {logits[row, item]}; logits are finite. "
            "Give items that are never shown a very low one, such as -1e9."
        )
    out = np.empty((*wanted.shape, 1 if own else k))
    _fill(np.ascontiguousarray(logits, np.float64), wanted, k, own, _passes(k), out)
    return out


def _passes(k: int) -> int:
    """How often to go through all nodes, each time between those before, for a relative error of 1e-11 by the step."""
    passes = 1
    while True:
        wave = 2.0 * math.pi * _LANES * passes / _LOG_2
        width = math.atan(wave / k)  # where the bound of the module's first lines is lowest
        if 2.0 * math.exp(-wave * width - k * math.log(math.cos(width))) <= _DISCRETE:
            return passes
        passes += 1


@inline_kernel
def _arrive(logit: Floats, shift: float, offset: float, rate: Floats, arrived: Floats, left: Floats) -> None:
    """Fill the chances that items arrived by times e^shift 2^((lane + offset) / 4), or not, and rates times times."""
    first = len(logit) - len(rate)
    for item in range(len(logit)):
        unit = np.exp(min(logit[item] + shift, 600.0))  # far beyond `_ALL_HERE`, and no overflow in 32 doublings
        for lane in range(_LANES):
            time = unit * 2.0 ** ((lane + offset) / _LANES)
            if time < 1e-5:
                arrived[item, lane] = time * (1.0 - time * (0.5 - time / 6.0))
                left[item, lane] = 1.0 - arrived[item, lane]
            else:
                arrived[item, lane] = -np.expm1(-time)
                left[item, lane] = np.exp(-time)
            if item >= first:
                rate[item - first, lane] = time


@inline_kernel
def _double(rate: Floats, arrived: Floats, left: Floats) -> None:
    """The same at twice the time: 1 - (1 - p)^2 = p (2 - p) keeps a small p, and squares keep a small 1 - p."""
    for item in range(len(arrived)):
        for lane in range(_LANES):
            gone = arrived[item, lane] * (2.0 - arrived[item, lane])
            arrived[item, lane] = gone
            left[item, lane] = 1.0 - gone if gone < 0.5 else left[item, lane] * left[item, lane]
    for item in range(len(rate)):
        for lane in range(_LANES):
            rate[item, lane] *= 2.0


@inline_kernel
def _nobody(counts: Floats) -> None:
    """Fill the chances `counts` (lanes, k) that 0, 1, .. k-1 items have arrived, of no items."""
    counts[:] = 0.0
    for lane in range(_LANES):
        counts[lane, 0] = 1.0


@inline_kernel
def _one_more(counts: Floats, arrived: Floats, left: Floats) -> None:
    """Take one more item into `counts`, where it is."""
    for lane in range(_LANES):
        came, stays = arrived[lane], left[lane]
        for number in range(counts.shape[1] - 1, 0, -1):
            counts[lane, number] = counts[lane, number] * stays + counts[lane, number - 1] * came
        counts[lane, 0] *= stays


@inline_kernel
def _copy(counts: Floats, out: Floats) -> None:
    for lane in range(_LANES):
        for number in range(counts.shape[1]):
            out[lane, number] = counts[lane, number]


@inline_kernel
def _add(rate: Floats, arrived: Floats, left: Floats, before: Floats, after: Floats, own: bool, out: Floats) -> None:
    """Add the integrand to `out` (w, k or 1): the wanted items are the last; one is left out as before times after."""
    w, first = len(rate), len(arrived) - len(rate)
    _nobody(before[0])
    for item in range(first):
        _one_more(before[0], arrived[item], left[item])
    for j in range(w):
        _copy(before[j], before[j + 1])
        _one_more(before[j + 1], arrived[first + j], left[first + j])
    _nobody(after)
    for j in range(w - 1, -1, -1):
        for lane in range(_LANES):
            weight = rate[j, lane] * left[first + j, lane]
            for place in range(out.shape[1]):
                position, chance = j if own else place, 0.0
                for number in range(position + 1):
                    chance += before[j, lane, number] * after[lane, position - number]
                out[j, place] += chance * weight
        _one_more(after, arrived[first + j], left[first + j])


@inline_kernel
def _finished(left: Floats, counts: Floats, own: bool, below: Floats, out: Floats) -> bool:
    """Whether what comes later is negligible: then an item has not arrived yet, and no more than its position have."""
    w, total = len(out), 0.0
    for number in range(len(below)):
        total += counts[_LANES - 1, number]
        below[number] = total
    for j in range(w):
        for place in range(out.shape[1]):
            position = j if own else place
            later = min(left[len(left) - w + j, _LANES - 1], below[position])
            if position > 0 and later > max(_NOTHING, _REST * out[j, place]):
                return False
    return True


@inline_kernel
def _skip(best: Floats, n_items: int, shift: float) -> float:
    """A later `shift`, if until then nobody arrives: all who came are long here, and the next is far away."""
    here = 0
    while here < len(best) and best[here] + shift > _ALL_HERE:
        here += 1
    if 0 < here < len(best):
        shift = max(shift, _EARLY - best[here] - math.log(n_items - here))
    return shift


@inline_kernel
def _insert(best: Floats, value: float) -> None:
    """Take a value into the highest, in descending order."""
    place = len(best) - 1
    if value > best[place]:
        while place > 0 and best[place - 1] < value:
            best[place] = best[place - 1]
            place -= 1
        best[place] = value


@allocating_row_kernel
def _fill(logits: Floats, wanted: Items, k: int, own: bool, passes: int, out: Floats) -> None:
    n, m = logits.shape
    w = wanted.shape[1]
    for row in numba.prange(n):
        logit, is_wanted, place = np.empty(m), np.zeros(m, np.bool_), 0
        for j in range(w):
            is_wanted[wanted[row, j]] = True
            logit[m - w + j] = logits[row, wanted[row, j]]
        best = np.full(k, -np.inf)
        for item in range(m):
            _insert(best, logits[row, item])
            if not is_wanted[item]:
                logit[place] = logits[row, item]
                place += 1
        log_total = np.log(np.exp(logit - best[0]).sum()) + best[0]
        chance = np.zeros((w, out.shape[2]))
        rate, arrived, left = np.empty((w, _LANES)), np.empty((m, _LANES)), np.empty((m, _LANES))
        before, after, below = np.empty((w + 1, _LANES, k)), np.empty((_LANES, k)), np.empty(k)
        for part in range(passes if k > 1 else 0):
            shift, finished = _START - log_total, False
            while not finished:
                _arrive(logit, shift, part / passes, rate, arrived, left)
                for _ in range(_DOUBLINGS):
                    _add(rate, arrived, left, before, after, own, chance)
                    finished = _finished(left, before[w], own, below, chance)
                    shift += _LOG_2
                    later = _skip(best, m, shift)
                    if finished or later > shift:
                        shift = later
                        break
                    _double(rate, arrived, left)
        for j in range(w):
            for place in range(out.shape[2]):
                share = chance[j, place] * _LOG_2 / (_LANES * passes)
                out[row, j, place] = min(np.log(share), 0.0) if share > _NOTHING else -np.inf
            if not own or j == 0:
                out[row, j, 0] = logit[m - w + j] - log_total
