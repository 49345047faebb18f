"""Who the interest users are: the hidden state, and how new users are drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from recsim.jit import dot, inline_kernel, row_kernel, shrink
from recsim.streams import Moments, Streams, block_of, drawn, purpose_key, sub_seed, to_normal, to_unit, word_of
from recsim.users.interest.config import InterestConfig
from recsim.users.interest.market import Market

Floats = NDArray[np.float32]
Items = NDArray[np.int64]

_LOW = np.uint64(0xFFFF)
_MIDDLE = np.float32((2**16 - 1) / 2)
_SCALE = math.sqrt(12.0 / (2.0**32 - 1.0))  # one over the standard deviation of 16 random bits


class Rows(NamedTuple):
    """The arrays of `InterestState` that kernels read and write."""

    interest: Floats
    weight: Floats
    satiation: Floats
    patience: Floats
    price_sensitivity: Floats
    appetite: Floats
    trust: Floats
    pleasure: Floats
    day: Floats


@dataclass(frozen=True)
class InterestState:
    """Hidden state of n users.

    Attributes:
        interest: (n, D) float32, one interest of unit length per modality, side by side as in `Catalog.taste`; 0 in a
            modality that none of the user's anchors has.
        weight: (n, M) float32, modality weights, summing to 1.
        satiation: (n, C) float32, per category, from 0 up.
        patience: (n,) float32, slates the user would still sit through; at 0 the user leaves.
        price_sensitivity: (n,) float32, logits per standard deviation of log price.
        appetite: (n,) float32, logits between the most and the least popular item.
        trust: (n,) float32, what clicks have been worth lately, from -1 (bait) to 1.
        pleasure: (n,) float32, patience that this session's clicks gave back, net.
        day: (n,) float32, today.
        persona: (n,) int64, kind of person, -1 where there are no kinds.
        declared: (n,) int64, favourite category told in the profile, -1 for none.
    """

    interest: Floats
    weight: Floats
    satiation: Floats
    patience: Floats
    price_sensitivity: Floats
    appetite: Floats
    trust: Floats
    pleasure: Floats
    day: Floats
    persona: Items
    declared: Items

    @cached_property
    def rows(self) -> Rows:
        """The arrays that kernels read and write."""
        return Rows(*(getattr(self, name) for name in Rows._fields))

    @cached_property
    def as_sampled(self) -> bool:
        """Whether these arrays have the types of those that `sample` gives, so that nobody need look again."""
        return all(array.dtype == np.float32 and array.flags.carray for array in self.rows)


class Traits(NamedTuple):
    """Numbers of `InterestConfig` that decide who new users are, in its words."""

    anchors: int
    interest_noise: float
    patience: float
    patience_limit: float
    price_sensitivity: float
    appetite: float
    profile_share: float
    period: float


class _Keys(NamedTuple):
    """Keys of the draws."""

    anchor: np.uint64
    share: np.uint64
    noise: np.uint64
    patience: np.uint64
    traits: np.uint64


_KEYS = _Keys(*map(purpose_key, ("anchor", "anchor share", "interest noise", "patience", "traits")))


class Population:
    """Draws new users of a market: interests around real items, so that tastes lie where items lie."""

    def __init__(self, config: InterestConfig, market: Market, n_categories: int, seed: int) -> None:
        """The users that `config` describes; `seed` decides who the personas are."""
        self._config, self._market, self._n_categories = config, market, n_categories
        others = (float(getattr(config, name)) for name in Traits._fields[1:])
        self._traits = Traits(int(config.anchors), *others)  # of one type each: numba compiles for every mixture
        if not config.has_days:
            self._traits = self._traits._replace(period=0.0)
        if config.personas:
            kinds = Streams.of(sub_seed(seed, "personas"), config.personas)
            self._personas = self._people(kinds)
            share = -np.log(kinds.uniform("persona share"))
            self._persona_share = share / share.sum()  # some kinds are rarer than others

    def sample(self, users: Streams) -> InterestState:
        """Hidden state of n new users."""
        state = self._people(users)
        if self._config.personas:
            state.persona[:] = users.choice("persona", self._persona_share)
            strength, kinds = float(self._config.persona_strength), self._personas
            _blend(state.interest, state.persona, kinds.interest, self._market.offsets, strength)
            state.weight[:] += np.float32(strength) * (kinds.weight[state.persona] - state.weight)
        return state

    def patience(self, users: Streams) -> Floats:
        """(n,) float32, what users bring to a session."""
        out = np.empty(len(users), np.float32)
        _draw_patience(out, users.moments, self._traits)
        return out

    def _people(self, users: Streams) -> InterestState:
        n, market = len(users), self._market
        weight = _dirichlet(users, self._config.weight_concentration, len(market.offsets) - 1)
        patience, price_sensitivity, appetite, day = np.empty((4, n), np.float32)
        trust, pleasure = np.zeros((2, n), np.float32)
        state = InterestState(
            interest=np.empty((n, market.taste.shape[1]), np.float32),
            weight=weight.astype(np.float32),
            satiation=np.zeros((n, self._n_categories), np.float32),
            patience=patience,
            price_sensitivity=price_sensitivity,
            appetite=appetite,
            trust=trust,
            pleasure=pleasure,
            day=day,
            persona=np.full(n, -1),
            declared=np.empty(n, np.int64),
        )
        _draw_people(state.declared, users.moments, self._traits, market, state.rows)
        return state


def _dirichlet(users: Streams, concentration: float, parts: int) -> NDArray[np.float64]:
    """(n, parts) Dirichlet draws: gamma variables by the inverse distribution function, over their sum."""
    unit = users.uniform("modality weight", parts)
    exponential = concentration == 1.0  # as gamma variables of shape 1 are
    gamma = -np.log(unit) if exponential else np.maximum(gammaincinv(concentration, unit), 1e-12)
    weight: NDArray[np.float64] = gamma / gamma.sum(axis=1, keepdims=True)
    return weight


@inline_kernel
def drift_toward(wish: Floats, target: Floats, offsets: Items, rate: float) -> None:
    """Move an interest (D,) toward `target` in every modality that both have, and back to unit length."""
    if rate == 0.0:
        return  # or rounding would move it
    for part in range(len(offsets) - 1):
        mine, theirs = wish[offsets[part] : offsets[part + 1]], target[offsets[part] : offsets[part + 1]]
        size = len(mine)
        if dot(theirs, theirs, 0, size) == 0.0 or dot(mine, mine, 0, size) == 0.0:
            continue
        for j in range(size):
            mine[j] += np.float32(rate) * (theirs[j] - mine[j])
        length = math.sqrt(dot(mine, mine, 0, size))
        if length > 0.0:
            shrink(mine, np.float32(1.0 / length))


@row_kernel
def _blend(interest: Floats, persona: Items, centre: Floats, offsets: Items, rate: float) -> None:
    """Move n users' interests toward the centre of their personas."""
    for row in numba.prange(len(interest)):
        drift_toward(interest[row], centre[persona[row]], offsets, rate)


@inline_kernel
def _patience(traits: Traits, moments: Moments, row: int) -> np.float32:
    brought = 1.0 - traits.patience * math.log(drawn(moments, row, _KEYS.patience, 0))
    return np.float32(min(brought, traits.patience_limit))


@row_kernel
def _draw_patience(out: Floats, moments: Moments, traits: Traits) -> None:
    for row in numba.prange(len(out)):
        out[row] = _patience(traits, moments, row)


@inline_kernel
def _draw_interest(interest: Floats, traits: Traits, market: Market, moments: Moments, row: int) -> int:
    """Fill an interest (D,): a mixture of anchor items plus noise, of unit length per modality; the main anchor.

    The noise of column j is uniform: the j-th 16 bits of the stream, of which a block of four words has sixteen. Its
    length is about `interest_noise` times that of the mixture.
    """
    interest[:] = 0.0
    most, favourite = -1.0, 0
    for number in range(traits.anchors):
        item = int(drawn(moments, row, _KEYS.anchor, number) * len(market.category))
        share = -math.log(drawn(moments, row, _KEYS.share, number))
        if share > most:
            most, favourite = share, item
        target = market.taste[item]
        for j in range(len(interest)):
            interest[j] += np.float32(share) * target[j]
    for part in range(len(market.offsets) - 1):
        start = market.offsets[part]
        wish = interest[start : market.offsets[part + 1]]
        size = len(wish)
        spread = np.float32(traits.interest_noise * math.sqrt(dot(wish, wish, 0, size) / size) * _SCALE)
        for block in range(start // 16, (start + size + 15) // 16):
            words = block_of(moments, row, _KEYS.noise, block)
            for quarter in range(16):
                j = 16 * block + quarter - start
                if 0 <= j < size:
                    bits = (word_of(words, np.uint64(quarter // 4)) >> np.uint64(16 * (quarter % 4))) & _LOW
                    wish[j] += spread * (np.float32(bits) - _MIDDLE)
        shrink(wish, np.float32(1.0 / max(math.sqrt(dot(wish, wish, 0, size)), 1e-12)))
    return favourite


@inline_kernel
def _draw_person(row: int, declared: Items, moments: Moments, traits: Traits, market: Market, rows: Rows) -> None:
    favourite = _draw_interest(rows.interest[row], traits, market, moments, row)
    rows.patience[row] = _patience(traits, moments, row)
    words = block_of(moments, row, _KEYS.traits, 0)
    rows.price_sensitivity[row] = np.float32(-traits.price_sensitivity * math.log(to_unit(words[0])))
    rows.appetite[row] = np.float32(traits.appetite * to_normal(to_unit(words[1])))
    declared[row] = market.category[favourite] if to_unit(words[2]) < traits.profile_share else -1
    rows.day[row] = np.float32(traits.period * to_unit(words[3]))


@row_kernel
def _draw_people(declared: Items, moments: Moments, traits: Traits, market: Market, rows: Rows) -> None:
    """Fill the state of n new users, but for modality weights and what begins at zero."""
    for row in numba.prange(len(declared)):
        _draw_person(row, declared, moments, traits, market, rows)
