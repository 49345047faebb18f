"""The built-in users: hidden interests over every modality, satiation, drift, patience and bait."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from recsim.catalog import Catalog, standardised
from recsim.jit import frozen
from recsim.streams import Streams, purpose_key
from recsim.users import interest_kernel as kernel
from recsim.users.choice import PositionBased
from recsim.users.contract import Appeal, Response

Floats = NDArray[np.float32]
Items = NDArray[np.int64]

_MOST = 1e6  # keeps every sum of products below finite, so that no probability is NaN
_RANGES = {
    "anchors": (1, _MOST),
    "weight_concentration": (1e-3, _MOST),
    "click_offset": (-_MOST, _MOST),
    "conversion_offset": (-_MOST, _MOST),
    "quality_popularity": (-1, 1),
    "bait_visibility": (-1, 1),
    **dict.fromkeys(("bait_share", "drift", "satiation_recovery", "profile_share"), (0, 1)),
}  # of all other fields: 0 to _MOST


@dataclass(frozen=True)
class InterestConfig:
    """Constants of the interest users; utilities are in logits.

    They are no measurements: they were chosen so that the default world is worth learning (see docs/design.md). Knowing
    the users pays, and so does thinking ahead.

    Attributes:
        anchors: number of catalogue items around which a user's interests are drawn.
        interest_noise: spread of interests around their anchors, as a share of the anchors' own length.
        weight_concentration: Dirichlet concentration of the modality weights: small means people who only look or only
            read.
        interest_scale: logits of utility at a perfect match.
        quality_scale: logits per standard deviation of hidden item quality.
        quality_popularity: correlation of quality with the log popularity prior.
        price_sensitivity: mean logits lost per standard deviation of log price; exponential over users.
        appetite: standard deviation over users of the logits between the most and the least popular item.
        click_offset: logits of a click on an examined item of utility 0.
        bait_share: share of items that are bait, in [0, 1].
        bait_visibility: correlation between how much an item is bait and how much its content looks like it.
        bait_lure: logits that full bait adds to a click.
        bait_regret: logits that full bait takes from a conversion.
        conversion_offset: logits of a conversion, once clicked, at utility 0.
        conversion_slope: logits of conversion per logit of utility.
        conversion_price: how much more the price counts at the till than at the click.
        drift: share of the way an interest moves toward a clicked item, in every modality.
        satiation_cost: logits lost per unit of satiation with a category.
        satiation_seen: satiation with its category from an examined item.
        satiation_click: further satiation from a clicked one.
        satiation_recovery: share of satiation lost at every step.
        patience: slates of patience a new user brings: 1 + an exponential draw of this mean, at most patience_limit.
        patience_limit: the most patience a user can hold.
        boredom: patience that every slate costs.
        monotony: further patience lost per unit of satiation with the categories of the examined items, on average.
        enjoyment: patience that a click on an item of high utility gives back.
        disappointment: patience that a click on full bait takes.
        profile_share: share of users who declare a favourite category in their profile.
    """

    anchors: int = 2
    interest_noise: float = 0.3
    weight_concentration: float = 1.0
    interest_scale: float = 6.0
    quality_scale: float = 0.8
    quality_popularity: float = 0.5
    price_sensitivity: float = 0.3
    appetite: float = 1.0
    click_offset: float = -2.5
    bait_share: float = 0.2
    bait_visibility: float = 0.8
    bait_lure: float = 1.0
    bait_regret: float = 3.0
    conversion_offset: float = -3.0
    conversion_slope: float = 0.5
    conversion_price: float = 1.0
    drift: float = 0.05
    satiation_cost: float = 1.0
    satiation_seen: float = 0.1
    satiation_click: float = 0.3
    satiation_recovery: float = 0.1
    patience: float = 8.0
    patience_limit: float = 10.0
    boredom: float = 0.7
    monotony: float = 1.0
    enjoyment: float = 0.6
    disappointment: float = 1.0
    profile_share: float = 0.7
    choice: PositionBased = field(default_factory=PositionBased)

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name != "choice"):
            value, (low, high) = getattr(self, name), _RANGES.get(name, (0, _MOST))
            kind: Any = (int, np.integer)
            kind, noun = (kind, "whole number") if name == "anchors" else ((*kind, float, np.floating), "number")
            if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
                raise ValueError(f"{name} of the interest users is {value!r}; it is a {noun} from {low:g} to {high:g}.")


@dataclass(frozen=True)
class InterestState:
    """Hidden state of n users.

    Attributes:
        interest: (n, D) float32, one interest of unit length per modality, side by side as in `Catalog.taste`.
        weight: (n, M) float32, modality weights, summing to 1.
        satiation: (n, C) float32, per category, from 0 up.
        patience: (n,) float32, slates the user would still sit through; at 0 the user leaves.
        price_sensitivity: (n,) float32, logits per standard deviation of log price.
        appetite: (n,) float32, logits between the most and the least popular item.
        declared: (n,) int64, favourite category told in the profile, -1 for none.
    """

    interest: Floats
    weight: Floats
    satiation: Floats
    patience: Floats
    price_sensitivity: Floats
    appetite: Floats
    declared: Items


class InterestUsers:
    """Users with hidden interests over every modality of a catalogue.

    Utility of item i for user u, in logits:
        U = scale * sum over modalities M of weight[u, M] * <interest[u, M], taste[i, M]>  +  quality[i]
            - price_sensitivity[u] * price[i]  +  appetite[u] * (novelty[i] - 1/2)  -  satiation_cost * satiation[u,
            category[i]]
    Click, once examined: logistic(click_offset + U + bait_lure * bait[i]).
    Conversion, once clicked: logistic(conversion_offset + slope * U - price term - bait_regret * bait[i]).
    After the slate: interests drift toward clicked items; satiation recovers, then rises with what was examined and
    clicked; patience falls by `boredom` and with the sameness of what was examined, rises with enjoyed clicks, falls
    with clicked bait; without patience the user leaves.

    Quality and bait belong to the items but are hidden as well: they are drawn from `seed`, one draw an item.
    """

    def __init__(self, catalog: Catalog, config: InterestConfig | None = None, *, seed: int = 0) -> None:
        """Users of `catalog`; `seed` decides the items' hidden quality and bait, not the users."""
        self.config = config or InterestConfig()
        self.catalog = catalog
        self._constants = kernel.Constants(*(getattr(self.config, name) for name in kernel.Constants._fields))
        self._market = _market(catalog, self.config, seed)

    @property
    def bait(self) -> Floats:
        """(m,) float32, how much each item promises beyond what it holds, 0 to 1."""
        return self._market.bait

    @property
    def quality(self) -> Floats:
        """(m,) float32, hidden quality of each item, standardised."""
        return self._market.quality

    def sample(self, users: Streams) -> InterestState:
        """Hidden state of n new users: interests drawn around real items, so that tastes lie where items lie."""
        config, market, n = self.config, self._market, len(users)
        parts = len(market.offsets) - 1
        anchor = (users.uniform("anchor", config.anchors) * len(self.catalog)).astype(np.int64)  # (n, anchors)
        share = -np.log(users.uniform("anchor share", config.anchors))
        interest = np.empty((n, market.taste.shape[1]), np.float32)
        kernel.draw_interest(
            anchor,
            share / share.sum(axis=1, keepdims=True),
            config.interest_noise,
            market,
            users.seed,
            purpose_key("interest noise"),
            users.user,
            users.session,
            users.step,
            interest,
        )
        raw = _dirichlet(users, config.weight_concentration, parts)
        told = users.uniform("declares") < config.profile_share
        return InterestState(
            interest=interest,
            weight=raw.astype(np.float32),
            satiation=np.zeros((n, len(self.catalog.categories)), np.float32),
            patience=(1.0 - config.patience * np.log(users.uniform("patience")))
            .clip(max=config.patience_limit)
            .astype(np.float32),
            price_sensitivity=(-config.price_sensitivity * np.log(users.uniform("price sensitivity"))).astype(
                np.float32
            ),
            appetite=(config.appetite * users.normal("appetite")).astype(np.float32),
            declared=np.where(told, market.category[anchor[np.arange(n), share.argmax(axis=1)]], -1),
        )

    def respond(self, state: InterestState, slate: Items, users: Streams) -> tuple[Response, InterestState]:
        """Response to a slate, and the state after it."""
        shape = slate.shape
        keys = kernel.Purposes(users.seed, *(purpose_key(name) for name in ("examine", "click", "conversion")))
        interest, satiation, patience = state.interest.copy(), state.satiation.copy(), np.empty_like(state.patience)
        examined, click, conversion = np.zeros((3, *shape), bool)
        leave = np.zeros(shape[0], bool)
        kernel.respond(
            slate,
            _rows(state),
            self._market,
            self._constants,
            self.examination(shape[1]),
            keys,
            users.user,
            users.session,
            users.step,
            interest,
            satiation,
            patience,
            examined,
            click,
            conversion,
            leave,
        )
        after = InterestState(
            interest, state.weight, satiation, patience, state.price_sensitivity, state.appetite, state.declared
        )
        return Response(click, conversion, leave, examined), after

    def profile(self, state: InterestState) -> Floats:
        """(n, C) float32: the declared favourite category as a one-hot row, zeros for users who declare none."""
        told = np.zeros((len(state.declared), len(self.catalog.categories)), np.float32)
        rows = np.flatnonzero(state.declared >= 0)
        told[rows, state.declared[rows]] = 1.0
        return told

    def appeal(self, state: InterestState, items: Items) -> Appeal:
        """Probabilities of click (if examined) and conversion (if clicked) of `items` (n, c), -1 for none."""
        click, conversion = np.zeros((2, *items.shape))
        kernel.appeal(items, _rows(state), self._market, self._constants, click, conversion)
        return Appeal(click, conversion)

    def examination(self, slate_size: int) -> NDArray[np.float64]:
        """(k,) float64, probability that each position is examined."""
        return self.config.choice.examination(slate_size)


def interest_users(catalog: Catalog, *, seed: int = 0, **options: Any) -> InterestUsers:
    """`InterestUsers` with fields of their config as options.

    Raises:
        ValueError: if there is no such field, or its value makes no sense.
    """
    known = InterestConfig.__dataclass_fields__
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"interest users have no option {unknown[0]!r}; the options are {', '.join(known)}.")
    return InterestUsers(catalog, InterestConfig(**options), seed=seed)


def _rows(state: InterestState) -> kernel.Rows:
    return kernel.Rows(
        state.interest, state.weight, state.satiation, state.patience, state.price_sensitivity, state.appetite
    )


def _market(catalog: Catalog, config: InterestConfig, seed: int) -> kernel.Market:
    """Items with their hidden quality (correlated with popularity) and bait."""
    items = Streams.of(seed, len(catalog))
    fame = standardised(np.log(catalog.popularity))
    own = items.normal("item quality")
    quality = config.quality_popularity * fame + np.sqrt(1.0 - config.quality_popularity**2) * own
    bait = _bait(catalog, config, items)
    return frozen(
        kernel.Market,
        np.ascontiguousarray(catalog.taste, np.float32),
        catalog.offsets,
        catalog.category,
        quality.astype(np.float32),
        bait.astype(np.float32),
        catalog.price_level,
        catalog.novelty,
    )


def _bait(catalog: Catalog, config: InterestConfig, items: Streams) -> NDArray[np.float64]:
    """(m,) bait in [0, 1]: zero for most items, then rising evenly up to the one that looks most like bait.

    What makes an item look like bait is a direction in the space of each modality, so that bait can be told from
    content, with noise.
    """
    look = np.zeros(len(catalog))
    for number, (start, stop) in enumerate(zip(catalog.offsets[:-1], catalog.offsets[1:], strict=True)):
        direction = Streams.of(int(items.seed), 1).normal(f"bait direction {number}", int(stop - start))[0]
        look += standardised(catalog.taste[:, start:stop].astype(np.float64) @ direction)
    visible = config.bait_visibility
    score = visible * standardised(look) + np.sqrt(1.0 - visible**2) * items.normal("item bait")
    rank = score.argsort(kind="stable").argsort(kind="stable") / max(len(catalog) - 1, 1)  # 0 .. 1
    share = config.bait_share
    bait: NDArray[np.float64] = np.clip((rank - 1.0 + share) / share, 0.0, None) if share > 0 else np.zeros(len(rank))
    return bait


def _dirichlet(users: Streams, concentration: float, parts: int) -> NDArray[np.float64]:
    """(n, parts) Dirichlet draws: gamma variables by the inverse distribution function, over their sum."""
    unit = users.uniform("modality weight", parts)
    drawn = -np.log1p(-unit) if concentration == 1.0 else gammaincinv(concentration, unit)  # shape 1 is exponential
    gamma = np.maximum(drawn, 1e-12)
    weight: NDArray[np.float64] = gamma / gamma.sum(axis=1, keepdims=True)
    return weight
