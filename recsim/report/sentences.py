"""What a decision maker needs to know, in sentences computed from the numbers of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recsim.report.format import compact, decimals, ends, listed, number, percent, signed, telling
from recsim.report.offline_sentences import PREFERRED, log_alone, speaker
from recsim.report.read import Run
from recsim.report.results import REWARD, Difference, PolicyResult

__all__ = ["PREFERRED", "Point", "deciding_difference", "headline", "points", "return_of", "speaker"]


@dataclass(frozen=True)
class Point:
    """A finding: a few words, and the sentences that say it."""

    title: str
    text: str


def headline(run: Run) -> str:
    """Which policy to choose, by how much, in one sentence."""
    if not run.shippable:
        return "Only oracles were run: they see what no policy can see, so there is nothing to choose from."
    best = run.shippable[0]
    difference = deciding_difference(run)
    earns = f"{return_of(run, best)} a session"
    if difference is None:
        return f"{best.name} has the highest true return, {earns}; it was compared with nothing."
    rival = difference.against if best.name == difference.policy else difference.policy
    places = telling(difference, decimals([difference.se]))
    gain = abs(difference.mean)
    interval = _interval(run, difference, places, flip=best.name != difference.policy)
    if difference.low <= 0 <= difference.high:
        return f"No clear winner: {best.name} ({earns}) and {rival} differ by {number(gain, places)} ({interval})."
    return f"{best.name} wins: {earns}, {number(gain, places)} more than {rival} ({interval})."


def points(run: Run) -> list[Point]:
    """How sure that is, what the log alone would have said, and what would change the answer."""
    if not run.shippable:
        return []
    found = [
        Point("How sure", how_sure(run)),
        Point("Would the log alone have told", log_alone(run)),
        Point("What it trades", trades(run)),
        Point("What would change the answer", tipping_weights(run)),
        Point("How much is left", room(run)),
    ]
    return [point for point in found if point.text]


def deciding_difference(run: Run, objective: str = REWARD) -> Difference | None:
    """The paired difference that decides: best policy against baseline, or the next best where those are one."""
    best = run.shippable[0].name if run.shippable else None
    rivals = [policy.name for policy in run.shippable[1:]]
    candidate = best if best != run.baseline else (rivals[0] if rivals else None)
    return next((d for d in run.metrics.differences if d.policy == candidate and d.objective == objective), None)


def how_sure(run: Run) -> str:
    """What the interval of the deciding difference means, and for whom it holds."""
    difference = deciding_difference(run)
    users = f"the same {run.metrics.n_users:,} simulated users with the same luck"
    caveat = "The interval says nothing about chance in training, and real users are not these simulated ones."
    if difference is None:
        return f"Every policy served {users}. {caveat}"
    if difference.low <= 0 <= difference.high:
        text = f"Every policy served {users}, and still the interval of the difference includes 0."
        return f"{text} More users would narrow it. {caveat}"
    errors = abs(difference.mean) / difference.se if difference.se > 0 else None
    far = "" if errors is None else f": the difference is {compact(round(errors, 1))} standard errors from 0"
    return f"Every policy served {users}{far}. {_runner_up(run)}{caveat}"


def trades(run: Run) -> str:
    """What the deciding difference is made of, objective by objective."""
    found = [deciding_difference(run, objective) for objective in run.metrics.objectives]
    differences = [difference for difference in found if difference is not None]
    if not differences:
        return ""
    parts = []
    for difference in differences:
        unclear = ", not clear" if difference.low <= 0 <= difference.high else ""
        parts.append(f"{difference.objective} {signed(difference.mean, decimals([difference.se]))}{unclear}")
    first = differences[0]
    return f"Per session, {first.policy} against {first.against}: {listed(parts)}."


def tipping_weights(run: Run) -> str:
    """The nearest weight of each objective at which another policy would have the highest mean return."""
    best, *rivals = run.shippable
    if not rivals:
        return ""
    sentences = []
    for objective, weight in zip(run.metrics.objectives, run.metrics.weights, strict=True):
        for side in (-1, 1):
            tip = _tip(best, rivals, objective, weight, side)
            if tip:
                way = "falls below" if side < 0 else "rises above"
                sentences.append(
                    f"{tip[1]} leads once the weight of {objective} {way} {compact(tip[0])} (now {weight:g})"
                )
    if not sentences:
        return f"No weight of a single objective, 0 or more, would put another policy above {best.name}."
    return f"Going by the means alone, {listed(sentences)}."


def room(run: Run) -> str:
    """How far the best policy is from the oracle that sees the hidden state."""
    oracles = [policy for policy in run.ranked if policy.is_oracle]
    best = run.shippable[0]
    if not oracles or oracles[0].truth[REWARD].mean <= 0:
        return ""
    share = best.truth[REWARD].mean / oracles[0].truth[REWARD].mean
    return f"{best.name} earns {percent(share, 0)} of what {oracles[0].name} earns, which sees the hidden interests."


def warnings_by_subject(run: Run) -> dict[str, list[str]]:
    """The warnings of a run under the policy that they are about; those about none stand under "the run"."""
    names = tuple(policy.name for policy in run.metrics.policies)
    found: dict[str, list[str]] = {}
    for sentence in run.metrics.warnings:
        subject, colon, rest = sentence.partition(": ")
        if colon and subject.startswith(names):
            found.setdefault(subject, []).append(rest[:1].upper() + rest[1:])
        else:
            found.setdefault("the run", []).append(sentence)
    return found


def return_of(run: Run, policy: PolicyResult) -> str:
    """The mean true return of a policy, to the decimals that all returns deserve."""
    return number(policy.truth[REWARD].mean, decimals(p.truth[REWARD].se for p in run.metrics.policies))


def _interval(run: Run, difference: Difference, places: int, flip: bool = False) -> str:
    shown = difference
    if flip:
        shown = difference.model_copy(update={"low": -difference.high, "high": -difference.low})
    return f"paired {percent(run.metrics.level, 0)} interval {ends(shown, places)}"


def _runner_up(run: Run) -> str:
    """Whether the order of the two best is settled, where neither is the baseline; "" where that is no question."""
    if len(run.shippable) < 2 or run.baseline in [policy.name for policy in run.shippable[:2]]:
        return ""
    first, second = (
        next((d for d in run.metrics.differences if d.policy == policy.name and d.objective == REWARD), None)
        for policy in run.shippable[:2]
    )
    if first is None or second is None or second.high < first.low:
        return ""
    return (
        f"But {second.policy} is close behind: its own interval against {second.against} overlaps with that of "
        f"{first.policy}, so the order of these two is open. "
    )


def _tip(
    best: PolicyResult, rivals: Sequence[PolicyResult], objective: str, weight: float, side: int
) -> tuple[float, str] | None:
    """The nearest weight of `objective`, 0 or more, below (-1) or above (+1) `weight`, at which a rival draws level."""
    found = []
    for rival in rivals:
        lead = best.truth[REWARD].mean - rival.truth[REWARD].mean
        slope = best.truth[objective].mean - rival.truth[objective].mean
        if lead > 0 and slope * side < 0:
            tip = weight - lead / slope
            if tip >= 0:
                found.append((tip, rival.name))
    return min(found, key=lambda pair: abs(pair[0] - weight), default=None)
