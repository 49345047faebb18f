"""Constants of the built-in users."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from recsim.users.choice import PositionBased
from recsim.users.contract import ChoiceModel

_MOST = 1e6  # keeps every sum of products below finite, so that no probability is NaN
_WHOLE = ("anchors", "personas")
_RANGES = {
    "anchors": (1, _MOST),
    "personas": (0, 1000),
    "weight_concentration": (0.1, _MOST),
    "click_offset": (-_MOST, _MOST),
    "conversion_offset": (-_MOST, _MOST),
    "return_offset": (-_MOST, _MOST),
    "slate_days": (1e-6, _MOST),
    "quality_popularity": (-1, 1),
    "bait_visibility": (-1, 1),
    **dict.fromkeys(("bait_share", "drift", "satiation_recovery", "profile_share"), (0, 1)),
    **dict.fromkeys(("persona_strength", "trust_memory", "arriving"), (0, 1)),
}  # of all other fields: 0 to _MOST


@dataclass(frozen=True)
class InterestConfig:
    """Constants of the interest users; utilities are in logits.

    They are no measurements: they were chosen so that the default world is worth learning (see docs/worlds.md). Knowing
    the users pays, and so does thinking ahead. Other worlds are in `recsim.users.presets`.

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
        profile_share: share of users who declare a favourite category in their profile; the others start cold.
        personas: number of kinds of people; 0 for a population without kinds.
        persona_strength: share of the way from a user's own interests and modality weights to those of the persona.
        trust_scale: logits of utility per unit of trust.
        trust_memory: share of trust kept at a slate with clicks; the rest comes from what was clicked, 1 for an honest
            item down to -1 for full bait.
        arriving: share of items that appear during the period; the others were there before.
        period: days over which new items appear and users arrive.
        slate_days: days between two slates of a session.
        ageing: logits of utility lost per unit of log(1 + age in days).
        conversion_delay: mean steps until a conversion arrives, geometric; 0 for at once.
        return_offset: logits of coming back after a session that pleased no more than it disappointed.
        return_pleasure: logits of coming back per unit of patience that the session's clicks gave back, net.
        return_days: mean days until a user comes back, exponential; satiation recovers meanwhile as over slates.
        choice: how appeal turns into clicks.
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
    monotony: float = 1.3
    enjoyment: float = 0.6
    disappointment: float = 1.0
    profile_share: float = 0.7
    personas: int = 0
    persona_strength: float = 0.5
    trust_scale: float = 0.0
    trust_memory: float = 0.9
    arriving: float = 0.0
    period: float = 30.0
    slate_days: float = 0.01
    ageing: float = 0.0
    conversion_delay: float = 0.0
    return_offset: float = -1.0
    return_pleasure: float = 1.0
    return_days: float = 2.0
    choice: ChoiceModel = field(default_factory=PositionBased)

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name != "choice"):
            value, (low, high) = getattr(self, name), _RANGES.get(name, (0, _MOST))
            kind: Any = (int, np.integer)
            kind, noun = (kind, "whole number") if name in _WHOLE else ((*kind, float, np.floating), "number")
            if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
                raise ValueError(f"{name} of the interest users is {value!r}; it is a {noun} from {low:g} to {high:g}.")

    @property
    def has_days(self) -> bool:
        """Whether the day matters: items appear or age."""
        return self.arriving > 0 or self.ageing > 0
