"""What the log alone would have told a decision maker, in sentences computed from the numbers of a run."""

from __future__ import annotations

from collections.abc import Sequence

from recsim.report.format import decimals, ends, listed, number
from recsim.report.read import Run
from recsim.report.results import REWARD, Estimate

# Which estimate speaks for a policy: that with the best verdict, then the first in this order.
PREFERRED = ("dr", "snrips", "rips", "snsips", "sips", "dm")
VERDICTS = ("trust", "caution", "do not use")


ESTIMATORS = {
    "sips": "logged slates weighted by how much likelier the policy would have shown the whole slate",
    "rips": "each position weighted by how much likelier the policy would have shown it and all above it",
    "snsips": "sips divided by the mean weight: a little bias for much less noise",
    "snrips": "rips divided by the mean weights: a little bias for much less noise",
    "dm": "a model of clicks and conversions, fitted on the log, asked about the policy’s own slates",
    "dr": "dm, corrected by the weighted errors that the model makes on the logged slates",
}


def log_alone(run: Run) -> str:
    """Whether somebody with nothing but the log and its estimates would have chosen the same policy."""
    best = run.shippable[0].name
    spoken = {policy.name: speaker(run, policy.name) for policy in run.shippable}
    judged = {name: estimate for name, estimate in spoken.items() if estimate is not None}
    usable = {name: e for name, e in judged.items() if e.verdict != "do not use"}
    if not judged:
        return "This run has no offline estimates."
    silent = [name for name in judged if name not in usable]
    if best not in usable:
        reason = f" The mildest reason: {judged[best].reason}" if best in judged else ""
        others = [name for name in silent if name != best]
        return f"No. The log has no usable estimate of {best}.{reason}{_silent(others, also=True)}"
    return f"{_pointed(best, usable)}{_silent(silent)}{_other_question(run)}"


def speaker(run: Run, policy: str, objective: str = REWARD) -> Estimate | None:
    """The estimate that speaks for a policy: the best verdict, then the first of `PREFERRED`."""
    rank = {name: place for place, name in enumerate(PREFERRED)}
    candidates = [e for e in run.estimates(policy, objective) if e.value is not None]
    return min(
        candidates,
        key=lambda e: (VERDICTS.index(e.verdict), rank.get(e.estimator, len(rank)), e.estimator),
        default=None,
    )


def coverage(run: Run) -> str:
    """For each verdict, how many offline intervals of the reward hold the true value; "" where none can be checked."""
    parts = []
    for verdict in VERDICTS:
        checked = [e.covers for e in run.metrics.offline if e.objective == REWARD and e.verdict == verdict]
        known = [covers for covers in checked if covers is not None]
        if known:
            parts.append(f"{sum(known)} of {len(known)} marked “{verdict}”")
    return f"The true value lies in the intervals of {listed(parts)}." if parts else ""


def _pointed(best: str, usable: dict[str, Estimate]) -> str:
    order = sorted(usable.values(), key=lambda e: -(e.value or 0.0))
    top, others = order[0], [e for e in order if e.policy != best]
    if top.policy != best:
        return f"No. The highest usable estimate is that of {top.policy} ({_estimate(top)}); {best} wins in truth."
    if not others:
        return f"No. {best} is the only policy of which it has a usable estimate ({_estimate(top)})."
    rival = others[0]
    if top.low is None or rival.high is None or top.low <= rival.high:
        return (
            f"Only as a hint. {best} has the highest usable estimate ({_estimate(top)}), "
            f"but its interval overlaps with that of {rival.policy} ({_estimate(rival)})."
        )
    return (
        f"Yes. {best} has the highest usable estimate ({_estimate(top)}), clear of {rival.policy} ({_estimate(rival)})."
    )


def _estimate(estimate: Estimate) -> str:
    places = decimals([estimate.se])
    return f"{number(estimate.value, places)}, {ends(estimate, places)}, marked “{estimate.verdict}”"


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
