"""What the log alone would have told a decision maker, in sentences computed from the numbers of a run."""

from __future__ import annotations

from collections.abc import Sequence

from recsim.ope import PREFERRED
from recsim.report.format import decimals, ends, listed, number, percent, telling
from recsim.report.read import Run
from recsim.report.results import REWARD, Difference, Estimate, Lead

VERDICTS = ("trust", "caution", "do not use")


def log_alone(run: Run) -> str:
    """Whether somebody with nothing but the log and its estimates would have chosen the same policy."""
    best = run.shippable[0].name
    spoken = {policy.name: speaker(run, policy.name) for policy in run.shippable}
    judged = {name: estimate for name, estimate in spoken.items() if estimate is not None}
    if not judged:
        return "This run has no offline estimates."
    silent = [name for name, estimate in judged.items() if estimate.verdict == "do not use"]
    if best not in judged or best in silent:
        reason = f" The mildest reason: {judged[best].reason}" if best in judged else ""
        others = [name for name in silent if name != best]
        return f"No. The log has no usable estimate of {best}.{reason}{_silent(others, also=True)}"
    return f"{_pointed(run, best)}{_silent(silent)}{_other_question(run)}"


def speaker(run: Run, policy: str, objective: str = REWARD) -> Estimate | None:
    """The estimate that speaks for a policy: the best verdict, then the first of `PREFERRED`."""
    rank = {name: place for place, name in enumerate(PREFERRED)}
    candidates = [e for e in run.estimates(policy, objective) if e.value is not None]
    return min(
        candidates,
        key=lambda e: (VERDICTS.index(e.verdict), rank.get(e.estimator, len(rank)), e.estimator),
        default=None,
    )


def _pointed(run: Run, best: str) -> str:
    """Which policy the paired differences of one estimator point to, and how clearly."""
    leads = [lead for lead in run.metrics.offline_differences if lead.objective == REWARD]
    if not leads:
        return "No. No two policies have usable estimates by the same weighted estimator, so the log compares none."
    top, estimator = leads[0].policy, leads[0].estimator
    rivals = {lead.against: lead for lead in leads}
    if top != best and best not in rivals:
        return f"No. By {estimator}, which can compare most policies, there is no usable estimate of {best}."
    if top != best:
        return f"No. By {estimator}, {top} is ahead of {best} by {_gain(run, rivals[best])}; in truth {best} leads."
    ties = [lead for lead in leads if lead.low <= 0]
    closest = min(ties or leads, key=lambda lead: lead.low)
    if ties:
        names = listed([lead.against for lead in ties], "or")
        return (
            f"Only as a hint. By {estimator}, {best} comes first but cannot be told from {names}: "
            f"it is ahead of {closest.against} by {_gain(run, closest)}."
        )
    others = "" if len(leads) == 1 else " and clear of every other policy that can be compared"
    weak = [e for name in (best, closest.against) for e in run.estimates(name) if e.estimator == estimator]
    answer = "Yes, with caution" if any(e.verdict == "caution" for e in weak) else "Yes"
    return f"{answer}. By {estimator}, {best} is ahead of {closest.against} by {_gain(run, closest)}{others}."


def _gain(run: Run, lead: Lead) -> str:
    places = telling(lead, decimals([lead.se]))
    return f"{number(lead.mean, places)} a slate ({paired(run, lead, len(run.metrics.offline_differences), places)})"


def paired(run: Run, difference: Difference, comparisons: int, places: int) -> str:
    """The interval of a paired difference that is one of several, in words."""
    adjusted = f", adjusted for {comparisons} comparisons," if comparisons > 1 else ""
    return f"paired {percent(run.metrics.level, 0)} interval{adjusted} {ends(difference, places)}"


def _silent(names: Sequence[str], also: bool = False) -> str:
    if not names:
        return ""
    return (
        f" Nor has it one of {listed(names, 'or')}."
        if also
        else f" It has no usable estimate of {listed(names, 'or')}."
    )


def _other_question(run: Run) -> str:
    """Warns where the best single slate at the logged contexts is not the best session; "" elsewhere."""
    valued = [(policy.slate_truth[REWARD].mean, policy.name) for policy in run.shippable if policy.slate_truth]
    top = max(valued, default=None)
    if top is None or top[1] == run.shippable[0].name:
        return ""
    return (
        f" Mind the question: even a perfect offline estimate would name {top[1]}, whose single slates are worth most "
        "at the logged contexts, though its whole sessions are not."
    )
