"""What a decision maker needs to know, in sentences computed from the numbers of a run."""

from __future__ import annotations

from recsim.report.answers import Point, power_words, sessions
from recsim.report.format import compact, decimals, listed, number, percent, signed, telling
from recsim.report.leads import paired, tipping_words
from recsim.report.measured import REWARD, Difference
from recsim.report.offline_sentences import log_alone
from recsim.report.read import Run
from recsim.report.results import PolicyResult

__all__ = ["Point", "deciding_difference", "headline", "points", "return_of"]


def headline(run: Run) -> str:
    """Which policy to choose, by how much, in one sentence; one wins only if it is told apart from every other."""
    if not run.shippable:
        return "Only oracles were run: they see what no policy can see, so there is nothing to choose from."
    best = run.shippable[0]
    difference, ties = deciding_difference(run), tied(run)
    earns = f"{return_of(run, best)} a session"
    if difference is None:
        return f"{best.name} has the highest true return, {earns}; it was compared with nothing."
    places = telling(difference, decimals([difference.se]))
    interval = paired(run.metrics.level, difference, len(_leads(run)), places)
    than = "" if ties == [difference.against] else f" than {difference.against}"
    gain = f"{number(difference.mean, places)} more{than} ({interval})"
    if ties:
        return f"{best.name} leads, but cannot be told from {listed(ties, 'or')}: {earns}, {gain}."
    return f"{best.name} wins: {earns}, {gain}."


def points(run: Run) -> list[Point]:
    """How sure that is, what the log alone would have said, and what would change the answer."""
    if not run.shippable:
        return []
    found = [
        Point("How sure", how_sure(run)),
        Point("Would the log alone have told", " ".join([log_alone(run), *log_power(run)])),
        Point("And of whole sessions", sessions_by_log(run)),
        Point("What it trades", trades(run)),
        Point("What the language model counts", " ".join(filter(None, map(judged, run.ranked)))),
        Point("What would change the answer", tipping_weights(run)),
        Point("Beside the oracle", room(run)),
    ]
    return [point for point in found if point.text]


def sessions_by_log(run: Run) -> str:
    """What the log alone says of whole sessions, and whether that is so; "" where it was not asked."""
    said, leads = sessions(run.offline), run.offline.leads("session")
    if not leads:
        return said
    best = run.shippable[0].name
    return f"{said} {'So it is in truth.' if leads[0].policy == best else f'In truth {best} leads.'}"


def log_power(run: Run) -> list[str]:
    """What it would take to tell policies apart by the log alone."""
    return power_words(run.offline)


def deciding_difference(run: Run, objective: str = REWARD) -> Difference | None:
    """The paired difference of the best policy and the baseline, or the next best where it is the baseline itself."""
    names = [policy.name for policy in run.shippable]
    rivals = [run.baseline] if run.baseline in names[1:] else names[1:]
    found = {lead.against: lead for lead in _leads(run, objective)}
    return next((found[name] for name in rivals if name in found), None)


def tied(run: Run) -> list[str]:
    """The policies from which the best cannot be told: the interval of their difference reaches 0."""
    return [lead.against for lead in sorted(_leads(run), key=lambda lead: lead.mean) if lead.low <= 0]


def how_sure(run: Run) -> str:
    """What the intervals of the best policy's differences mean, and for whom they hold."""
    users = f"Every policy served the same {run.metrics.n_users:,} simulated users with the same luck"
    caveat = "The interval says nothing about chance in training, and real users are not these simulated ones."
    leads, ties = _leads(run), tied(run)
    if not leads:
        return f"{users}. {caveat}"
    if ties:
        what = "intervals of the differences" if len(ties) > 1 else "interval of the difference"
        text = f"{users}, and still the {what} to {listed(ties)} {'include' if len(ties) > 1 else 'includes'} 0."
        return f"{text} More users would narrow it. {caveat}"
    closest = min(leads, key=lambda lead: lead.mean)
    places = telling(closest, decimals([closest.se]))
    errors = f", {compact(round(closest.mean / closest.se, 1))} standard errors" if closest.se > 0 else ""
    behind = f"{number(closest.mean, places)} behind ({paired(run.metrics.level, closest, len(leads), places)}){errors}"
    return f"{users}. The closest rival, {closest.against}, is {behind}. {caveat}"


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


def judged(policy: PolicyResult) -> str:
    """What the language model of a re-ranker counts beside the static fusion; "" for other policies."""
    if policy.judge is None:
        return ""
    if policy.judge.fitted and policy.judge.weight == 0.0:
        return (
            f"{policy.name}: nothing, since the log does not bear out its answers (a likelihood-ratio test at 5% does "
            "not find their weight above 0), so this policy ranks as the static fusion does."
        )
    source = "fitted on the log" if policy.judge.fitted else "set by hand"
    weight = compact(policy.judge.weight)
    return f"{policy.name}: its log-odds times {weight} are added to those of the static fusion, a weight {source}."


def tipping_weights(run: Run) -> str:
    """The nearest weight of each objective at which another policy would have the highest mean return."""
    if len(run.shippable) < 2:
        return ""
    means = [{key: interval.mean for key, interval in policy.truth.items()} for policy in run.shippable]
    weights = dict(zip(run.metrics.objectives, run.metrics.weights, strict=True))
    return tipping_words([policy.name for policy in run.shippable], means, weights)


def room(run: Run) -> str:
    """How the best policy compares with the oracle that sees the hidden state but does not plan."""
    oracles = [policy for policy in run.ranked if policy.is_oracle]
    best = run.shippable[0]
    if not oracles or oracles[0].truth[REWARD].mean <= 0:
        return ""
    share = best.truth[REWARD].mean / oracles[0].truth[REWARD].mean
    return (
        f"{best.name} earns {percent(share, 0)} of what {oracles[0].name} earns, which sees the hidden interests but "
        "does not plan for later slates; it is no upper bound."
    )


def return_of(run: Run, policy: PolicyResult) -> str:
    """The mean true return of a policy, to the decimals that all returns deserve."""
    return number(policy.truth[REWARD].mean, decimals(p.truth[REWARD].se for p in run.metrics.policies))


def _leads(run: Run, objective: str = REWARD) -> list[Difference]:
    """The best policy against every other."""
    return [lead for lead in run.metrics.best if lead.objective == objective]
