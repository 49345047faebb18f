"""What a log alone tells a decision maker: which policy, how sure, and what would change the answer."""

from __future__ import annotations

from dataclasses import dataclass

from recsim.report.assumed import assumed
from recsim.report.format import compact, decimals, ends, listed, number, percent, telling
from recsim.report.leads import closest_of, paired, tied, tipping_words
from recsim.report.measured import REWARD, Estimand, Lead
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
    top, closest = leads[0], closest_of(leads)
    own = found.by(top.policy, top.estimator)
    value = "" if own is None else f"{_value(own)} a {estimand}, "
    careful = any(estimate.verdict == "caution" for estimate in _compared(found, closest))
    hint = ", to be taken with caution" if careful else ""
    rivals = tied(leads)
    gain = f"{value}{_more(found, closest, leads, than=rivals != [closest.against])}"
    if rivals:
        return f"{top.policy} comes first, but cannot be told from {listed(rivals, 'or')}{hint}: {gain}."
    return f"{top.policy} promises most{hint}: {gain}."


def points(found: Offline) -> list[Point]:
    """How sure the answer is, what it rests on, and what would change it."""
    if not found.estimates:
        return []
    estimand = found.estimands[0]
    told = [
        Point("How sure", how_sure(found, estimand)),
        Point(
            "What would change the answer", " ".join([*power_words(found, estimand), tipping(found, estimand)]).strip()
        ),
        Point("What it takes for granted", granted(found, estimand)),
        Point("Whole sessions", sessions(found) if estimand == "slate" else ""),
        Point("What the log cannot tell", silent(found, estimand)),
    ]
    return [point for point in told if point.text]


def judged(found: Offline, estimand: Estimand) -> list[str]:
    """The policies with a usable estimate, as they are ranked."""
    spoken = {name: found.speaker(name, estimand=estimand) for name in found.policies}
    return [name for name, estimate in spoken.items() if estimate is not None and estimate.usable]


def how_sure(found: Offline, estimand: Estimand) -> str:
    """By whom and how well the first policy is judged, and whether other estimators agree."""
    leads, usable = found.leads(estimand), judged(found, estimand)
    first = leads[0].policy if leads else usable[0] if usable else ""
    spoken = found.by(first, leads[0].estimator) if leads else found.speaker(first, estimand=estimand)
    if spoken is None:
        return "No estimate is usable; the table says why for each policy."
    interval = f"{percent(found.level, 0)} interval {ends(spoken, _places(spoken))}"
    own = f"{spoken.estimator} says {_value(spoken)} a {estimand} for {first} ({interval}). "
    verdict = f"Its verdict is {spoken.verdict}: {spoken.reason}"
    parts = (own + verdict, _against_the_log(found, estimand), agreement(found, estimand), _held(found, first))
    return " ".join(part for part in parts if part)


def agreement(found: Offline, estimand: Estimand) -> str:
    """Whether the other estimators, asked about the same policies, put the same one first; "" where none can be."""
    leads = found.leads(estimand)
    if not leads:
        return ""
    names = [leads[0].policy, *(lead.against for lead in leads)]
    others = [name for name in _estimators(found, estimand) if name != leads[0].estimator]
    firsts = {name: _first_by(found, name, names) for name in others}
    told = {name: first for name, first in firsts.items() if first}
    if not told:
        return "No other estimator has usable estimates of all the policies that are compared."
    against = [f"{first} by {name}" for name, first in told.items() if first != names[0]]
    if not against:
        count = "The only other estimator" if len(told) == 1 else f"All {len(told)} other estimators"
        return f"{count} that can compare them put{'s' if len(told) == 1 else ''} {names[0]} first, too."
    return f"Of {len(told)} other estimators that can compare them, {len(against)} would choose: {listed(against)}."


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
    if found.calibration and found.calibration.sentence:
        parts.append(found.calibration.sentence)
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
        gain = _more(found, closest, leads, than=rivals != [closest.against])
        cannot = f" and cannot be told from {listed(rivals, 'or')}" if rivals else ""
        return f"By {leads[0].estimator}, {leads[0].policy} comes first{cannot}: {gain}.{_left_behind(found, leads)}"
    spoken = [found.speaker(name, estimand="session") for name in usable]
    told = [f"{e.policy} {_value(e)} (by {e.estimator}, {e.verdict})" for e in spoken if e is not None]
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
    value = f"{_value(spoken)} a {estimand} ({percent(found.level, 0)} interval {ends(spoken, _places(spoken))})"
    told = f"{usable[0]}, {value}, by {spoken.estimator}, verdict {spoken.verdict}"
    if len(found.policies) == 1:
        return f"The log says of {told}. It was compared with nothing."
    if len(usable) == 1:
        return f"Only one policy can be judged by this log: {told}."
    return f"No two policies can be compared by one estimator; the highest estimate is that of {told}."


def _more(found: Offline, lead: Lead, leads: list[Lead], *, than: bool = True) -> str:
    places = telling(lead, decimals([lead.se]))
    rival = f" than {lead.against}" if than else ""
    return f"{number(lead.mean, places)} more{rival} ({paired(found.level, lead, len(leads), places)})"


def _against_the_log(found: Offline, estimand: Estimand) -> str:
    """How the first policy compares with what is in force; "" where that is not known."""
    leads, earned = found.leads(estimand), found.in_force.get(estimand, {}).get(REWARD)
    own = next((lead for lead in leads if lead.against == found.source.policy), None)
    if own is not None:
        return f"It is worth {_more(found, own, leads)}, which is in force."
    if earned is None or (leads and leads[0].policy == found.source.policy):
        return ""
    return f"The log itself earned {number(earned.mean, decimals([earned.se]))} a {estimand}."


def _compared(found: Offline, lead: Lead) -> list[Estimate]:
    estimates = [found.by(name, lead.estimator) for name in (lead.policy, lead.against)]
    return [estimate for estimate in estimates if estimate is not None]


def _value(estimate: Estimate) -> str:
    return number(estimate.value, _places(estimate))


def _places(estimate: Estimate) -> int:
    return telling(estimate, decimals([estimate.se]))


def _held(found: Offline, policy: str) -> str:
    """The intervals of the reward that hold at any sample size."""
    own = [one for one in found.guaranteed if (one.policy, one.objective) == (policy, REWARD)]
    told = [
        f"{compact(one.low)} to {compact(one.high)} ({', '.join(filter(None, (one.method, one.estimator)))})"
        for one in own
    ]
    return f"An interval that holds at any sample size: {listed(told, 'or')}." if told else ""


def _estimators(found: Offline, estimand: Estimand) -> list[str]:
    return list(dict.fromkeys(e.estimator for e in found.estimates if e.estimand == estimand))


def _first_by(found: Offline, estimator: str, names: list[str]) -> str:
    """The policy of the highest estimate by one estimator; "" if it has no usable one of any of them."""
    own = [found.by(name, estimator) for name in names]
    values = {e.policy: e.value for e in own if e is not None and e.usable and e.value is not None}
    return max(values, key=lambda name: values[name]) if len(values) == len(names) else ""
