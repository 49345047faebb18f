"""How sure an answer from a log is: the estimate that decides, and what other estimators and intervals say."""

from __future__ import annotations

from recsim.report.estimate_words import judged, more, places_of, value_of
from recsim.report.format import compact, decimals, ends, listed, number, percent
from recsim.report.measured import REWARD, Estimand
from recsim.report.offline import Offline


def how_sure(found: Offline, estimand: Estimand) -> str:
    """By whom and how well the first policy is judged, and whether other estimators agree."""
    leads, usable = found.leads(estimand), judged(found, estimand)
    first = leads[0].policy if leads else usable[0] if usable else ""
    spoken = found.by(first, leads[0].estimator) if leads else found.speaker(first, estimand=estimand)
    if spoken is None:
        return "No estimate is usable; the table says why for each policy."
    interval = f"{percent(found.level, 0)} interval {ends(spoken, places_of(spoken))}"
    own = f"{spoken.estimator} says {value_of(spoken)} a {estimand} for {first} ({interval}). "
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


def _against_the_log(found: Offline, estimand: Estimand) -> str:
    """How the first policy compares with what is in force; "" where that is not known."""
    leads, earned = found.leads(estimand), found.in_force.get(estimand, {}).get(REWARD)
    own = next((lead for lead in leads if lead.against == found.source.policy), None)
    if own is not None:
        return f"It is worth {more(found, own, leads)}, which is in force."
    if earned is None or (leads and leads[0].policy == found.source.policy):
        return ""
    return f"The log itself earned {number(earned.mean, decimals([earned.se]))} a {estimand}."


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
