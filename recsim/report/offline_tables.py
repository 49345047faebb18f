"""Tables of what a log says about policies."""

from __future__ import annotations

from recsim.report.format import compact, decimals, ends, number, percent, signed, telling
from recsim.report.measured import Estimand
from recsim.report.offline import Estimate, Offline
from recsim.report.offline_details import Guaranteed
from recsim.report.overlap import overlap_rows
from recsim.report.table import Cell, Column, Table, spoken_cell, verdict_cell

# Names of numbers that tell how good a guide an estimator is; others go by their own.
ASSESSED = {
    "estimator": "Estimator",
    "estimand": "Of one",
    "candidates": "Policies",
    "usable": "Usable",
    "spearman": "Rank correlation",
    "kendall": "Kendall’s tau",
    "mean_squared_error": "Mean squared error",
    "relative_error": "Relative error",
    "type_1": "Type I errors",
    "type_2": "Type II errors",
    "note": "Note",
}


def judged(found: Offline) -> Table | None:
    """The estimates that speak for each policy, of a slate and of a session, beside the truth where it is known."""
    if not found.estimates:
        return None
    leads = {one: {lead.against: lead for lead in found.leads(one)} for one in found.estimands}
    columns, groups = [Column("Policy", numeric=False)], [("", 1)]
    truths = {one: any(e.truth is not None for e in found.estimates if e.estimand == one) for one in found.estimands}
    for one in found.estimands:
        more = [*(["True value"] if truths[one] else []), *(["Behind the first"] if leads[one] else [])]
        columns += [Column("Estimate"), Column("Verdict", numeric=False), *map(Column, more)]
        groups.append((f"One {one}" if one == "slate" else "A whole session", len(more) + 2))
    best = found.first
    rows = []
    for name in found.policies:
        cells = [Cell(name, "the policy of the log" if name == found.source.policy else "", name)]
        for one in found.estimands:
            cells += _spoken(found, name, one, truths[one])
        rows.append((tuple(cells), name == best))
    level = percent(found.level, 0)
    caption = f"What the log says of each policy, with {level} intervals."
    return Table(caption, tuple(columns), tuple(rows), tuple(groups))


def objectives(found: Offline) -> Table | None:
    """The objectives of every policy, all by the estimator that speaks for its reward."""
    names = found.objectives[:-1]
    if not names or not found.estimates:
        return None
    spoken = [e for e in (found.speaker(p, estimand=found.estimands[0]) for p in found.policies) if e is not None]
    own = {(e.policy, name): found.by(e.policy, e.estimator, name) for e in spoken for name in names}
    places = {name: decimals(e.se for (_, key), e in own.items() if e is not None and key == name) for name in names}
    rows = []
    for e in spoken:
        cells = [_objective(own[e.policy, name], places[name]) for name in names]
        estimator = Cell(e.estimator, order=e.estimator)
        rows.append(((Cell(e.policy, order=e.policy), estimator, *cells), e.policy == found.first))
    columns = (
        Column("Policy", numeric=False),
        Column("Estimator", numeric=False),
        *(Column(n.capitalize()) for n in names),
    )
    return Table(f"Objectives of one {found.estimands[0]}, by the same estimator as its reward.", columns, tuple(rows))


def estimates(found: Offline) -> Table | None:
    """Every offline estimate of every objective."""
    if not found.estimates:
        return None
    words = ("Estimator", "Of one", "Objective")
    titles = (*words, "Estimate", "True value", "ESS", "Largest weight", "Mean weight")
    columns = [Column(title, numeric=title not in words) for title in titles]
    columns += [Column("Verdict", numeric=False), Column("Reason", numeric=False)]
    rows = []
    for e in found.estimates:
        cells = (
            Cell(e.policy, order=e.policy),
            Cell(e.estimator, order=e.estimator),
            Cell(e.estimand, order=e.estimand),
            Cell(e.objective, order=e.objective),
            Cell(compact(e.value), _ends(e), e.value),
            Cell(compact(e.truth), order=e.truth),
            Cell(compact(e.ess), order=e.ess),
            Cell(compact(e.max_weight), order=e.max_weight),
            Cell(compact(e.mean_weight), order=e.mean_weight),
            verdict_cell(e),
            Cell(e.reason, order=e.reason, mark="prose"),
        )
        rows.append((cells, False))
    return Table("Every offline estimate.", (Column("Policy", numeric=False), *columns), tuple(rows))


def overlap(found: Offline, estimand: Estimand = "slate") -> Table | None:
    """How far the log bears on each policy."""
    rows, whole = [], found.n_slates if estimand == "slate" else found.n_sessions
    for row in overlap_rows(found, estimand):
        share = None if row.ess is None or not whole else row.ess / whole
        cells = (
            Cell(row.policy, order=row.policy),
            Cell(row.estimators, order=row.estimators, mark="prose"),
            Cell(compact(row.ess), order=row.ess),
            Cell(percent(share, 2), order=share),
            Cell(compact(row.max_weight), order=row.max_weight),
            Cell(compact(row.mean_weight), order=row.mean_weight),
        )
        rows.append((cells, row.policy == found.first))
    titles = (f"Effective {estimand}s", "Share of the log", "Largest weight", "Mean weight (should be 1)")
    columns = (Column("Policy", numeric=False), Column("Estimators", numeric=False), *map(Column, titles))
    return Table(f"Importance weights of the log’s {estimand}s.", columns, tuple(rows)) if rows else None


def positions(found: Offline) -> Table | None:
    """The weights of everything down to each position."""
    rows = []
    for name in found.policies:
        for one in found.overlap[name].positions if name in found.overlap else ():
            numbers = (one.ess, one.mean, one.largest)
            cells = [Cell(name, order=name), Cell(str(one.position + 1), order=one.position)]
            cells += [Cell(compact(value), order=value) for value in numbers]
            rows.append(((*cells, Cell(percent(one.zero_share), order=one.zero_share)), False))
    titles = ("Position", "Effective slates", "Mean weight", "Largest weight", "Never shown")
    columns = (Column("Policy", numeric=False), *map(Column, titles))
    return Table("Weights of everything down to each position.", columns, tuple(rows)) if rows else None


def power(found: Offline) -> Table | None:
    """How many sessions it takes to tell policies apart."""
    rows = []
    for one in found.power:
        cells = (
            Cell(one.policy, order=one.policy),
            Cell(one.against, order=one.against),
            Cell(one.estimator, order=one.estimator),
            Cell(number(one.now, 0), order=one.now),
            Cell(number(one.needed, 0), order=one.needed),
            Cell(one.words, order=one.words, mark="prose"),
        )
        rows.append((cells, False))
    left = [Column(title, numeric=False) for title in ("Policy", "Against", "Estimator")]
    columns = (*left, Column("Sessions now"), Column("Sessions needed"), Column("In words", numeric=False))
    return Table("Sessions that it takes to tell two policies apart.", columns, tuple(rows)) if rows else None


def guaranteed(found: Offline) -> Table | None:
    """Intervals that hold at any sample size."""
    return _bounds("Intervals that hold at any sample size, also with rare heavy weights.", found.guaranteed)


def region(found: Offline) -> Table | None:
    """Edges of the regions that hold for all objectives at once."""
    return _bounds("Intervals that hold for all objectives of a policy at once.", found.region)


def assessment(found: Offline) -> Table | None:
    """How good a guide each estimator would have been, where the truth is known."""
    if not found.assessment:
        return None
    keys = list(dict.fromkeys(["estimator", *(key for row in found.assessment for key in row)]))
    words = {key for row in found.assessment for key, value in row.items() if isinstance(value, str)}
    rows = [(tuple(_assessed(row.get(key)) for key in keys), False) for row in found.assessment]
    columns = tuple(Column(_assessed_title(key), numeric=key not in words) for key in keys)
    return Table(
        "How well each estimator would have guided the choice, for the truth is known here.", columns, tuple(rows)
    )


def _spoken(found: Offline, name: str, estimand: Estimand, truth: bool) -> list[Cell]:
    own = [found.speaker(policy, estimand=estimand) for policy in found.policies]
    places = decimals(e.se for e in own if e is not None and e.usable)
    leads = {lead.against: lead for lead in found.leads(estimand)}
    spoken = found.speaker(name, estimand=estimand)
    if spoken is None:
        return [Cell("—", "no estimate")] + [Cell("—")] * (truth + bool(leads) + 1)
    cells = [spoken_cell(spoken, places), verdict_cell(spoken, named=True)]
    cells += [Cell(number(spoken.truth, places), order=spoken.truth)] if truth else []
    if leads:
        lead = leads.get(name)
        cells.append(Cell("—") if lead is None else _behind(lead.mean, lead.low, lead.high, lead.se))
    return cells


def _behind(mean: float, low: float, high: float, se: float) -> Cell:
    """How far a policy is behind the first, which is ahead by `mean`."""
    places = decimals([se])
    return Cell(signed(-mean, places), f"{number(-high, places)} to {number(-low, places)}", -mean)


def _objective(estimate: Estimate | None, places: int) -> Cell:
    if estimate is None:
        return Cell("—")
    return Cell(number(estimate.value, places), ends(estimate, telling(estimate, places)), estimate.value)


def _ends(estimate: Estimate) -> str:
    return "" if estimate.low is None else f"{compact(estimate.low)} to {compact(estimate.high)}"


def _bounds(caption: str, found: tuple[Guaranteed, ...]) -> Table | None:
    rows = []
    for one in found:
        words = [Cell(text, order=text) for text in (one.policy, one.estimator, one.method, one.objective)]
        rows.append(((*words, *(Cell(compact(end), order=end) for end in (one.low, one.high))), False))
    left = [Column(title, numeric=False) for title in ("Policy", "Estimator", "Method", "Objective")]
    return Table(caption, (*left, Column("Low"), Column("High")), tuple(rows)) if rows else None


def _assessed(value: float | str | None) -> Cell:
    if isinstance(value, str):
        return Cell(value, order=value, mark="prose" if len(value) > 24 else "")
    return Cell(compact(value), order=value)


def _assessed_title(key: str) -> str:
    name, at, k = key.partition("@")
    words = ASSESSED.get(key, name.replace("_", " ").capitalize())
    return f"{words} at {k}" if at else words
