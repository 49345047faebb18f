"""What the log alone would have told a decision maker, in sentences computed from the numbers of a run."""

from __future__ import annotations

from collections.abc import Sequence

from recsim.report.format import decimals, listed, number, telling
from recsim.report.leads import closest_of, paired, tied
from recsim.report.measured import REWARD, Lead
from recsim.report.read import Run


def log_alone(run: Run) -> str:
    """Whether somebody with nothing but the log and its estimates would have chosen the same policy."""
    best = run.shippable[0].name
    spoken = {policy.name: run.offline.speaker(policy.name) for policy in run.shippable}
    judged = {name: estimate for name, estimate in spoken.items() if estimate is not None}
    if not judged:
        return "This run has no offline estimates."
    silent = [name for name, estimate in judged.items() if estimate.verdict == "do not use"]
    if best not in judged or best in silent:
        reason = f" The mildest reason: {judged[best].reason}" if best in judged else ""
        others = [name for name in silent if name != best]
        return f"No. The log has no usable estimate of {best}.{reason}{_silent(others, also=True)}"
    return f"{_pointed(run, best)}{_silent(silent)}{_other_question(run)}"


def _pointed(run: Run, best: str) -> str:
    """Which policy the paired differences of one estimator point to, and how clearly."""
    leads = run.offline.leads("slate")
    if not leads:
        return "No. No two policies have usable estimates by the same weighted estimator, so the log compares none."
    top, estimator = leads[0].policy, leads[0].estimator
    rivals = {lead.against: lead for lead in leads}
    if top != best and best not in rivals:
        return f"No. By {estimator}, which can compare most policies, there is no usable estimate of {best}."
    if top != best:
        return f"No. By {estimator}, {top} is ahead of {best} by {_gain(run, rivals[best])}; in truth {best} leads."
    ties, closest = tied(leads), closest_of(leads)
    if ties:
        return (
            f"Only as a hint. By {estimator}, {best} comes first but cannot be told from {listed(ties, 'or')}: "
            f"it is ahead of {closest.against} by {_gain(run, closest)}."
        )
    others = "" if len(leads) == 1 else " and clear of every other policy that can be compared"
    weak = [run.offline.by(name, estimator) for name in (best, closest.against)]
    answer = "Yes, with caution" if any(e is not None and e.verdict == "caution" for e in weak) else "Yes"
    return f"{answer}. By {estimator}, {best} is ahead of {closest.against} by {_gain(run, closest)}{others}."


def _gain(run: Run, lead: Lead) -> str:
    places = telling(lead, decimals([lead.se]))
    interval = paired(run.metrics.level, lead, len(run.offline.leads("slate")), places)
    return f"{number(lead.mean, places)} a slate ({interval})"


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
