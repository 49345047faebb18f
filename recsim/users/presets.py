"""The built-in worlds by name: options of `InterestConfig`, each for a question of its own (docs/worlds.md).

marketplace: a bit of everything; knowing the users pays, and thinking ahead pays more. The default.
news: tastes drift fast, most items appear over time and age within days.
feed: what was seen is soon too much, which a click does not tell: the bored leave.
stationary: nothing that is shown changes the user, who never leaves: a pure ranking bandit.
choc: bait pays now and costs trust, which all later clicks need, as chocolate against kale in RecSim's long-term
    satisfaction world (Ie et al. 2019, RecSim, section 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STAYS = {"boredom": 0.0, "monotony": 0.0, "enjoyment": 0.0, "disappointment": 0.0}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "marketplace": {},
    "news": {"click_offset": 0.0, "drift": 0.15, "arriving": 0.6, "ageing": 1.0, "slate_days": 0.05, "bait_share": 0.1},
    "feed": {
        "interest_scale": 4.0,
        "click_offset": -1.5,
        "bait_share": 0.0,
        "satiation_cost": 0.2,
        "satiation_seen": 0.2,
        "satiation_click": 0.6,
        "satiation_recovery": 0.05,
        "boredom": 0.2,
        "monotony": 1.0,
        "enjoyment": 0.8,
    },
    "stationary": {"drift": 0.0, "satiation_cost": 0.0, **_STAYS},
    "choc": {
        "click_offset": -4.0,
        "bait_share": 0.5,
        "bait_lure": 2.5,
        "bait_regret": 0.0,
        "trust_scale": 4.0,
        "trust_memory": 0.8,
        "satiation_cost": 0.3,
        **_STAYS,
    },
}
