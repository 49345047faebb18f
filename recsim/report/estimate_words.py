"""Estimates and their differences in words."""

from __future__ import annotations

from recsim.report.format import decimals, number, telling
from recsim.report.leads import paired
from recsim.report.measured import Estimand, Lead
from recsim.report.offline import Estimate, Offline


def judged(found: Offline, estimand: Estimand) -> list[str]:
    """The policies with a usable estimate, as they are ranked."""
    spoken = {name: found.speaker(name, estimand=estimand) for name in found.policies}
    return [name for name, estimate in spoken.items() if estimate is not None and estimate.usable]


def more(found: Offline, lead: Lead, leads: list[Lead], *, than: bool = True) -> str:
    """By how much the policy of `lead`, one of `leads`, is ahead, with the interval; `than` names its rival."""
    places = telling(lead, decimals([lead.se]))
    rival = f" than {lead.against}" if than else ""
    return f"{number(lead.mean, places)} more{rival} ({paired(found.level, lead, len(leads), places)})"


def value_of(estimate: Estimate) -> str:
    """The estimate to the decimals that it deserves."""
    return number(estimate.value, places_of(estimate))


def places_of(estimate: Estimate) -> int:
    """The decimals that an estimate deserves."""
    return telling(estimate, decimals([estimate.se]))
