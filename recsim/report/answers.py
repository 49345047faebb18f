"""What a log alone tells a decision maker: which policy, how sure, and what would change the answer."""

from __future__ import annotations

from dataclasses import dataclass

from recsim.report.assumed import assumed
from recsim.report.estimate_words import judged, more, places_of, value_of
from recsim.report.format import ends, listed, percent
from recsim.report.how_sure import how_sure
from recsim.report.leads import closest_of, tied, tipping_words
from recsim.report.measured import Estimand, Lead
from recsim.report.offline import Estimate, Offline

POWERS_TOLD = 2  # the others stand in the table


@dataclass(frozen=True)
class Point:
    """A finding: a few words, and the sentences that say it."""

    title: str
    text: str


def headline(found: Offline) -> str:
    """Which policy to choose by the log, in one sentence."""
    if not found.estimates:
        return "This log says nothing yet: no policy was evaluated."
    estimand = found.estimands[0]
    leads, usable = found.leads(estimand), judged(found, estimand)
    if not usable:
        return "Choose no policy by this log: it has no usable estimate of any of them."
    if not leads:
        return _without_comparison(found, usable)
    top, closest, n = leads[0], closest_of(leads), len(leads) + 1
    among = f"Of the {n} policies that this log can compare, " if n < len(found.policies) else ""
    own = found.by(top.policy, top.estimator)
    value = "" if own is None else f"{value_of(own)} a {estimand}, "
    careful = any(estimate.verdict == "caution" for estimate in _compared(found, closest))
    hint = ", to be taken with caution" if careful else ""
    rivals = tied(leads)
    gain = f"{value}{more(found, closest, leads, than=rivals != [closest.against])}"
    if rivals:
        return f"{among}{top.policy} comes first, but cannot be told from {listed(rivals, 'or')}{hint}: {gain}."
    return f"{among}{top.policy} promises most{hint}: {gain}."


def points(found: Offline) -> list[Point]:
    """How sure the answer is, what it rests on, and what would change it."""
    if not found.estimates:
        return []
    estimand = found.estimands[0]
    told = [
        Point("How sure", how_sure(found, estimand)),
        Point("What would change the answer", what_would_change(found, estimand)),
        Point("What it takes for granted", granted(found, estimand)),
        Point("Whole sessions", sessions(found) if estimand == "slate" else ""),
        Point("What the log cannot tell", silent(found, estimand)),
    ]
    return [point for point in told if point.text]


def what_would_change(found: Offline, estimand: Estimand) -> str:
    """More sessions, other weights of the objectives, or a log that shows what this one does not."""
    parts = [*power_words(found, estimand), tipping(found, estimand)]
    usable = judged(found, estimand)
    others = [name for name in found.policies if name not in usable]
    if usable and others:
        parts.append(f"A log that shows more of what {listed(others, 'or')} would show could put another policy first.")
    return " ".join(part for part in parts if part)


def power_words(found: Offline, estimand: Estimand = "slate") -> list[str]:
    """How many more sessions would tell the first policy from those from which it cannot be told."""
    leads = found.leads(estimand)
    unclear = {(lead.policy, lead.against, lead.estimator) for lead in leads if lead.low <= 0}
    told = [one for one in found.power if (one.policy, one.against, one.estimator) in unclear]
    return [one.words for one in told[:POWERS_TOLD]]


def tipping(found: Offline, estimand: Estimand) -> str:
    """The nearest weight of each objective at which another policy would have the highest estimate."""
    leads = found.leads(estimand)
    if not leads or len(found.weights) != len(found.objectives) - 1:
        return ""
    names = [leads[0].policy, *(lead.against for lead in leads)]
    values = [values_by(found, name, leads[0].estimator) for name in names]
    if any(value is None for own in values for value in own.values()):
        return ""
    known = [{key: value or 0.0 for key, value in own.items()} for own in values]
    return tipping_words(names, known, dict(zip(found.objectives[:-1], found.weights, strict=True)))


def values_by(found: Offline, policy: str, estimator: str) -> dict[str, float | None]:
    """The values of all objectives of a policy by one estimator."""
    estimates = {name: found.by(policy, estimator, name) for name in found.objectives}
    return {name: None if estimate is None else estimate.value for name, estimate in estimates.items()}


def granted(found: Offline, estimand: Estimand) -> str:
    """What must hold for the estimate that decides."""
    leads, usable = found.leads(estimand), judged(found, estimand)
    if not usable:
        return ""
    spoken = None if leads else found.speaker(usable[0], estimand=estimand)
    estimator = leads[0].estimator if leads else spoken.estimator if spoken else ""
    parts = [f"{estimator} assumes {assumed(estimator)}."] if assumed(estimator) else []
    if found.calibration and found.calibration.words:
        parts.append(found.calibration.words)
    else:
        parts.append("The logged propensities are taken to be those that were in force.")
    if estimand == "slate":
        parts.append(
            f"A slate is valued in the situations into which {found.logging_policy} led its users: what another policy "
            "would change about later situations is not in it."
        )
    return " ".join(parts)


def sessions(found: Offline) -> str:
    """What estimators of whole sessions say; "" without them."""
    if "session" not in found.estimands:
        return ""
    leads, usable = found.leads("session"), judged(found, "session")
    if not usable:
        return "No policy has a usable estimate of whole sessions."
    if leads:
        closest, rivals = closest_of(leads), tied(leads)
        gain = more(found, closest, leads, than=rivals != [closest.against])
        cannot = f" and cannot be told from {listed(rivals, 'or')}" if rivals else ""
        return f"By {leads[0].estimator}, {leads[0].policy} comes first{cannot}: {gain}.{_left_behind(found, leads)}"
    spoken = [found.speaker(name, estimand="session") for name in usable]
    told = [f"{e.policy} {value_of(e)} (by {e.estimator}, {e.verdict})" for e in spoken if e is not None]
    return f"Worth of a whole session: {listed(told)}. No two of them are compared."


def _left_behind(found: Offline, leads: list[Lead]) -> str:
    """Warns where the policy of the best slate is not among those whose sessions are compared."""
    compared = {leads[0].policy, *(lead.against for lead in leads)}
    if found.first in compared or not found.first:
        return ""
    return f" {found.first} is not among those compared: the log has no usable estimate of its sessions."


def silent(found: Offline, estimand: Estimand) -> str:
    """The policies without a usable estimate, with the mildest reason."""
    told = []
    for name in (name for name in found.policies if name not in judged(found, estimand)):
        spoken = found.speaker(name, estimand=estimand)
        told.append(f"{name}: {spoken.reason}" if spoken else f"{name}: no estimator finds a value.")
    return (
        f"It has no usable estimate of {len(told)} of {len(found.policies)} policies. {' '.join(told)}" if told else ""
    )


def _without_comparison(found: Offline, usable: list[str]) -> str:
    estimand = found.estimands[0]
    spoken = found.speaker(usable[0], estimand=estimand)
    assert spoken is not None
    value = f"{value_of(spoken)} a {estimand} ({percent(found.level, 0)} interval {ends(spoken, places_of(spoken))})"
    told = f"{usable[0]}, {value}, by {spoken.estimator}, verdict {spoken.verdict}"
    if len(found.policies) == 1:
        return f"The log says of {told}. It was compared with nothing."
    if len(usable) == 1:
        return f"Only one policy can be judged by this log: {told}."
    return f"No two policies can be compared by one estimator; the highest estimate is that of {told}."


def _compared(found: Offline, lead: Lead) -> list[Estimate]:
    estimates = [found.by(name, lead.estimator) for name in (lead.policy, lead.against)]
    return [estimate for estimate in estimates if estimate is not None]
