"""Keyed random streams: every draw is a pure function of (seed, user, session, step, purpose, lane).

The generator is Philox-4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), bit-equal to
`numpy.random.Philox(key=[seed, purpose], counter=[block, step, session, user])`. Because nothing is drawn from a shared
sequence, user 17 meets the same luck alone or among thousands, on any number of threads, and under two policies.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import extending
from numpy.typing import ArrayLike, NDArray

from recsim.jit import inline_kernel, kernel

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]
Items = NDArray[np.int64]

_MULTIPLIER_0 = np.uint64(0xD2E7470EE14C6C93)
_MULTIPLIER_1 = np.uint64(0xCA5A826395121157)
_WEYL_0 = np.uint64(0x9E3779B97F4A7C15)
_WEYL_1 = np.uint64(0xBB67AE8584CAA73B)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_ELEVEN = np.uint64(11)
_TO_UNIT = 2.0**-53
_HALF_STEP = 2.0**-54

# Coefficients of AS 241 (PPND16), from the constant up: centre, shoulder and tail, numerator and denominator.
# fmt: off
_A = (3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
      4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3)
_B = (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
      2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3)
_C = (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
      1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4)
_D = (1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
      1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9)
_E = (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7)
_F = (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
      7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15)
# fmt: on


def _type_high_product(typing_context: Any, left: Any, right: Any) -> Any:
    """Upper 64 bits of the 128-bit product of two uint64 values, as one machine instruction."""
    signature = numba.types.uint64(numba.types.uint64, numba.types.uint64)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return signature, emit


_high_product: Any = extending.intrinsic(_type_high_product)


@inline_kernel
def philox(
    key_0: np.uint64,
    key_1: np.uint64,
    counter_0: np.uint64,
    counter_1: np.uint64,
    counter_2: np.uint64,
    counter_3: np.uint64,
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """The four words that follow `counter` under `key`: `numpy.random.Philox(key, counter).random_raw(4)`, in a kernel.

    Like numpy, the counter is advanced before use; word 0 must be below 2**64 - 1 so that no carry is due.
    """
    x0, x1, x2, x3 = counter_0 + _ONE, counter_1, counter_2, counter_3
    for _ in range(10):
        high_0 = _high_product(_MULTIPLIER_0, x0)
        high_1 = _high_product(_MULTIPLIER_1, x2)
        x0, x1, x2, x3 = high_1 ^ x1 ^ key_0, _MULTIPLIER_1 * x2, high_0 ^ x3 ^ key_1, _MULTIPLIER_0 * x0
        key_0 += _WEYL_0
        key_1 += _WEYL_1
    return x0, x1, x2, x3


@inline_kernel
def to_unit(word: np.uint64) -> float:
    """A float64 strictly between 0 and 1 from 64 random bits: the upper 53 bits, moved half a step up.

    The upper end is held below 1 (2**53 - 1 + 1/2 would round to 1), so that log(u) and log(1 - u) are always finite.
    """
    return min((word >> _ELEVEN) * _TO_UNIT + _HALF_STEP, 1.0 - _TO_UNIT)


@inline_kernel
def word_of(words: tuple[np.uint64, np.uint64, np.uint64, np.uint64], lane: np.uint64) -> np.uint64:
    """The word of a block that belongs to a lane; choosing without a branch, which no processor could foretell."""
    low = words[1] if lane & _ONE else words[0]
    high = words[3] if lane & _ONE else words[2]
    return high if lane & _TWO else low


class Moments(NamedTuple):
    """`Streams`, as kernels read them."""

    seed: np.uint64
    user: Words
    session: Words
    step: Words


@inline_kernel
def block_of(
    moments: Moments, row: int, purpose: np.uint64, number: int
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Block `number` of a user's stream: the words of lanes 4 * number to 4 * number + 3."""
    user, session, step = moments.user[row], moments.session[row], moments.step[row]
    return philox(moments.seed, purpose, np.uint64(number), step, session, user)


@inline_kernel
def drawn(moments: Moments, row: int, purpose: np.uint64, lane: int) -> float:
    """A user's draw in (0, 1), equal to `Streams.uniform` at that lane."""
    place = np.uint64(lane)
    user, session, step = moments.user[row], moments.session[row], moments.step[row]
    words = philox(moments.seed, purpose, place >> _TWO, step, session, user)
    return to_unit(word_of(words, place))


@inline_kernel
def to_normal(unit: float) -> float:
    """The standard normal quantile of a number in (0, 1): algorithm AS 241 (Wichura 1988), to about 16 digits."""
    centred = unit - 0.5
    if abs(centred) <= 0.425:
        r = 0.180625 - centred * centred
        above, below = _polynomial(_A, r), _polynomial(_B, r)
        return centred * above / below
    r = math.sqrt(-math.log(unit if centred < 0.0 else 1.0 - unit))
    if r <= 5.0:
        above, below = _polynomial(_C, r - 1.6), _polynomial(_D, r - 1.6)
    else:
        above, below = _polynomial(_E, r - 5.0), _polynomial(_F, r - 5.0)
    return math.copysign(above / below, centred)


@inline_kernel
def _polynomial(coefficients: tuple[float, ...], x: float) -> float:
    total = coefficients[7]
    for power in range(6, -1, -1):
        total = total * x + coefficients[power]
    return total


@kernel
def _to_normals(units: Floats, out: Floats) -> None:
    for j in range(len(units)):
        out[j] = to_normal(units[j])


@kernel
def _fill_lanes(moments: Moments, purpose: np.uint64, out: Floats) -> None:
    n, size = out.shape
    for row in range(n):
        for block in range((size + 3) // 4):
            words = block_of(moments, row, purpose, block)
            for word in range(min(4, size - 4 * block)):
                out[row, 4 * block + word] = to_unit(words[word])


@kernel
def _fill_items(moments: Moments, purpose: np.uint64, items: Items, out: Floats) -> None:
    n, size = out.shape
    for row in range(n):
        for column in range(size):
            out[row, column] = drawn(moments, row, purpose, items[row, column])


@lru_cache(maxsize=1024)
def purpose_key(purpose: str) -> np.uint64:
    """The 64-bit key of a named purpose, the same on every machine: the first 8 bytes of BLAKE2b of the name."""
    return np.uint64(int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little"))


@dataclass(frozen=True)
class Streams:
    """Random streams of n users at one moment each.

    Attributes:
        seed: uint64, the seed of the whole world.
        user: (n,) uint64, user numbers.
        session: (n,) uint64, session numbers of these users.
        step: (n,) uint64, steps within the sessions.
    """

    seed: np.uint64
    user: Words
    session: Words
    step: Words

    @classmethod
    def of(cls, seed: int, users: int | ArrayLike, session: ArrayLike = 0, step: ArrayLike = 0) -> Streams:
        """Streams of `users` (see `user_numbers`) at the given session and step.

        Raises:
            ValueError: if there are no users, the seed or a user, session or step is no whole number from 0 up, or the
                seed needs more than 64 bits.
        """
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed is {seed}; a seed is a whole number from 0 to 2**64 - 1. Choose one in that range.")
        rows = user_numbers(users)
        parts = rows, _whole("session", session), _whole("step", step)
        wide = [np.broadcast_to(values, rows.shape).astype(np.uint64) for values in parts]
        return cls(np.uint64(seed), wide[0], wide[1], wide[2])

    def __len__(self) -> int:
        """The number of users n."""
        return len(self.user)

    @property
    def moments(self) -> Moments:
        """The same, as kernels read them."""
        return Moments(self.seed, self.user, self.session, self.step)

    def __getitem__(self, rows: Any) -> Streams:
        """The streams of some of the users: a boolean mask (n,), a slice or an array of row numbers."""
        return replace(self, user=self.user[rows], session=self.session[rows], step=self.step[rows])

    def at(self, step: ArrayLike) -> Streams:
        """The same users at another step: a number for all, or (n,) one each."""
        steps = np.empty_like(self.user)
        steps[:] = step
        return Streams(self.seed, self.user, self.session, steps)

    def uniform(self, purpose: str, size: int | None = None, *, items: Items | None = None) -> Floats:
        """Draws in the open interval (0, 1).

        Args:
            purpose: what the draw decides; two purposes never share a draw.
            size: number of lanes k: the result is (n, k), lane j being the j-th draw. Without it the result is (n,).
            items: (n, k) int64, lanes named by item instead: the draw belongs to the item wherever it is shown, so
                that a replay with another slate meets the same luck per item. An empty position (-1) draws from a lane
                of its own.

        Returns:
            (n,), (n, size) or the shape of `items`, float64.
        """
        key = purpose_key(purpose)
        if items is not None:
            out = np.empty(items.shape)
            _fill_items(self.moments, key, np.ascontiguousarray(items, np.int64), out)
            return out
        out = np.empty((len(self), 1 if size is None else size))
        _fill_lanes(self.moments, key, out)
        return out[:, 0] if size is None else out

    def normal(self, purpose: str, size: int | None = None, *, items: Items | None = None) -> Floats:
        """Standard normal draws, by the inverse distribution function; arguments and shapes as in `uniform`."""
        draws = np.ascontiguousarray(self.uniform(purpose, size, items=items))
        _to_normals(draws.reshape(-1), draws.reshape(-1))
        return draws

    def gumbel(self, purpose: str, size: int | None = None, *, items: Items | None = None) -> Floats:
        """Standard Gumbel draws -log(-log u), always finite; arguments and shapes as in `uniform`."""
        draws: Floats = -np.log(-np.log(self.uniform(purpose, size, items=items)))
        return draws

    def choice(self, purpose: str, probability: Floats) -> Items:
        """One category a user.

        Args:
            purpose: what the draw decides.
            probability: (c,) for all users or (n, c) one row each; rows are non-negative and sum to 1.

        Returns:
            (n,) int64 in 0..c-1.

        Raises:
            ValueError: if a row has a negative value or does not sum to 1.
        """
        table = np.broadcast_to(probability, (len(self), np.shape(probability)[-1]))
        total = table.sum(axis=1)
        wrong = np.flatnonzero((table < 0).any(axis=1) | ~(np.abs(total - 1.0) < 1e-6))
        if wrong.size:
            row = int(wrong[0])
            raise ValueError(f"row {row} of probability sums to {total[row]:g} or is negative; divide it by its sum.")
        below = self.uniform(purpose)[:, None] >= np.cumsum(table, axis=1)[:, :-1]
        chosen: Items = below.sum(axis=1)
        return chosen


def user_numbers(users: int | ArrayLike) -> Items:
    """(n,) int64 user numbers (uint64 if they need it): a single number is a count n and means 0..n-1, an array names.

    >>> user_numbers(3).tolist(), user_numbers([3]).tolist()
    ([0, 1, 2], [3])

    Raises:
        ValueError: if there are none, or they are no whole numbers from 0 up.
    """
    given = np.asarray(users)
    if given.size == 0 or (given.ndim == 0 and given == 0):
        raise ValueError("there are no users; at least 1 is needed.")
    whole = _whole("user", given)
    if whole.ndim > 1:
        raise ValueError(f"user numbers have shape {whole.shape}; a count n or an array (n,) is needed.")
    if whole.ndim == 0:
        return np.arange(int(whole))
    return whole.astype(np.int64) if whole.max() <= np.iinfo(np.int64).max else whole


def _whole(name: str, numbers: ArrayLike) -> NDArray[Any]:
    values = np.asarray(numbers)
    if values.dtype.kind not in "iu" or (values.size and values.min() < 0):
        raise ValueError(
            f"{name} numbers must be whole numbers from 0 up, but {values.tolist() if values.ndim == 0 else values!r} "
            "was given."
        )
    return values


def sub_seed(seed: int, purpose: str) -> int:
    """A seed for one part of an experiment, derived from the experiment's seed: parts named differently share no luck.

    >>> sub_seed(0, "evaluation") == sub_seed(0, "evaluation") != sub_seed(0, "training")
    True
    """
    if not math.isfinite(seed) or not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}; a seed is a whole number from 0 to 2**64 - 1. Choose one in that range.")
    text = f"{seed}/{purpose}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")
